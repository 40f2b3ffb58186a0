import type { Person } from '../identity/index.ts';
import { accessConversation, assignTo, type Conversation } from '../messaging/index.ts';
import { type Scope, transact } from '../platform/database/index.ts';
import { Conflict, Forbidden, Invalid } from '../platform/errors/index.ts';
import { findColleague } from './colleagues.ts';

/** Who is to hold it: absent claims it for the caller, an id hands it over, null releases it. */
export interface AssignConversation {
  readonly adminId?: string | null | undefined;
}

/**
 * Claims, hands over or releases a conversation. What holds already changes nothing and writes no line.
 * @throws Forbidden without ASSIGN_SUPPORT_CHAT; also for claiming by somebody who may not answer.
 * @throws NotFound when it is not there.
 * @throws Conflict `assigned_to_other` for a claim of what a colleague holds; `conversation_closed`.
 * @throws Invalid `adminId` for somebody who is no active admin with REPLY_SUPPORT_CHAT.
 */
export async function assignConversation(
  scope: Scope<Person>,
  conversationId: string,
  { adminId }: AssignConversation,
): Promise<Conversation> {
  const { actor } = scope;
  if (actor.side !== 'admin' || !actor.can('ASSIGN_SUPPORT_CHAT')) throw new Forbidden();
  const isClaim = adminId === undefined;
  if (isClaim && !actor.can('REPLY_SUPPORT_CHAT')) throw new Forbidden();

  return transact(scope, async (inside) => {
    const conversation = await accessConversation(inside, conversationId, { lock: true });
    const holder = conversation.assignedAdminId ?? null;
    const wanted = isClaim ? actor.id : adminId;
    if (!conversation.isOpen()) throw new Conflict('conversation_closed', 'This conversation is closed.');
    if (holder === wanted) return conversation;
    if (isClaim && holder) throw new Conflict('assigned_to_other', 'A colleague is answering this conversation.');
    if (wanted === null) await assignTo(inside, conversation, null);
    else {
      const colleague = await findColleague(inside, wanted);
      if (!colleague) throw new Invalid({ adminId: 'unknown' });
      await assignTo(inside, conversation, colleague);
    }
    return accessConversation(inside, conversationId);
  });
}
