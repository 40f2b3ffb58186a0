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
  | 'speaks_language'
  | 'agent_offline'
  | 'agent_gone';

/** One agent as the decision saw them. */
export interface ConsideredAgent {
  readonly adminId: string;
  readonly open: number;
  readonly lastServed: number;
  /**
   * `full`: at the limit; `gave_back`: had this conversation a moment ago; `other_language`: others speak the user's;
   * `passed`: another was nearer.
   */
  readonly verdict: 'chosen' | 'passed' | 'full' | 'gave_back' | 'other_language';
}

/** What was decided for one conversation. */
export interface AgentChoice {
  readonly agent: AvailableAgent;
  readonly reason: AssignReason;
  /** Every available agent, in the order in which they were looked at. */
  readonly considered: readonly ConsideredAgent[];
}

/** What decides beside the agents. */
export interface ChoiceRule {
  readonly limit: number;
  readonly excluded: readonly string[];
  /** ISO 639 code of the user's language; null or absent where it is not known. */
  readonly language?: string | null;
}

/**
 * Picks the agent for one conversation, among those who speak the user's language where one of them has room: in `round_robin` whoever was served longest ago; in `balanced` whoever holds
 * fewest, and of those whoever was served longest ago. Nobody at the limit, nobody who just gave this one back. Null
 * when nobody is left.
 */
export function chooseAgent(
  mode: Exclude<AssignMode, 'manual'>,
  agents: readonly AvailableAgent[],
  { limit, excluded, language }: ChoiceRule,
): AgentChoice | null {
  const nearest = [...agents].sort((one, other) => order(mode, one, other));
  const free = nearest.filter((agent) => agent.open < limit && !excluded.includes(agent.id));
  const speakers = free.filter(({ languages }) => language && languages.includes(language));
  const [agent] = speakers.length > 0 ? speakers : free;
  if (!agent) return null;
  const verdictOf = ({ id, open }: AvailableAgent): ConsideredAgent['verdict'] => {
    if (id === agent.id) return 'chosen';
    if (excluded.includes(id)) return 'gave_back';
    if (open >= limit) return 'full';
    return speakers.length > 0 && !speakers.some((one) => one.id === id) ? 'other_language' : 'passed';
  };
  const considered = nearest.map((one) => ({
    adminId: one.id,
    open: one.open,
    lastServed: one.lastServed,
    verdict: verdictOf(one),
  }));
  // the language is the reason where it would be somebody else without it
  const reason = agent === free[0] ? reasonOf(mode, agent, free[1]) : 'speaks_language';
  return { agent, reason, considered };
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
