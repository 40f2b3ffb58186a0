import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { tell } from '../events.ts';
import { rows } from '../rows.ts';
import { accessConversation } from './access-conversation.ts';
import type { Conversation } from './conversation.entity.ts';
import { conversationKind } from './conversation-kinds.ts';
import { Participant } from './participant.entity.ts';

/** Where the caller's mark stands now. */
export interface ReadMark {
  readonly seq: number;
  readonly moved: boolean;
}

/**
 * Moves the caller's read mark forward to `seq`, never back and never beyond the last message. The mark of an admin who
 * may not answer is only their own: it tells the user nothing and takes nothing off the staff's count.
 * @throws NotFound when the conversation is not there or not theirs.
 */
export async function markRead(scope: Scope<Person>, conversationId: string, seq: number): Promise<ReadMark> {
  const before = await accessConversation(scope, conversationId);
  const known = await scope.em.findOne(Participant, { conversationId, userId: scope.actor.id }, { refresh: true });
  const wanted = Math.min(seq, before.lastSeq);
  // pages say "read" more often than there is something to read: those take no lock
  if (wanted <= (known?.readSeq ?? 0)) return { seq: known?.readSeq ?? 0, moved: false };

  return transact(scope, async (inside) => {
    const conversation = await accessConversation(inside, conversationId, { lock: true });
    const moved = await moveOwnMark(inside, conversation, wanted);
    if (!moved) return { seq: wanted, moved: false };
    const counts = conversationKind(conversation.kind)?.mayAnswer(inside.actor) ?? false;
    if (counts) await moveSideMark(inside, conversation, wanted);
    tell(inside, {
      type: 'conversation:read',
      tenantId: inside.tenant.id,
      conversationId,
      participantId: inside.actor.id,
      participantName: inside.actor.name,
      side: inside.actor.side,
      seq: wanted,
      counts,
    });
    return { seq: wanted, moved: true };
  });
}

async function moveOwnMark(scope: Scope<Person>, conversation: Conversation, seq: number): Promise<boolean> {
  const moved = await rows(
    scope,
    sql<{ read_seq: number }>`
      insert into conversation_participants as p
        (conversation_id, user_id, tenant_id, side, read_seq, read_at, joined_at)
      values (${conversation.id}, ${scope.actor.id}, ${scope.tenant.id}, ${scope.actor.side}, ${seq}, ${scope.now}, ${scope.now})
      on conflict (conversation_id, user_id)
        do update set read_seq = excluded.read_seq, read_at = excluded.read_at where p.read_seq < excluded.read_seq
      returning read_seq`,
  );
  return moved.length > 0;
}

/** The side's mark is the furthest of its people; what it has not read is counted anew from there. */
async function moveSideMark(scope: Scope<Person>, conversation: Conversation, seq: number): Promise<void> {
  const isUser = scope.actor.side === 'user';
  if (seq <= (isUser ? conversation.userReadSeq : conversation.staffReadSeq)) return;
  const unread = await unreadAfter(scope, conversation, seq, isUser ? 'admin' : 'user');
  const columns = isUser
    ? sql`user_read_seq = ${seq}, unread_by_user = ${unread}`
    : sql`staff_read_seq = ${seq}, unread_by_staff = ${unread}`;
  await rows(
    scope,
    sql`update conversations set ${columns} where id = ${conversation.id} and tenant_id = ${scope.tenant.id}`,
  );
}

async function unreadAfter(
  scope: Scope,
  conversation: Conversation,
  seq: number,
  senderType: 'user' | 'admin',
): Promise<number> {
  if (seq >= conversation.lastSeq) return 0;
  const [counted] = await rows(
    scope,
    sql<{ unread: number }>`
      select count(*)::int as unread from messages
      where conversation_id = ${conversation.id} and tenant_id = ${scope.tenant.id} and seq > ${seq}
        and sender_type = ${senderType}`,
  );
  return counted?.unread ?? 0;
}
