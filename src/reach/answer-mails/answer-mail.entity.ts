import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

/** `owed`: in the queue. `cancelled`: read in time, or nobody to tell any more. `refused`: no mail could be made of it. */
type AnswerMailState = 'owed' | 'sent' | 'cancelled' | 'refused';

const AnswerMailSchema = defineEntity({
  name: 'AnswerMail',
  tableName: 'answer_mails',
  filters: tenantFilter,
  properties: {
    /** The event id, and part of the mail's Message-ID. */
    ...baseColumns(),
    conversationId: p.uuid(),
    userId: p.uuid(),
    /** Answers up to here are in this mail or in an earlier one. */
    upToSeq: p.integer(),
    state: p.text().$type<AnswerMailState>(),
    createdAt: p.datetime(),
    settledAt: p.datetime().nullable(),
  },
});

/** A mail about unread answers that somebody is owed, or was sent. */
export class AnswerMail extends AnswerMailSchema.class {
  /** Nothing is left to do. */
  settle(state: Exclude<AnswerMailState, 'owed'>, at: Date): void {
    this.state = state;
    this.settledAt = at;
  }
}
AnswerMailSchema.setClass(AnswerMail);
