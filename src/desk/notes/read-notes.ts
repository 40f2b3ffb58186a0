import type { Person } from '../../identity/index.ts';
import { accessConversation, type Conversation } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';
import { ConversationNote } from './conversation-note.entity.ts';
import { type StoredNote, withNames } from './stored-note.ts';

/** Which notes: after a version (oldest first), the newest (newest first), or those that stand between two messages. */
export type NoteWindow =
  | { readonly after: number }
  | { readonly newest: true }
  | { readonly fromSeq: number; readonly beforeSeq: number | null };

/** A page of notes. */
export interface NotePage {
  readonly items: readonly StoredNote[];
  readonly hasMore: boolean;
}

/**
 * The private notes of a conversation, by its id or as the caller has just been let into it.
 * @throws Forbidden for whoever is no admin with VIEW_SUPPORT_CHAT_LIST; NotFound when the conversation is not there.
 */
export async function readNotes(
  scope: Scope<Person>,
  conversation: string | Conversation,
  window: NoteWindow,
  limit: number,
): Promise<NotePage> {
  if (scope.actor.side !== 'admin' || !scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const { id } = typeof conversation === 'string' ? await accessConversation(scope, conversation) : conversation;
  return notesOf(scope, id, window, limit);
}

/** The same for whoever was let into the conversation's staff room already. */
export async function notesOf(
  scope: Scope,
  conversationId: string,
  window: NoteWindow,
  limit: number,
): Promise<NotePage> {
  const found = await scope.em.find(
    ConversationNote,
    { conversationId, ...condition(window) },
    { orderBy: { version: 'newest' in window ? 'desc' : 'asc' }, limit: limit + 1 },
  );
  return { items: await withNames(scope, found.slice(0, limit)), hasMore: found.length > limit };
}

/** Version of the last note; 0 while there is none. */
export async function lastNoteVersion(scope: Scope, conversationId: string): Promise<number> {
  const last = await scope.em.findOne(
    ConversationNote,
    { conversationId },
    { orderBy: { version: 'desc' }, fields: ['version'] },
  );
  return last?.version ?? 0;
}

function condition(window: NoteWindow): object {
  if ('after' in window) return { version: { $gt: window.after } };
  if ('newest' in window) return {};
  const { fromSeq, beforeSeq } = window;
  return { afterSeq: beforeSeq === null ? { $gte: fromSeq } : { $gte: fromSeq, $lt: beforeSeq } };
}
