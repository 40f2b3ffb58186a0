import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import type { TenantInfo } from '../../tenancy/index.ts';
import { bucketKey, bucketOf, type Clock, COUNTERS, type Duration, ratingKey, slotKey } from '../measures.ts';
import { rulesOf } from '../model/open-hours.ts';
import { type PlainFacts, plainComputation, type RawConversation, type RawMessage } from './plain-facts.ts';

/** What was compared, and what differs. */
export interface Verified {
  readonly conversations: number;
  readonly messages: number;
  /** Moved since the last fold; their facts will follow and are not compared. */
  readonly behind: number;
  readonly days: number;
  readonly months: number;
  readonly years: number;
  /** The first hundred differences, in words that name where. */
  readonly differences: readonly string[];
}

const AT_ONCE = 300;
const MAX_DIFFERENCES = 100;

/**
 * Compares everything that reports are made from with the raw rows: each conversation's facts with a plain walk over
 * its log, facts without a conversation, and each day's and month's sums with a plain addition of the facts.
 */
export async function verifyTenant(scope: Scope, tenant: TenantInfo): Promise<Verified> {
  const differences: string[] = [];
  const differ = (what: string) => {
    if (differences.length < MAX_DIFFERENCES) differences.push(what);
  };
  const facts = await verifyFacts(scope, tenant, differ);
  const sums = await verifySums(scope, differ);
  return { ...facts, ...sums, differences };
}

type Differ = (what: string) => void;

async function verifyFacts(scope: Scope, tenant: TenantInfo, differ: Differ) {
  const plain = plainComputation(rulesOf(tenant));
  const seen = { conversations: 0, messages: 0, behind: 0 };
  let after: string | null = null;
  for (;;) {
    const batch: Batch = await readBatch(scope, after);
    for (const raw of batch.conversations) {
      seen.conversations++;
      const log = batch.messages.get(raw.id) ?? [];
      seen.messages += log.length;
      const kept = batch.kept.get(raw.id);
      if (kept?.lastSeq !== raw.lastSeq) {
        seen.behind++;
        continue;
      }
      const expected = stable(comparable(plain(raw, log)));
      const found = stable({
        conversation: kept.facts,
        answers: batch.answers.get(raw.id) ?? [],
        activity: Object.fromEntries(batch.activity.get(raw.id) ?? []),
      });
      if (expected !== found) differ(`conversation ${raw.id}: expected ${expected}, found ${found}`);
    }
    after = batch.conversations.at(-1)?.id ?? null;
    if (batch.conversations.length < AT_ONCE) break;
  }
  for (const table of ['report_conversations', 'report_responses', 'report_activity']) {
    const lost = await rows(
      scope,
      sql<{ id: string }>`
        select distinct f.conversation_id as id from ${sql.table(table)} f
        where f.tenant_id = ${scope.tenant.id} and not exists (
          select from conversations c where c.id = f.conversation_id and c.tenant_id = f.tenant_id) limit 10`,
    );
    for (const { id } of lost) differ(`${table}: ${id} is no conversation any more`);
  }
  return seen;
}

