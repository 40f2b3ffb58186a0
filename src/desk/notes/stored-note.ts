import { User } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { type ConversationNote, NoteMention } from './conversation-note.entity.ts';

/** Somebody of the staff. */
export interface StaffName {
  readonly id: string;
  readonly name: string;
}

/** A note with the names in it: plain data, what pages, JSON and the staff room are made from. */
export interface StoredNote {
  readonly id: string;
  readonly tenantId: string;
  readonly conversationId: string;
  readonly version: number;
  readonly afterSeq: number;
  readonly author: StaffName;
  readonly body: string;
  readonly mentions: readonly StaffName[];
  readonly clientId: string;
  readonly createdAt: Date;
}

/** Gives notes their names, in two queries for all of them. */
export async function withNames(scope: Scope, notes: readonly ConversationNote[]): Promise<StoredNote[]> {
  if (notes.length === 0) return [];
  const mentions = await scope.em.find(NoteMention, { noteId: { $in: notes.map((one) => one.id) } });
  const ids = new Set([...notes.map((one) => one.authorId), ...mentions.map((one) => one.userId)]);
  const people = await scope.em.find(User, { id: { $in: [...ids] } }, { fields: ['id', 'name'] });
  const names = new Map(people.map(({ id, name }) => [id, { id, name }]));
  const nameOf = (id: string) => names.get(id) ?? { id, name: '' };
  return notes.map((note) => ({
    id: note.id,
    tenantId: note.tenantId,
    conversationId: note.conversationId,
    version: note.version,
    afterSeq: note.afterSeq,
    author: nameOf(note.authorId),
    body: note.body,
    mentions: mentions.filter((one) => one.noteId === note.id).map((one) => nameOf(one.userId)),
    clientId: note.clientId,
    createdAt: note.createdAt,
  }));
}
