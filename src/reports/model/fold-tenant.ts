import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import type { TenantInfo } from '../../tenancy/index.ts';
import { followRules } from './follow-rules.ts';
import { rulesOf } from './open-hours.ts';
import { type Refreshed, refreshSums } from './refresh-sums.ts';
import { CLOCKS_MAY_DIFFER, lockModel } from './report-state.ts';

/** What one run did in one tenant. */
export interface FoldRun extends Refreshed {
  /** Conversations whose facts were made anew. */
  readonly folded: number;
  /** False when there was more than one run is to do; the next goes on. */
  readonly isDone: boolean;
}

/** How much one run may do. */
export interface FoldLimits {
  /** Transactions of five hundred conversations. */
  readonly batches: number;
  /** Looks at every conversation instead of those that moved lately: finds what was put into the tables by hand. */
  readonly everything?: boolean;
  /** Leaves conversations that somebody writes into just now for later: at most `PATIENCE`. */
  readonly isPatient?: boolean;
}

/** A conversation is spoken in just now while its last line is not older than this. */
const JUST_NOW = '30 seconds';
/** The facts of a conversation that is spoken in are at most so old. */
const PATIENCE = '3 minutes';
/** Times as long as a run took, nothing is taken in after it: those who write come first. */
const REST = 20;

/** Conversations in one transaction: a second at most, so that nobody who deletes has to wait for long. */
const AT_ONCE = 500;

/**
 * Takes in what has happened in a tenant since the last run: conversations that moved (by the place of their last
 * line), ratings, countries of people, opening hours. Finds them by time, beginning before the oldest transaction that
 * could still bring something, so that a late commit is never passed over. Nodes take turns by a lock.
 */
export async function foldTenant(scope: Scope, tenant: TenantInfo, limits: FoldLimits): Promise<FoldRun> {
  const left = { batches: limits.batches };
  await transact(scope, (inside) => followRules(inside, rulesOf(tenant)));
  const look = await beginLook(scope, limits.everything ?? false);
  let folded = 0;
  folded += await foldInBatches(scope, left, (inside, after) =>
    movedConversations(inside, look, limits.isPatient ?? false, after),
  );
  folded += await foldInBatches(scope, left, (inside) => ratedConversations(inside, look));
  folded += await foldInBatches(scope, left, (inside) => movedPeople(inside, look));
  folded += await refoldByRules(scope, left);
  const isDone = left.batches > 0;
  if (isDone) await endLook(scope, look, limits.isPatient ?? false);
  // a build that takes many runs adds up at its end: until then no day would stay as it is
  const sums = isDone ? await refreshSums(scope) : { days: 0, months: 0, years: 0 };
  return { folded, ...sums, isDone };
}

/**
 * The same, if the last run's rest is over; null before. A conversation's facts are made anew from its whole log, so
 * that while hundreds are written into at once each run takes a second: what is being spoken waits for a pause, and a
 * twentieth of the time is what all of it may have. Reports say how old they are.
 */
export async function foldRestedTenant(scope: Scope, tenant: TenantInfo, limits: FoldLimits): Promise<FoldRun | null> {
  const [resting] = await rows(
    scope,
    sql<{ id: string }>`
      select tenant_id as id from report_states where tenant_id = ${tenant.id} and rest_until > clock_timestamp()`,
  );
  if (resting) return null;
  const begun = performance.now();
  const run = await foldTenant(scope, tenant, { ...limits, isPatient: true });
  await rows(
    scope,
    sql`
      update report_states set rest_until = clock_timestamp() + make_interval(secs => ${(REST * (performance.now() - begun)) / 1000})
      where tenant_id = ${tenant.id}`,
  );
  return run;
}

/** Where a look begins and what it will have seen. Times as PostgreSQL writes them, to the microsecond. */
interface Look {
  readonly from: string;
  readonly settledTo: string;
  readonly at: string;
  readonly xmax: string;
  readonly xmin: string;
  readonly accessXid: string;
}

/**
 * What was stamped before `mark_at` belongs to transactions older than `mark_xmax`: once those have all ended, it can
 * be seen, and need not be looked for again. The statement's time is taken before its snapshot.
 */
async function beginLook(scope: Scope, everything: boolean): Promise<Look> {
  const [look] = await rows(
    scope,
    sql<Look>`
      select (case when ${everything} then '-infinity' else settled_to - ${CLOCKS_MAY_DIFFER}::interval end)::text as "from",
        (case when mark_xmax <= pg_snapshot_xmin(pg_current_snapshot()) then mark_at else settled_to end)::text as "settledTo",
        statement_timestamp()::text as at, pg_snapshot_xmax(pg_current_snapshot())::text as xmax,
        pg_snapshot_xmin(pg_current_snapshot())::text as xmin, coalesce(access_xid, '0')::text as "accessXid"
      from report_states where tenant_id = ${scope.tenant.id}`,
  );
  if (!look) throw new Error('a tenant has no state of its reports');
  return look;
}

async function endLook(scope: Scope, look: Look, isPatient: boolean): Promise<void> {
  await rows(
    scope,
    sql`
      update report_states set as_of = greatest(as_of, ${look.at}::timestamptz - (case when ${isPatient} then ${PATIENCE} else '0' end)::interval),
        settled_to = greatest(settled_to, ${look.settledTo}::timestamptz),
        mark_at = case when mark_xmax is null or mark_xmax <= ${look.xmin}::xid8 then ${look.at}::timestamptz else mark_at end,
        mark_xmax = case when mark_xmax is null or mark_xmax <= ${look.xmin}::xid8 then ${look.xmax}::xid8 else mark_xmax end,
        access_xid = ${look.xmin}::xid8
      where tenant_id = ${scope.tenant.id}`,
  );
}

