import type { KnownName } from '../../identity/index.ts';
import { csvLine } from '../../platform/text/index.ts';
import type { Show } from '../../platform/views/index.ts';
import type { AgentRow, Behind, BehindRow, Overview } from '../../reports/index.ts';
import { agentName, type OverviewView } from './reports.view.ts';

/** Spreadsheets read UTF-8 only behind a byte order mark. */
const MARK = '\uFEFF';
const CLOCK_NAMES = { all: 'all_hours', open: 'business_hours' } as const;

/** The overview: the very numbers of its page, one a line. */
export function overviewCsv(overview: Overview, view: OverviewView): string {
  const { counters, spreads, rating, openNow, period, before } = overview;
  const lines: (string | number | null)[][] = [
    ['measure', 'part', 'statistic', 'value', 'value_before'],
    ['period', '', 'from', period.from, before.from],
    ['period', '', 'to', period.to, before.to],
    ...Object.entries(counters)
      .filter(([name]) => name !== 'ratingSum' && name !== 'rated')
      .map(([name, { now, before: earlier }]) => [name, '', 'count', now, earlier]),
    ...spreads.flatMap(({ duration, clock, targetSeconds, now, before: earlier }) => {
      const name = `${duration}_time`;
      const part = CLOCK_NAMES[clock];
      return [
        [name, part, 'count', now.count, earlier.count],
        [name, part, 'median_seconds', now.median, earlier.median],
        [name, part, 'p90_seconds', now.p90, earlier.p90],
        [name, part, 'target_seconds', targetSeconds, targetSeconds],
        [name, part, 'within_target', now.within, earlier.within],
      ];
    }),
    ['rating', '', 'rated', rating.now.rated, rating.before.rated],
    ['rating', '', 'of_closed', rating.now.closed, rating.before.closed],
    ['rating', '', 'average', decimal(rating.now.average), decimal(rating.before.average)],
    ...rating.now.counts.map((count, at) => ['rating', at + 1, 'count', count, rating.before.counts[at] ?? 0]),
    ['open_now', '', 'count', openNow.open, ''],
    ['waiting_now', '', 'count', openNow.waiting, ''],
    ...openNow.ages.map(({ name, count }) => ['open_now', `age_${name}`, 'count', count, '']),
    ...view.series.flatMap(({ start, counters: of }) =>
      (['opened', 'closed', 'messagesIn', 'messagesOut'] as const).map((name) => [
        `${name}_by_${view.grain}`,
        start,
        'count',
        of[name],
        '',
      ]),
    ),
    ...overview.week.map((count, slot) => [
      'opened_by_hour_of_week',
      `${Math.floor(slot / 24) + 1}-${String(slot % 24).padStart(2, '0')}`,
      'count',
      count,
      '',
    ]),
  ];
  return MARK + lines.map((line) => csvLine(line.map(text))).join('');
}

/** The agents: the very rows of their page. */
export function agentsCsv(show: Show, names: ReadonlyMap<string, KnownName>, rows: readonly AgentRow[]): string {
  const head = [
    ...['agent', 'agent_id', 'closed', 'messages_out', 'rated', 'rating_average'],
    ...(['first', 'response'] as const).flatMap((name) =>
      (['all', 'open'] as const).flatMap((clock) =>
        ['count', 'median_seconds', 'p90_seconds', 'within_target'].map(
          (what) => `${name}_${CLOCK_NAMES[clock]}_${what}`,
        ),
      ),
    ),
  ];
  const lines = rows.map(({ agentId, counters, rating, spreads }) => [
    agentName(show, names, agentId),
    agentId,
    counters.closed,
    counters.messagesOut,
    rating.rated,
    decimal(rating.average),
    ...spreads.flatMap(({ spread }) => [spread.count, spread.median, spread.p90, spread.within]),
  ]);
  return MARK + [head, ...lines].map((line) => csvLine(line.map(text))).join('');
}

const BEHIND_HEAD = [
  ...['conversation', 'counts', 'at', 'opened_at', 'closed_at', 'user_type', 'topic', 'country', 'agent', 'agent_id'],
  ...['seconds', 'open_seconds', 'rating', 'messages_in', 'messages_out'],
];

/** The line above the rows. */
export function behindHead(): string {
  return MARK + csvLine(BEHIND_HEAD);
}

/** Rows behind a number; nothing that tells who the user is. */
export function behindLines(show: Show, names: ReadonlyMap<string, KnownName>, rows: readonly BehindRow[]): string {
  return rows
    .map((row) =>
      csvLine(
        [
          ...[row.conversationId, row.counts, row.at, row.openedAt, row.closedAt, row.userType, row.topic, row.country],
          ...[row.agentId && agentName(show, names, row.agentId), row.agentId],
          ...[row.secs, row.openSecs, row.rating, row.messagesIn, row.messagesOut],
        ].map(text),
      ),
    )
    .join('');
}

/** `reports-opened-2026-11-01-2026-11-21.csv` */
export function csvName(what: 'overview' | 'agents' | Behind, { from, to }: { from: string; to: string }): string {
  return `reports-${what}-${from}-${to}.csv`;
}

function decimal(value: number | null): string {
  return value === null ? '' : value.toFixed(2);
}

function text(value: string | number | null): string {
  return value === null ? '' : String(value);
}
