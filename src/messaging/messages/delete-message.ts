import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { dropAttachments } from '../attachments/post-with-attachments.ts';
import { changeMessage, lockOwnMessage, type OwnMessage } from './change-message.ts';

/**
 * Takes the text and the files of one's own message away; its place, sender and time stay. Also in a closed conversation: what
 * somebody wants gone does not wait for it to be opened again. Deleting it twice changes nothing.
 * @throws NotFound for a message that is not there, Forbidden `not_your_message` for another's.
 */
export async function deleteMessage(
  scope: Scope<Person>,
  deletion: { readonly conversationId: string; readonly messageId: string },
): Promise<OwnMessage> {
  return transact(scope, async (inside) => {
    const own = await lockOwnMessage(inside, deletion.conversationId, deletion.messageId);
    if (own.message.deletedAt) return own;
    const changed = await changeMessage(inside, own, { body: null, deletedAt: inside.now });
    await dropAttachments(inside, deletion.messageId);
    recordAudit(inside, {
      action: 'SUPPORT_MESSAGE_DELETED',
      entityType: 'support_message',
      entityId: deletion.messageId,
      metadata: { conversationId: deletion.conversationId },
    });
    return changed;
  });
}