interface Kept {
  readonly lastSeq: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

interface Batch {
  readonly conversations: readonly (RawConversation & { readonly lastSeq: number })[];
  readonly messages: ReadonlyMap<string, readonly RawMessage[]>;
  readonly kept: ReadonlyMap<string, Kept>;
  readonly answers: ReadonlyMap<string, readonly unknown[]>;
  readonly activity: ReadonlyMap<string, readonly (readonly [string, number])[]>;
}

/** A page of conversations with their logs and their facts, all of one moment. */
async function readBatch(scope: Scope, after: string | null): Promise<Batch> {
  return transact(scope, async (inside) => {
    await rows(inside, sql`set transaction isolation level repeatable read`);
    const tenantId = inside.tenant.id;
    const conversations = await rows(
      inside,
      sql<RawConversationRow>`
        select c.id, c.user_type as "userType", c.topic, u.country, c.assigned_admin_id as "assignedAdminId",
          ${micros('c.created_at')} as "createdAt", ${micros('c.closed_at')} as "closedAt", c.closed_by as "closedBy",
          ${micros('c.waiting_since')} as "waitingSince", r.score as rating, c.last_seq as "lastSeq"
        from conversations c
        left join users u on u.id = c.opened_by and u.tenant_id = c.tenant_id
        left join conversation_ratings r on r.conversation_id = c.id and r.tenant_id = c.tenant_id
        where c.tenant_id = ${tenantId} and c.kind = 'support' and (${after}::uuid is null or c.id > ${after}::uuid)
        order by c.id limit ${AT_ONCE}`,
    );
    const ids = conversations.map(({ id }) => id);
    const messages = await rows(
      inside,
      sql<RawMessageRow>`
        select m.conversation_id as "conversationId", m.seq, m.sender_type as "senderType", m.sender_id as "senderId",
          m.event, m.data ->> 'actorId' as "actorId", ${micros('m.created_at')} as "createdAt"
        from messages m where m.conversation_id = any (${ids}::uuid[]) and m.tenant_id = ${tenantId}
        order by m.conversation_id, m.seq`,
    );
    const kept = await rows(
      inside,
      sql<KeptRow>`
        select conversation_id as "conversationId", last_seq as "lastSeq", json_build_object(
          'userType', user_type, 'topic', topic, 'country', country, 'agentId', agent_id,
          'openedAt', ${micros('opened_at')}, 'openedDay', opened_day::text, 'openedSlot', opened_slot,
          'closedAt', ${micros('closed_at')}, 'closedDay', closed_day::text, 'isAutoClosed', is_auto_closed,
          'isAbandoned', is_abandoned, 'reopenedAt', ${micros('reopened_at')}, 'reopenedDay', reopened_day::text,
          'reopens', reopens, 'firstAt', ${micros('first_at')}, 'firstDay', first_day::text,
          'firstAgentId', first_agent_id, 'firstSecs', first_secs, 'firstOpenSecs', first_open_secs,
          'resolutionSecs', resolution_secs, 'resolutionOpenSecs', resolution_open_secs,
          'autoAssignedAt', ${micros('auto_assigned_at')}, 'autoAssignedDay', auto_assigned_day::text,
          'rating', rating, 'messagesIn', messages_in, 'messagesOut', messages_out,
          'waitingSince', ${micros('waiting_since')}) as facts
        from report_conversations where conversation_id = any (${ids}::uuid[]) and tenant_id = ${tenantId}`,
    );
    const answers = await rows(
      inside,
      sql<{ conversationId: string; answer: unknown }>`
        select conversation_id as "conversationId", json_build_object('seq', seq, 'agentId', agent_id,
          'at', ${micros('at')}, 'day', day::text, 'secs', secs, 'openSecs', open_secs) as answer
        from report_responses where conversation_id = any (${ids}::uuid[]) and tenant_id = ${tenantId}
        order by conversation_id, seq`,
    );
    const activity = await rows(
      inside,
      sql<{ conversationId: string; key: string; messages: number }>`
        select conversation_id as "conversationId", day || ' ' || side || ' ' || coalesce(agent_id::text, '-') as key, messages
        from report_activity where conversation_id = any (${ids}::uuid[]) and tenant_id = ${tenantId}`,
    );
    return {
      conversations: conversations.map((row) => ({
        ...row,
        createdAt: BigInt(row.createdAt),
        closedAt: row.closedAt === null ? null : BigInt(row.closedAt),
        waitingSince: row.waitingSince === null ? null : BigInt(row.waitingSince),
      })),
      messages: Map.groupBy(
        messages.map((row) => ({ ...row, createdAt: BigInt(row.createdAt) })),
        (row) => row.conversationId,
      ),
      kept: new Map(kept.map(({ conversationId, lastSeq, facts }) => [conversationId, { lastSeq, facts }])),
      answers: mapped(answers, ({ answer }) => answer),
      activity: mapped(activity, ({ key, messages: n }) => [key, n] as const),
    };
  });
}

interface RawConversationRow extends Omit<RawConversation, 'createdAt' | 'closedAt' | 'waitingSince'> {
  readonly lastSeq: number;
  readonly createdAt: string;
  readonly closedAt: string | null;
  readonly waitingSince: string | null;
}

interface RawMessageRow extends Omit<RawMessage, 'createdAt'> {
  readonly conversationId: string;
  readonly createdAt: string;
}

interface KeptRow extends Kept {
  readonly conversationId: string;
}

/** A time as whole microseconds, in text: a Date would lose some, a number could. */
function micros(column: string) {
  return sql`(extract(epoch from ${sql.ref(column)}) * 1000000)::bigint::text`;
}

function mapped<R extends { readonly conversationId: string }, T>(
  list: readonly R[],
  pick: (row: R) => T,
): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const row of list) {
    const of = found.get(row.conversationId);
    if (of) of.push(pick(row));
    else found.set(row.conversationId, [pick(row)]);
  }
  return found;
}

