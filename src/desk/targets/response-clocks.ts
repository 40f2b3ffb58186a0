import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';
import type { SupportSettings } from '../../tenancy/index.ts';
import { tellDesk } from '../events.ts';
import type { BusinessClock } from '../hours/business-hours.ts';
import { type TimeColumn, timeOf } from '../time-column.ts';

/** The first answer of staff in a conversation, or one after it. */
export type ResponseKind = 'first' | 'next';

/** What decides when an answer is due, in business time. */
export interface ResponseTargets {
  readonly settings: Pick<SupportSettings, 'firstResponseTargetMinutes' | 'nextResponseTargetMinutes'>;
  /** A running clock is set anew when this has moved. */
  readonly settingsVersion: number;
  readonly clock: BusinessClock;
}

/** What one look did in one tenant. */
export interface ClockRun {
  readonly started: number;
  readonly settled: number;
  readonly late: number;
}

/** At one go; the next look takes the rest. */
const MAX_AT_ONCE = 500;

/**
 * Keeps a clock for everybody who waits for an answer: starts it, ends it with the answer or the closing, and notes once
 * when it has run over, with an event. Beside the conversations, because those move with every message.
 */
export async function watchResponseTimes(scope: Scope, targets: ResponseTargets): Promise<ClockRun> {
  const settled = await settleClocks(scope);
  const started = await startClocks(scope, targets);
  const late = await noteLate(scope);
  return { started, settled: settled.count, late: settled.late + late };
}

interface LateRow {
  readonly conversationId: string;
  readonly kind: ResponseKind;
  readonly dueAt: TimeColumn;
  readonly assignedAdminId: string | null;
  readonly isNewlyLate: boolean;
}

/** What was answered or closed since the last look; an answer that came too late between two looks is late all the same. */
async function settleClocks(scope: Scope): Promise<{ count: number; late: number }> {
  return transact(scope, async (inside) => {
    const settled = await rows(
      inside,
      sql<LateRow>`
        with over as materialized (
          select r.conversation_id, r.waiting_since, r.breached_at, c.assigned_admin_id, a.answered_at,
            coalesce(a.answered_at, c.closed_at, ${inside.now}) > r.due_at as is_late
          from response_clocks r
          join conversations c on c.id = r.conversation_id and c.tenant_id = r.tenant_id
          left join lateral (
            select m.created_at as answered_at from messages m
            where m.conversation_id = r.conversation_id and m.tenant_id = r.tenant_id and m.seq > r.asked_seq
              and m.sender_type = 'admin'
            order by m.seq limit 1) a on true
          where r.tenant_id = ${inside.tenant.id} and r.settled_at is null
            and (c.waiting_since is distinct from r.waiting_since or c.status <> 'open')
          limit ${MAX_AT_ONCE}
          for no key update of r skip locked
        )
        update response_clocks r set settled_at = ${inside.now}, answered_at = over.answered_at,
          breached_at = case when over.is_late then coalesce(r.breached_at, ${inside.now}) else r.breached_at end
        from over
        -- by the primary key alone: locked above, and with 'settled_at is null' a planner without statistics walks all
        -- running clocks for each row
        where r.conversation_id = over.conversation_id and r.waiting_since = over.waiting_since
        returning r.conversation_id as "conversationId", r.kind, r.due_at as "dueAt",
          over.assigned_admin_id as "assignedAdminId", coalesce(over.is_late and over.breached_at is null, false) as "isNewlyLate"`,
    );
    const late = settled.filter((one) => one.isNewlyLate);
    tellLate(inside, late);
    tellWaits(
      inside,
      settled.map((one) => one.conversationId),
    );
    return { count: settled.length, late: late.length };
  });
}

