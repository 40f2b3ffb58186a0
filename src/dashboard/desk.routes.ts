import type { z } from 'zod';
import { noteLine, readNotes } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import { type LogWindow, messageItem, readLog } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { fragment, page, type Reply, type Route, type RouteInput, readCookie, route } from '../platform/http/index.ts';
import { type Show, stream } from '../platform/views/index.ts';
import { ownAvailability } from './availability.routes.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';
import { ConversationPath, ConversationQuery, DeskQuery, RowsQuery } from './desk.input.ts';
import { type DeskFilters, deskHref, filtersOf } from './desk-address.ts';
import {
  type DeskView,
  type DetailsView,
  type LateView,
  type ListView,
  type MentionsView,
  readConversation,
  readLate,
  readList,
  readMentions,
  readRows,
  readState,
} from './desk-page.ts';
import type { ThreadState, ThreadView } from './thread.view.ts';

/** Cookie that says the desk's one-line description was dismissed. */
export const INTRO_COOKIE = 'desk_intro';

/**
 * The desk, to look at. One address gives the whole page to a browser, and to htmx the piece that it is about to swap:
 * `HX-Target` names it, and an unknown name gets the conversation, so a piece never shows more than the page would.
 */
export function deskRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, unknown, z.output<typeof DeskQuery>>({
      name: 'dashboard.desk.list',
      method: 'GET',
      path: '/admin/support-chat',
      policy: admins('SUPPORT_CHAT'),
      face: 'page',
      query: DeskQuery,
      async handle(scope, input) {
        const view = deskView(deps, scope, input, openInBrowser(input));
        const show = deps.views.for(view.reader);
        const target = targetOf(input);
        if (target === 'mentions') return mentionsFragment(show, await readMentions(scope, shownInBrowser(input)));
        if (target === 'late') return lateFragment(show, await readLate(scope, shownInBrowser(input)));
        const list = await readList(scope, deps, view, input.query.cursor);
        if (target === 'more') return fragment(show.partial('/dashboard/_rows', { list }));
        if (target === 'list') return listFragment(input, show, list, view);
        return page(
          show.page('/dashboard/desk', {
            ...deskShell(deps, scope, show),
            ...intro(input),
            availability: await ownAvailability(scope),
            list,
            thread: null,
            details: null,
            live: liveView(null, scope.actor),
          }),
        );
      },
    }),

    route<Person, unknown, z.output<typeof RowsQuery>>({
      name: 'dashboard.desk.rows',
      method: 'GET',
      path: '/admin/support-chat/rows',
      policy: admins('SUPPORT_CHAT'),
      face: 'page',
      query: RowsQuery,
      async handle(scope, input) {
        const view = deskView(deps, scope, input, openInBrowser(input));
        const { ids, newest } = input.query;
        const found = await readRows(scope, deps, view, { ids, newest: newest === '1' });
        return fragment(deps.views.for(view.reader).partial('/dashboard/_changed-rows', { changed: found }));
      },
    }),

    route<Person, z.output<typeof ConversationPath>, z.output<typeof ConversationQuery>>({
      name: 'dashboard.desk.conversation',
      method: 'GET',
      path: '/admin/support-chat/:id',
      policy: admins('SUPPORT_CHAT'),
      face: 'page',
      params: ConversationPath,
      query: ConversationQuery,
      handle: (scope, input) => showConversation(deps, scope, input),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

type ConversationInput = RouteInput<z.output<typeof ConversationPath>, z.output<typeof ConversationQuery>, unknown>;

async function showConversation(deps: DashboardDeps, scope: Scope<Person>, input: ConversationInput): Promise<Reply> {
  const { query, params } = input;
  const view = { ...deskView(deps, scope, input, params.id), openId: params.id, about: aboutOf(query) };
  const show = deps.views.for(view.reader);
  switch (targetOf(input)) {
    case 'more':
      return fragment(show.partial('/dashboard/_rows', { list: await readList(scope, deps, view, query.cursor) }));
    case 'list':
      return listFragment(input, show, await readList(scope, deps, view), view);
    case 'notes-region':
      return fragment(show.partial('/dashboard/_details-inside', await readConversation(scope, deps, view)));
    case 'tools':
    case 'answer': {
      const { state } = await readState(scope, deps, view);
      return fragment(show.partial(`/dashboard/_${targetOf(input)}`, { thread: state }));
    }
    case 'thread-due': {
      const { state } = await readState(scope, deps, view);
      return fragment(show.partial('/dashboard/_thread-due', { thread: state }));
    }
    case 'conversation-state':
      return stateFragment(show, await readState(scope, deps, view));
    case 'live':
      return sinceFragment(deps, scope, show, view, query.after ?? 0);
    case 'earlier': {
      const { thread } = await readConversation(scope, deps, view, windowOf(query));
      return fragment(show.partial('/messaging/_older', { log: thread.log }));
    }
    case null:
      return deskPage(deps, scope, input, view, windowOf(query));
    default: {
      const open = await readConversation(scope, deps, view, windowOf(query));
      return fragment(show.partial('/dashboard/_opened', open));
    }
  }
}

/** The whole desk with a conversation open; also what a form answers that could not be taken. */
export async function deskPage(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>,
  view: DeskView & { readonly openId: string },
  window: LogWindow = { newest: true },
  status = 200,
): Promise<Reply> {
  const show = deps.views.for(view.reader);
  const open = await readConversation(scope, deps, view, window);
  const list = await readList(scope, deps, view);
  const shell = deskShell(deps, scope, show);
  return page(
    show.page('/dashboard/desk', {
      ...shell,
      ...intro(input),
      availability: await ownAvailability(scope),
      list,
      ...open,
      live: liveView(open.thread, scope.actor),
    }),
    status,
  );
}

/** What `views/messaging/_connection` takes: one connection for the list and the open conversation, also in a hidden tab. */
function liveView(thread: ThreadView | null, reader: Person) {
  const rooms = (thread?.rooms ?? `admin_support user_${reader.id}`).split(' ').map((text) => {
    const [room, after] = text.split('@');
    return { room, after };
  });
  return { rooms, pauses: false, pollUrl: thread?.pollUrl ?? null };
}

/** How a conversation stands: its head, and beside it the place to answer and the details. */
export function stateFragment(
  show: Show,
  { state, details }: { readonly state: ThreadState; readonly details: DetailsView },
): Reply {
  return fragment(show.partial('/dashboard/_state', { thread: state, details }));
}

/** The filter "mentions me" with its number. */
export function mentionsFragment(show: Show, mentions: MentionsView): Reply {
  return fragment(show.partial('/dashboard/_mentions', { mentions }));
}

/** The filter "late" with its number. */
function lateFragment(show: Show, late: LateView): Reply {
  return fragment(show.partial('/dashboard/_late', { late }));
}

/** Filters, reader and open conversation of a request. */
export function deskView(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Pick<RouteInput<unknown, DeskFilters, unknown>, 'query' | 'reader'>,
  openId: string | null,
): DeskView {
  return { filters: filtersOf(input.query), openId, reader: deskReader(deps, scope, input) };
}

/** The list, and after a change of the filters the address that the browser is to show for it: the conversation that is open stays in it. */
function listFragment(
  { ctx }: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>,
  show: Show,
  list: ListView,
  view: DeskView,
): Reply {
  const reply = fragment(show.partial('/dashboard/_list', { list }));
  if (!ctx.get('HX-Source').endsWith('#filters')) return reply;
  return { ...reply, headers: { 'HX-Push-Url': deskHref(view.openId, view.filters) } };
}

/** For a page without a live connection: what came after the last message it has. */
async function sinceFragment(
  deps: DashboardDeps,
  scope: Scope<Person>,
  show: Show,
  view: DeskView & { readonly openId: string },
  after: number,
): Promise<Reply> {
  const { conversation } = await readState(scope, deps, view);
  const { items } = await readLog(scope, conversation.id, { after }, 100);
  const messages = items.map((message) => messageItem(message, 'staff', conversation));
  const pieces = messages.map((message) => show.partial('/dashboard/_line', { message, newWord: '' }));
  const notes = await readNotes(scope, conversation.id, { fromSeq: after, beforeSeq: null }, 100);
  for (const note of notes.items) pieces.push(show.partial('/dashboard/_note', { message: noteLine(note) }));
  const isStateNew = messages.some((message) => message.event !== null);
  return fragment(
    ...pieces.map((piece) => stream.upsert('#messages', piece, { key: 'data-seq' })),
    ...(isStateNew ? ['<hx-reload hx-target="#conversation-state"></hx-reload>'] : []),
  );
}

/** The one message that the address names, and what is to be done with it. */
function aboutOf({ line, reply, edit }: z.output<typeof ConversationQuery>): DeskView['about'] {
  if (edit !== undefined) return { seq: edit, doing: 'edit' };
  if (reply !== undefined) return { seq: reply, doing: 'reply' };
  return line === undefined ? undefined : { seq: line, doing: 'choose' };
}

function windowOf({ before }: { readonly before?: number | undefined }): LogWindow {
  return before === undefined ? { newest: true } : { before };
}

/** Id of the element that htmx is about to swap (`section#thread` → `thread`); null for a page. */
function targetOf({ ctx }: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>): string | null {
  // not `isFragment`: a region that loads itself again picks it out of whatever comes, and the region is enough
  if (ctx.get('HX-Request') !== 'true') return null;
  return /#([a-z-]{1,40})$/.exec(ctx.get('HX-Target'))?.[1] ?? '';
}

/** The conversation that the browser has open beside the list that it asks for; only ever used for addresses. */
function openInBrowser({ ctx }: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>): string | null {
  const path = URL.parse(ctx.get('HX-Current-URL'))?.pathname ?? '';
  const [, id] = /^\/admin\/support-chat\/([^/]+)$/.exec(path) ?? [];
  return ConversationPath.safeParse({ id }).data?.id ?? null;
}

/** The filters that reload themselves, as they stand in the browser's address by now. */
function shownInBrowser({ ctx }: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>): { filters: DeskFilters } {
  const shown = URL.parse(ctx.get('HX-Current-URL'))?.searchParams;
  return {
    filters: {
      ...(shown?.get('mentions') === 'me' && { mentions: 'me' }),
      ...(shown?.get('late') === '1' && { late: '1' }),
    },
  };
}

function intro({ ctx }: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>): { intro: boolean } {
  return { intro: readCookie(ctx.req.headers.cookie, INTRO_COOKIE) !== 'hidden' };
}