/** Big numbers as text, as the rows have them. */
function comparable(facts: PlainFacts): unknown {
  return JSON.parse(JSON.stringify(facts, (_key, value) => (typeof value === 'bigint' ? String(value) : value)));
}

/** JSON with its keys in order. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_key, inside) =>
    typeof inside === 'object' && inside !== null && !Array.isArray(inside)
      ? Object.fromEntries(Object.entries(inside).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inside,
  );
}

type Sums = Map<string, Map<number, number>>;

/** Every day that has facts or sums, and every month and year that have sums. */
async function verifySums(scope: Scope, differ: Differ): Promise<Pick<Verified, 'days' | 'months' | 'years'>> {
  const tenantId = scope.tenant.id;
  const days = await rows(
    scope,
    sql<{ day: string }>`
      select day::text from (
        select distinct start as day from report_cells where tenant_id = ${tenantId} and grain = 'day'
        union select distinct opened_day from report_conversations where tenant_id = ${tenantId}
        union select distinct closed_day from report_conversations where tenant_id = ${tenantId} and closed_day is not null
        union select distinct day from report_activity where tenant_id = ${tenantId}
        except select day from report_dirty_days where tenant_id = ${tenantId}) found
      order by day`,
  );
  const month = openSpan('month', 7);
  const year = openSpan('year', 4);
  const found = { month: 0, year: 0 };
  async function end({ grain, name, sums }: Span, start: string): Promise<void> {
    const kept = name ? await readCells(scope, grain, start) : new Map();
    if (kept.size === 0) return;
    found[grain]++;
    compare(`${grain} ${name}`, sums, kept, differ);
  }
  async function endSpans(next: string | null): Promise<void> {
    if (month.name && month.name !== next?.slice(0, 7)) await end(month, `${month.name}-01`);
    if (year.name && year.name !== next?.slice(0, 4)) await end(year, `${year.name}-01-01`);
    for (const span of [month, year]) {
      const name = next?.slice(0, span.length) ?? '';
      if (span.name !== name) Object.assign(span, { name, sums: new Map() });
    }
  }
  for (const { day } of days) {
    await endSpans(day);
    const expected = await transact(scope, async (inside) => {
      await rows(inside, sql`set transaction isolation level repeatable read`);
      const sums = await addUp(inside, day);
      compare(`day ${day}`, sums, await readCells(inside, 'day', day), differ);
      return sums;
    });
    for (const { sums } of [month, year]) {
      for (const [cell, keys] of expected) for (const [key, n] of keys) add(sums, cell, key, n);
    }
  }
  await endSpans(null);
  return { days: days.length, months: found.month, years: found.year };
}

/** A month or a year that is being added up; '' is none yet. */
interface Span {
  readonly grain: 'month' | 'year';
  /** Of its name, as days begin with it. */
  readonly length: number;
  name: string;
  sums: Sums;
}

function openSpan(grain: Span['grain'], length: number): Span {
  return { grain, length, name: '', sums: new Map() };
}

function compare(where: string, expected: Sums, found: Sums, differ: Differ): void {
  for (const cell of new Set([...expected.keys(), ...found.keys()])) {
    const [one, other] = [expected, found].map((sums) =>
      JSON.stringify([...(sums.get(cell) ?? [])].sort(([a], [b]) => a - b)),
    );
    if (one !== other) differ(`${where}, ${cell}: expected ${one}, found ${other}`);
  }
}

async function readCells(scope: Scope, grain: string, start: string): Promise<Sums> {
  const found = await rows(
    scope,
    sql<{ cell: string; keys: number[]; counts: number[] }>`
      select cell, keys, counts from report_cells
      where tenant_id = ${scope.tenant.id} and grain = ${grain} and start = ${start}::date
      union all
      select jsonb_build_object('a', agent, 'u', user_type, 't', topic, 'c', country)::text, keys, counts
      from report_agent_cells
      where tenant_id = ${scope.tenant.id} and grain = ${grain} and start = ${start}::date`,
  );
  return new Map(found.map(({ cell, keys, counts }) => [cell, new Map(keys.map((key, at) => [key, counts[at] ?? 0]))]));
}

interface Dimensions {
  readonly userType: string;
  readonly topic: string;
  readonly country: string;
  readonly agentId: string | null;
}

