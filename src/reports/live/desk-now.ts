import { sql } from 'kysely';
import { availableAgents } from '../../desk/index.ts';
import type { Person } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';

/** The longest waits that are listed. */
const MAX_WAITS = 10;
/** Agents that are listed: those who hold something, and those who take more. */
const MAX_AGENTS = 200;

/** One agent at this moment. */
export interface AgentNow {
  readonly id: string;
  readonly name: string;
  /** Takes new conversations now. */
  readonly isAvailable: boolean;
  readonly open: number;
  readonly waiting: number;
  /** Since when the user who waits longest has waited; ISO 8601, null for nobody. */
  readonly waitingSince: string | null;
}

/** Somebody who waits. */
export interface WaitNow {
  readonly conversationId: string;
  readonly name: string;
  readonly userType: string;
  readonly holder: string | null;
  readonly waitingSince: string;
  readonly isLate: boolean;
}

/** The desk at this moment, by the raw tables: nothing here waits for the reports. */
export interface DeskNow {
  readonly open: number;
  readonly waiting: number;
  readonly unassigned: number;
  /** Waits whose answer is late by the tenant's targets. */
  readonly late: number;
  readonly longestSince: string | null;
  readonly agents: readonly AgentNow[];
  readonly waits: readonly WaitNow[];
}

/**
 * Counts what is open and who waits now.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS.
 */
export async function readDeskNow(scope: Scope<Person>): Promise<DeskNow> {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
  const tenantId = scope.tenant.id;
  const holders = await rows(
    scope,
    sql<{ id: string | null; name: string | null; open: number; waiting: number; since: string | null }>`
      select held.id, u.name, held.open, held.waiting, to_char(held.since, ${ISO}) as since
      from (
        select c.assigned_admin_id as id, count(*)::int as open, count(c.waiting_since)::int as waiting,
          min(c.waiting_since) as since
        from conversations c
        where c.tenant_id = ${tenantId} and c.kind = 'support' and c.status = 'open' group by c.assigned_admin_id) held
      left join users u on u.id = held.id and u.tenant_id = ${tenantId}
      order by held.open desc, held.id`,
  );
  const [late] = await rows(
    scope,
    sql<{ count: number }>`
      select count(*)::int as count from response_clocks r
      join conversations c on c.id = r.conversation_id and c.tenant_id = r.tenant_id and c.status = 'open'
        and c.waiting_since = r.waiting_since
      where r.tenant_id = ${tenantId} and r.settled_at is null and r.due_at <= ${scope.now}`,
  );
  const waits = await rows(
    scope,
    sql<WaitNow>`
      select c.id as "conversationId", u.name, c.user_type as "userType", a.name as holder,
        to_char(c.waiting_since, ${ISO}) as "waitingSince", exists (
          select 1 from response_clocks r
          where r.conversation_id = c.id and r.waiting_since = c.waiting_since and r.tenant_id = c.tenant_id
            and r.settled_at is null and r.due_at <= ${scope.now}) as "isLate"
      from conversations c
      join users u on u.id = c.opened_by and u.tenant_id = c.tenant_id
      left join users a on a.id = c.assigned_admin_id and a.tenant_id = c.tenant_id
      where c.tenant_id = ${tenantId} and c.kind = 'support' and c.status = 'open' and c.waiting_since is not null
      order by c.waiting_since, c.id limit ${MAX_WAITS}`,
  );
  const available = new Map((await availableAgents(scope)).map(({ id, name }) => [id, name]));
  return {
    open: sum(holders.map(({ open }) => open)),
    waiting: sum(holders.map(({ waiting }) => waiting)),
    unassigned: holders.find(({ id }) => id === null)?.open ?? 0,
    late: late?.count ?? 0,
    longestSince: waits[0]?.waitingSince ?? null,
    agents: agentsOf(holders, available).slice(0, MAX_AGENTS),
    waits,
  };
}

const ISO = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"';

type Holder = {
  readonly id: string | null;
  readonly name: string | null;
  readonly open: number;
  readonly waiting: number;
  readonly since: string | null;
};

/** Who holds most first, then those who are free. */
function agentsOf(holders: readonly Holder[], available: ReadonlyMap<string, string>): AgentNow[] {
  const busy = holders.flatMap(({ id, name, open, waiting, since }) =>
    id === null ? [] : [{ id, name: name ?? '', isAvailable: available.has(id), open, waiting, waitingSince: since }],
  );
  const held = new Set(busy.map(({ id }) => id));
  const free = Array.from(available, ([id, name]) => ({
    id,
    name,
    isAvailable: true,
    open: 0,
    waiting: 0,
    waitingSince: null,
  })).filter(({ id }) => !held.has(id));
  return [...busy, ...free];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