async function startClocks(scope: Scope, { settings, settingsVersion, clock }: ResponseTargets): Promise<number> {
  const waiting = await rows(
    scope,
    // text: a Date would lose the microseconds, and with them the wait
    sql<{ id: string; since: string; lastSeq: number; wasAnswered: boolean }>`
      select c.id, c.waiting_since::text as since, c.last_seq as "lastSeq", exists (
        select 1 from messages m
        where m.conversation_id = c.id and m.tenant_id = c.tenant_id and m.sender_type = 'admin') as "wasAnswered"
      from conversations c
      where c.tenant_id = ${scope.tenant.id} and c.kind = 'support' and c.status = 'open' and c.waiting_since is not null
        and not exists (
          select 1 from response_clocks r
          where r.conversation_id = c.id and r.waiting_since = c.waiting_since and r.tenant_id = c.tenant_id
            and r.settings_version = ${settingsVersion})
      order by c.waiting_since, c.id limit ${MAX_AT_ONCE}`,
  );
  if (waiting.length === 0) return 0;
  const due = waiting.map(({ since, wasAnswered }) => {
    const minutes = wasAnswered ? settings.nextResponseTargetMinutes : settings.firstResponseTargetMinutes;
    return clock.addBusinessMinutes(new Date(since), minutes)?.toISOString() ?? null;
  });
  await transact(scope, async (inside) => {
    await rows(
      inside,
      sql`
      insert into response_clocks as r (conversation_id, waiting_since, tenant_id, kind, asked_seq, settings_version, due_at)
      select id, since, ${scope.tenant.id}, kind, last_seq, ${settingsVersion}, due_at
      from unnest(
        ${waiting.map((one) => one.id)}::uuid[], ${waiting.map((one) => one.since)}::timestamptz[],
        ${waiting.map((one) => (one.wasAnswered ? 'next' : 'first'))}::text[],
        ${waiting.map((one) => one.lastSeq)}::integer[], ${due}::timestamptz[]
      ) as started (id, since, kind, last_seq, due_at)
      on conflict (conversation_id, waiting_since) do update
        set due_at = excluded.due_at, settings_version = excluded.settings_version
        where r.settled_at is null and r.breached_at is null`,
    );
    tellWaits(
      inside,
      waiting.map((one) => one.id),
    );
  });
  return waiting.length;
}

/** One statement decides, so that however many nodes look, each wait is told of once. */
async function noteLate(scope: Scope): Promise<number> {
  return transact(scope, async (inside) => {
    const late = await rows(
      inside,
      sql<LateRow>`
        update response_clocks r set breached_at = ${inside.now}
        from conversations c
        where r.tenant_id = ${inside.tenant.id} and r.settled_at is null and r.breached_at is null
          and r.due_at <= ${inside.now}
          and c.id = r.conversation_id and c.tenant_id = r.tenant_id and c.status = 'open'
          and c.waiting_since = r.waiting_since
        returning r.conversation_id as "conversationId", r.kind, r.due_at as "dueAt",
          c.assigned_admin_id as "assignedAdminId", true as "isNewlyLate"`,
    );
    tellLate(inside, late);
    return late.length;
  });
}

function tellWaits(scope: Scope, conversationIds: readonly string[]): void {
  if (conversationIds.length === 0) return;
  tellDesk(scope, { type: 'desk:waits', tenantId: scope.tenant.id, conversationIds });
}

function tellLate(scope: Scope, late: readonly LateRow[]): void {
  for (const { conversationId, kind, dueAt, assignedAdminId } of late) {
    const tenantId = scope.tenant.id;
    tellDesk(scope, {
      type: 'desk:response-late',
      tenantId,
      conversationId,
      kind,
      dueAt: timeOf(dueAt).toISOString(),
      assignedAdminId,
    });
  }
}

/** A conversation in which somebody waits, with when an answer is due. */
export interface DueResponse {
  readonly conversationId: string;
  readonly kind: ResponseKind;
  readonly waitingSince: Date;
  /** Null where the opening hours never hold the target. */
  readonly dueAt: Date | null;
  /** Since when it is known to be late; null while it is not. */
  readonly lateSince: Date | null;
  readonly assignedAdminId: string | null;
}

/**
 * Who waits for an answer, what is due first coming first; of these conversations only, when ids are given.
 * @throws Forbidden without VIEW_SUPPORT_CHAT_LIST.
 */
export async function listDueResponses(
  scope: Scope<Person>,
  { conversationIds = null, limit }: { conversationIds?: readonly string[] | null; limit: number },
): Promise<DueResponse[]> {
  if (scope.actor.side !== 'admin' || !scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const due = await rows(
    scope,
    sql<DueRow>`
      select r.conversation_id as "conversationId", r.kind, r.waiting_since as "waitingSince", r.due_at as "dueAt",
        r.breached_at as "lateSince", c.assigned_admin_id as "assignedAdminId"
      from response_clocks r
      join conversations c on c.id = r.conversation_id and c.tenant_id = r.tenant_id
        and c.status = 'open' and c.waiting_since = r.waiting_since
      where r.tenant_id = ${scope.tenant.id} and r.settled_at is null
        and (${conversationIds}::uuid[] is null or r.conversation_id = any (${conversationIds}::uuid[]))
      order by r.due_at nulls last, r.conversation_id limit ${limit}`,
  );
  return due.map(({ waitingSince, dueAt, lateSince, ...one }) => ({
    ...one,
    waitingSince: timeOf(waitingSince),
    dueAt: timeOf(dueAt),
    lateSince: timeOf(lateSince),
  }));
}

interface DueRow extends Pick<DueResponse, 'conversationId' | 'kind' | 'assignedAdminId'> {
  readonly waitingSince: TimeColumn;
  readonly dueAt: TimeColumn | null;
  readonly lateSince: TimeColumn | null;
}
