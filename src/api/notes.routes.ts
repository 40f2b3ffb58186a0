import { z } from 'zod';
import { addNote, noteView, readNotes } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { ConversationPath, Limit, listOf, QueryNumber, Time, Uuid } from './fields.schema.ts';
import { reply } from './json-reply.ts';

const Staff = z.strictObject({ id: Uuid, name: z.string() });

/** A private note; there is no field of it in any answer for users. */
const Note = z
  .strictObject({
    id: Uuid,
    conversationId: Uuid,
    version: z.int(),
    author: Staff,
    body: z.string(),
    mentions: z.array(Staff).readonly(),
    clientId: Uuid,
    createdAt: Time,
  })
  .meta({ id: 'Note' });

const NoteReply = z.strictObject({ note: Note });
const NoteListReply = listOf(Note);
const NoteBody = z.strictObject({ body: z.string(), clientId: Uuid.optional() });
const NoteListQuery = z.strictObject({ cursor: QueryNumber.optional(), limit: Limit });

/** What staff write for each other about a conversation. */
export function noteRoutes(): Route[] {
  return [
    route({
      name: 'api.notes.list',
      method: 'GET',
      path: '/api/admin/support/conversations/:id/notes',
      policy: admins('VIEW_SUPPORT_CHAT_LIST'),
      face: 'json',
      params: ConversationPath,
      query: NoteListQuery,
      reply: NoteListReply,
      summary: 'Private notes of a conversation, oldest first. Staff only.',
      async handle(scope: Scope<Person>, { params, query: { cursor = 0, limit } }) {
        const { items, hasMore } = await readNotes(scope, params.id, { after: cursor }, limit);
        const last = items.at(-1);
        return reply(NoteListReply, {
          items: items.map(noteView),
          nextCursor: hasMore && last ? String(last.version) : null,
        });
      },
    }),
    route({
      name: 'api.notes.add',
      method: 'POST',
      path: '/api/admin/support/conversations/:id/notes',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'json',
      params: ConversationPath,
      body: NoteBody,
      reply: NoteReply,
      summary: 'Writes a private note: 201, or 200 when it repeats one. @ and the name of a colleague tells them.',
      async handle(scope: Scope<Person>, { params, body }) {
        const { note, isNew } = await addNote(scope, { ...body, conversationId: params.id });
        return reply(NoteReply, { note: noteView(note) }, isNew ? 201 : 200);
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}
