/**
 * Reach: who is told outside the page. Mails and web push about unread answers, and who wants which of them.
 *
 * Promises that what is owed is committed together with the reason for it and goes out at least once, under an id that
 * stays the same; that a mail or a notice is for whoever may read the conversation when it is sent, not when it was owed;
 * that several answers are one; and that private notes are in neither. Never slows a message down, never links to where
 * a request came from, and tells a push service no more than that there is something.
 */
import { z } from 'zod';
import type { Database } from '../platform/database/index.ts';
import { type DurableQueue, type Effect, type Job, reviveDeadLetters, type Task } from '../platform/jobs/index.ts';
import { systemActor } from '../tenancy/index.ts';
import { type OwedMail, oweAnswerMails } from './answer-mails/owe-answer-mails.ts';
import { sendAnswerMail } from './answer-mails/send-answer-mail.ts';
import { type OwedPush, oweAnswerPushes } from './answer-pushes/owe-answer-pushes.ts';
import { sendAnswerPush } from './answer-pushes/send-answer-push.ts';
import type { MailReach, PushReach } from './reach.ts';

export { AnswerMail } from './answer-mails/answer-mail.entity.ts';
export {
  addDevice,
  countDevices,
  type DeviceSubscription,
  moveDevices,
  removeAllDevices,
  removeDevice,
} from './answer-pushes/devices.ts';
export type { OwedPush } from './answer-pushes/owe-answer-pushes.ts';
export { keepPushKeys } from './answer-pushes/push-keys.ts';
export { type PushLookout, watchAnswers } from './answer-pushes/watch-answers.ts';
export { chooseMail, declinePush, mailAddress, type NoticeChoices, readChoices } from './choices/notice-choices.ts';
export { createStopLinks, type StopLinks, type StopTicket } from './choices/stop-links.ts';
export type { MailReach, PushReach, Reach } from './reach.ts';

const OwedMailData = z.object({ mailId: z.uuid() });
const OwedPushData = z.object({ deliveryId: z.uuid() });

/** What the durable queue does for mails. */
export function answerMailEffect(reach: MailReach): Effect<OwedMail> {
  return {
    name: 'reach.answer-mail',
    data: OwedMailData,
    run: (scope, owed, delivery) => sendAnswerMail(scope, reach, owed, delivery),
  };
}

/** What the durable queue does for web push. */
export function answerPushEffect(reach: PushReach): Effect<OwedPush> {
  return {
    name: 'reach.answer-push',
    data: OwedPushData,
    // a push service takes a fifth of a second, and there are as many jobs as devices
    atOnce: 20,
    run: (scope, owed, delivery) => sendAnswerPush(scope, reach, owed, delivery),
  };
}

/** Timed work for mails. */
export function answerMailJobs(reach: MailReach, queue: DurableQueue, effect: Effect<OwedMail>): Job[] {
  return [
    {
      name: 'reach.owe-answer-mails',
      schedule: '*/20 * * * * *',
      run: ({ database }) => oweEverywhere(reach, database, queue, effect),
    },
  ];
}

/** Timed work for web push: finds what nobody told this node of. */
export function answerPushJobs(queue: DurableQueue, effect: Effect<OwedPush>): Job[] {
  return [
    {
      name: 'reach.owe-answer-pushes',
      schedule: '*/10 * * * * *',
      run: async ({ database, log }) => ({ owed: await oweAnswerPushes({ database, queue, effect, log }, true) }),
    },
  ];
}

/** For `npm run task`. */
export const reachTasks: readonly Task[] = [
  {
    name: 'effects:retry',
    summary: 'tries again what failed for good: mails and notices that nobody would take',
    async run({ database, log, print }) {
      print(`${await reviveDeadLetters(await database(), log)} dead letters are tried again`);
    },
  },
];

/** One statement finds the tenants with something to look through; one that fails does not keep the others waiting. */
async function oweEverywhere(
  reach: MailReach,
  database: Database,
  queue: DurableQueue,
  effect: Effect<OwedMail>,
): Promise<void> {
  const active = await reach.tenancy.active();
  const { rows: fallenQuiet } = await database.systemPool.query<{ tenant_id: string }>({
    name: 'tenants-fallen-quiet',
    text: 'select tenant_id from tenants_fallen_quiet($1, $2)',
    values: [active.map(({ id }) => id), active.map(({ support }) => support.emailAfterMinutes)],
  });
  const ids = new Set(fallenQuiet.map((one) => one.tenant_id));
  for (const tenant of active.filter(({ id }) => ids.has(id))) {
    try {
      await database.withScope(tenant, systemActor(tenant.id), (scope) =>
        oweAnswerMails(scope, queue, effect, tenant.support.emailAfterMinutes),
      );
    } catch (error) {
      reach.log.error({ err: error, tenantId: tenant.id }, 'unread answers could not be looked through');
    }
  }
}
