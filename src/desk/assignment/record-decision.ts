import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import type { TimeColumn } from '../time-column.ts';
import type { AssignMode, AssignReason, ConsideredAgent } from './choose-agent.ts';

/** What the desk decided by itself about one conversation. */
export interface AssignmentDecision {
  readonly conversationId: string;
  readonly mode: AssignMode;
  readonly reason: AssignReason;
  /** Null where it was taken back. */
  readonly chosenAdminId: string | null;
  /** From whom it was taken. */
  readonly fromAdminId: string | null;
  readonly candidates: readonly ConsideredAgent[];
  readonly waitingSince: TimeColumn | null;
}

/** Writes a decision down in the transaction that carries it out; returns its number, which grows. */
export async function recordDecision(scope: Scope, decision: AssignmentDecision): Promise<number> {
  const { conversationId, mode, reason, chosenAdminId, fromAdminId, candidates, waitingSince } = decision;
  const [written] = await rows(
    scope,
    sql<{ id: string }>`
      insert into assignment_decisions (tenant_id, conversation_id, mode, reason, chosen_admin_id, from_admin_id,
                                        candidates, waiting_since, created_at)
      values (${scope.tenant.id}, ${conversationId}, ${mode}, ${reason}, ${chosenAdminId}, ${fromAdminId},
              ${JSON.stringify(candidates)}::jsonb, ${waitingSince}, ${scope.now})
      returning id`,
  );
  return Number(written?.id);
}
