import { type RawBuilder, sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { COUNTERS, type Counter, KEYS_END } from '../measures.ts';
import { cellOf, narrowed, type ReportFilter } from './filter.ts';
import type { Period } from './period.ts';

/** Sums by key (`measures.ts`); what is not there is 0. */
export type Sums = ReadonlyMap<number, number>;

/** Sums that are added up already: which of them, and the name under which they are wanted apart. */
interface Kept {
  readonly table: 'report_cells' | 'report_agent_cells';
  readonly where: RawBuilder<unknown>;
  readonly name: RawBuilder<string>;
  /** The same of facts (`e`), for days whose sums are older. */
  readonly ofFacts: RawBuilder<unknown>;
  readonly nameOfFacts: RawBuilder<string>;
}

const ALL: RawBuilder<string> = sql`''`;

/** A filter has sums of its own; an agent and something else are those of the agent that match. */
function keptFor(filter: ReportFilter): Kept {
  const cell = cellOf(filter);
  if (cell === null) return keptByAgent(filter, [filter.agent ?? 'none'], ALL, ALL);
  return {
    table: 'report_cells',
    where: sql`v.cell = (${cell}::jsonb)::text`,
    name: ALL,
    ofFacts: narrowed(filter, 'e'),
    nameOfFacts: ALL,
  };
}

const AGENT_OF_FACTS: RawBuilder<string> = sql`coalesce(e.agent_id::text, 'none')`;

function keptByAgent(
  filter: ReportFilter,
  agents: readonly string[],
  name: RawBuilder<string> = sql`v.agent`,
  nameOfFacts = AGENT_OF_FACTS,
): Kept {
  const rest = { ...filter, agent: null };
  return {
    table: 'report_agent_cells',
    where: sql`v.agent = any (${agents}::text[]) ${narrowed(rest, 'v')}`,
    name,
    ofFacts: sql`and ${AGENT_OF_FACTS} = any (${agents}::text[]) ${narrowed(rest, 'e')}`,
    nameOfFacts,
  };
}

/** Without a filter each agent has one vector a day instead of one for each kind of conversation. */
function keptOfAgents(filter: ReportFilter, agents: readonly string[]): Kept {
  if (cellOf({ ...filter, agent: null }) !== '{}') return keptByAgent(filter, agents);
  return {
    ...keptByAgent(filter, agents),
    table: 'report_cells',
    where: sql`v.cell = any (array(select jsonb_build_object('a', agent)::text from unnest(${agents}::text[]) agent))`,
    name: sql`v.cell::jsonb ->> 'a'`,
  };
}

/**
 * What a period is put together from: whole years, else whole months, else days (`parts`), and days whose sums are
 * older than their facts (`dirty`). Nothing is looked for before the first day or after the last.
 */
function partsOf(scope: Scope, { from, to }: Period, grains: { readonly months: boolean; readonly years: boolean }) {
  const tenantId = scope.tenant.id;
  const known = sql`select from report_cells m where m.tenant_id = ${tenantId} and m.cell = '{}'`;
  return sql`
    ends as materialized (
      select greatest(${from}::date, min(d.start)) as first, least(${to}::date, max(d.start)) as last
      from report_cells d where d.tenant_id = ${tenantId} and d.grain = 'day' and d.cell = '{}'
    ), years as materialized (
      select y.start::date as start
      from ends cross join generate_series(date_trunc('year', ends.first), ends.last, interval '1 year') y (start)
      where ${grains.years} and y.start >= ${from}::date and y.start + interval '1 year' <= ${to}::date + 1
        and exists (${known} and m.grain = 'year' and m.start = y.start::date)
    ), months as materialized (
      select o.start::date as start
      from ends cross join generate_series(date_trunc('month', ends.first), ends.last, interval '1 month') o (start)
      where ${grains.months} and o.start >= ${from}::date and o.start + interval '1 month' <= ${to}::date + 1
        and date_trunc('year', o.start)::date not in (select start from years)
        and exists (${known} and m.grain = 'month' and m.start = o.start::date)
    ), dirty as materialized (
      select d.day from report_dirty_days d where d.tenant_id = ${tenantId} and d.day between ${from}::date and ${to}::date
    ), days as materialized (
      select d.start::date as start from ends cross join generate_series(ends.first, ends.last, interval '1 day') d (start)
      where date_trunc('year', d.start)::date not in (select start from years)
        and date_trunc('month', d.start)::date not in (select start from months)
        and d.start::date not in (select day from dirty)
    )`;
}

/** Vectors of these parts, one after the other, under each name and, where they stay apart, each beginning. */
async function readVectors(
  scope: Scope,
  period: Period,
  kept: Kept,
  apart: {
    readonly start: RawBuilder<unknown>;
    readonly months: boolean;
    readonly years: boolean;
    readonly bytes?: number;
  },
): Promise<{ name: string; start: string; packed: Buffer }[]> {
  const of = (grain: string, starts: string) => sql`
    select ${kept.name} as name, v.start, ${apart.bytes ? sql`substring(v.packed for ${apart.bytes}::int)` : sql`v.packed`} as packed
    from ${sql.table(kept.table)} v
    where v.tenant_id = ${scope.tenant.id} and v.grain = ${grain} and v.start = any (array(select start from ${sql.table(starts)}))
      and ${kept.where}`;
  return rows(
    scope,
    sql<{ name: string; start: string; packed: Buffer }>`
      with ${partsOf(scope, period, apart)}
      select p.name, ${apart.start} as start, string_agg(p.packed, ''::bytea) as packed
      from (
        ${of('year', 'years')} union all ${of('month', 'months')} union all ${of('day', 'days')}
        union all
        select ${kept.nameOfFacts}, x.day, report_pack(array[e.key], array[sum(e.n)::int])
        from dirty x cross join lateral report_emit(${scope.tenant.id}, x.day, x.day) e
        where true ${kept.ofFacts} group by 1, 2, e.key
      ) p
      group by 1, 2`,
  );
}

const TOGETHER = { start: sql`''`, months: true, years: true } as const;

/** A period's sums for one filter. */
export async function readSums(scope: Scope, period: Period, filter: ReportFilter): Promise<Sums> {
  const [found] = await readVectors(scope, period, keptFor(filter), TOGETHER);
  return found ? addUp(found.packed) : new Map();
}

/** Sums of every one of these agents (ids, and `none` for nobody) who has any, under a filter, by their id. */
export async function readSumsByAgent(
  scope: Scope,
  period: Period,
  agents: readonly string[],
  filter: ReportFilter,
): Promise<ReadonlyMap<string, Sums>> {
  const found = await readVectors(scope, period, keptOfAgents(filter, agents), TOGETHER);
  return new Map(found.map(({ name, packed }) => [name, addUp(packed)]));
}

const BYTES_A_KEY = 6;

/** Vectors one after the other, as `report_pack` writes them: two bytes of key, four of count. */
function addUp(packed: Buffer): Sums {
  const sums = new Float64Array(KEYS_END);
  const bytes = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let at = 0; at < packed.byteLength; at += BYTES_A_KEY) {
    const key = bytes.getUint16(at);
    sums[key] = (sums[key] ?? 0) + bytes.getInt32(at + 2);
  }
  const found = new Map<number, number>();
  for (const [key, n] of sums.entries()) if (n > 0) found.set(key, n);
  return found;
}

