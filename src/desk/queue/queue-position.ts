import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { accessConversation, rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';

/** Where a conversation stands among those that nobody has taken yet. */
export interface QueuePlace {
  /** 1 is next; null when it does not wait for an agent: taken, closed, or nothing was asked. */
  readonly position: number | null;
  /** How long people waited for their first answer lately, in the middle; null when too few did to tell. */
  readonly expectedWaitSeconds: number | null;
}

/** Waits that ended this long ago still tell something. */
export const MEASURED_FOR_MS = 3 * 3_600_000;
/** Fewer waits than this tell nothing. */
export const MIN_MEASURED = 3;

/**
 * The place of a conversation in the queue, by the order in which waiting ones are handed out.
 * @throws NotFound when the conversation is not there or not theirs.
 */
export async function queueFor(scope: Scope<Person>, conversationId: string): Promise<QueuePlace> {
  const conversation = await accessConversation(scope, conversationId);
  if (!conversation.isOpen() || conversation.assignedAdminId || !conversation.waitingSince) {
    return { position: null, expectedWaitSeconds: null };
  }
  const [ahead] = await rows(
    scope,
    sql<{ position: number }>`
      select count(*)::int + 1 as position
      from conversations mine
      join conversations c on c.tenant_id = mine.tenant_id and c.kind = 'support' and c.status = 'open'
        and c.assigned_admin_id is null
        and (c.queued_since, c.created_at, c.id) < (mine.queued_since, mine.created_at, mine.id)
      where mine.id = ${conversationId} and mine.tenant_id = ${scope.tenant.id}`,
  );
  return { position: ahead?.position ?? null, expectedWaitSeconds: await medianWait(scope) };
}

async function medianWait(scope: Scope): Promise<number | null> {
  const since = new Date(scope.now.getTime() - MEASURED_FOR_MS);
  const [measured] = await rows(
    scope,
    sql<{ seconds: number | null; waits: number }>`
      select percentile_cont(0.5) within group (order by extract(epoch from answered_at - waiting_since)) as seconds,
        count(*)::int as waits
      from response_clocks
      where tenant_id = ${scope.tenant.id} and kind = 'first' and answered_at > ${since}`,
  );
  if (!measured || measured.waits < MIN_MEASURED || measured.seconds === null) return null;
  return Math.round(measured.seconds);
}
