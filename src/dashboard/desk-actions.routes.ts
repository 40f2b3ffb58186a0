import { z } from 'zod';
import { assignConversation, closeConversation, reopenConversation } from '../desk/index.ts';
import { admins, type Capability, type Person } from '../identity/index.ts';
import {
  accessConversation,
  type Conversation,
  deleteMessage,
  editMessage,
  MAX_ATTACHMENTS,
  markRead,
  messageItem,
  messageView,
  postMessage,
  reactToMessage,
  readLog,
  receiveForm,
  type StoredMessage,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError, Conflict, NotFound } from '../platform/errors/index.ts';
import {
  fragment,
  noContent,
  type Reply,
  type Route,
  type RouteInput,
  route,
  seeOther,
} from '../platform/http/index.ts';
import { stream } from '../platform/views/index.ts';
import type { DashboardDeps } from './dashboard-deps.ts';
import {
  ActionQuery,
  AssignBody,
  ConversationPath,
  DeleteBody,
  EditBody,
  ReactBody,
  ReadBody,
  ReplyBody,
} from './desk.input.ts';
import { deskPage, deskView, INTRO_COOKIE, stateFragment } from './desk.routes.ts';
import { DESK, deskHref } from './desk-address.ts';
import { messageAt, readState } from './desk-page.ts';

type Path = z.output<typeof ConversationPath>;
type Query = z.output<typeof ActionQuery>;

