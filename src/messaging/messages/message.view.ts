import { type AttachmentView, attachmentsOf } from '../attachments/attachment.view.ts';
import type { FileLinks } from '../attachments/file-links.ts';
import { type ReactionView, reactionViews } from './reactions.ts';
import type { StoredMessage } from './stored-message.ts';

/** Who the view is made for: the user's side, or staff. */
export type Audience = 'user' | 'staff';

/** How far each side has read; comes with the conversation. */
export interface ReadMarks {
  readonly userReadSeq: number;
  readonly staffReadSeq: number;
}

/** A message as the contract shows it: what REST answers, sockets carry and the partial `_message` is drawn from. */
export interface MessageView {
  readonly id: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly version: number;
  readonly senderType: string;
  /** `id` is null where the reader may not have it; a system line's sender has no name. */
  readonly sender: { readonly id: string | null; readonly userType: string; readonly name: string };
  readonly messageType: string;
  /** System lines only: what happened, and with what. Never a sentence. */
  readonly event: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly body: string | null;
  readonly attachments: readonly AttachmentView[];
  readonly replyToId: string | null;
  /** In words, everybody's one at most. */
  readonly reactions: readonly ReactionView[];
  /** The other side has read it. */
  readonly read: boolean;
  readonly clientId: string;
  readonly createdAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
}

/** What of a system line's data the user's side may have: names and sides, never ids or reasons. */
const DATA_FOR_USERS = ['adminName', 'actorSide', 'actorName', 'closesAt'] as const;

/** A message that was just stored has been read by nobody. */
export const UNREAD: ReadMarks = { userReadSeq: 0, staffReadSeq: 0 };

/**
 * The contract's JSON of a message for one audience. Without marks it is one that nobody can have read yet; without
 * `links` the addresses of its files are those that our own pages use.
 */
export function messageView(
  message: StoredMessage,
  audience: Audience,
  marks: ReadMarks = UNREAD,
  links?: FileLinks,
): MessageView {
  const mayHaveId = audience === 'staff' || message.senderType === 'user';
  return {
    id: message.id,
    conversationId: message.conversationId,
    seq: message.seq,
    version: message.version,
    senderType: message.senderType,
    sender: {
      id: mayHaveId ? message.senderId : null,
      userType: message.senderUserType ?? message.senderType,
      name: message.senderName ?? '',
    },
    messageType: message.messageType,
    event: message.event,
    data: message.event === null ? null : audience === 'staff' ? message.data : dataForUsers(message.data),
    body: message.body,
    attachments: attachmentsOf(message, links),
    replyToId: message.replyToId,
    reactions: reactionViews(message, audience),
    read: isRead(message, marks),
    clientId: message.clientId,
    createdAt: message.createdAt.toISOString(),
    editedAt: message.editedAt?.toISOString() ?? null,
    deletedAt: message.deletedAt?.toISOString() ?? null,
  };
}

/**
 * `JSON.stringify(messageView(…))`, the same text. Most messages are a plain one, which is written for everybody in the
 * room and for its sender: member by member that costs a quarter of asking for each what JSON it is.
 */
export function messageText(
  message: StoredMessage,
  audience: Audience,
  marks: ReadMarks = UNREAD,
  links?: FileLinks,
): string {
  // in `data` are files, reactions, references, and what system lines say
  if (message.data !== null || message.deletedAt !== null) {
    return JSON.stringify(messageView(message, audience, marks, links));
  }
  const { id, conversationId, seq, version, senderType, senderId, clientId } = message;
  const sender = senderId !== null && (audience === 'staff' || senderType === 'user') ? `"${senderId}"` : null;
  const userType = JSON.stringify(message.senderUserType ?? senderType);
  const name = JSON.stringify(message.senderName ?? '');
  const replyToId = message.replyToId === null ? null : `"${message.replyToId}"`;
  const editedAt = message.editedAt === null ? null : `"${message.editedAt.toISOString()}"`;
  return (
    `{"id":"${id}","conversationId":"${conversationId}","seq":${seq},"version":${version},"senderType":"${senderType}",` +
    `"sender":{"id":${sender},"userType":${userType},"name":${name}},"messageType":"${message.messageType}",` +
    `"event":${JSON.stringify(message.event)},"data":null,"body":${JSON.stringify(message.body)},"attachments":[],` +
    `"replyToId":${replyToId},"reactions":[],"read":${isRead(message, marks)},"clientId":"${clientId}",` +
    `"createdAt":"${message.createdAtText ?? message.createdAt.toISOString()}","editedAt":${editedAt},"deletedAt":null}`
  );
}

/** The message that another one answers, as pages show it: who wrote it and where it stands. Its text is read there. */
export interface ReplyReference {
  readonly seq: number;
  readonly name: string;
}

/** What the partial `_message` is drawn from: the view, and what only pages show. */
export interface MessageItem extends MessageView {
  readonly reply: ReplyReference | null;
}

/** A message for pages. */
export function messageItem(message: StoredMessage, audience: Audience, marks: ReadMarks = UNREAD): MessageItem {
  return { ...messageView(message, audience, marks), reply: replyOf(message) };
}

/** The reference that was stored with the message; none once it is deleted. */
function replyOf({ data, event, deletedAt }: StoredMessage): ReplyReference | null {
  const reply = event === null && deletedAt === null ? data?.['reply'] : null;
  // written by `postMessage` alone
  return (reply as ReplyReference | undefined) ?? null;
}

/** The audience a person belongs to. */
export function audienceOf(person: { readonly side: 'user' | 'admin' }): Audience {
  return person.side === 'admin' ? 'staff' : 'user';
}

function isRead(message: StoredMessage, marks: ReadMarks): boolean {
  if (message.senderType === 'user') return message.seq <= marks.staffReadSeq;
  if (message.senderType === 'admin') return message.seq <= marks.userReadSeq;
  return false;
}

function dataForUsers(data: StoredMessage['data']): Record<string, unknown> | null {
  if (!data) return null;
  return Object.fromEntries(DATA_FOR_USERS.filter((key) => Object.hasOwn(data, key)).map((key) => [key, data[key]]));
}
