import { defineEntity, p } from '@mikro-orm/postgresql';
import { tenantFilter } from '../../platform/database/index.ts';

const ConversationRatingSchema = defineEntity({
  name: 'ConversationRating',
  tableName: 'conversation_ratings',
  filters: tenantFilter,
  properties: {
    conversationId: p.uuid().primary(),
    tenantId: p.uuid(),
    userId: p.uuid(),
    /** Who held the conversation when it was rated. */
    adminId: p.uuid().nullable(),
    /** 1 (bad) to 5 (very good). */
    score: p.smallint(),
    comment: p.text().nullable(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});

/** What a user says of a closed conversation. */
export class ConversationRating extends ConversationRatingSchema.class {}
ConversationRatingSchema.setClass(ConversationRating);
