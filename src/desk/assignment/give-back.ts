import { sql } from 'kysely';
import { assignTo, lockConversation, rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import type { AssignMode } from './choose-agent.ts';
import { recordDecision } from './record-decision.ts';

/** An agent who is offline for so long gives back what nobody has answered. */
const GIVES_BACK_AFTER_MS = 5 * 60_000;
/** At one go; the next sweep takes the rest. */
const MAX_AT_ONCE = 200;

interface Abandoned {
  readonly id: string;
  readonly holder: string;
  readonly isGone: boolean;
}

/**
 * Takes back conversations in which a user waits for an answer from somebody who has been offline for a while, or may
 * no longer work here. What a person handed over lately stays for as long. Returns how many were taken back.
 */
export async function giveBackUnanswered(
  scope: Scope,
  mode: AssignMode,
  onError: (error: unknown, conversationId: string) => void,
): Promise<number> {
  if (mode === 'manual') return 0;
  let given = 0;
  for (const abandoned of await abandonedConversations(scope, null)) {
    try {
      if (await giveBack(scope, mode, abandoned)) given++;
    } catch (error) {
      onError(error, abandoned.id);
    }
  }
  return given;
}

/** Looks again under the lock: an answer, a colleague or the agent themselves may have come meanwhile. */
async function giveBack(scope: Scope, mode: AssignMode, { id, holder, isGone }: Abandoned): Promise<boolean> {
  return transact(scope, async (inside) => {
    const conversation = await lockConversation(inside, id);
    if (!conversation || conversation.assignedAdminId !== holder) return false;
    if ((await abandonedConversations(inside, id)).length === 0) return false;
    await assignTo(inside, conversation, null);
    await recordDecision(inside, {
      conversationId: id,
      mode,
      reason: isGone ? 'agent_gone' : 'agent_offline',
      chosenAdminId: null,
      fromAdminId: holder,
      candidates: [],
      waitingSince: conversation.waitingSince ?? null,
    });
    return true;
  });
}

async function abandonedConversations(scope: Scope, onlyId: string | null): Promise<Abandoned[]> {
  const since = new Date(scope.now.getTime() - GIVES_BACK_AFTER_MS);
  return rows(
    scope,
    sql<Abandoned>`
      select c.id, u.id as holder, u.status <> 'active' as "isGone"
      from conversations c
      join users u on u.id = c.assigned_admin_id and u.tenant_id = c.tenant_id
      left join agent_presence p on p.tenant_id = c.tenant_id and p.admin_id = c.assigned_admin_id
      where c.tenant_id = ${scope.tenant.id} and c.kind = 'support' and c.status = 'open' and c.waiting_since is not null
        and (${onlyId}::uuid is null or c.id = ${onlyId}::uuid)
        and (u.status <> 'active' or p.last_seen_at < ${since})
        and not exists (
          select 1 from messages m
          where m.conversation_id = c.id and m.tenant_id = c.tenant_id and m.sender_type = 'system' and m.event in ('assigned', 'transferred')
            and m.data ->> 'adminId' = c.assigned_admin_id::text and m.created_at > ${since})
      order by c.waiting_since, c.id
      limit ${MAX_AT_ONCE}`,
  );
}
