import { hash } from 'node:crypto';
import type { SenderType } from './message.entity.ts';

/** A message as it stands in the log, with its sender's name. Plain data: what pages, JSON and sockets are made from. */
export interface StoredMessage {
  readonly id: string;
  readonly tenantId: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly version: number;
  readonly firstVersion: number;
  readonly senderType: SenderType;
  readonly senderId: string | null;
  readonly senderName: string | null;
  readonly senderUserType: string | null;
  readonly messageType: string;
  readonly event: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly body: string | null;
  readonly replyToId: string | null;
  readonly clientId: string;
  readonly createdAt: Date;
  /** The same as ISO text, where it was just stored: written once a batch, where the engine would format each anew. */
  readonly createdAtText?: string;
  readonly editedAt: Date | null;
  readonly deletedAt: Date | null;
  /** The connection it came in on; that one gets the ack instead of the message. Only known on the node it came to. */
  readonly originConnectionId?: string;
}

/** Who sends: a person as the token says, with the rights the app knows (compared again inside the append), or the system. */
export type Sender =
  | {
      readonly type: 'user' | 'admin';
      readonly id: string;
      readonly accessVersion: number;
      readonly name: string;
      readonly userType: string;
    }
  | { readonly type: 'system' };

/** How much one sender may send; counted over all nodes. */
export interface SendLimit {
  readonly messages: number;
  readonly seconds: number;
}

/** What goes into the log next. */
export interface NewMessage {
  /** UUIDv7 made by the app. */
  readonly id: string;
  readonly tenantId: string;
  readonly conversationId: string;
  readonly sender: Sender;
  /** UUID made by the client before it sends; (conversation, sender, clientId) is unique. System lines use their id. */
  readonly clientId: string;
  readonly messageType: string;
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Text as typed after CRLF to LF; no NUL, no lone surrogates. */
  readonly body: string | null;
  readonly replyToId?: string | null;
  /** Files that go with it, by id; part of what makes two sends the same. Their facts are in `data`. */
  readonly attachmentIds?: readonly string[];
  /** The code under which the app refuses this if it is new; a repeat is still answered with what is stored. */
  readonly refuseNew?: string | null;
  /** Most messages that this sender may have in the log within the last `seconds`; none: as many as they like. */
  readonly sendLimit?: SendLimit | null;
  readonly originConnectionId?: string;
}

/** What became of one message; see the verdicts in the messaging migration. Any other verdict is the row's `refuseNew`. */
export type AppendOutcome =
  | { readonly verdict: 'new' | 'repeat'; readonly message: StoredMessage }
  | { readonly verdict: 'absent' | 'conflict' | 'stale' | 'closed' | 'unassigned' | 'assigned_to_other' }
  | { readonly verdict: 'too_many'; readonly retryAfterSeconds: number }
  | { readonly verdict: 'refused'; readonly code: string };

/** First half of SHA-256 over what makes two sends the same, written as a UUID because that is 16 bytes in PostgreSQL. */
export function contentHash(message: Pick<NewMessage, 'body' | 'replyToId' | 'event' | 'attachmentIds'>): string {
  const parts = [message.body ?? '', message.replyToId ?? '', message.event ?? ''];
  if (message.attachmentIds?.length) parts.push(message.attachmentIds.join(' '));
  const hex = hash('sha256', parts.join('\0'), 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
