import { batched, type Database } from '../../platform/database/index.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import type { ReadMarks } from '../messages/message.view.ts';
import type { StoredMessage } from '../messages/stored-message.ts';
import type { Mark } from './participants.ts';

/** A conversation's columns, without the entity around them. */
export type ConversationColumns = Omit<Conversation, 'isOpen' | 'isOpenedBy'>;

/** A conversation at one moment, with everybody's read mark. */
export interface Opening {
  readonly conversation: ConversationColumns;
  readonly marks: readonly Mark[];
  /** Others' messages after the mark of the reader that was named; for who opened it the counter in the columns counts. */
  readonly unread: number;
}

/** Changes of one log, and how far each side has read. */
export interface ChangesPage {
  readonly messages: readonly StoredMessage[];
  readonly marks: ReadMarks;
}

/**
 * What the live channel reads of conversations: asked for one by one, read together, because after a restart thousands
 * come back at once. Whether somebody may have it is the question of whoever asked.
 */
export interface ConversationReader {
  /** Null: there is no such conversation in that tenant. */
  open(tenantId: string, id: string, readerId: string | null): Promise<Opening | null>;
  /** Changes after a version in order of version, one row a message, at most `limit`. */
  changesAfter(tenantId: string, id: string, after: number, limit: number): Promise<ChangesPage>;
}

const OPENINGS = { max: 200, atOnce: 2 };
const CHANGES = { max: 25, atOnce: 3 };
const UNREAD: ReadMarks = { userReadSeq: 0, staffReadSeq: 0 };

/** Reads through functions that serve several tenants at once; each question carries its tenant. */
export function createConversationReader({ systemPool }: Pick<Database, 'systemPool'>): ConversationReader {
  const open = batched<{ tenantId: string; id: string; readerId: string | null }, Opening | null>(async (asked) => {
    const { rows } = await systemPool.query<OpeningRow>({
      name: 'open-conversations',
      text: 'select ord, conversation, marks, unread from open_conversations($1, $2, $3)',
      values: [asked.map((one) => one.tenantId), asked.map((one) => one.id), asked.map((one) => one.readerId)],
    });
    const found: (Opening | null)[] = asked.map(() => null);
    for (const { ord, conversation, marks, unread } of rows) {
      found[ord - 1] = { conversation: columns(conversation), marks, unread };
    }
    return found;
  }, OPENINGS);

  const changes = batched<{ tenantId: string; id: string; after: number; limit: number }, ChangesPage>(
    async (asked) => {
      const { rows } = await systemPool.query<ChangeRow>({
        name: 'changes-of-conversations',
        text: `select ord, message, sender_name, sender_user_type, user_read_seq, staff_read_seq
               from changes_of_conversations($1, $2, $3, $4)`,
        values: [
          asked.map((one) => one.tenantId),
          asked.map((one) => one.id),
          asked.map((one) => one.after),
          asked.map((one) => one.limit),
        ],
      });
      const pages = asked.map(() => ({ messages: [] as StoredMessage[], marks: UNREAD }));
      for (const row of rows) {
        const page = pages[row.ord - 1];
        if (!page) continue;
        page.messages.push(stored(row));
        page.marks = { userReadSeq: row.user_read_seq, staffReadSeq: row.staff_read_seq };
      }
      return pages;
    },
    CHANGES,
  );

  return {
    open: (tenantId, id, readerId) => open({ tenantId, id, readerId }),
    changesAfter: (tenantId, id, after, limit) => changes({ tenantId, id, after, limit }),
  };
}

interface OpeningRow {
  readonly ord: number;
  readonly conversation: ConversationRow;
  readonly marks: readonly Mark[];
  readonly unread: number;
}

/** A row of `conversations` as `to_jsonb` writes it. */
interface ConversationRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly kind: string;
  readonly opened_by: string | null;
  readonly user_type: string | null;
  readonly subject: string | null;
  readonly topic: string | null;
  readonly context: ConversationColumns['context'];
  readonly status: ConversationColumns['status'];
  readonly priority: ConversationColumns['priority'];
  readonly assigned_admin_id: string | null;
  readonly last_seq: number;
  readonly version: number;
  readonly user_read_seq: number;
  readonly staff_read_seq: number;
  readonly unread_by_user: number;
  readonly unread_by_staff: number;
  readonly last_message_at: string;
  readonly preview: string | null;
  readonly preview_sender_type: string | null;
  readonly waiting_since: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly closed_at: string | null;
  readonly closed_by: string | null;
}

function columns(row: ConversationRow): ConversationColumns {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    kind: row.kind,
    openedBy: row.opened_by,
    userType: row.user_type,
    subject: row.subject,
    topic: row.topic,
    context: row.context,
    status: row.status,
    priority: row.priority,
    assignedAdminId: row.assigned_admin_id,
    lastSeq: row.last_seq,
    version: row.version,
    userReadSeq: row.user_read_seq,
    staffReadSeq: row.staff_read_seq,
    unreadByUser: row.unread_by_user,
    unreadByStaff: row.unread_by_staff,
    lastMessageAt: new Date(row.last_message_at),
    preview: row.preview,
    previewSenderType: row.preview_sender_type,
    waitingSince: date(row.waiting_since),
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    closedAt: date(row.closed_at),
    closedBy: row.closed_by,
  };
}

interface ChangeRow {
  readonly ord: number;
  readonly message: MessageRow;
  readonly sender_name: string | null;
  readonly sender_user_type: string | null;
  readonly user_read_seq: number;
  readonly staff_read_seq: number;
}

/** A row of `messages` as `to_jsonb` writes it. */
interface MessageRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly conversation_id: string;
  readonly seq: number;
  readonly version: number;
  readonly first_version: number;
  readonly sender_type: StoredMessage['senderType'];
  readonly sender_id: string | null;
  readonly message_type: string;
  readonly event: string | null;
  readonly data: StoredMessage['data'];
  readonly body: string | null;
  readonly reply_to_id: string | null;
  readonly client_id: string;
  readonly created_at: string;
  readonly edited_at: string | null;
  readonly deleted_at: string | null;
}

function stored({ message, sender_name, sender_user_type }: ChangeRow): StoredMessage {
  return {
    id: message.id,
    tenantId: message.tenant_id,
    conversationId: message.conversation_id,
    seq: message.seq,
    version: message.version,
    firstVersion: message.first_version,
    senderType: message.sender_type,
    senderId: message.sender_id,
    senderName: sender_name,
    senderUserType: sender_user_type,
    messageType: message.message_type,
    event: message.event,
    data: message.data,
    body: message.body,
    replyToId: message.reply_to_id,
    clientId: message.client_id,
    createdAt: new Date(message.created_at),
    editedAt: date(message.edited_at),
    deletedAt: date(message.deleted_at),
  };
}

function date(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
