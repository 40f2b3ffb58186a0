import { z } from 'zod';
import { MAX_ATTACHMENTS, REACTIONS } from '../messaging/index.ts';

/** An empty field of a plain form is one that nobody filled. */
function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

const number = z.coerce.number().int().min(0).max(2_147_483_647);
/** Place of a message: the first is 1. */
const place = z.coerce.number().int().min(1).max(2_147_483_647);

const filters = {
  status: optional(z.enum(['open', 'closed'])),
  userType: optional(z.string().regex(/^[a-z][a-z0-9_]{0,62}$/)),
  assignedAdminId: optional(z.union([z.enum(['me', 'none']), z.uuid()])),
  dateFrom: optional(z.iso.date()),
  dateTo: optional(z.iso.date()),
  q: optional(z.string().max(200)),
  mentions: optional(z.literal('me')),
  sort: optional(z.literal('due')),
  late: optional(z.literal('1')),
};

/** One message of the conversation, by its place: what can be done with it, and doing it. */
const about = { line: optional(number), reply: optional(number), edit: optional(number) };

/** The desk without an open conversation: filters, and where the next page of the list begins. */
export const DeskQuery = z.strictObject({ ...filters, cursor: optional(z.string().max(200)) });

/** With one: also a place in its log, the messages before it or from it on. */
export const ConversationQuery = z.strictObject({
  ...filters,
  cursor: optional(z.string().max(200)),
  before: optional(number),
  after: optional(number),
  ...about,
});

/** Rows that are to be looked at again: ids with commas between, at most a hundred; `newest` adds the first page. */
export const RowsQuery = z.strictObject({
  ...filters,
  ids: z
    .string()
    .max(3_700)
    .transform((text) => (text === '' ? [] : text.split(',')))
    .pipe(z.array(z.uuid()).max(100)),
  newest: optional(z.literal('1')),
});

/** The filters that a form carries on. */
export const ActionQuery = z.strictObject(filters);

/** A conversation's id. */
export const ConversationPath = z.strictObject({ id: z.uuid() });

/** An answer; `seen` is the last message that the page showed, `takeOver` a ticked box. */
export const ReplyBody = z.strictObject({
  body: z.string().max(20_000),
  clientId: z.uuid(),
  seen: optional(number),
  takeOver: optional(z.literal('true')),
  /** Files that the page has uploaded. */
  attachmentIds: z.array(z.uuid()).max(MAX_ATTACHMENTS).optional(),
  /** Place of the message that it answers. */
  replyTo: optional(number),
  /** The last message that was there when the writing began; without it what `seen` says. */
  since: optional(number),
});

/** Another text for one's own message. */
export const EditBody = z.strictObject({ seq: place, body: z.string().max(20_000) });

/** A word on a message; the same again takes it back. */
export const ReactBody = z.strictObject({ seq: place, reaction: z.enum(REACTIONS) });

/** One's own message that is to go. */
export const DeleteBody = z.strictObject({ seq: place });

/** A private note. */
export const NoteBody = z.strictObject({ body: z.string().max(20_000), clientId: optional(z.uuid()) });

/** How far was read. */
export const ReadBody = z.strictObject({ seq: number });

/** Claims; with `takeOver` from a colleague; with `adminId` for somebody, `none` for nobody. */
export const AssignBody = z.strictObject({
  takeOver: optional(z.literal('true')),
  adminId: optional(z.union([z.literal('none'), z.uuid()])),
  /** What the next one should know, and the id that keeps it from being written twice. */
  note: optional(z.string()),
  noteId: optional(z.uuid()),
});
