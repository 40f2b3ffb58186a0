import { LockMode } from '@mikro-orm/postgresql';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { Conversation } from './conversation.entity.ts';
import { conversationKind } from './conversation-kinds.ts';

/**
 * The one way to a conversation: through the actor. With `lock` (inside `transact()` only) the row is held until
 * commit, so that nothing is appended and no state moves meanwhile; lock conversations before other rows.
 * @throws NotFound when it does not exist or is not theirs; nobody can tell which.
 */
export async function accessConversation(
  scope: Scope<Person>,
  id: string,
  { lock = false }: { lock?: boolean } = {},
): Promise<Conversation> {
  const conversation = await scope.em.findOne(
    Conversation,
    { id },
    lock ? { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true } : { refresh: true },
  );
  if (!conversation || !mayRead(scope.actor, conversation)) throw new NotFound();
  return conversation;
}

/**
 * A conversation of the scope's tenant, locked until commit, for jobs: nobody is asked for rights, because nobody acts.
 * Inside `transact()` only; null when it is not there.
 */
export async function lockConversation(scope: Scope, id: string): Promise<Conversation | null> {
  return scope.em.findOne(Conversation, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true });
}

/** Whether this person may read the conversation; for rooms, which ask again at delivery. */
export function mayRead(person: Person, conversation: Pick<Conversation, 'kind' | 'tenantId' | 'openedBy'>): boolean {
  if (conversation.tenantId !== person.tenantId) return false;
  return conversationKind(conversation.kind)?.mayRead(person, conversation) ?? false;
}

/** The open conversation of a kind that a user has, whoever asks; null when there is none. */
export async function findOpenConversation(scope: Scope, kind: string, userId: string): Promise<Conversation | null> {
  return scope.em.findOne(Conversation, { kind, openedBy: userId, status: 'open' }, { refresh: true });
}
