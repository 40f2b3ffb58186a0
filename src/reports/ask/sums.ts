import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { COUNTERS, type Counter, FIRST_BUCKET_KEY } from '../measures.ts';
import { cellOf, narrowed, type ReportFilter } from './filter.ts';
import type { Period } from './period.ts';

/** Sums by key (`measures.ts`); what is not there is 0. */
export type Sums = ReadonlyMap<number, number>;

/** A period's sums for one filter, from what is added up already, or from the facts where nothing is. */
export async function readSums(scope: Scope, period: Period, filter: ReportFilter): Promise<Sums> {
  const cell = cellOf(filter);
  const found =
    cell === null
      ? await rows(
          scope,
          sql<SumRow>`
            select e.key, sum(e.n)::float8 as n
            from report_emit(${scope.tenant.id}, ${period.from}::date, ${period.to}::date) e
            where true ${narrowed(filter, 'e')} group by e.key`,
        )
      : await rows(
          scope,
          sql<SumRow>`
            select s.key, s.n::float8 as n
            from report_sums(${scope.tenant.id}, ${period.from}::date, ${period.to}::date,
              array[(${cell}::jsonb)::text], false, false) s`,
        );
  return new Map(found.map(({ key, n }) => [key, n]));
}

interface SumRow {
  readonly key: number;
  readonly n: number;
}

/** Sums of every agent who has any, and of nobody (`none`), by their id. */
export async function readSumsByAgent(
  scope: Scope,
  period: Period,
  agents: readonly string[],
): Promise<ReadonlyMap<string, Sums>> {
  // one row an agent: thousands of keys each would take longer to hand over than to add up
  const found = await rows(
    scope,
    sql<{ agent: string; keys: number[]; counts: number[] }>`
      select s.cell::jsonb ->> 'a' as agent, s.keys, s.counts from (
        select s.cell, array_agg(s.key) as keys, array_agg(s.n::int) as counts
        from report_sums(${scope.tenant.id}, ${period.from}::date, ${period.to}::date,
          array(select jsonb_build_object('a', agent)::text from unnest(${agents}::text[]) agent), false, false) s
        where s.key < 100 or s.key >= ${FIRST_BUCKET_KEY}
        group by s.cell) s`,
  );
  return new Map(
    found.map(({ agent, keys, counts }) => [agent, new Map(keys.map((key, at) => [key, counts[at] ?? 0]))]),
  );
}

/** Counters of one day, or of one month. */
export interface SeriesPoint {
  /** The day, or the month's first. */
  readonly start: string;
  readonly counters: Readonly<Record<Counter, number>>;
}

/** Days up to here are shown one by one, more of them as months. */
export const MAX_DAYS_APART = 92;

/** The counters of a period by day, or by month; days without anything are left out. */
export async function readSeries(
  scope: Scope,
  period: Period,
  filter: ReportFilter,
  grain: 'day' | 'month',
): Promise<SeriesPoint[]> {
  const cell = cellOf(filter);
  const start = grain === 'day' ? sql`p.start` : sql`date_trunc('month', p.start)::date`;
  const points =
    cell === null
      ? sql`
          select e.day as start, e.key, e.n::bigint as n
          from report_emit(${scope.tenant.id}, ${period.from}::date, ${period.to}::date) e
          where e.key < 100 ${narrowed(filter, 'e')}`
      : sql`
          select s.start, s.key, s.n
          from report_sums(${scope.tenant.id}, ${period.from}::date, ${period.to}::date,
            array[(${cell}::jsonb)::text], true, ${grain === 'day'}) s`;
  const found = await rows(
    scope,
    sql<SumRow & { start: string }>`
      select ${start}::text as start, p.key, sum(p.n)::float8 as n from (${points}) p group by 1, 2 order by 1`,
  );
  return [...Map.groupBy(found, (row) => row.start)].map(([at, all]) => ({
    start: at,
    counters: countersOf(new Map(all.map(({ key, n }) => [key, n]))),
  }));
}

/** The counters among the sums, by name. */
export function countersOf(sums: Sums): Record<Counter, number> {
  const named = Object.entries(COUNTERS).map(([name, key]) => [name, sums.get(key) ?? 0]);
  return Object.fromEntries(named) as Record<Counter, number>; // of those very names
}
