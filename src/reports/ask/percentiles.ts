import { type RawBuilder, sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { BUCKET_BOUNDS, bucketKey, bucketOf, type Clock, type Duration } from '../measures.ts';
import { narrowed, type ReportFilter } from './filter.ts';
import type { Period } from './period.ts';
import type { Sums } from './sums.ts';

/** How long something took. Whole seconds; percentiles are values that occurred (nearest rank), null without any. */
export interface Spread {
  readonly count: number;
  readonly median: number | null;
  readonly p90: number | null;
  /** How many took no longer than the target. */
  readonly within: number;
}

/** One duration by one clock, and what is wanted of it. */
export interface SpreadAsked {
  readonly duration: Duration;
  readonly clock: Clock;
  readonly targetSeconds: number;
}

/** Where the durations lie: facts, the column of each clock, the day they count on and whose they are. */
const SOURCES = {
  first: {
    table: 'report_conversations',
    day: 'first_day',
    agent: 'first_agent_id',
    all: 'first_secs',
    open: 'first_open_secs',
  },
  response: { table: 'report_responses', day: 'day', agent: 'agent_id', all: 'secs', open: 'open_secs' },
  resolution: {
    table: 'report_conversations',
    day: 'closed_day',
    agent: 'agent_id',
    all: 'resolution_secs',
    open: 'resolution_open_secs',
  },
} as const;

/** A look into one bucket: the value at a rank in it, or how many are not above a bound. */
type Look =
  | { readonly kind: 'value'; readonly of: SpreadAsked; readonly bucket: number; readonly rank: number }
  | { readonly kind: 'count'; readonly of: SpreadAsked; readonly bucket: number; readonly atMost: number };

/** Sums and the filter and period they were read for. */
export interface SpreadSource {
  readonly sums: Sums;
  readonly period: Period;
  readonly filter: ReportFilter;
}

/**
 * Exact percentiles of many durations by one statement: the sums tell the bucket that each lies in and its rank there,
 * and the facts of that bucket, a few in a hundred, the value. Must see the same moment as the sums did.
 */
export async function readSpreads(
  scope: Scope,
  asked: readonly { readonly source: SpreadSource; readonly of: SpreadAsked }[],
): Promise<Spread[]> {
  const looks: Sought[] = [];
  const pending = asked.map(({ source, of }) => {
    const counts = BUCKET_BOUNDS.map((_, bucket) => source.sums.get(bucketKey(of.duration, of.clock, bucket)) ?? 0);
    const count = counts.reduce((sum, n) => sum + n, 0);
    const look = (one: Look): number => looks.push({ look: one, source }) - 1;
    return {
      count,
      median: valueAt(counts, Math.ceil(count * 0.5), of, look),
      p90: valueAt(counts, Math.ceil(count * 0.9), of, look),
      within: countWithin(counts, of, look),
    };
  });
  const answers = await lookUp(scope, looks);
  const settle = (one: Answer | null) => one && (one.look === null ? one.base : one.base + (answers[one.look] ?? 0));
  return pending.map(({ count, median, p90, within }) => ({
    count,
    median: settle(median),
    p90: settle(p90),
    within: settle(within) ?? 0,
  }));
}

/** What is known already, plus what a look brings. */
interface Answer {
  readonly base: number;
  readonly look: number | null;
}

/** `nth` counts from 1. */
function valueAt(counts: readonly number[], nth: number, of: SpreadAsked, look: (one: Look) => number): Answer | null {
  let before = 0;
  for (const [bucket, n] of counts.entries()) {
    if (nth > 0 && before + n >= nth) {
      const [lower, upper] = boundsOf(bucket);
      // a bucket of one second needs no look
      if (upper - lower === 1) return { base: lower, look: null };
      return { base: 0, look: look({ kind: 'value', of, bucket, rank: nth - before - 1 }) };
    }
    before += n;
  }
  return null;
}

function countWithin(counts: readonly number[], of: SpreadAsked, look: (one: Look) => number): Answer {
  const bucket = bucketOf(of.targetSeconds);
  const base = counts.slice(0, bucket).reduce((sum, n) => sum + n, 0);
  const inside = counts[bucket] ?? 0;
  const [, upper] = boundsOf(bucket);
  if (inside === 0 || of.targetSeconds === upper - 1) return { base: base + inside, look: null };
  return { base, look: look({ kind: 'count', of, bucket, atMost: of.targetSeconds }) };
}

function boundsOf(bucket: number): [lower: number, upper: number] {
  return [BUCKET_BOUNDS[bucket] ?? 0, BUCKET_BOUNDS[bucket + 1] ?? 2_147_483_647];
}

/** In the order of the looks. Those that differ only in where they look are one statement's rows. */
async function lookUp(scope: Scope, looks: readonly Sought[]): Promise<number[]> {
  if (looks.length === 0) return [];
  const numbered = looks.map((one, at) => ({ ...one, at }));
  const parts = [...Map.groupBy(numbered, groupOf).values()].map((group) => lookTogether(scope, group));
  const found = await rows(scope, sql<{ at: number; value: number | null }>`${sql.join(parts, sql` union all `)}`);
  const answers = new Array<number>(looks.length).fill(0);
  for (const { at, value } of found) answers[at] = value ?? 0;
  return answers;
}

interface Sought {
  readonly look: Look;
  readonly source: SpreadSource;
}

/** Two agents are looked for alike; an agent, nobody and everybody are not. */
function groupOf({ look, source: { period, filter } }: Sought): string {
  const agent = filter.agent === null || filter.agent === 'none' ? filter.agent : 'one';
  return JSON.stringify([look.kind, look.of.duration, look.of.clock, period, { ...filter, agent }]);
}

function lookTogether(scope: Scope, group: readonly (Sought & { readonly at: number })[]): RawBuilder<unknown> {
  const [first] = group;
  if (!first) throw new Error('a group of looks has a first one');
  const { look, source: of } = first;
  const source = SOURCES[look.of.duration];
  const seconds = sql.ref(`f.${source[look.of.clock]}`);
  const isOfAgent = of.filter.agent !== null && of.filter.agent !== 'none';
  const agent = sql.ref(`f.${source.agent}`);
  const where = sql`
    from ${sql.table(source.table)} f
    where f.tenant_id = ${scope.tenant.id} and ${seconds} >= l.lower and ${seconds} < l.upper
      and ${sql.ref(`f.${source.day}`)} between ${of.period.from}::date and ${of.period.to}::date
      ${narrowed(isOfAgent ? { ...of.filter, agent: null } : of.filter, 'f', source.agent)}
      ${isOfAgent ? sql`and ${agent} = l.agent` : sql``}`;
  const inside =
    look.kind === 'count'
      ? sql`select count(*) ${where} and ${seconds} <= l.extra`
      : sql`select ${seconds} ${where} order by ${seconds} offset l.extra limit 1`;
  const bounds = group.map((one) => boundsOf(one.look.bucket));
  return sql`
    select l.at, (${inside})::float8 as value
    from unnest(
      ${group.map(({ at }) => at)}::int[], ${bounds.map(([lower]) => lower)}::int[], ${bounds.map(([, upper]) => upper)}::int[],
      ${group.map((one) => (one.look.kind === 'count' ? one.look.atMost : one.look.rank))}::int[],
      ${group.map((one) => (isOfAgent ? one.source.filter.agent : null))}::uuid[]) l (at, lower, upper, extra, agent)`;
}