/** One day's sums, fact by fact. */
async function addUp(scope: Scope, day: string): Promise<Sums> {
  const tenantId = scope.tenant.id;
  const sums: Sums = new Map();
  function tell(of: Dimensions, key: number, n = 1) {
    for (const cell of cellsOf(of)) add(sums, cell, key, n);
  }
  function took(of: Dimensions, duration: Duration, clock: Clock, seconds: number | null) {
    if (seconds !== null) tell(of, bucketKey(duration, clock, bucketOf(seconds)));
  }
  const conversations = await rows(
    scope,
    sql<DayRow>`
      select user_type as "userType", topic, country, agent_id as "agentId", first_agent_id as "firstAgentId",
        opened_day = ${day}::date as opened, opened_slot as slot, coalesce(closed_day = ${day}::date, false) as closed,
        coalesce(reopened_day = ${day}::date, false) as reopened, coalesce(first_day = ${day}::date, false) as first,
        coalesce(auto_assigned_day = ${day}::date, false) as "autoAssigned", is_auto_closed as "autoClosed",
        is_abandoned as abandoned, rating, first_secs as "firstSecs", first_open_secs as "firstOpenSecs",
        resolution_secs as "resolutionSecs", resolution_open_secs as "resolutionOpenSecs"
      from report_conversations
      where tenant_id = ${tenantId} and (opened_day = ${day}::date or closed_day = ${day}::date
        or reopened_day = ${day}::date or first_day = ${day}::date or auto_assigned_day = ${day}::date)`,
  );
  for (const one of conversations) {
    if (one.opened) {
      tell(one, COUNTERS.opened);
      tell(one, slotKey(one.slot));
    }
    if (one.closed) {
      tell(one, COUNTERS.closed);
      if (one.abandoned) tell(one, COUNTERS.abandoned);
      if (one.autoClosed) tell(one, COUNTERS.autoClosed);
      if (one.rating !== null) {
        tell(one, COUNTERS.rated);
        tell(one, COUNTERS.ratingSum, one.rating);
        tell(one, ratingKey(one.rating));
      }
      took(one, 'resolution', 'all', one.resolutionSecs);
      took(one, 'resolution', 'open', one.resolutionOpenSecs);
    }
    if (one.reopened) tell(one, COUNTERS.reopened);
    if (one.autoAssigned) tell(one, COUNTERS.autoAssigned);
    if (one.first) {
      const answered = { ...one, agentId: one.firstAgentId };
      took(answered, 'first', 'all', one.firstSecs);
      took(answered, 'first', 'open', one.firstOpenSecs);
    }
  }
  const answers = await rows(
    scope,
    sql<Dimensions & { secs: number; openSecs: number }>`
      select user_type as "userType", topic, country, agent_id as "agentId", secs, open_secs as "openSecs"
      from report_responses where tenant_id = ${tenantId} and day = ${day}::date`,
  );
  for (const one of answers) {
    took(one, 'response', 'all', one.secs);
    took(one, 'response', 'open', one.openSecs);
  }
  const activity = await rows(
    scope,
    sql<Dimensions & { side: string; messages: number }>`
      select user_type as "userType", topic, country, agent_id as "agentId", side, messages
      from report_activity where tenant_id = ${tenantId} and day = ${day}::date`,
  );
  for (const one of activity) {
    tell(one, one.side === 'in' ? COUNTERS.messagesIn : COUNTERS.messagesOut, one.messages);
  }
  return sums;
}

interface DayRow extends Dimensions {
  readonly firstAgentId: string | null;
  readonly opened: boolean;
  readonly slot: number;
  readonly closed: boolean;
  readonly reopened: boolean;
  readonly first: boolean;
  readonly autoAssigned: boolean;
  readonly autoClosed: boolean;
  readonly abandoned: boolean;
  readonly rating: number | null;
  readonly firstSecs: number | null;
  readonly firstOpenSecs: number | null;
  readonly resolutionSecs: number | null;
  readonly resolutionOpenSecs: number | null;
}

/** Everything that a fact is counted under, written as jsonb writes it. */
function cellsOf({ userType, topic, country, agentId }: Dimensions): string[] {
  const [c, t, u] = [
    ['c', country],
    ['t', topic],
    ['u', userType],
  ].map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  const a = `"a": "${agentId ?? 'none'}"`;
  const chosen = [[], [c], [t], [u], [c, t], [c, u], [t, u], [c, t, u], [a], [a, c, t, u]];
  return chosen.map((parts) => `{${parts.join(', ')}}`);
}

function add(sums: Sums, cell: string, key: number, n: number): void {
  const keys = sums.get(cell) ?? new Map<number, number>();
  sums.set(cell, keys);
  keys.set(key, (keys.get(key) ?? 0) + n);
}