/** Counters of one day, or of one month. */
export interface SeriesPoint {
  /** The day, or the month's first. */
  readonly start: string;
  readonly counters: Readonly<Record<Counter, number>>;
}

/** Days up to here are shown one by one, more of them as months. */
export const MAX_DAYS_APART = 92;

/** Counters come first in a vector. */
const BYTES_OF_COUNTERS = BYTES_A_KEY * (Math.max(...Object.values(COUNTERS)) + 1);

/** The counters of a period by day, or by month; days without anything are left out. */
export async function readSeries(
  scope: Scope,
  period: Period,
  filter: ReportFilter,
  grain: 'day' | 'month',
): Promise<SeriesPoint[]> {
  const found = await readVectors(scope, period, keptFor(filter), {
    start: sql`date_trunc(${grain}, p.start)::date::text`,
    months: grain === 'month',
    years: false,
    bytes: BYTES_OF_COUNTERS,
  });
  return found
    .map(({ start, packed }) => ({
      start,
      counters: countersOf(addUp(packed)),
    }))
    .sort((one, other) => (one.start < other.start ? -1 : 1));
}

/** The counters among the sums, by name. */
export function countersOf(sums: Sums): Record<Counter, number> {
  const named = Object.entries(COUNTERS).map(([name, key]) => [name, sums.get(key) ?? 0]);
  return Object.fromEntries(named) as Record<Counter, number>; // of those very names
}
