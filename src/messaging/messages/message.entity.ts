import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

/** Which side a message comes from; `system` lines are ours. */
export type SenderType = 'user' | 'admin' | 'system';

const MessageSchema = defineEntity({
  name: 'Message',
  tableName: 'messages',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    conversationId: p.uuid(),
    /** Place in the conversation: 1, 2, 3 … without gaps. */
    seq: p.integer(),
    /** Last change, in the conversation's count of changes. */
    version: p.integer(),
    /** The change with which it came into being; tells `message:new` from `message:changed`. */
    firstVersion: p.integer(),
    senderType: p.text().$type<SenderType>(),
    senderId: p.uuid().nullable(),
    /** Open list: text, image, file, system. */
    messageType: p.text(),
    /** System lines store what happened, never a sentence. */
    event: p.text().nullable(),
    data: p.json<Record<string, unknown>>().nullable(),
    body: p.text().nullable(),
    replyToId: p.uuid().nullable(),
    clientId: p.uuid(),
    /** Of what was first sent, so that an edit does not turn a repeat into a conflict. */
    contentHash: p.uuid(),
    createdAt: p.datetime(),
    editedAt: p.datetime().nullable(),
    deletedAt: p.datetime().nullable(),
  },
});

/** One entry of a conversation's log. Inserted by the append function alone. */
export class Message extends MessageSchema.class {}
MessageSchema.setClass(Message);
