import { sql } from 'kysely';
import { type Person, Role, RoleAssignment, User } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { NoteMention } from './conversation-note.entity.ts';
import type { StaffName } from './stored-note.ts';

/** More colleagues than this are no list to pick from. */
const MAX_READERS = 500;
/** More conversations than this are no filter any more. */
const MAX_MENTIONING = 500;

/** The active admins who may read notes, and so may be named in one; by name. */
export async function listNoteReaders(scope: Scope): Promise<StaffName[]> {
  const roles = await scope.em.find(Role, { capabilities: { $contains: ['VIEW_SUPPORT_CHAT_LIST'] } });
  const held = await scope.em.find(RoleAssignment, { roleId: { $in: roles.map((one) => one.id) } });
  const admins = await scope.em.find(
    User,
    { id: { $in: held.map((one) => one.userId) }, userType: 'admin', status: 'active' },
    { orderBy: { name: 'asc', id: 'asc' }, limit: MAX_READERS, fields: ['id', 'name'] },
  );
  return admins.map(({ id, name }) => ({ id, name }));
}

/**
 * Whom a text names: `@` and a colleague's whole name, in any case of letters, with no letter or digit behind it. Of two
 * names the longer one counts (`@Tanvir Ahmed` is not Tanvir); two colleagues of one name are both meant.
 */
export function mentionedIn(text: string, readers: readonly StaffName[]): StaffName[] {
  if (!text.includes('@')) return [];
  const folded = text.toLocaleLowerCase('en');
  const byLength = readers.filter((one) => one.name !== '').toSorted((a, b) => b.name.length - a.name.length);
  const found = new Set<StaffName>();
  for (let at = folded.indexOf('@'); at >= 0; at = folded.indexOf('@', at + 1)) {
    const named = byLength.find(({ name }) => startsWithName(folded, at + 1, name.toLocaleLowerCase('en')));
    if (!named) continue;
    const same = named.name.toLocaleLowerCase('en');
    for (const one of readers) if (one.name.toLocaleLowerCase('en') === same) found.add(one);
  }
  return [...found];
}

function startsWithName(text: string, at: number, name: string): boolean {
  return text.startsWith(name, at) && !/^[\p{L}\p{M}\p{N}]/u.test(text.slice(at + name.length));
}

/** In how many conversations the caller was named and has not looked since. */
export async function countUnseenMentions(scope: Scope<Person>): Promise<number> {
  const [found] = await rows(
    scope,
    sql<{ count: number }>`
      select count(distinct conversation_id)::integer as count from (
        select conversation_id from note_mentions
        where tenant_id = ${scope.tenant.id} and user_id = ${scope.actor.id} and seen_at is null
        limit ${MAX_MENTIONING}) unseen`,
  );
  return found?.count ?? 0;
}

/** The conversations whose notes name the caller, the latest first; five hundred at most. */
export async function conversationsThatMention(scope: Scope<Person>): Promise<string[]> {
  const mentions = await rows(
    scope,
    sql<{ id: string }>`
      select conversation_id as id from note_mentions
      where tenant_id = ${scope.tenant.id} and user_id = ${scope.actor.id}
      order by created_at desc limit ${2 * MAX_MENTIONING}`,
  );
  return [...new Set(mentions.map((one) => one.id))].slice(0, MAX_MENTIONING);
}

/** The caller has seen where a conversation's notes name them. */
export async function markMentionsSeen(scope: Scope<Person>, conversationId: string): Promise<void> {
  await scope.em.nativeUpdate(
    NoteMention,
    { conversationId, userId: scope.actor.id, seenAt: null },
    { seenAt: scope.now },
  );
}

/** Whether a conversation's notes name the caller since they last looked. */
export async function hasUnseenMention(scope: Scope<Person>, conversationId: string): Promise<boolean> {
  return (await scope.em.count(NoteMention, { conversationId, userId: scope.actor.id, seenAt: null })) > 0;
}
