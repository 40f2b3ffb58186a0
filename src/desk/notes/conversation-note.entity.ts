import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

const ConversationNoteSchema = defineEntity({
  name: 'ConversationNote',
  tableName: 'conversation_notes',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    conversationId: p.uuid(),
    /** 1, 2, 3 … in the conversation: the place in the log of its staff room. */
    version: p.integer(),
    /** Place of the last message when it was written; the note stands behind it. */
    afterSeq: p.integer(),
    authorId: p.uuid(),
    body: p.text(),
    clientId: p.uuid(),
    createdAt: p.datetime(),
  },
});

/** What an admin wrote for colleagues. Never changed, and never a message. */
export class ConversationNote extends ConversationNoteSchema.class {}
ConversationNoteSchema.setClass(ConversationNote);

const NoteMentionSchema = defineEntity({
  name: 'NoteMention',
  tableName: 'note_mentions',
  filters: tenantFilter,
  properties: {
    noteId: p.uuid().primary(),
    userId: p.uuid().primary(),
    tenantId: p.uuid(),
    conversationId: p.uuid(),
    createdAt: p.datetime(),
    /** When the colleague had it on the screen. */
    seenAt: p.datetime().nullable(),
  },
});

/** That a note names a colleague. */
export class NoteMention extends NoteMentionSchema.class {}
NoteMentionSchema.setClass(NoteMention);
