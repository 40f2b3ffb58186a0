import type { KnownName } from '../../identity/index.ts';
import type { Show } from '../../platform/views/index.ts';
import {
  type AgentRow,
  type Behind,
  type BehindRow,
  type ColumnChart,
  type Counter,
  columnChart,
  type Duration,
  type HeatMap,
  heatMap,
  type Overview,
  PERIODS,
  type Period,
  type RatingSummary,
  type ReportChoices,
  type SpreadPair,
} from '../../reports/index.ts';
import {
  countryInWords,
  dayInWords,
  type Span,
  spanOf,
  topicInWords,
  userTypeInWords,
  weekdayInWords,
} from './in-words.ts';
import { behindHref, type GivenReport, NONE } from './reports.input.ts';

/** A choice of a filter. */
interface Choice {
  readonly value: string;
  readonly label: string;
}

/** The form above every report. */
export interface FilterView {
  readonly action: string;
  readonly given: GivenReport;
  readonly period: Period;
  readonly periods: typeof PERIODS;
  readonly userTypes: readonly Choice[];
  readonly agents: readonly Choice[];
  readonly topics: readonly Choice[];
  readonly countries: readonly Choice[];
  /** What it is narrowed to, in words. */
  readonly chosen: readonly string[];
  /** What else the address says, and the form must keep. */
  readonly kept: readonly { readonly name: string; readonly value: string }[];
}

/** What the form is filled with. */
export interface FilterParts {
  readonly action: string;
  readonly given: GivenReport;
  readonly period: Period;
  readonly userTypes: readonly string[];
  readonly agents: readonly KnownName[];
  readonly choices: ReportChoices;
  readonly kept?: FilterView['kept'];
}

/** The form, with what was asked for chosen even where nothing of it occurs. */
export function filterView(show: Show, parts: FilterParts): FilterView {
  const { given, choices } = parts;
  const withAsked = (values: readonly string[], asked: string) =>
    asked === '' || asked === NONE || values.includes(asked) ? values : [...values, asked];
  const choice = (label: (value: string) => string) => (value: string) => ({
    value: value || NONE,
    label: label(value),
  });
  const lists = {
    userTypes: withAsked(parts.userTypes, given.userType).map((value) => ({
      value,
      label: userTypeInWords(show, value),
    })),
    agents: [
      { value: 'none', label: show.t('reports.nobody') },
      ...parts.agents.map(({ id, name }) => ({ value: id, label: name })),
    ],
    topics: withAsked(choices.topics, given.topic).map(choice((topic) => topicInWords(show, topic))),
    countries: withAsked(choices.countries, given.country).map(choice((country) => countryInWords(show, country))),
  };
  const chosenOf = (name: 'userType' | 'agent' | 'topic' | 'country', list: readonly Choice[]) =>
    list.filter(({ value }) => value === given[name]).map(({ label }) => `${show.t(`reports.${name}`)}: ${label}`);
  return {
    ...lists,
    action: parts.action,
    given,
    period: parts.period,
    periods: PERIODS,
    chosen: [
      ...chosenOf('userType', lists.userTypes),
      ...chosenOf('agent', lists.agents),
      ...chosenOf('topic', lists.topics),
      ...chosenOf('country', lists.countries),
    ],
    kept: parts.kept ?? [],
  };
}

/** A number that is counted, with the one before and where it leads. */
export interface CounterView {
  readonly name: Counter | 'open' | 'waiting';
  readonly count: number;
  /** Null where there is none to compare with. */
  readonly before: number | null;
  /** Of the one before, in whole per cent; null when that is 0. */
  readonly change: number | null;
  readonly href: string;
  /** What it is a part of, where it is one. */
  readonly of: number | null;
}

/** One duration by one clock. */
export interface SpreadView {
  readonly clock: SpreadPair['clock'];
  readonly count: number;
  readonly countHref: string;
  readonly median: SpanView | null;
  readonly medianBefore: SpanView | null;
  readonly p90: SpanView | null;
  readonly within: number;
  readonly withinHref: string;
  readonly outHref: string;
  readonly out: number;
  /** Per cent with one decimal; null without any. */
  readonly share: number | null;
}

