import { sql } from 'kysely';
import { announceClosing, close, lockConversation, rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { loadSupportSettings } from '../../tenancy/index.ts';
import type { BusinessClock } from '../hours/business-hours.ts';

/** What one run did in one tenant. */
export interface ClosingRun {
  readonly warned: number;
  readonly closed: number;
  readonly failed: number;
}

/** What decides, all in business time: outside of the opening hours the clock stands still. */
export interface ClosingRule {
  /** From the settings; 0 is never. */
  readonly autoCloseAfterHours: number;
  readonly clock: BusinessClock;
}

/** The user is warned when a quarter of the time is left, and a day before at most. */
const WARN_FRACTION = 1 / 4;
const MAX_WARNING_MINUTES = 24 * 60;
/** At one go; the next minute takes the rest. */
const MAX_AT_ONCE = 500;

type OnError = (error: unknown, conversationId: string) => void;

/**
 * Closes open conversations in which nothing has happened for `autoCloseAfterHours`, and warns the user before. Nobody
 * is closed without a warning that was given in time, and nothing that moved after it: under the conversation's lock
 * the warning's line must still be the last one. So it does not matter how many nodes run this, or how late.
 */
export async function closeIdle(scope: Scope, rule: ClosingRule, onError: OnError): Promise<ClosingRun> {
  const limits = limitsOf(rule, scope.now);
  await dropOutdatedWarnings(scope, limits);
  if (!limits) return { warned: 0, closed: 0, failed: 0 };
  const closing = await each(await dueConversations(scope, limits), (id) => closeOne(scope, rule, limits, id), onError);
  const warning = await each(await idleConversations(scope, limits), (id) => warnOne(scope, rule, limits, id), onError);
  return { warned: warning.done, closed: closing.done, failed: closing.failed + warning.failed };
}

/** Instants before which something must lie. */
interface Limits {
  /** Last activity, to be closed. */
  readonly idleSince: Date;
  /** Last activity, to be warned. */
  readonly warnSince: Date;
  /** The warning, to be closed. */
  readonly noticeSince: Date;
  readonly warningMinutes: number;
}

/** Null when nothing closes by itself, or not within the hours that there were. */
function limitsOf({ autoCloseAfterHours, clock }: ClosingRule, now: Date): Limits | null {
  if (autoCloseAfterHours === 0) return null;
  const idleMinutes = autoCloseAfterHours * 60;
  const warningMinutes = Math.min(idleMinutes * WARN_FRACTION, MAX_WARNING_MINUTES);
  const idleSince = clock.subtractBusinessMinutes(now, idleMinutes);
  const warnSince = clock.subtractBusinessMinutes(now, idleMinutes - warningMinutes);
  const noticeSince = clock.subtractBusinessMinutes(now, warningMinutes);
  return idleSince && warnSince && noticeSince ? { idleSince, warnSince, noticeSince, warningMinutes } : null;
}

/** Something happened since, somebody closed it, or the settings give it more time now: it will be warned anew. */
async function dropOutdatedWarnings(scope: Scope, limits: Limits | null): Promise<void> {
  const warnSince = limits?.warnSince ?? null;
  await rows(
    scope,
    sql`
      delete from closing_warnings w using conversations c
      where w.tenant_id = ${scope.tenant.id} and c.id = w.conversation_id and c.tenant_id = w.tenant_id
        and (${warnSince}::timestamptz is null or w.activity_at > ${warnSince}::timestamptz
             or c.status <> 'open' or c.last_seq > w.warned_seq)`,
  );
}

async function dueConversations(scope: Scope, { idleSince, noticeSince }: Limits): Promise<string[]> {
  const found = await rows(
    scope,
    sql<{ id: string }>`
      select conversation_id as id from closing_warnings
      where tenant_id = ${scope.tenant.id} and activity_at <= ${idleSince} and warned_at <= ${noticeSince}
      order by activity_at, conversation_id limit ${MAX_AT_ONCE}`,
  );
  return found.map((one) => one.id);
}

async function idleConversations(scope: Scope, { warnSince }: Limits): Promise<string[]> {
  const found = await rows(
    scope,
    sql<{ id: string }>`
      select c.id from conversations c
      where c.tenant_id = ${scope.tenant.id} and c.status = 'open' and c.kind = 'support'
        and c.active_at <= active_bin(${warnSince}) and c.last_message_at <= ${warnSince}
        and not exists (select 1 from closing_warnings w where w.conversation_id = c.id and w.tenant_id = c.tenant_id)
      order by c.active_at, c.last_message_at, c.id limit ${MAX_AT_ONCE}`,
  );
  return found.map((one) => one.id);
}

/** False when it moved, was closed, or is to stay open after all. */
async function closeOne(scope: Scope, rule: ClosingRule, limits: Limits, id: string): Promise<boolean> {
  return transact(scope, async (inside) => {
    const conversation = await lockConversation(inside, id);
    const [warning] = await rows(
      inside,
      sql<{ warnedSeq: number }>`
        delete from closing_warnings
        where conversation_id = ${id} and tenant_id = ${inside.tenant.id}
          and activity_at <= ${limits.idleSince} and warned_at <= ${limits.noticeSince}
        returning warned_seq as "warnedSeq"`,
    );
    if (!conversation?.isOpen() || !warning || conversation.lastSeq !== warning.warnedSeq) return false;
    if (!(await isStillTheRule(inside, rule))) return false;
    await close(inside, conversation);
    return true;
  });
}

/** False when it moved meanwhile, or another node has warned. */
async function warnOne(scope: Scope, rule: ClosingRule, limits: Limits, id: string): Promise<boolean> {
  return transact(scope, async (inside) => {
    const conversation = await lockConversation(inside, id);
    if (!conversation?.isOpen() || conversation.lastMessageAt > limits.warnSince) return false;
    if (!(await isStillTheRule(inside, rule))) return false;
    const activityAt = conversation.lastMessageAt;
    const closesAt = closingTime(rule, limits, activityAt, inside.now);
    if (!closesAt) return false;
    const warnedSeq = await announceClosing(inside, conversation, closesAt);
    await rows(
      inside,
      sql`
        insert into closing_warnings (conversation_id, tenant_id, activity_at, warned_seq, warned_at)
        values (${id}, ${inside.tenant.id}, ${activityAt}, ${warnedSeq}, ${inside.now})`,
    );
    return true;
  });
}

/** A node that slept may hold settings of yesterday: what it is about to do must be wanted now. */
async function isStillTheRule(scope: Scope, { autoCloseAfterHours }: ClosingRule): Promise<boolean> {
  return (await loadSupportSettings(scope)).settings.autoCloseAfterHours === autoCloseAfterHours;
}

/** When the time is over, and not before the warning could be read. */
function closingTime(rule: ClosingRule, limits: Limits, activityAt: Date, now: Date): Date | null {
  const afterSilence = rule.clock.addBusinessMinutes(activityAt, rule.autoCloseAfterHours * 60);
  const afterWarning = rule.clock.addBusinessMinutes(now, limits.warningMinutes);
  if (!afterSilence || !afterWarning) return null;
  return new Date(Math.max(afterSilence.getTime(), afterWarning.getTime()));
}

/** Each in a transaction of its own: one that fails does not hold up the others. */
async function each(
  ids: readonly string[],
  work: (id: string) => Promise<boolean>,
  onError: OnError,
): Promise<{ done: number; failed: number }> {
  let done = 0;
  let failed = 0;
  for (const id of ids) {
    try {
      if (await work(id)) done++;
    } catch (error) {
      failed++;
      onError(error, id);
    }
  }
  return { done, failed };
}
