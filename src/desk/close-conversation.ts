import type { Person } from '../identity/index.ts';
import { accessConversation, type Conversation, close } from '../messaging/index.ts';
import { type Scope, transact } from '../platform/database/index.ts';
import { Forbidden } from '../platform/errors/index.ts';

/**
 * Closes a conversation. One that is closed already stays as it is, and a repeated request is answered like the first.
 * @throws Forbidden without CLOSE_SUPPORT_CHAT.
 * @throws NotFound when it is not there.
 */
export async function closeConversation(scope: Scope<Person>, conversationId: string): Promise<Conversation> {
  if (scope.actor.side !== 'admin' || !scope.actor.can('CLOSE_SUPPORT_CHAT')) throw new Forbidden();
  return transact(scope, async (inside) => {
    const conversation = await accessConversation(inside, conversationId, { lock: true });
    if (!conversation.isOpen()) return conversation;
    await close(inside, conversation);
    return accessConversation(inside, conversationId);
  });
}