/** A duration, for programs and for people. */
export interface SpanView {
  readonly seconds: number;
  readonly parts: Span;
}

/** A row of the series, as table and chart show it. */
export interface SeriesRow {
  /** `2026-11-21`, `2026-11-01` for a month, `2026` for a year. */
  readonly start: string;
  readonly label: string;
  readonly counters: Readonly<Record<Counter, number>>;
}

/** Everything of the overview, in the order of the page. */
export interface OverviewView {
  readonly before: string;
  readonly during: string;
  readonly cards: readonly CounterView[];
  readonly durations: readonly {
    readonly name: Duration;
    readonly target: SpanView;
    readonly rows: readonly SpreadView[];
  }[];
  readonly quality: readonly CounterView[];
  readonly rating: RatingView;
  readonly ages: readonly {
    readonly name: string;
    readonly count: number;
    readonly share: number;
    readonly href: string;
  }[];
  readonly grain: 'day' | 'month' | 'year';
  readonly chart: ColumnChart | null;
  readonly series: readonly SeriesRow[];
  readonly heat: HeatMap | null;
  readonly weekdays: readonly string[];
  readonly heatRows: readonly {
    readonly label: string;
    readonly cells: readonly { readonly count: number; readonly href: string }[];
  }[];
}

interface RatingView {
  readonly now: RatingSummary;
  readonly before: RatingSummary;
  readonly ratedHref: string;
  readonly closedHref: string;
  readonly share: number | null;
  readonly scores: readonly {
    readonly score: number;
    readonly count: number;
    readonly share: number;
    readonly href: string;
  }[];
}

const CARDS = ['opened', 'closed', 'messagesIn', 'messagesOut'] as const;
/** More months than these are shown by year. */
const MAX_MONTHS = 60;

/** The overview as its page shows it. */
export function overviewView(show: Show, given: GivenReport, overview: Overview): OverviewView {
  const { counters, openNow, week } = overview;
  const counter = (name: Counter & Behind, of: number | null = null): CounterView => ({
    name,
    count: counters[name].now,
    before: counters[name].before,
    change: changeOf(counters[name].now, counters[name].before),
    href: behindHref(given, name),
    of,
  });
  const ofNow = (name: 'open' | 'waiting', count: number): CounterView => ({
    name,
    count,
    before: null,
    change: null,
    href: behindHref(given, name),
    of: null,
  });
  const { grain, rows } = seriesOf(show, overview);
  const mostOfAnAge = Math.max(1, ...openNow.ages.map(({ count }) => count));
  return {
    during: periodInWords(show, overview.period),
    before: periodInWords(show, overview.before),
    cards: [...CARDS.map((name) => counter(name)), ofNow('open', openNow.open), ofNow('waiting', openNow.waiting)],
    durations: durationsOf(given, overview.spreads),
    quality: [
      counter('reopened'),
      counter('abandoned', counters.closed.now),
      counter('autoClosed', counters.closed.now),
      counter('autoAssigned'),
    ],
    rating: ratingView(given, overview),
    ages: openNow.ages.map(({ name, count }) => ({
      name,
      count,
      share: Math.round((count / mostOfAnAge) * 100),
      href: behindHref(given, 'open', { age: name }),
    })),
    grain,
    chart: rows.length > 0 ? chartOf(rows) : null,
    series: rows,
    heat: week.some((count) => count > 0) ? heatMap(week) : null,
    weekdays: Array.from({ length: 7 }, (_, weekday) => weekdayInWords(show, weekday)),
    heatRows: Array.from({ length: 24 }, (_, hour) => ({
      label: `${String(hour).padStart(2, '0')}:00`,
      cells: Array.from({ length: 7 }, (__, weekday) => {
        const slot = weekday * 24 + hour;
        return { count: week[slot] ?? 0, href: behindHref(given, 'opened', { slot }) };
      }),
    })),
  };
}

