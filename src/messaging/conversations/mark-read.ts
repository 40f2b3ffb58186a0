import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { tell } from '../events.ts';
import { rows } from '../rows.ts';
import { mayRead } from './access-conversation.ts';
import { conversationKind } from './conversation-kinds.ts';

/** Where the caller's mark stands now. */
export interface ReadMark {
  readonly seq: number;
  readonly moved: boolean;
}

/**
 * Moves the caller's read mark forward to `seq`, never back and never beyond the last message. The mark of an admin who
 * may not answer is only their own: it tells the user nothing and takes nothing off the staff's count. Written without
 * entities, because marks come as often as messages do.
 * @throws NotFound when the conversation is not there or not theirs.
 */
export async function markRead(scope: Scope<Person>, conversationId: string, seq: number): Promise<ReadMark> {
  const { actor } = scope;
  const before = await readMarkOf(scope, conversationId);
  if (!before || !mayRead(actor, before)) throw new NotFound();
  const wanted = Math.min(seq, before.lastSeq);
  // pages say "read" more often than there is something to read: those take no lock
  if (wanted <= before.readSeq) return { seq: before.readSeq, moved: false };

  const counts = conversationKind(before.kind)?.mayAnswer(actor) ?? false;
  const [moved] = await rows(
    scope,
    sql<{ moved: boolean }>`
      select move_read_mark(${conversationId}, ${actor.id}, ${actor.side}, ${counts}, ${wanted}, ${scope.now}) as moved`,
  );
  // another page of the same person was further meanwhile
  if (!moved?.moved) return { seq: (await readMarkOf(scope, conversationId))?.readSeq ?? wanted, moved: false };
  tell(scope, {
    type: 'conversation:read',
    tenantId: scope.tenant.id,
    conversationId,
    participantId: actor.id,
    participantName: actor.name,
    side: actor.side,
    seq: wanted,
    counts,
  });
  return { seq: wanted, moved: true };
}

interface MarkedConversation {
  readonly kind: string;
  readonly tenantId: string;
  readonly openedBy: string | null;
  readonly lastSeq: number;
  /** The caller's own mark; 0 before the first. */
  readonly readSeq: number;
}

async function readMarkOf(scope: Scope<Person>, conversationId: string): Promise<MarkedConversation | undefined> {
  const [found] = await rows(
    scope,
    sql<MarkedConversation>`
      select c.kind, c.tenant_id as "tenantId", c.opened_by as "openedBy", c.last_seq as "lastSeq",
        coalesce(p.read_seq, 0) as "readSeq"
      from conversations c
      left join conversation_participants p
        on p.conversation_id = c.id and p.user_id = ${scope.actor.id} and p.tenant_id = c.tenant_id
      where c.id = ${conversationId} and c.tenant_id = ${scope.tenant.id}`,
  );
  return found;
}