/** A conversation to fold, with where it stands in the order in which they are found. */
interface Found {
  readonly id: string;
  readonly at?: string;
}

type Find = (scope: Scope, after: Found | null) => Promise<Found[]>;

/** Each batch under the lock and in one transaction with what it finds, until nothing is left to find. */
async function foldInBatches(scope: Scope, left: { batches: number }, find: Find): Promise<number> {
  let folded = 0;
  let last: Found | null = null;
  while (left.batches > 0) {
    const found: Found[] = await transact(scope, async (inside) => {
      await lockModel(inside);
      const ids = await find(inside, last);
      await foldConversations(
        inside,
        ids.map(({ id }) => id),
      );
      return ids;
    });
    folded += found.length;
    if (found.length < AT_ONCE) return folded;
    last = found.at(-1) ?? null;
    left.batches--;
  }
  return folded;
}

async function foldConversations(scope: Scope, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await rows(scope, sql`select report_fold(${scope.tenant.id}, ${ids}::uuid[])`);
}

async function movedConversations(
  scope: Scope,
  { from, at }: Look,
  isPatient: boolean,
  after: Found | null,
): Promise<Found[]> {
  return rows(
    scope,
    sql<Found>`
      select c.id, c.last_message_at::text as at from conversations c
      where c.tenant_id = ${scope.tenant.id} and c.kind = 'support'
        and c.active_at >= active_bin(${from}::timestamptz) and c.last_message_at >= ${from}::timestamptz
        and (${after?.id ?? null}::uuid is null or (c.active_at, c.last_message_at, c.id)
          > (active_bin(${after?.at ?? null}::timestamptz), ${after?.at ?? null}::timestamptz, ${after?.id ?? null}::uuid))
        and not exists (
          select from report_conversations r
          where r.conversation_id = c.id and r.tenant_id = c.tenant_id
            and (r.last_seq = c.last_seq or (${isPatient} and c.last_message_at > ${at}::timestamptz - ${JUST_NOW}::interval
              and r.folded_at > ${at}::timestamptz - ${PATIENCE}::interval)))
        and not (${isPatient} and c.last_message_at > ${at}::timestamptz - ${JUST_NOW}::interval
          and c.created_at > ${at}::timestamptz - ${PATIENCE}::interval)
      order by c.active_at, c.last_message_at, c.id limit ${AT_ONCE}`,
  );
}

async function ratedConversations(scope: Scope, { from }: Look): Promise<Found[]> {
  return rows(
    scope,
    sql<Found>`
      select r.conversation_id as id from conversation_ratings r
      join report_conversations c on c.conversation_id = r.conversation_id and c.tenant_id = r.tenant_id
      where r.tenant_id = ${scope.tenant.id} and r.updated_at >= ${from}::timestamptz and c.rating is distinct from r.score
      limit ${AT_ONCE}`,
  );
}

/** Of people whose country has changed: the report shows what is known of them now. */
async function movedPeople(scope: Scope, { accessXid }: Look): Promise<Found[]> {
  return rows(
    scope,
    sql<Found>`
      select distinct r.conversation_id as id from access_changes a
      join users u on u.id = a.user_id and u.tenant_id = a.tenant_id
      join conversations c on c.opened_by = u.id and c.tenant_id = u.tenant_id
      join report_conversations r on r.conversation_id = c.id and r.tenant_id = c.tenant_id
      where a.tenant_id = ${scope.tenant.id} and a.changed_xid >= ${accessXid}::xid8
        and r.country <> coalesce(u.country, '')
      limit ${AT_ONCE}`,
  );
}

/** Makes the facts that there are anew, whatever they were made from. Those that are missing are for `foldTenant`. */
export async function refoldAll(scope: Scope, tenant: TenantInfo): Promise<number> {
  await transact(scope, async (inside) => {
    await followRules(inside, rulesOf(tenant));
    await rows(
      inside,
      sql`
        update report_states set refold_after = '00000000-0000-0000-0000-000000000000', refold_since = '-infinity'
        where tenant_id = ${inside.tenant.id}`,
    );
  });
  return refoldByRules(scope, { batches: Number.POSITIVE_INFINITY });
}

async function refoldByRules(scope: Scope, left: { batches: number }): Promise<number> {
  let folded = 0;
  while (left.batches > 0) {
    const found = await transact(scope, async (inside) => {
      await lockModel(inside);
      const ids = await rows(
        inside,
        sql<Found>`
          select r.conversation_id as id from report_states s
          join report_conversations r on r.tenant_id = s.tenant_id and r.conversation_id > s.refold_after
          join conversations c on c.id = r.conversation_id and c.tenant_id = r.tenant_id
          where s.tenant_id = ${inside.tenant.id} and s.refold_after is not null
            and greatest(c.last_message_at, c.closed_at) >= s.refold_since
          order by r.conversation_id limit ${AT_ONCE}`,
      );
      await foldConversations(
        inside,
        ids.map(({ id }) => id),
      );
      const last = ids.length < AT_ONCE ? null : (ids.at(-1)?.id ?? null);
      await rows(
        inside,
        sql`
          update report_states set refold_after = ${last}::uuid,
            refold_since = case when ${last}::uuid is null then null else refold_since end
          where tenant_id = ${inside.tenant.id} and refold_after is not null`,
      );
      return ids;
    });
    folded += found.length;
    if (found.length < AT_ONCE) return folded;
    left.batches--;
  }
  return folded;
}
