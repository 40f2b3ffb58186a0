import { z } from 'zod';
import { reopenConversation } from '../desk/index.ts';
import { type Person, users } from '../identity/index.ts';
import {
  findOpenConversation,
  type LogWindow,
  markRead,
  messageView,
  postMessage,
  startConversation,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError, Conflict } from '../platform/errors/index.ts';
import { fragment, noContent, page, type Reply, type Route, route, seeOther } from '../platform/http/index.ts';
import { type Show, stream } from '../platform/views/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { conversationPage, type LogView, type Refused, readConversation } from './conversation-page.ts';
import { listPage } from './list-page.ts';
import { conversationPath } from './paths.ts';
import { showUser } from './show-user.ts';

const UserPath = z.strictObject({ userType: z.string() });
const ConversationPath = z.strictObject({ userType: z.string(), id: z.uuid() });

/** A place in the log as links and forms write it. */
const Place = z.coerce.number().int().min(0).max(2_147_483_647);

const Typed = z.strictObject({
  body: z.string(),
  clientId: z.uuid(),
  /** Last message that the page showed; moves the read mark where no script does. */
  seen: Place.optional(),
});

/** A user's conversations: list, start, read, write, reopen. All work as plain pages and forms; htmx gets fragments. */
export function conversationRoutes(deps: ChatDeps): Route<Person>[] {
  return [
    route<Person, z.infer<typeof UserPath>>({
      name: 'chat.conversations.list',
      method: 'GET',
      path: '/:userType/support',
      policy: users(),
      face: 'page',
      params: UserPath,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        return page(show.page('/chat/conversations', await listPage(deps, scope)));
      },
    }),

    route<Person, z.infer<typeof UserPath>, unknown, z.infer<typeof Typed>>({
      name: 'chat.conversations.start',
      method: 'POST',
      path: '/:userType/support',
      policy: users(),
      face: 'page',
      params: UserPath,
      bodyKind: 'form',
      body: Typed,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const { body, clientId } = input.body;
        try {
          const { conversation } = await startConversation(scope, deps.messaging, { message: { body, clientId } });
          return seeOther(conversationPath(scope.actor.userType, conversation.id));
        } catch (error) {
          if (input.isFragment || !(error instanceof AppError)) throw error;
          return await refusedStart(deps, scope, show, { text: body, clientId, error });
        }
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, { after?: number | undefined; before?: number | undefined }>({
      name: 'chat.conversations.read',
      method: 'GET',
      path: '/:userType/support/conversations/:id',
      policy: users(),
      face: 'page',
      params: ConversationPath,
      query: z.object({ after: Place.optional(), before: Place.optional() }),
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const { conversation, log } = await readConversation(scope, input.params.id, logWindow(input));
        if (input.isFragment) return logFragment(show, log, input.query.after !== undefined);
        return page(show.page('/chat/conversation', conversationPage(deps, scope, conversation, log)));
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, z.infer<typeof Typed>>({
      name: 'chat.messages.create',
      method: 'POST',
      path: '/:userType/support/conversations/:id/messages',
      policy: users(),
      face: 'page',
      params: ConversationPath,
      bodyKind: 'form',
      body: Typed,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const { id } = input.params;
        const { body, clientId, seen } = input.body;
        try {
          const { message } = await postMessage(scope, deps.messaging, { conversationId: id, body, clientId });
          if (input.isFragment) return messageFragment(show, messageView(message, 'user'));
          if (seen) await markRead(scope, id, seen);
          return seeOther(`${conversationPath(scope.actor.userType, id)}#m${message.seq}`);
        } catch (error) {
          if (input.isFragment || !(error instanceof AppError) || error.status === 404) throw error;
          const { conversation, log } = await readConversation(scope, id, { newest: true });
          const refused = { text: body, clientId, error };
          const view = conversationPage(deps, scope, conversation, log, refused);
          return page(show.page('/chat/conversation', view), error.status);
        }
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, { seq: number }>({
      name: 'chat.conversations.mark-read',
      method: 'POST',
      path: '/:userType/support/conversations/:id/read',
      policy: users(),
      face: 'page',
      params: ConversationPath,
      bodyKind: 'form',
      body: z.strictObject({ seq: Place }),
      async handle(scope, input) {
        showUser(deps, scope, input);
        await markRead(scope, input.params.id, input.body.seq);
        return noContent();
      },
    }),

    route<Person, z.infer<typeof ConversationPath>>({
      name: 'chat.conversations.reopen',
      method: 'POST',
      path: '/:userType/support/conversations/:id/reopen',
      policy: users(),
      face: 'page',
      params: ConversationPath,
      bodyKind: 'form',
      async handle(scope, input) {
        showUser(deps, scope, input);
        const path = (id: string) => conversationPath(scope.actor.userType, id);
        try {
          await reopenConversation(scope, deps.messaging, input.params.id);
        } catch (error) {
          const other = error instanceof Conflict && error.detail?.['conversationId'];
          if (typeof other !== 'string') throw error;
          return seeOther(path(other));
        }
        return seeOther(path(input.params.id));
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** The text again with the reason: where the next conversation starts, or in the open one, where there is no start. */
async function refusedStart(deps: ChatDeps, scope: Scope<Person>, show: Show, refused: Refused): Promise<Reply> {
  const { status } = refused.error;
  const open = await findOpenConversation(scope, 'support', scope.actor.id);
  if (!open) return page(show.page('/chat/conversations', await listPage(deps, scope, refused)), status);
  const { conversation, log } = await readConversation(scope, open.id, { newest: true });
  return page(show.page('/chat/conversation', conversationPage(deps, scope, conversation, log, refused)), status);
}

function logWindow(input: {
  readonly isFragment: boolean;
  readonly query: { readonly after?: number | undefined; readonly before?: number | undefined };
}): LogWindow {
  const { after, before } = input.query;
  if (before !== undefined) return { before };
  // only a page that shows the rest already can do with what is new
  return input.isFragment && after !== undefined ? { after } : { newest: true };
}

/** For "earlier messages", or for a page that has to ask again and again. */
function logFragment(show: Show, log: LogView, isPoll: boolean): Reply {
  if (!isPoll) return fragment(show.partial('/messaging/_older', { log }));
  const isStateNew = log.messages.some((message) => message.event !== null);
  return fragment(
    ...log.messages.map((message) => upserted(show, message)),
    ...(isStateNew ? ['<hx-reload hx-target="#conversation-state"></hx-reload>'] : []),
  );
}

function messageFragment(show: Show, message: LogView['messages'][number]): Reply {
  return fragment(upserted(show, message));
}

function upserted(show: Show, message: LogView['messages'][number]): string {
  const item = show.partial('/messaging/_message', { message, newWord: '' });
  return stream.upsert('#messages', item, { key: 'data-seq' });
}
