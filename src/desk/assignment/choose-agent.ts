import type { SupportSettings } from '../../tenancy/index.ts';
import type { AvailableAgent } from '../presence/availability.ts';

/** How conversations are handed out. */
export type AssignMode = SupportSettings['autoAssignMode'];

/** Why it went to whom, or was taken back; stable codes that views make sentences of. */
export type AssignReason =
  | 'only_one_available'
  | 'longest_not_served'
  | 'fewest_open'
  | 'fewest_open_longest_not_served'
  | 'agent_offline'
  | 'agent_gone';

/** One agent as the decision saw them. */
export interface ConsideredAgent {
  readonly adminId: string;
  readonly open: number;
  readonly lastServed: number;
  /** `full`: at the limit; `gave_back`: had this conversation a moment ago; `passed`: another was nearer. */
  readonly verdict: 'chosen' | 'passed' | 'full' | 'gave_back';
}

/** What was decided for one conversation. */
export interface AgentChoice {
  readonly agent: AvailableAgent;
  readonly reason: AssignReason;
  /** Every available agent, in the order in which they were looked at. */
  readonly considered: readonly ConsideredAgent[];
}

/**
 * Picks the agent for one conversation: in `round_robin` whoever was served longest ago; in `balanced` whoever holds
 * fewest, and of those whoever was served longest ago. Nobody at the limit, nobody who just gave this one back. Null
 * when nobody is left.
 */
export function chooseAgent(
  mode: Exclude<AssignMode, 'manual'>,
  agents: readonly AvailableAgent[],
  { limit, excluded }: { readonly limit: number; readonly excluded: readonly string[] },
): AgentChoice | null {
  const nearest = [...agents].sort((one, other) => order(mode, one, other));
  const free = nearest.filter((agent) => agent.open < limit && !excluded.includes(agent.id));
  const [agent, second] = free;
  if (!agent) return null;
  const considered = nearest.map(({ id, open, lastServed }) => ({
    adminId: id,
    open,
    lastServed,
    verdict:
      id === agent.id
        ? ('chosen' as const)
        : excluded.includes(id)
          ? ('gave_back' as const)
          : open >= limit
            ? ('full' as const)
            : ('passed' as const),
  }));
  return { agent, reason: reasonOf(mode, agent, second), considered };
}

function order(mode: AssignMode, one: AvailableAgent, other: AvailableAgent): number {
  if (mode === 'balanced' && one.open !== other.open) return one.open - other.open;
  if (one.lastServed !== other.lastServed) return one.lastServed - other.lastServed;
  return one.id < other.id ? -1 : 1;
}

function reasonOf(mode: AssignMode, chosen: AvailableAgent, second: AvailableAgent | undefined): AssignReason {
  if (!second) return 'only_one_available';
  if (mode === 'round_robin') return 'longest_not_served';
  return chosen.open < second.open ? 'fewest_open' : 'fewest_open_longest_not_served';
}
