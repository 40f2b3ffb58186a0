import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

/** Life cycle; who holds a conversation, escalation and ticket state are fields of their own. */
export const CONVERSATION_STATUSES = ['open', 'closed'] as const;
export type ConversationStatus = (typeof CONVERSATION_STATUSES)[number];

/** How urgent it is, mildest first. */
export const PRIORITIES = ['low', 'medium', 'high', 'urgent'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What the conversation is about, named by the host: a trip, an order. */
export interface ConversationContext {
  readonly type: string;
  readonly id: string;
  readonly label: string;
}

const ConversationSchema = defineEntity({
  name: 'Conversation',
  tableName: 'conversations',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** Open list; `support` is the only kind so far. */
    kind: p.text().default('support'),
    /** The user who opened it; null for kinds without one opener. */
    openedBy: p.uuid().nullable(),
    userType: p.text().nullable(),
    subject: p.text().nullable(),
    topic: p.text().nullable(),
    context: p.json<ConversationContext>().nullable(),
    status: p.text().$type<ConversationStatus>().default('open'),
    priority: p.text().$type<Priority>().default('medium'),
    assignedAdminId: p.uuid().nullable(),
    /** Place of the last message; the next one takes lastSeq + 1. */
    lastSeq: p.integer().default(0),
    /** Count of changes that participants see; the next one takes version + 1. */
    version: p.integer().default(0),
    /** How far the user's side, and admins who may answer, have read. */
    userReadSeq: p.integer().default(0),
    staffReadSeq: p.integer().default(0),
    unreadByUser: p.integer().default(0),
    unreadByStaff: p.integer().default(0),
    /** Equals createdAt until the first message. */
    lastMessageAt: p.datetime(),
    preview: p.text().nullable(),
    previewSenderType: p.text().nullable(),
    waitingSince: p.datetime().nullable(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    closedAt: p.datetime().nullable(),
    closedBy: p.text().nullable(),
  },
});

/** A conversation. Its numbers (lastSeq, version, counters, preview) are written by the append function alone. */
export class Conversation extends ConversationSchema.class {
  isOpen(): boolean {
    return this.status === 'open';
  }

  /** Opened by this user, or open to staff by kind; asked through `accessConversation`, not directly. */
  isOpenedBy(userId: string): boolean {
    return this.openedBy === userId;
  }
}
ConversationSchema.setClass(Conversation);