/** What agents do with a conversation. Forms answer 303 to the conversation; htmx gets the pieces that changed. */
export function deskActionRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, Path, Query, z.output<typeof ReplyBody> | null>({
      name: 'dashboard.messages.create',
      method: 'POST',
      path: '/admin/support-chat/:id/messages',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'page',
      bodyKind: 'form',
      params: ConversationPath,
      query: ActionQuery,
      body: ReplyBody,
      takesFiles: true,
      handle: (scope, input) => answer(deps, scope, input),
    }),

    route<Person, Path, unknown, z.output<typeof ReadBody>>({
      name: 'dashboard.conversations.mark-read',
      method: 'POST',
      path: '/admin/support-chat/:id/read',
      policy: admins('SUPPORT_CHAT'),
      face: 'page',
      bodyKind: 'form',
      params: ConversationPath,
      body: ReadBody,
      async handle(scope, { params, body }) {
        await markRead(scope, params.id, body.seq);
        return noContent();
      },
    }),

    changeRoute(deps, 'edit', EditBody, (scope, { conversation, message }, { body }) =>
      editMessage(scope, deps.messaging, { conversationId: conversation.id, messageId: message.id, body }),
    ),
    changeRoute(deps, 'delete', DeleteBody, (scope, { conversation, message }) =>
      deleteMessage(scope, { conversationId: conversation.id, messageId: message.id }),
    ),

    changeRoute(deps, 'reactions', ReactBody, (scope, { conversation, message }, { reaction }) => {
      const had = messageView(message, 'staff').reactions.find((one) => one.participant.id === scope.actor.id);
      return reactToMessage(scope, deps.messaging, {
        conversationId: conversation.id,
        messageId: message.id,
        reaction: had?.reaction === reaction ? null : reaction,
      });
    }),

    stateRoute(deps, 'assign', 'ASSIGN_SUPPORT_CHAT', AssignBody, (scope, id, body) =>
      assignConversation(scope, id, assignee(scope, body)),
    ),
    stateRoute(deps, 'close', 'CLOSE_SUPPORT_CHAT', z.strictObject({}), (scope, id) => closeConversation(scope, id)),
    stateRoute(deps, 'reopen', 'CLOSE_SUPPORT_CHAT', z.strictObject({}), (scope, id) =>
      reopenConversation(scope, deps.messaging, id),
    ),

    route<Person>({
      name: 'dashboard.desk.dismiss-intro',
      method: 'POST',
      path: '/admin/support-chat/intro',
      policy: admins('SUPPORT_CHAT'),
      face: 'page',
      bodyKind: 'form',
      needsEm: false,
      handle(_scope, input) {
        const headers = {
          'Set-Cookie': `${INTRO_COOKIE}=hidden; Path=${DESK}; Max-Age=31536000; SameSite=Lax; HttpOnly`,
        };
        return input.isFragment ? { ...fragment(), headers } : seeOther(DESK, headers);
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** Assign, close and reopen differ in the right they need and in the use case; asking and answering is the same. */
function stateRoute<B>(
  deps: DashboardDeps,
  verb: 'assign' | 'close' | 'reopen',
  capability: Capability,
  body: z.ZodType<B>,
  act: (scope: Scope<Person>, id: string, body: B) => Promise<unknown>,
): Route<Person, Path, Query, B> {
  return route<Person, Path, Query, B>({
    name: `dashboard.conversations.${verb}`,
    method: 'POST',
    path: `/admin/support-chat/:id/${verb}`,
    policy: admins(capability),
    face: 'page',
    bodyKind: 'form',
    params: ConversationPath,
    query: ActionQuery,
    body,
    async handle(scope, input) {
      await act(scope, input.params.id, input.body);
      const view = { ...deskView(deps, scope, input, input.params.id), openId: input.params.id };
      if (!input.isFragment) return seeOther(deskHref(view.openId, view.filters));
      return stateFragment(deps.views.for(view.reader), await readState(scope, deps, view));
    },
  });
}

/** Changing one's own message, or putting a word on another's: its place says which. htmx gets the message, and the place to answer as it is without it. */
function changeRoute<B extends { readonly seq: number }>(
  deps: DashboardDeps,
  verb: 'edit' | 'delete' | 'reactions',
  body: z.ZodType<B>,
  act: (
    scope: Scope<Person>,
    about: { readonly conversation: Conversation; readonly message: StoredMessage },
    body: B,
  ) => Promise<{ readonly message: StoredMessage; readonly conversation: Conversation }>,
): Route<Person, Path, Query, B> {
  return route<Person, Path, Query, B>({
    name: `dashboard.messages.${verb}`,
    method: 'POST',
    path: `/admin/support-chat/:id/${verb}`,
    policy: admins('REPLY_SUPPORT_CHAT'),
    face: 'page',
    bodyKind: 'form',
    params: ConversationPath,
    query: ActionQuery,
    body,
    async handle(scope, input) {
      const { seq } = input.body;
      const conversation = await accessConversation(scope, input.params.id);
      const message = await messageAt(scope, conversation.id, seq);
      if (!message) throw new NotFound();
      const own = await act(scope, { conversation, message }, input.body);
      const view = { ...deskView(deps, scope, input, conversation.id), openId: conversation.id };
      if (!input.isFragment) return seeOther(`${deskHref(conversation.id, view.filters)}#m${seq}`);
      const show = deps.views.for(view.reader);
      const { state } = await readState(scope, deps, view);
      const line = show.partial('/dashboard/_line', { message: messageItem(own.message, 'staff', own.conversation) });
      return fragment(
        show.partial(verb === 'edit' ? '/dashboard/_answer' : '/dashboard/_tools', { thread: state }),
        stream.upsert('#messages', line, { key: 'data-seq' }),
      );
    },
  });
}

/** Whom the form names: the caller by claiming or taking over, a colleague, or nobody. */
function assignee({ actor }: Scope<Person>, { takeOver, adminId, note, noteId }: z.output<typeof AssignBody>) {
  if (takeOver) return { adminId: actor.id };
  if (adminId === undefined) return {};
  return {
    adminId: adminId === 'none' ? null : adminId,
    ...(note?.trim() && { note: { body: note, clientId: noteId } }),
  };
}

type AnswerInput = RouteInput<Path, Query, z.output<typeof ReplyBody> | null>;

/** Posts an answer. What a plain form could not send is shown again, with the reason and the text. */
async function answer(deps: DashboardDeps, scope: Scope<Person>, input: AnswerInput): Promise<Reply> {
  const { id } = input.params;
  const { typed, kept, error: refusal } = await typedIn(deps, scope, input);
  const { body, clientId, seen, takeOver, replyTo, since = seen } = typed;
  const attachmentIds = [...new Set([...(typed.attachmentIds ?? []), ...kept])];
  const view = { ...deskView(deps, scope, input, id), openId: id };
  const show = deps.views.for(view.reader);
  try {
    if (refusal) throw refusal;
    const replied = replyTo === undefined ? undefined : await messageAt(scope, id, replyTo);
    if (since !== undefined) await refuseWhenAnswered(scope, id, { since, clientId });
    const answered = { conversationId: id, body, clientId, takeOver: takeOver === 'true', replyToId: replied?.id };
    const posted = { ...answered, attachmentIds };
    const { message } = await postMessage(scope, deps.messaging, posted);
    if (seen) await markRead(scope, id, seen);
    if (!input.isFragment) return seeOther(`${deskHref(id, view.filters)}#m${message.seq}`);
    const item = show.partial('/dashboard/_line', { message: messageItem(message, 'staff'), newWord: '' });
    return fragment(stream.upsert('#messages', item, { key: 'data-seq' }));
  } catch (error) {
    if (input.isFragment || !(error instanceof AppError) || error.status === 404) throw error;
    const refused = { as: 'answer' as const, text: body, clientId, attachmentIds, error };
    return deskPage(deps, scope, input, { ...view, refused }, { newest: true }, error.status);
  }
}

/** What was typed, and ids of the files that came with it. */
async function typedIn(
  { messaging }: DashboardDeps,
  scope: Scope<Person>,
  { body, params, ctx }: AnswerInput,
): Promise<{ typed: z.output<typeof ReplyBody>; kept: readonly string[]; error: AppError | null }> {
  if (body !== null) return { typed: body, kept: [], error: null };
  const form = { conversationId: params.id, maxFiles: MAX_ATTACHMENTS, schema: ReplyBody };
  const { typed, kept, error } = await receiveForm(scope, messaging, ctx.req, form);
  return { typed, kept: kept.map(({ attachment }) => attachment.id), error };
}

/** More than this has come meanwhile: nobody is shown that much before an answer. */
const LOOKED_AT = 100;

/**
 * An answer that came while one was writing is read before one's own goes out: the text stays, and the next try is about
 * what stands there by then.
 * @throws Conflict `answered_meanwhile`
 */
async function refuseWhenAnswered(
  scope: Scope<Person>,
  conversationId: string,
  { since, clientId }: { readonly since: number; readonly clientId: string },
): Promise<void> {
  const { id } = await accessConversation(scope, conversationId);
  const { items } = await readLog(scope, id, { after: since }, LOOKED_AT);
  const isAnswered = items.some(({ senderType, senderId }) => senderType === 'admin' && senderId !== scope.actor.id);
  // one's own that is stored already is a repeat, and is answered like the first time
  const isRepeat = items.some((one) => one.senderId === scope.actor.id && one.clientId === clientId.toLowerCase());
  if (isAnswered && !isRepeat) throw new Conflict('answered_meanwhile', 'A colleague has answered meanwhile.');
}
