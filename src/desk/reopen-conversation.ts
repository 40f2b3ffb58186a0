import { UniqueConstraintViolationException } from '@mikro-orm/postgresql';
import type { Person } from '../identity/index.ts';
import {
  accessConversation,
  type Conversation,
  findOpenConversation,
  type Messaging,
  reopen,
  reopenableUntil,
} from '../messaging/index.ts';
import { type Scope, transact } from '../platform/database/index.ts';
import { Conflict, Forbidden } from '../platform/errors/index.ts';

/**
 * Opens a closed conversation again: admins always, users while the tenant's `reopenWithinHours` last. One that is open
 * stays as it is.
 * @throws NotFound when it is not there or not theirs; Forbidden for an admin without CLOSE_SUPPORT_CHAT, or
 *   `support_disabled` for a user.
 * @throws Conflict `reopen_expired`; `another_open` with the `conversationId` of the user's open one.
 */
export async function reopenConversation(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'settings'>,
  conversationId: string,
): Promise<Conversation> {
  if (scope.actor.side === 'admin' && !scope.actor.can('CLOSE_SUPPORT_CHAT')) throw new Forbidden();
  try {
    return await transact(scope, async (inside) => {
      const conversation = await accessConversation(inside, conversationId, { lock: true });
      if (conversation.isOpen()) return conversation;
      refuseUser(inside, messaging, conversation);
      await refuseSecondOpen(inside, conversation);
      await reopen(inside, conversation);
      return accessConversation(inside, conversationId);
    });
  } catch (error) {
    // the unique index saw another one that was opened meanwhile
    if (!(error instanceof UniqueConstraintViolationException)) throw error;
    await refuseSecondOpen(scope, await accessConversation(scope, conversationId));
    throw error;
  }
}

/** Whether this person may reopen it as far as can be told without trying; for showing or hiding the control. */
export function canReopen(
  person: Person,
  messaging: Pick<Messaging, 'settings'>,
  conversation: Pick<Conversation, 'closedAt'>,
  now: Date,
): boolean {
  if (!conversation.closedAt) return false;
  if (person.side === 'admin') return person.can('CLOSE_SUPPORT_CHAT');
  const until = reopenableUntil(messaging.settings(person.tenantId), conversation);
  return until !== null && now < until;
}

function refuseUser(scope: Scope<Person>, messaging: Pick<Messaging, 'settings'>, conversation: Conversation): void {
  if (scope.actor.side === 'admin') return;
  if (!messaging.settings(scope.tenant.id).enabled) {
    throw new Forbidden('support_disabled', 'Support is switched off at the moment.');
  }
  if (!canReopen(scope.actor, messaging, conversation, scope.now)) {
    throw new Conflict('reopen_expired', 'This conversation can no longer be reopened. Start a new one.');
  }
}

async function refuseSecondOpen(scope: Scope<Person>, conversation: Conversation): Promise<void> {
  if (!conversation.openedBy) return;
  const other = await findOpenConversation(scope, conversation.kind, conversation.openedBy);
  if (other && other.id !== conversation.id) {
    throw new Conflict('another_open', 'Another conversation is open already.', { conversationId: other.id });
  }
}
