import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { accessConversation, type Conversation, rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';
import { type TimeColumn, timeOf } from '../time-column.ts';
import type { AssignMode, AssignReason, ConsideredAgent } from './choose-agent.ts';

/** More decisions about one conversation than this are no explanation. */
const MAX_DECISIONS = 50;

/** A decision as staff read it: why a conversation went to whom. */
export interface ExplainedDecision {
  readonly mode: AssignMode;
  readonly reason: AssignReason;
  /** Null where it was taken back. */
  readonly chosen: NamedAgent | null;
  /** From whom it was taken. */
  readonly from: NamedAgent | null;
  /** Everybody who was available then, nearest first. */
  readonly candidates: readonly (ConsideredAgent & { readonly name: string })[];
  /** Since when the user had waited then. */
  readonly waitingSince: Date | null;
  readonly createdAt: Date;
}

interface NamedAgent {
  readonly id: string;
  readonly name: string;
}

interface DecisionRow extends Pick<ExplainedDecision, 'mode' | 'reason'> {
  readonly chosenId: string | null;
  readonly fromId: string | null;
  readonly candidates: readonly ConsideredAgent[];
  readonly waitingSince: TimeColumn | null;
  readonly createdAt: TimeColumn;
}

/**
 * What the desk decided by itself about a conversation, by its id or as the caller has just been let into it; newest first.
 * @throws Forbidden for users; NotFound when it is not there.
 */
export async function explainAssignment(
  scope: Scope<Person>,
  conversation: string | Conversation,
): Promise<ExplainedDecision[]> {
  if (scope.actor.side !== 'admin' || !scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const { id } = typeof conversation === 'string' ? await accessConversation(scope, conversation) : conversation;
  const decisions = await rows(
    scope,
    sql<DecisionRow>`
      select mode, reason, chosen_admin_id as "chosenId", from_admin_id as "fromId", candidates,
        waiting_since as "waitingSince", created_at as "createdAt"
      from assignment_decisions
      where tenant_id = ${scope.tenant.id} and conversation_id = ${id}
      order by id desc limit ${MAX_DECISIONS}`,
  );
  const names = await namesOf(scope, decisions);
  const named = (id: string | null) => (id ? { id, name: names.get(id) ?? '' } : null);
  return decisions.map(({ mode, reason, chosenId, fromId, candidates, waitingSince, createdAt }) => ({
    mode,
    reason,
    waitingSince: timeOf(waitingSince),
    createdAt: timeOf(createdAt),
    chosen: named(chosenId),
    from: named(fromId),
    candidates: candidates.map((one) => ({ ...one, name: names.get(one.adminId) ?? '' })),
  }));
}

async function namesOf(scope: Scope, decisions: readonly DecisionRow[]): Promise<Map<string, string>> {
  const ids = decisions.flatMap(({ chosenId, fromId, candidates }) => [
    ...[chosenId, fromId].filter((id) => id !== null),
    ...candidates.map((one) => one.adminId),
  ]);
  if (ids.length === 0) return new Map();
  const people = await rows(
    scope,
    sql<NamedAgent>`
      select id, name from users where tenant_id = ${scope.tenant.id} and id = any (${[...new Set(ids)]}::uuid[])`,
  );
  return new Map(people.map((one) => [one.id, one.name]));
}
