import { z } from 'zod';
import { addNote, listNoteReaders, markMentionsSeen, noteLine, noteView } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import { accessConversation } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError } from '../platform/errors/index.ts';
import { fragment, type Reply, type Route, type RouteInput, route, seeOther } from '../platform/http/index.ts';
import { stream } from '../platform/views/index.ts';
import type { DashboardDeps } from './dashboard-deps.ts';
import { ActionQuery, ConversationPath, NoteBody } from './desk.input.ts';
import { deskPage, deskView, mentionsFragment } from './desk.routes.ts';
import { deskHref } from './desk-address.ts';
import { readMentions } from './desk-page.ts';

type Path = z.output<typeof ConversationPath>;
type Query = z.output<typeof ActionQuery>;

const NamesQuery = z.strictObject({ q: z.string().max(100).default('') });

/** More names than this are no choice. */
const NAMES_SHOWN = 8;

/** Private notes, and the colleagues who are named in them. */
export function noteRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, Path, Query, z.output<typeof NoteBody>>({
      name: 'dashboard.notes.add',
      method: 'POST',
      path: '/admin/support-chat/:id/notes',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'page',
      bodyKind: 'form',
      params: ConversationPath,
      query: ActionQuery,
      body: NoteBody,
      handle: (scope, input) => add(deps, scope, input),
    }),

    route<Person, Path, Query>({
      name: 'dashboard.mentions.seen',
      method: 'POST',
      path: '/admin/support-chat/:id/mentions',
      policy: admins('VIEW_SUPPORT_CHAT_LIST'),
      face: 'page',
      bodyKind: 'form',
      params: ConversationPath,
      query: ActionQuery,
      body: z.strictObject({}),
      async handle(scope, input) {
        const { id } = await accessConversation(scope, input.params.id);
        await markMentionsSeen(scope, id);
        const view = deskView(deps, scope, input, id);
        if (!input.isFragment) return seeOther(deskHref(id, view.filters));
        return mentionsFragment(deps.views.for(view.reader), await readMentions(scope, view));
      },
    }),

    route<Person, unknown, z.output<typeof NamesQuery>>({
      name: 'dashboard.colleagues.names',
      method: 'GET',
      path: '/admin/support-chat/colleagues',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'page',
      query: NamesQuery,
      async handle(scope, input) {
        const wanted = input.query.q.toLocaleLowerCase();
        const names = (await listNoteReaders(scope)).filter(
          ({ id, name }) => id !== scope.actor.id && name.toLocaleLowerCase().includes(wanted),
        );
        const show = deps.views.for(input.reader);
        return fragment(show.partial('/dashboard/_names', { names: names.slice(0, NAMES_SHOWN) }));
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

type NoteInput = RouteInput<Path, Query, z.output<typeof NoteBody>>;

/** Writes a note. What a plain form could not keep is shown again, with the reason and the text. */
async function add(deps: DashboardDeps, scope: Scope<Person>, input: NoteInput): Promise<Reply> {
  const { id } = input.params;
  const { body, clientId } = input.body;
  const view = { ...deskView(deps, scope, input, id), openId: id };
  const show = deps.views.for(view.reader);
  try {
    const { note } = await addNote(scope, { conversationId: id, body, clientId });
    const line = noteLine(note);
    if (!input.isFragment) return seeOther(`${deskHref(id, view.filters)}#n${note.version}`);
    return fragment(
      stream.upsert('#messages', show.partial('/dashboard/_note', { message: line }), { key: 'data-seq' }),
      stream.upsert('#notes', show.partial('/dashboard/_note-entry', { note: noteView(note) }), {
        key: 'data-version',
        order: 'desc',
      }),
    );
  } catch (error) {
    if (input.isFragment || !(error instanceof AppError) || error.status === 404) throw error;
    const refused = {
      as: 'note' as const,
      text: body,
      clientId: clientId ?? crypto.randomUUID(),
      error,
    };
    return deskPage(deps, scope, input, { ...view, refused }, { newest: true }, error.status);
  }
}
