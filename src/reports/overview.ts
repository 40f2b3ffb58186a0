import type { Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Forbidden } from '../platform/errors/index.ts';
import type { SupportSettings } from '../tenancy/index.ts';
import type { ReportFilter } from './ask/filter.ts';
import { atOneMoment } from './ask/moment.ts';
import { type OpenNow, readOpenNow } from './ask/open-now.ts';
import { readSpreads, type Spread } from './ask/percentiles.ts';
import { daysOf, type Period, periodBefore } from './ask/period.ts';
import { countersOf, MAX_DAYS_APART, readSeries, readSums, type SeriesPoint, type Sums } from './ask/sums.ts';
import {
  CLOCKS,
  type Clock,
  type Counter,
  DURATIONS,
  type Duration,
  HOURS_OF_WEEK,
  ratingKey,
  slotKey,
} from './measures.ts';
import { type ReportState, readReportState } from './model/report-state.ts';

/** The tenant's settings that a report is measured by. */
export type ReportTargets = Pick<
  SupportSettings,
  'firstResponseTargetMinutes' | 'nextResponseTargetMinutes' | 'resolutionTargetHours'
>;

/** What is asked. */
export interface OverviewAsked {
  readonly period: Period;
  readonly filter: ReportFilter;
  readonly targets: ReportTargets;
}

/** A duration in the period and in the one before. */
export interface SpreadPair {
  readonly duration: Duration;
  readonly clock: Clock;
  readonly targetSeconds: number;
  readonly now: Spread;
  readonly before: Spread;
}

/** How users rated what was closed in the period. */
export interface RatingSummary {
  /** 1 to 5; null without any. */
  readonly average: number | null;
  readonly rated: number;
  /** Conversations that could have been. */
  readonly closed: number;
  /** Of 1, 2 … 5. */
  readonly counts: readonly number[];
}

/** Every number of the page, its table, its charts and its CSV. */
export interface Overview {
  readonly state: ReportState;
  readonly period: Period;
  readonly before: Period;
  readonly filter: ReportFilter;
  readonly counters: Readonly<Record<Counter, { readonly now: number; readonly before: number }>>;
  readonly spreads: readonly SpreadPair[];
  readonly rating: { readonly now: RatingSummary; readonly before: RatingSummary };
  /** Conversations opened, by hour of the week from Monday 0:00. */
  readonly week: readonly number[];
  readonly grain: 'day' | 'month';
  readonly series: readonly SeriesPoint[];
  readonly openNow: OpenNow;
}

/** Dirty days that can be read from their facts within the time that a report may take. */
const MAX_DIRTY_DAYS = 40;

/** True while a report would take too long, or would be of half of what there is. */
export function isBeingMade({ asOf, dirtyDays }: ReportState): boolean {
  return asOf === null || dirtyDays > MAX_DIRTY_DAYS;
}

/** In seconds. */
export function targetOf(duration: Duration, targets: ReportTargets): number {
  if (duration === 'first') return targets.firstResponseTargetMinutes * 60;
  if (duration === 'response') return targets.nextResponseTargetMinutes * 60;
  return targets.resolutionTargetHours * 3_600;
}

/**
 * The numbers of a period and of the one before, all of one moment; null while the reports are being made.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS.
 */
export async function readOverview(
  scope: Scope<Person>,
  { period, filter, targets }: OverviewAsked,
): Promise<Overview | null> {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
  const before = periodBefore(period);
  const grain = daysOf(period) > MAX_DAYS_APART ? 'month' : 'day';
  return atOneMoment(scope, async (inside) => {
    const state = await readReportState(inside);
    if (isBeingMade(state)) return null;
    const [sums, sumsBefore] = [await readSums(inside, period, filter), await readSums(inside, before, filter)];
    const series = await readSeries(inside, period, filter, grain);
    const openNow = await readOpenNow(inside, filter);
    const asked = DURATIONS.flatMap((duration) =>
      CLOCKS.map((clock) => ({ duration, clock, targetSeconds: targetOf(duration, targets) })),
    );
    const spreads = await readSpreads(inside, [
      ...asked.map((of) => ({ of, source: { sums, period, filter } })),
      ...asked.map((of) => ({ of, source: { sums: sumsBefore, period: before, filter } })),
    ]);
    const [counters, countersBefore] = [countersOf(sums), countersOf(sumsBefore)];
    return {
      state,
      period,
      before,
      filter,
      counters: paired(counters, countersBefore),
      spreads: asked.map((of, at) => ({
        ...of,
        now: spreads[at] ?? NOTHING,
        before: spreads[asked.length + at] ?? NOTHING,
      })),
      rating: { now: ratingOf(sums), before: ratingOf(sumsBefore) },
      week: Array.from({ length: HOURS_OF_WEEK }, (_, slot) => sums.get(slotKey(slot)) ?? 0),
      grain,
      series,
      openNow,
    };
  });
}

const NOTHING: Spread = { count: 0, median: null, p90: null, within: 0 };

function paired(now: Readonly<Record<Counter, number>>, before: Readonly<Record<Counter, number>>) {
  const names = Object.keys(now) as Counter[]; // of a record of all of them
  return Object.fromEntries(
    names.map((name) => [name, { now: now[name], before: before[name] }]),
  ) as Overview['counters'];
}

/** Of what was closed. */
export function ratingOf(sums: Sums): RatingSummary {
  const { rated, ratingSum, closed } = countersOf(sums);
  const counts = [1, 2, 3, 4, 5].map((score) => sums.get(ratingKey(score)) ?? 0);
  return { average: rated === 0 ? null : ratingSum / rated, rated, closed, counts };
}