/** Whole per cent; null when there was nothing before. */
function changeOf(now: number, before: number): number | null {
  return before === 0 ? null : Math.round(((now - before) / before) * 100);
}

/** Per cent with one decimal. */
function shareOf(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 1_000) / 10;
}

function durationsOf(given: GivenReport, spreads: readonly SpreadPair[]): OverviewView['durations'] {
  return [...Map.groupBy(spreads, ({ duration }) => duration)].map(([name, pairs]) => ({
    name,
    target: spanView(pairs[0]?.targetSeconds ?? 0),
    rows: pairs.map(({ clock, now, before }) => ({
      clock,
      count: now.count,
      countHref: behindHref(given, name),
      median: maybeSpan(now.median),
      medianBefore: maybeSpan(before.median),
      p90: maybeSpan(now.p90),
      within: now.within,
      withinHref: behindHref(given, name, { side: 'in', clock }),
      out: now.count - now.within,
      outHref: behindHref(given, name, { side: 'out', clock }),
      share: shareOf(now.within, now.count),
    })),
  }));
}

function spanView(seconds: number): SpanView {
  return { seconds, parts: spanOf(seconds) };
}

function maybeSpan(seconds: number | null): SpanView | null {
  return seconds === null ? null : spanView(seconds);
}

function ratingView(given: GivenReport, { rating }: Overview): RatingView {
  const { now, before } = rating;
  return {
    now,
    before,
    ratedHref: behindHref(given, 'rated'),
    closedHref: behindHref(given, 'closed'),
    share: shareOf(now.rated, now.closed),
    scores: now.counts
      .map((count, at) => ({
        score: at + 1,
        count,
        share: shareOf(count, now.rated) ?? 0,
        href: behindHref(given, 'rated', { score: at + 1 }),
      }))
      .reverse(),
  };
}

/** Every day or month from the first to the last that is shown, also those without anything. */
function seriesOf(
  show: Show,
  { grain, series, period }: Overview,
): { grain: OverviewView['grain']; rows: SeriesRow[] } {
  if (grain === 'day') {
    const starts = daysBetween(period.from, period.to);
    return { grain, rows: filled(starts, series, (start) => dayInWords(show, start, 'short')) };
  }
  const months = monthsBetween(series[0]?.start, series.at(-1)?.start);
  if (months.length <= MAX_MONTHS) {
    return { grain, rows: filled(months, series, (start) => dayInWords(show, start.slice(0, 7), 'month')) };
  }
  const years = [...new Set(months.map((month) => month.slice(0, 4)))];
  const byYear = years.map((year) => ({
    start: year,
    counters: series
      .filter(({ start }) => start.startsWith(year))
      .reduce((sum, { counters }) => added(sum, counters), NOTHING_COUNTED),
  }));
  return { grain: 'year', rows: filled(years, byYear, (year) => dayInWords(show, year, 'year')) };
}

const NOTHING_COUNTED: Readonly<Record<Counter, number>> = {
  opened: 0,
  closed: 0,
  reopened: 0,
  abandoned: 0,
  rated: 0,
  ratingSum: 0,
  autoAssigned: 0,
  autoClosed: 0,
  messagesIn: 0,
  messagesOut: 0,
};

function added(one: SeriesRow['counters'], other: SeriesRow['counters']): SeriesRow['counters'] {
  const names = Object.keys(NOTHING_COUNTED) as Counter[]; // of a record of all of them
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as SeriesRow['counters'];
}

function filled(
  starts: readonly string[],
  series: readonly { readonly start: string; readonly counters: SeriesRow['counters'] }[],
  label: (start: string) => string,
): SeriesRow[] {
  const known = new Map(series.map(({ start, counters }) => [start, counters]));
  return starts.map((start) => ({
    start,
    label: label(start),
    counters: known.get(start) ?? NOTHING_COUNTED,
  }));
}

function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 86_400_000)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

