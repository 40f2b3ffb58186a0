import { UniqueConstraintViolationException } from '@mikro-orm/postgresql';
import type { Person } from '../../identity/index.ts';
import { checkedText } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Forbidden, Invalid } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { readSavedReply } from './read-saved-replies.ts';
import { SavedReply } from './saved-reply.entity.ts';

/** A reply as it is typed. */
export interface SavedReplyText {
  readonly shortcut: string;
  readonly title: string;
  readonly body: string;
}

const MAX_TITLE = 120;

/**
 * Keeps a new reply.
 * @throws Forbidden without MANAGE_SAVED_REPLIES.
 * @throws Invalid for a field: `required`, `too_long`, `shortcut` for one that is no word, `taken` for one that is used.
 */
export async function createSavedReply(scope: Scope<Person>, typed: SavedReplyText): Promise<SavedReply> {
  if (!scope.actor.can('MANAGE_SAVED_REPLIES')) throw new Forbidden();
  const text = checkedReply(typed);
  return unlessTaken(() =>
    transact(scope, async ({ em, tenant, actor, now }) => {
      const reply = em.create(SavedReply, {
        id: newId(),
        tenantId: tenant.id,
        ...text,
        createdBy: actor.id,
        updatedBy: actor.id,
        createdAt: now,
        updatedAt: now,
      });
      em.persist(reply);
      return reply;
    }),
  );
}

/** Changes a reply that is kept. Errors as for a new one, and NotFound. */
export async function changeSavedReply(scope: Scope<Person>, id: string, typed: SavedReplyText): Promise<SavedReply> {
  if (!scope.actor.can('MANAGE_SAVED_REPLIES')) throw new Forbidden();
  const text = checkedReply(typed);
  return unlessTaken(() =>
    transact(scope, async (inside) => {
      const reply = await readSavedReply(inside, id);
      Object.assign(reply, text, { updatedBy: inside.actor.id, updatedAt: inside.now });
      return reply;
    }),
  );
}

/**
 * Keeps a reply no longer. What was sent with it stays sent.
 * @throws Forbidden without MANAGE_SAVED_REPLIES; NotFound when it is not there.
 */
export async function deleteSavedReply(scope: Scope<Person>, id: string): Promise<void> {
  if (!scope.actor.can('MANAGE_SAVED_REPLIES')) throw new Forbidden();
  await transact(scope, async (inside) => {
    inside.em.remove(await readSavedReply(inside, id));
  });
}

function checkedReply({ shortcut, title, body }: SavedReplyText): SavedReplyText {
  const word = shortcut.trim().replace(/^\//, '').toLowerCase();
  const name = checkedText(title, 'title').trim();
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(word)) throw new Invalid({ shortcut: 'shortcut' });
  if (name.length > MAX_TITLE) throw new Invalid({ title: 'too_long' });
  return { shortcut: word, title: name, body: checkedText(body) };
}

async function unlessTaken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) throw new Invalid({ shortcut: 'taken' });
    throw error;
  }
}
