import type { Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Forbidden } from '../platform/errors/index.ts';
import type { ReportFilter } from './ask/filter.ts';
import { atOneMoment } from './ask/moment.ts';
import { readSpreads, type Spread } from './ask/percentiles.ts';
import type { Period } from './ask/period.ts';
import { countersOf, readSumsByAgent, type Sums } from './ask/sums.ts';
import type { Clock, Counter, Duration } from './measures.ts';
import { type ReportState, readReportState } from './model/report-state.ts';
import { isBeingMade, type RatingSummary, type ReportTargets, ratingOf, targetOf } from './overview.ts';

/** One agent's numbers in a period. */
export interface AgentRow {
  /** `none` for conversations that nobody holds. */
  readonly agentId: string;
  readonly counters: Readonly<Record<Counter, number>>;
  readonly rating: RatingSummary;
  readonly spreads: readonly AgentSpread[];
}

/** One duration of an agent by one clock. */
export interface AgentSpread {
  readonly duration: Duration;
  readonly clock: Clock;
  readonly targetSeconds: number;
  readonly spread: Spread;
}

/** What is compared between agents. */
const COMPARED: readonly { readonly duration: Duration; readonly clock: Clock }[] = [
  { duration: 'first', clock: 'all' },
  { duration: 'first', clock: 'open' },
  { duration: 'response', clock: 'all' },
  { duration: 'response', clock: 'open' },
];

/**
 * Numbers of these agents (ids) and of nobody (`none`), whoever gave most answers first; null while reports are being
 * made. A filter narrows what is counted, an agent in it who is shown. Who has no number in the period is left out.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS.
 */
export async function readAgents(
  scope: Scope<Person>,
  {
    period,
    filter,
    targets,
    agents,
  }: {
    readonly period: Period;
    readonly filter: ReportFilter;
    readonly targets: ReportTargets;
    readonly agents: readonly string[];
  },
): Promise<{ state: ReportState; rows: AgentRow[] } | null> {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
  return atOneMoment(scope, async (inside) => {
    const state = await readReportState(inside);
    if (isBeingMade(state)) return null;
    const shown = filter.agent === null ? [...agents, 'none'] : [filter.agent];
    const sums: ReadonlyMap<string, Sums> = await readSumsByAgent(inside, period, shown, filter);
    const wanted = [...sums].flatMap(([agentId, of]) =>
      COMPARED.map(({ duration, clock }) => ({
        agentId,
        of: { duration, clock, targetSeconds: targetOf(duration, targets) },
        source: { sums: of, period, filter: { ...filter, agent: agentId } },
      })),
    );
    const spreads = await readSpreads(inside, wanted);
    const rows = [...sums].map(([agentId, of], at) => ({
      agentId,
      counters: countersOf(of),
      rating: ratingOf(of),
      spreads: COMPARED.map((one, nth) => {
        const index = at * COMPARED.length + nth;
        const spread = spreads[index] ?? { count: 0, median: null, p90: null, within: 0 };
        return { ...one, targetSeconds: wanted[index]?.of.targetSeconds ?? 0, spread };
      }),
    }));
    const answers = (row: AgentRow) => row.spreads.find(({ duration }) => duration === 'response')?.spread.count ?? 0;
    return {
      state,
      rows: rows.sort((one, other) => answers(other) - answers(one) || (one.agentId < other.agentId ? -1 : 1)),
    };
  });
}
