/**
 * Reach: who is told outside the page. Mails about unread answers so far.
 *
 * Promises that what is owed is committed together with the reason for it and goes out at least once, under an id that
 * stays the same; that a mail is for whoever may read the conversation when it is sent, not when it was owed; and that
 * several answers are one mail. Never slows a message down, and never links to where a request came from.
 */
import { z } from 'zod';
import type { Database } from '../platform/database/index.ts';
import { type DurableQueue, type Effect, type Job, reviveDeadLetters, type Task } from '../platform/jobs/index.ts';
import { systemActor } from '../tenancy/index.ts';
import { type OwedMail, oweAnswerMails } from './answer-mails/owe-answer-mails.ts';
import { sendAnswerMail } from './answer-mails/send-answer-mail.ts';
import type { Reach } from './reach.ts';

export { AnswerMail } from './answer-mails/answer-mail.entity.ts';
export type { Reach } from './reach.ts';

const OwedMailData = z.object({ mailId: z.uuid() });

/** What the durable queue does for reach. */
export function answerMailEffect(reach: Reach): Effect<OwedMail> {
  return {
    name: 'reach.answer-mail',
    data: OwedMailData,
    run: (scope, owed, delivery) => sendAnswerMail(scope, reach, owed, delivery),
  };
}

/** Timed work of reach. */
export function reachJobs(reach: Reach, queue: DurableQueue, effect: Effect<OwedMail>): Job[] {
  return [
    {
      name: 'reach.owe-answer-mails',
      schedule: '*/20 * * * * *',
      run: ({ database }) => oweEverywhere(reach, database, queue, effect),
    },
  ];
}

/** For `npm run task`. */
export const reachTasks: readonly Task[] = [
  {
    name: 'effects:retry',
    summary: 'tries again what failed for good: mails that nobody would take',
    async run({ database, log, print }) {
      print(`${await reviveDeadLetters(await database(), log)} dead letters are tried again`);
    },
  },
];

/** Tenant by tenant: one that fails does not keep the others waiting. */
async function oweEverywhere(
  reach: Reach,
  database: Database,
  queue: DurableQueue,
  effect: Effect<OwedMail>,
): Promise<void> {
  for (const tenant of await reach.tenancy.active()) {
    try {
      await database.withScope(tenant, systemActor(tenant.id), (scope) =>
        oweAnswerMails(scope, queue, effect, tenant.support.emailAfterMinutes),
      );
    } catch (error) {
      reach.log.error({ err: error, tenantId: tenant.id }, 'unread answers could not be looked through');
    }
  }
}