function monthsBetween(from: string | undefined, to: string | undefined): string[] {
  const months: string[] = [];
  if (!from || !to) return months;
  let [year = 0, month = 1] = from.split('-').map(Number);
  for (let at = from; at <= to; at = `${year}-${String(month).padStart(2, '0')}-01`) {
    months.push(at);
    month = month === 12 ? 1 : month + 1;
    if (month === 1) year++;
  }
  return months;
}

function chartOf(rows: readonly SeriesRow[]): ColumnChart {
  return columnChart(rows.map(({ label, counters }) => ({ label, values: [counters.opened, counters.closed] })));
}

/** `1 May 2026 to 7 May 2026`, or the one day. */
export function periodInWords(show: Show, { from, to }: Period): string {
  const [first, last] = [dayInWords(show, from, 'day'), dayInWords(show, to, 'day')];
  return from === to ? first : show.t('reports.fromTo', { from: first, to: last });
}

/** An agent as the table shows them. */
export interface AgentView extends Omit<AgentRow, 'spreads'> {
  readonly name: string;
  readonly href: string;
  readonly hrefs: Readonly<Record<'closed' | 'messagesOut' | 'response' | 'first' | 'rated', string>>;
  readonly durations: readonly {
    readonly name: Duration;
    readonly count: number;
    readonly all: SpanView | null;
    readonly open: SpanView | null;
    readonly share: number | null;
  }[];
}

/** One agent's row. */
export function agentView(
  show: Show,
  given: GivenReport,
  names: ReadonlyMap<string, KnownName>,
  row: AgentRow,
): AgentView {
  const own = { ...given, agent: row.agentId };
  const durations = (['first', 'response'] as const).map((name) => {
    const of = (clock: 'all' | 'open') =>
      row.spreads.find((one) => one.duration === name && one.clock === clock)?.spread;
    const [all, open] = [of('all'), of('open')];
    return {
      name,
      count: all?.count ?? 0,
      all: maybeSpan(all?.median ?? null),
      open: maybeSpan(open?.median ?? null),
      share: shareOf(open?.within ?? 0, open?.count ?? 0),
    };
  });
  return {
    ...row,
    durations,
    name: agentName(show, names, row.agentId),
    href: behindHref(own, 'response'),
    hrefs: {
      closed: behindHref(own, 'closed'),
      messagesOut: behindHref(own, 'messagesOut'),
      response: behindHref(own, 'response'),
      first: behindHref(own, 'first'),
      rated: behindHref(own, 'rated'),
    },
  };
}

/** `none` and null are nobody. */
export function agentName(show: Show, names: ReadonlyMap<string, KnownName>, agentId: string | null): string {
  if (agentId === null || agentId === 'none') return show.t('reports.nobody');
  return names.get(agentId)?.name ?? show.t('reports.somebody');
}

/** A row behind a number. */
export interface BehindRowView extends BehindRow {
  readonly number: string;
  readonly userTypeName: string;
  readonly topicName: string;
  readonly countryName: string;
  readonly agentName: string;
  readonly day: string | null;
  readonly took: SpanView | null;
  readonly tookOpen: SpanView | null;
  readonly href: string | null;
}

/** One row; it leads to the conversation's own report, for whoever may read conversations. */
export function behindRow(
  show: Show,
  names: ReadonlyMap<string, KnownName>,
  mayRead: boolean,
  row: BehindRow,
): BehindRowView {
  return {
    ...row,
    number: row.conversationId.slice(-6).toUpperCase(),
    userTypeName: userTypeInWords(show, row.userType),
    topicName: topicInWords(show, row.topic),
    countryName: countryInWords(show, row.country),
    agentName: agentName(show, names, row.agentId),
    // messages are counted by the day
    day: row.at?.length === 10 ? dayInWords(show, row.at, 'short') : null,
    took: maybeSpan(row.secs),
    tookOpen: maybeSpan(row.openSecs),
    href: mayRead ? `/admin/support-reports/conversations/${row.conversationId}` : null,
  };
}
