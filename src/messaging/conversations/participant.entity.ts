import { defineEntity, p } from '@mikro-orm/postgresql';
import { tenantFilter } from '../../platform/database/index.ts';

const ParticipantSchema = defineEntity({
  name: 'Participant',
  tableName: 'conversation_participants',
  filters: tenantFilter,
  properties: {
    conversationId: p.uuid().primary(),
    userId: p.uuid().primary(),
    tenantId: p.uuid(),
    side: p.text().$type<'user' | 'admin'>(),
    /** Everything up to this place has been read; never moves back. */
    readSeq: p.integer().default(0),
    readAt: p.datetime().nullable(),
    joinedAt: p.datetime(),
    leftAt: p.datetime().nullable(),
  },
});

/** Who takes part in a conversation, and how far they have read. */
export class Participant extends ParticipantSchema.class {}
ParticipantSchema.setClass(Participant);
