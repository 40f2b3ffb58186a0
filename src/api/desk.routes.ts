import { assignConversation, closeConversation, reopenConversation } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import { conversationFor, listConversations, type Messaging } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { AssignBody, ConversationListReply, ConversationReply, StaffListQuery } from './conversation.schema.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';

/** What staff do with conversations. */
export function deskRoutes({ messaging }: { readonly messaging: Messaging }): Route[] {
  return [
    route({
      name: 'api.desk.list',
      method: 'GET',
      path: '/api/admin/support/conversations',
      policy: admins('VIEW_SUPPORT_CHAT_LIST'),
      face: 'json',
      query: StaffListQuery,
      reply: ConversationListReply,
      summary: 'All conversations of support, newest last message first, narrowed by filters.',
      async handle(scope: Scope<Person>, { query: { cursor, limit, ...filters } }) {
        const { items, nextCursor } = await listConversations(scope, messaging, filters, { cursor, limit });
        return reply(ConversationListReply, { items: items.map((one) => one.conversation), nextCursor });
      },
    }),
    route({
      name: 'api.desk.assign',
      method: 'POST',
      path: '/api/admin/support/conversations/:id/assign',
      policy: admins('ASSIGN_SUPPORT_CHAT'),
      face: 'json',
      params: ConversationPath,
      body: AssignBody,
      reply: ConversationReply,
      summary: 'Claims a conversation; with adminId hands it over; with adminId null releases it.',
      async handle(scope: Scope<Person>, { params, body }) {
        const conversation = await assignConversation(scope, params.id, body);
        return reply(ConversationReply, { conversation: await conversationFor(scope, conversation) });
      },
    }),
    route({
      name: 'api.desk.close',
      method: 'POST',
      path: '/api/admin/support/conversations/:id/close',
      policy: admins('CLOSE_SUPPORT_CHAT'),
      face: 'json',
      params: ConversationPath,
      reply: ConversationReply,
      summary: 'Closes a conversation; one that is closed stays as it is.',
      async handle(scope: Scope<Person>, { params }) {
        const conversation = await closeConversation(scope, params.id);
        return reply(ConversationReply, { conversation: await conversationFor(scope, conversation) });
      },
    }),
    route({
      name: 'api.desk.reopen',
      method: 'POST',
      path: '/api/admin/support/conversations/:id/reopen',
      policy: admins('CLOSE_SUPPORT_CHAT'),
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
