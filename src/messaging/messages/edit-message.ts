import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, Invalid } from '../../platform/errors/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import type { Messaging } from '../messaging.ts';
import { changeMessage, lockOwnMessage, type OwnMessage } from './change-message.ts';
import { checkedText, isLongerThan } from './message-text.ts';

/**
 * Replaces the text of one's own message. It keeps its place; the change takes the conversation's next version, so that
 * everybody who catches up sees it. The same text again changes nothing.
 * @throws NotFound for a message that is not there, Forbidden `not_your_message` for another's, Conflict
 *   `conversation_closed` or `message_deleted`, Invalid for the text.
 */
export async function editMessage(
  scope: Scope<Person>,
  messaging: Messaging,
  edit: { readonly conversationId: string; readonly messageId: string; readonly body: string },
): Promise<OwnMessage> {
  const body = checkedText(edit.body);
  const settings = messaging.settings(scope.tenant.id);
  if (isLongerThan(body, settings.maxMessageLength)) throw new Invalid({ body: 'too_long' });
  if (scope.actor.side === 'user' && !settings.enabled) {
    throw new Forbidden('support_disabled', 'Support is switched off at the moment.');
  }
  return transact(scope, async (inside) => {
    const own = await lockOwnMessage(inside, edit.conversationId, edit.messageId);
    if (!own.conversation.isOpen()) throw new Conflict('conversation_closed', 'This conversation is closed.');
    if (own.message.deletedAt) throw new Conflict('message_deleted', 'This message was deleted.');
    if (own.message.body === body) return own;
    const changed = await changeMessage(inside, own, { body, editedAt: inside.now });
    recordAudit(inside, {
      action: 'SUPPORT_MESSAGE_EDITED',
      entityType: 'support_message',
      entityId: edit.messageId,
      metadata: { conversationId: edit.conversationId },
    });
    return changed;
  });
}
