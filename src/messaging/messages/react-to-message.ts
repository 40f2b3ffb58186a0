import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden } from '../../platform/errors/index.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import type { Messaging } from '../messaging.ts';
import { changeMessage, lockMessage, type OwnMessage } from './change-message.ts';
import { type Reaction, reactionsOf, type StoredReaction } from './reactions.ts';

/**
 * Puts the caller's word on a message of the other side, in place of the one they had; null takes it back. It is a
 * change of the message like an edit (D4): it takes the next version, and everybody who catches up sees it. Also in a
 * closed conversation: "Thanks" is often the last word, and opens nothing again. The same word again changes nothing.
 * @throws NotFound for a message that is not there; Forbidden `own_message` for one's own side and system lines, and
 *   `support_disabled`; Conflict `message_deleted`, and for staff `assigned_to_other` or `unassigned`: whoever holds the
 *   conversation speaks in it.
 */
export async function reactToMessage(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'settings'>,
  given: { readonly conversationId: string; readonly messageId: string; readonly reaction: Reaction | null },
): Promise<OwnMessage> {
  const { actor } = scope;
  if (actor.side === 'user' && !messaging.settings(scope.tenant.id).enabled) {
    throw new Forbidden('support_disabled', 'Support is switched off at the moment.');
  }
  return transact(scope, async (inside) => {
    const found = await lockMessage(inside, given.conversationId, given.messageId);
    const { message, conversation } = found;
    if (message.senderType === 'system' || message.senderType === actor.side) {
      throw new Forbidden('own_message', 'Reactions are for what the other side wrote.');
    }
    if (message.deletedAt) throw new Conflict('message_deleted', 'This message was deleted.');
    if (actor.side === 'admin') refuseUnlessHeld(actor, conversation);
    const before = reactionsOf(message);
    const kept = before.filter(({ by }) => by !== actor.id);
    const had = before.find(({ by }) => by === actor.id);
    if ((had?.reaction ?? null) === given.reaction) return found;
    const own: StoredReaction[] = given.reaction
      ? [{ reaction: given.reaction, side: actor.side, by: actor.id, name: actor.name }]
      : [];
    const { reactions: _, ...data } = message.data ?? {};
    const said = [...kept, ...own];
    const next = said.length > 0 ? { ...data, reactions: said } : data;
    return changeMessage(inside, found, {
      body: message.body,
      data: Object.keys(next).length > 0 ? next : null,
    });
  });
}

/** @throws Conflict */
function refuseUnlessHeld(actor: Person, conversation: Conversation): void {
  if (conversation.assignedAdminId === actor.id) return;
  if (conversation.assignedAdminId) throw new Conflict('assigned_to_other', 'A colleague holds this conversation.');
  throw new Conflict('unassigned', 'Nobody holds this conversation yet: answer it, or assign it to you.');
}
