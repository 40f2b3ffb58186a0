import { z } from 'zod';
import { assignConversation, closeConversation, reopenConversation } from '../desk/index.ts';
import { admins, type Capability, type Person } from '../identity/index.ts';
import { markRead, messageView, postMessage } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError } from '../platform/errors/index.ts';
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
import { ActionQuery, AssignBody, ConversationPath, ReadBody, ReplyBody } from './desk.input.ts';
import { deskPage, deskView, INTRO_COOKIE, stateFragment } from './desk.routes.ts';
import { DESK, deskHref } from './desk-address.ts';
import { readState } from './desk-page.ts';

type Path = z.output<typeof ConversationPath>;
type Query = z.output<typeof ActionQuery>;

/** What agents do with a conversation. Forms answer 303 to the conversation; htmx gets the pieces that changed. */
export function deskActionRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, Path, Query, z.output<typeof ReplyBody>>({
      name: 'dashboard.messages.create',
      method: 'POST',
      path: '/admin/support-chat/:id/messages',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'page',
      bodyKind: 'form',
      params: ConversationPath,
      query: ActionQuery,
      body: ReplyBody,
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

/** Whom the form names: the caller by claiming or taking over, a colleague, or nobody. */
function assignee({ actor }: Scope<Person>, { takeOver, adminId }: z.output<typeof AssignBody>) {
  if (takeOver) return { adminId: actor.id };
  if (adminId === undefined) return {};
  return { adminId: adminId === 'none' ? null : adminId };
}

type AnswerInput = RouteInput<Path, Query, z.output<typeof ReplyBody>>;

/** Posts an answer. What a plain form could not send is shown again, with the reason and the text. */
async function answer(deps: DashboardDeps, scope: Scope<Person>, input: AnswerInput): Promise<Reply> {
  const { id } = input.params;
  const { body, clientId, seen, takeOver } = input.body;
  const view = { ...deskView(deps, scope, input, id), openId: id };
  const show = deps.views.for(view.reader);
  try {
    const posted = { conversationId: id, body, clientId, takeOver: takeOver === 'true' };
    const { message } = await postMessage(scope, deps.messaging, posted);
    if (seen) await markRead(scope, id, seen);
    if (!input.isFragment) return seeOther(`${deskHref(id, view.filters)}#m${message.seq}`);
    const item = show.partial('/messaging/_message', { message: messageView(message, 'staff'), newWord: '' });
    return fragment(stream.upsert('#messages', item, { key: 'data-seq' }));
  } catch (error) {
    if (input.isFragment || !(error instanceof AppError) || error.status === 404) throw error;
    const refused = { as: 'answer' as const, text: body, clientId, error };
    return deskPage(deps, scope, input, { ...view, refused }, { newest: true }, error.status);
  }
}
