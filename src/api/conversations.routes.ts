import { reopenConversation } from '../desk/index.ts';
import { type Person, signedIn, users } from '../identity/index.ts';
import {
  accessConversation,
  audienceOf,
  conversationFor,
  listMyConversations,
  type Messaging,
  markRead,
  messageView,
  startConversation,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import {
  ConversationListReply,
  ConversationReply,
  MyListQuery,
  ReadBody,
  ReadReply,
  StartBody,
  StartReply,
} from './conversation.schema.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';

/** Conversations, as both sides reach them. */
export function conversationRoutes({ messaging }: { readonly messaging: Messaging }): Route[] {
  return [
    route({
      name: 'api.conversations.start',
      method: 'POST',
      path: '/api/support/conversations',
      policy: users(),
      face: 'json',
      body: StartBody,
      reply: StartReply,
      summary: 'Opens a conversation (201), or appends to the one that is open (200).',
      async handle(scope: Scope<Person>, { body }) {
        const started = await startConversation(scope, messaging, body);
        const conversation = await conversationFor(scope, started.conversation);
        const message =
          started.message &&
          messageView(started.message, audienceOf(scope.actor), started.conversation, messaging.files.links);
        return reply(StartReply, { conversation, ...(message ? { message } : {}) }, started.created ? 201 : 200);
      },
    }),
    route({
      name: 'api.conversations.mine',
      method: 'GET',
      path: '/api/support/conversations/me',
      policy: signedIn(),
      face: 'json',
      query: MyListQuery,
      reply: ConversationListReply,
      summary: "The caller's own conversations, newest last message first.",
      async handle(scope: Scope<Person>, { query }) {
        const { items, nextCursor } = await listMyConversations(scope, query);
        return reply(ConversationListReply, { items: items.map((one) => one.conversation), nextCursor });
      },
    }),
    route({
      name: 'api.conversations.show',
      method: 'GET',
      path: '/api/support/conversations/:id',
      policy: signedIn(),
      face: 'json',
      params: ConversationPath,
      reply: ConversationReply,
      summary: 'One conversation.',
      async handle(scope: Scope<Person>, { params }) {
        const conversation = await accessConversation(scope, params.id);
        return reply(ConversationReply, { conversation: await conversationFor(scope, conversation) });
      },
    }),
    route({
      name: 'api.conversations.read',
      method: 'POST',
      path: '/api/support/conversations/:id/read',
      policy: signedIn(),
      face: 'json',
      params: ConversationPath,
      body: ReadBody,
      reply: ReadReply,
      summary: "Moves the caller's read mark forward, never back; answers where it stands.",
      async handle(scope: Scope<Person>, { params, body }) {
        const { seq } = await markRead(scope, params.id, body.seq);
        return reply(ReadReply, { seq });
      },
    }),
    route({
      name: 'api.conversations.reopen',
      method: 'POST',
      path: '/api/support/conversations/:id/reopen',
      policy: signedIn(),
      face: 'json',
      params: ConversationPath,
      reply: ConversationReply,
      summary: 'Opens a closed conversation again; one that is open stays as it is.',
      async handle(scope: Scope<Person>, { params }) {
        const conversation = await reopenConversation(scope, messaging, params.id);
        return reply(ConversationReply, { conversation: await conversationFor(scope, conversation) });
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}
