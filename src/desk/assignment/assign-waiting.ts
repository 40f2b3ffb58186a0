import { sql } from 'kysely';
import { assignTo, lockConversation, rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import type { SupportSettings } from '../../tenancy/index.ts';
import { availableAgents } from '../presence/availability.ts';
import type { TimeColumn } from '../time-column.ts';
import { type AgentChoice, type AssignMode, chooseAgent } from './choose-agent.ts';
import { recordDecision } from './record-decision.ts';

/** What of the settings decides. */
export type AssignmentSettings = Pick<SupportSettings, 'autoAssignMode' | 'agentLimit'>;

/** Who puts a conversation back is not given it again for so long. */
const GAVE_BACK_FOR_MS = 10 * 60_000;
/** How far down the queue one looks for a conversation that somebody may be given. */
const MAX_LOOKED_AT = 100;
/** First key of the advisory lock that makes one tenant's decisions come one after the other. */
const ASSIGNMENT_LOCK = 7257;

/** How many were handed out, and how many could not be because something of ours failed. */
export interface HandedOut {
  readonly assigned: number;
  readonly failed: number;
}

/**
 * Hands out what waits, oldest first, until nobody has room or nothing waits. Each one in a transaction of its own under
 * the tenant's lock, so that whichever node decides sees what was decided before. One that fails is passed over.
 */
export async function assignWaiting(
  scope: Scope,
  settings: AssignmentSettings,
  onError: (error: unknown, conversationId: string) => void,
): Promise<HandedOut> {
  const { autoAssignMode: mode, agentLimit: limit } = settings;
  const failed = new Set<string>();
  let assigned = 0;
  if (mode === 'manual') return { assigned, failed: 0 };
  for (;;) {
    const attempt: Attempt = { mode, limit, skip: failed, conversationId: null };
    try {
      if (!(await assignNext(scope, attempt))) break;
      assigned++;
    } catch (error) {
      if (!attempt.conversationId) throw error;
      onError(error, attempt.conversationId);
      failed.add(attempt.conversationId);
    }
  }
  return { assigned, failed: failed.size };
}

interface Attempt {
  readonly mode: Exclude<AssignMode, 'manual'>;
  readonly limit: number;
  readonly skip: ReadonlySet<string>;
  /** The one that was being handed out when it failed. */
  conversationId: string | null;
}

/** Hands out one; false when nothing can be. */
async function assignNext(scope: Scope, attempt: Attempt): Promise<boolean> {
  return transact(scope, async (inside) => {
    await lockAssignment(inside);
    const agents = await availableAgents(inside);
    if (!agents.some((agent) => agent.open < attempt.limit)) return false;
    for (const waiting of await waitingConversations(inside)) {
      if (attempt.skip.has(waiting.id)) continue;
      const choice = chooseAgent(attempt.mode, agents, {
        limit: attempt.limit,
        excluded: waiting.excluded,
        language: waiting.language,
      });
      if (!choice) continue;
      attempt.conversationId = waiting.id;
      if (await give(inside, waiting, attempt.mode, choice)) return true;
    }
    return false;
  });
}

/** Held until commit; taken before any conversation's lock, and by nobody who holds one. */
async function lockAssignment(scope: Scope): Promise<void> {
  await rows(scope, sql`select pg_advisory_xact_lock(${ASSIGNMENT_LOCK}, hashtext(${scope.tenant.id}))`);
}

interface WaitingConversation {
  readonly id: string;
  /** As PostgreSQL writes it. */
  readonly waitingSince: TimeColumn | null;
  /** Agents who put it back a moment ago; not those it was taken from because they were offline. */
  readonly excluded: readonly string[];
  /** ISO 639 code of its user's language; null where the app has not told it. */
  readonly language: string | null;
}

/** Oldest first; those in which nobody waits for an answer come last. */
async function waitingConversations(scope: Scope): Promise<WaitingConversation[]> {
  const gaveBackSince = new Date(scope.now.getTime() - GAVE_BACK_FOR_MS);
  return rows(
    scope,
    sql<WaitingConversation>`
      select c.id, c.waiting_since as "waitingSince", array(
        select p.user_id::text from conversation_participants p
        where p.conversation_id = c.id and p.tenant_id = c.tenant_id and p.side = 'admin' and p.left_at > ${gaveBackSince}
          and not exists (
            select 1 from assignment_decisions d
            where d.conversation_id = c.id and d.from_admin_id = p.user_id and d.created_at >= p.left_at)) as excluded,
        lower(substring(u.locale from '^[A-Za-z]{2,3}')) as language
      from conversations c
      left join users u on u.id = c.opened_by and u.tenant_id = c.tenant_id
      where c.tenant_id = ${scope.tenant.id} and c.kind = 'support' and c.status = 'open' and c.assigned_admin_id is null
      order by c.queued_since nulls last, c.created_at, c.id
      limit ${MAX_LOOKED_AT}`,
  );
}

/** False when somebody took or closed it meanwhile. */
async function give(
  scope: Scope,
  waiting: WaitingConversation,
  mode: AssignMode,
  { agent, reason, considered }: AgentChoice,
): Promise<boolean> {
  const conversation = await lockConversation(scope, waiting.id);
  if (!conversation?.isOpen() || conversation.assignedAdminId) return false;
  await assignTo(scope, conversation, agent);
  const decision = await recordDecision(scope, {
    conversationId: conversation.id,
    mode,
    reason,
    chosenAdminId: agent.id,
    fromAdminId: null,
    candidates: considered,
    waitingSince: waiting.waitingSince,
  });
  await rows(
    scope,
    sql`
      update agent_presence set last_served = ${decision}
      where tenant_id = ${scope.tenant.id} and admin_id = ${agent.id}`,
  );
  return true;
}
