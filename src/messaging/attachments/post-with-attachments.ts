import { LockMode } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Conflict, Invalid } from '../../platform/errors/index.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import { Message } from '../messages/message.entity.ts';
import type { NewMessage, StoredMessage } from '../messages/stored-message.ts';
import { rows } from '../rows.ts';
import { Attachment } from './attachment.entity.ts';
import { attachmentFacts } from './attachment.view.ts';
import { isPicture } from './file-type.ts';

/** Most files of one message. */
export const MAX_ATTACHMENTS = 10;

/**
 * The message with its files, for the append within the same transaction; the conversation's lock is held. A repeat is
 * handed on as it is: the log knows it by the ids, which are part of its hash.
 * @throws Invalid naming `attachmentIds` for a file that is missing, somebody else's, in another message, or named twice; Conflict
 *   `attachment_not_ready` for one that is still being looked into.
 */
export async function withAttachments(
  scope: Scope<Person>,
  conversation: Conversation,
  message: NewMessage,
): Promise<NewMessage> {
  const ids = message.attachmentIds ?? [];
  const sent = { conversationId: conversation.id, senderId: scope.actor.id, clientId: message.clientId };
  if (ids.length === 0 || (await scope.em.count(Message, sent)) > 0) return message;
  if (new Set(ids).size < ids.length) throw new Invalid({ attachmentIds: 'twice' });
  const found = await scope.em.find(
    Attachment,
    {
      id: { $in: [...ids] },
      // those that came before their conversation did are there for it
      $or: [{ conversationId: conversation.id }, { conversationId: null }],
      uploadedBy: scope.actor.id,
    },
    { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true, orderBy: { id: 'asc' } },
  );
  const byId = new Map(found.map((one) => [one.id, one]));
  const files = ids.map((id) => {
    const file = byId.get(id);
    if (!file || file.state === 'deleted' || file.messageId) throw new Invalid({ attachmentIds: 'unknown' });
    if (file.state === 'refused') throw new Invalid({ attachmentIds: 'refused' });
    if (file.state !== 'ready') {
      throw new Conflict('attachment_not_ready', 'A file is still being checked. Try again in a moment.');
    }
    return file;
  });
  const kind = files.every((file) => isPicture(file.mediaType)) ? 'image' : 'file';
  return {
    ...message,
    messageType: message.body === null ? kind : 'text',
    data: { ...message.data, attachments: files.map(attachmentFacts) },
  };
}

/** Ties the files to the message that was just stored. Lists show the name of a file where there is no text. */
export async function bindAttachments(
  scope: Scope<Person>,
  message: StoredMessage,
  ids: readonly string[],
): Promise<void> {
  const { id: messageId, conversationId } = message;
  await scope.em.nativeUpdate(
    Attachment,
    { id: { $in: [...ids] } },
    { messageId, conversationId, updatedAt: scope.now },
  );
  if (message.body !== null) return;
  await rows(
    scope,
    sql`
      update conversations set preview = (select a.file_name from attachments a where a.id = ${ids[0]} and a.tenant_id = ${scope.tenant.id})
      where id = ${message.conversationId} and tenant_id = ${scope.tenant.id}`,
  );
}

/** Lets go of a deleted message's files: from now on nobody gets them, and the next sweep removes their bytes. */
export async function dropAttachments(scope: Scope<Person>, messageId: string): Promise<void> {
  await scope.em.nativeUpdate(Attachment, { messageId }, { state: 'deleted', updatedAt: scope.now });
}
