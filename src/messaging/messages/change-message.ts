import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden, NotFound } from '../../platform/errors/index.ts';
import { accessConversation } from '../conversations/access-conversation.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import { conversationKind } from '../conversations/conversation-kinds.ts';
import { tell } from '../events.ts';
import { rows } from '../rows.ts';
import { readMessage } from './message-log.ts';
import type { StoredMessage } from './stored-message.ts';

/** One's own message and the conversation it stands in. */
export interface OwnMessage {
  readonly message: StoredMessage;
  /** As it was when the lock was taken; its read marks go into the view. */
  readonly conversation: Conversation;
}

/**
 * Holds the conversation and gives a message in it, to whoever may write there.
 * @throws NotFound for what is not there; Forbidden for readers alone.
 */
export async function lockMessage(
  scope: Scope<Person>,
  conversationId: string,
  messageId: string,
): Promise<OwnMessage> {
  const conversation = await accessConversation(scope, conversationId, { lock: true });
  const message = await readMessage(scope, conversationId, messageId);
  if (!message) throw new NotFound();
  if (!mayAnswer(scope, conversation)) throw new Forbidden();
  return { message, conversation };
}

/** Holds the conversation and gives the caller's own message in it; see the use cases for the errors. */
export async function lockOwnMessage(
  scope: Scope<Person>,
  conversationId: string,
  messageId: string,
): Promise<OwnMessage> {
  const conversation = await accessConversation(scope, conversationId, { lock: true });
  const message = await readMessage(scope, conversationId, messageId);
  if (!message) throw new NotFound();
  if (message.senderId !== scope.actor.id || !mayAnswer(scope, conversation)) {
    throw new Forbidden('not_your_message', 'Only who wrote a message may change it.');
  }
  return { message, conversation };
}

function mayAnswer({ actor }: Scope<Person>, { kind }: Conversation): boolean {
  return conversationKind(kind)?.mayAnswer(actor) ?? false;
}

/** Gives the message the conversation's next version (D4), keeps the preview true, and tells of it after commit. */
export async function changeMessage(
  scope: Scope<Person>,
  { message, conversation }: OwnMessage,
  change: {
    readonly body: string | null;
    readonly data?: StoredMessage['data'];
    readonly editedAt?: Date;
    readonly deletedAt?: Date;
  },
): Promise<OwnMessage> {
  const changed: StoredMessage = {
    ...message,
    ...change,
    // what files it had goes with the text, and what was said of it
    data: change.deletedAt ? null : change.data === undefined ? message.data : change.data,
    version: conversation.version + 1,
  };
  await rows(
    scope,
    sql`
      update messages set body = ${changed.body}, data = ${changed.data === null ? null : JSON.stringify(changed.data)}::jsonb, version = ${changed.version}, edited_at = ${changed.editedAt},
        deleted_at = ${changed.deletedAt}
      where id = ${message.id} and conversation_id = ${conversation.id} and tenant_id = ${scope.tenant.id}`,
  );
  // the preview shows the last text that was not a system line: this one, unless a later one stands
  await rows(
    scope,
    sql`
      update conversations set version = ${changed.version}, updated_at = ${scope.now},
        preview = case when exists (
          select 1 from messages m where m.conversation_id = ${conversation.id} and m.tenant_id = ${scope.tenant.id}
            and m.seq > ${message.seq} and m.sender_type <> 'system') then preview else left(${changed.body}::text, 160) end
      where id = ${conversation.id} and tenant_id = ${scope.tenant.id}`,
  );
  tell(scope, {
    type: 'messages:changed',
    tenantId: scope.tenant.id,
    conversationId: conversation.id,
    messages: [changed],
  });
  return { message: changed, conversation };
}
