import { z } from 'zod';
import { CONVERSATION_STATUSES, MAX_ATTACHMENTS, PRIORITIES } from '../messaging/index.ts';
import { Cursor, Limit, line, listOf, Time, Uuid } from './fields.schema.ts';
import { Message, MessageText } from './message.schema.ts';

/** What a conversation is about, named by the host. */
const Context = z.strictObject({ type: line(50), id: line(200), label: line(200) });

/** A conversation as the contract shows it; the two optional members are for staff. */
const Conversation = z
  .strictObject({
    id: Uuid,
    kind: z.string(),
    userId: Uuid.nullable(),
    userType: z.string().nullable(),
    subject: z.string().nullable(),
    topic: z.string().nullable(),
    context: z.strictObject({ type: z.string(), id: z.string(), label: z.string() }).nullable(),
    status: z.enum(CONVERSATION_STATUSES),
    priority: z.enum(PRIORITIES),
    assignedAdminId: Uuid.nullable().optional().meta({ description: 'Staff only' }),
    lastSeq: z.int(),
    version: z.int(),
    unreadCount: z.int(),
    unreadByStaff: z.int().optional().meta({ description: 'Staff only' }),
    lastMessageAt: Time.nullable(),
    createdAt: Time,
    updatedAt: Time,
    closedAt: Time.nullable(),
  })
  .meta({ id: 'Conversation' });

/** `{conversation}`. */
export const ConversationReply = z.strictObject({ conversation: Conversation });

/** A page of conversations. */
export const ConversationListReply = listOf(Conversation);

/** Body of the start. */
export const StartBody = z.strictObject({
  kind: z.string().max(30).optional(),
  subject: line(200).nullish(),
  topic: line(100).nullish(),
  context: Context.nullish(),
  message: z
    .strictObject({
      body: MessageText,
      clientId: Uuid,
      attachmentIds: z.array(Uuid).max(MAX_ATTACHMENTS).optional(),
    })
    .optional(),
});

/** What the start answers. */
export const StartReply = z.strictObject({ conversation: Conversation, message: Message.optional() });

/** A day of the tenant's calendar. PostgreSQL knows no year 0. */
const Day = z.iso.date().refine((day) => day >= '1900', 'too_early');

/** Query of the caller's own list. */
export const MyListQuery = z.strictObject({ cursor: Cursor.optional(), limit: Limit });

/** Query of the staff's list. */
export const StaffListQuery = z.strictObject({
  status: z.enum(CONVERSATION_STATUSES).optional(),
  userType: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,30}$/, 'user_type')
    .optional(),
  assignedAdminId: z.union([z.literal('me'), z.literal('none'), Uuid]).optional(),
  dateFrom: Day.optional(),
  dateTo: Day.optional(),
  q: line(200).optional(),
  cursor: Cursor.optional(),
  limit: Limit,
});

/** Body of an assignment: absent claims, null releases. */
export const AssignBody = z.strictObject({ adminId: Uuid.nullable().optional() });

/** Body of a read mark. */
export const ReadBody = z.strictObject({ seq: z.int().min(0).max(2_147_483_647) });

/** Where the caller's mark stands now. */
export const ReadReply = z.strictObject({ seq: z.int() });
