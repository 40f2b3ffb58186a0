import { sql } from 'kysely';
import type { Scope } from '../../platform/database/index.ts';
import { rows } from '../rows.ts';

/** Makes somebody a participant; who left and comes back keeps the read mark. */
export async function joinConversation(
  scope: Scope,
  conversationId: string,
  userId: string,
  side: 'user' | 'admin',
): Promise<void> {
  await rows(
    scope,
    sql`
      insert into conversation_participants (conversation_id, user_id, tenant_id, side, joined_at)
      values (${conversationId}, ${userId}, ${scope.tenant.id}, ${side}, ${scope.now})
      on conflict (conversation_id, user_id) do update set left_at = null`,
  );
}

/** Notes that somebody takes part no longer. */
export async function leaveConversation(scope: Scope, conversationId: string, userId: string): Promise<void> {
  await rows(
    scope,
    sql`
      update conversation_participants set left_at = ${scope.now}
      where conversation_id = ${conversationId} and user_id = ${userId} and tenant_id = ${scope.tenant.id}`,
  );
}
