import { defineEntity, p } from '@mikro-orm/postgresql';
import { tenantFilter } from '../../platform/database/index.ts';

const ConversationStartSchema = defineEntity({
  name: 'ConversationStart',
  tableName: 'conversation_starts',
  filters: tenantFilter,
  properties: {
    userId: p.uuid().primary(),
    clientId: p.uuid().primary(),
    tenantId: p.uuid(),
    conversationId: p.uuid(),
    createdAt: p.datetime(),
  },
});

/** Remembers which conversation a first message went to, so that a repeated start finds it again (D3). */
export class ConversationStart extends ConversationStartSchema.class {}
ConversationStartSchema.setClass(ConversationStart);
