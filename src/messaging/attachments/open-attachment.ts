import type { Person } from '../../identity/index.ts';
import type { Actor, Database, Scope } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { accessConversation } from '../conversations/access-conversation.ts';
import { Message } from '../messages/message.entity.ts';
import { Attachment } from './attachment.entity.ts';
import type { FileTicket } from './file-links.ts';

/** A file that may be handed out now. */
export interface OpenedAttachment {
  readonly attachment: Attachment;
  /** Where its bytes are, for the form that was asked for. */
  readonly path: string;
  readonly size: number;
  readonly mediaType: string;
}

/**
 * A file by its id, for who may read its conversation. An own file that was not sent yet is its sender's alone.
 * @throws NotFound also when its message was deleted, and for what was refused long ago.
 */
export async function findAttachment(scope: Scope<Person>, id: string): Promise<Attachment> {
  const found = await scope.em.findOne(Attachment, { id });
  if (!found || found.state === 'deleted') throw new NotFound();
  if (found.conversationId) await accessConversation(scope, found.conversationId);
  if (!found.messageId && found.uploadedBy !== scope.actor.id) throw new NotFound();
  return found;
}

/** Whether a file that the actor sent for this conversation is still being checked. */
export async function hasUnchecked(scope: Scope<Person>, conversationId: string): Promise<boolean> {
  const own = { conversationId, uploadedBy: scope.actor.id, messageId: null, state: 'processing' as const };
  return (await scope.em.count(Attachment, own)) > 0;
}

/** Who else has a file for this conversation that is being checked, by name; null when nobody has. */
export async function otherWithUnchecked(scope: Scope<Person>, conversationId: string): Promise<string | null> {
  const [found] = await scope.em.execute<{ name: string }[]>(
    `select u.name from attachments a join users u on u.id = a.uploaded_by and u.tenant_id = a.tenant_id
     where a.tenant_id = ? and a.conversation_id = ?::uuid and a.state = 'processing' and a.message_id is null
       and a.uploaded_by <> ?::uuid
     limit 1`,
    [scope.tenant.id, conversationId, scope.actor.id],
  );
  return found?.name ?? null;
}

/**
 * The file that a signed address stands for. Who asks is checked again, with the rights they have now; `null` is for
 * FILES_URL, where no session can be: there the address stands for itself, five minutes at most.
 * @throws NotFound whenever it may not be handed out; nobody can tell why.
 */
export async function openAttachment(
  database: Database,
  ticket: FileTicket,
  person: Person | null,
): Promise<OpenedAttachment> {
  if (person && person.tenantId !== ticket.tenantId) throw new NotFound();
  const tenant = { id: ticket.tenantId, slug: person?.tenantSlug ?? '' };
  const actor: Actor = person ?? systemActor(ticket.tenantId);
  return database.withScope(tenant, actor, async (scope) => {
    const { attachmentId: id, conversationId, form } = ticket;
    // the cast tells the type what the test has just told us
    const attachment = person
      ? await findAttachment(scope as Scope<Person>, id)
      : await scope.em.findOne(Attachment, { id });
    if (attachment?.state !== 'ready' || (attachment.conversationId ?? null) !== conversationId) throw new NotFound();
    if (attachment.messageId && conversationId) {
      const message = await scope.em.findOne(Message, { id: attachment.messageId, conversationId });
      if (!message || message.deletedAt) throw new NotFound();
    }
    if (form === 'download')
      return opened(attachment, attachment.secureStoragePath, attachment.size, attachment.mediaType);
    const { thumbnailPath, thumbnailSize } = attachment;
    // only what was written anew is shown; everything else is saved
    if (!thumbnailPath || thumbnailSize == null) throw new NotFound();
    return form === 'thumbnail'
      ? opened(attachment, thumbnailPath, thumbnailSize, 'image/webp')
      : opened(attachment, attachment.secureStoragePath, attachment.size, attachment.mediaType);
  });
}

function opened(attachment: Attachment, path: string, size: number, mediaType: string): OpenedAttachment {
  return { attachment, path, size, mediaType };
}
