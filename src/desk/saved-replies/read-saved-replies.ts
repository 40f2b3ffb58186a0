import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden, NotFound } from '../../platform/errors/index.ts';
import { SavedReply } from './saved-reply.entity.ts';

/** A page of replies by their shortcuts; `next` is the shortcut after which the next page begins. */
export interface SavedReplyPage {
  readonly items: readonly SavedReply[];
  readonly next: string | null;
}

/**
 * All replies, for whoever keeps them.
 * @throws Forbidden without MANAGE_SAVED_REPLIES.
 */
export async function listSavedReplies(
  scope: Scope<Person>,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): Promise<SavedReplyPage> {
  if (!scope.actor.can('MANAGE_SAVED_REPLIES')) throw new Forbidden();
  const found = await scope.em.find(SavedReply, after ? { shortcut: { $gt: after } } : {}, {
    orderBy: { shortcut: 'asc' },
    limit: limit + 1,
  });
  const items = found.slice(0, limit);
  return { items, next: found.length > limit ? (items.at(-1)?.shortcut ?? null) : null };
}

/**
 * One reply, for whoever keeps them.
 * @throws Forbidden without MANAGE_SAVED_REPLIES; NotFound when it is not there.
 */
export async function readSavedReply(scope: Scope<Person>, id: string): Promise<SavedReply> {
  if (!scope.actor.can('MANAGE_SAVED_REPLIES')) throw new Forbidden();
  const reply = await scope.em.findOne(SavedReply, { id }, { refresh: true });
  if (!reply) throw new NotFound();
  return reply;
}

/** More replies than this are not looked through. */
const MAX_REPLIES = 2_000;

/**
 * Replies that fit what is typed after the slash, for whoever answers: those whose shortcut begins with it first, then
 * those with it in their shortcut or title, then in their text.
 * @throws Forbidden without REPLY_SUPPORT_CHAT.
 */
export async function findSavedReplies(scope: Scope<Person>, typed: string, limit: number): Promise<SavedReply[]> {
  if (!scope.actor.can('REPLY_SUPPORT_CHAT')) throw new Forbidden();
  const wanted = typed.trim().toLocaleLowerCase();
  const all = await scope.em.find(SavedReply, {}, { orderBy: { shortcut: 'asc' }, limit: MAX_REPLIES });
  return all
    .map((reply) => ({ reply, rank: rankOf(reply, wanted) }))
    .filter((one) => one.rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .map((one) => one.reply);
}

function rankOf({ shortcut, title, body }: SavedReply, wanted: string): number {
  if (shortcut.startsWith(wanted)) return 0;
  if (shortcut.includes(wanted) || title.toLocaleLowerCase().includes(wanted)) return 1;
  return body.toLocaleLowerCase().includes(wanted) ? 2 : 3;
}
