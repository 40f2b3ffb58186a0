import type { z } from 'zod';
import { type Person, signedIn } from '../identity/index.ts';
import {
  accessConversation,
  audienceOf,
  deleteMessage,
  editMessage,
  type Messaging,
  messageView,
  postMessage,
  reactToMessage,
  readLog,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { ConversationPath, MessagePath } from './fields.schema.ts';
import { reply } from './json-reply.ts';
import { logWindow, nextCursor } from './log-cursor.ts';
import {
  EditBody,
  MessageBody,
  MessageListQuery,
  MessageListReply,
  MessageReply,
  ReactionBody,
} from './message.schema.ts';

/** The messages of a conversation, as both sides reach them. */
export function messageRoutes({ messaging }: { readonly messaging: Messaging }): Route[] {
  const { links } = messaging.files;
  return [
    route({
      name: 'api.messages.list',
      method: 'GET',
      path: '/api/support/conversations/:id/messages',
      policy: signedIn(),
      face: 'json',
      params: ConversationPath,
      query: MessageListQuery,
      reply: MessageListReply,
      summary: 'A page of messages, oldest first: after, before, changedAfter, or the newest.',
      async handle(scope: Scope<Person>, { params, query }) {
        const conversation = await accessConversation(scope, params.id);
        const window = logWindow(query);
        const page = await readLog(scope, conversation.id, window, query.limit);
        const audience = audienceOf(scope.actor);
        return reply(MessageListReply, {
          items: page.items.map((one) => messageView(one, audience, conversation, links)),
          nextCursor: nextCursor(window, page),
        });
      },
    }),
    // the way of every message: no EntityManager, no query before the append
    route({
      name: 'api.messages.post',
      method: 'POST',
      path: '/api/support/conversations/:id/messages',
      policy: signedIn(),
      face: 'json',
      needsEm: false,
      params: ConversationPath,
      body: MessageBody,
      reply: MessageReply,
      summary: 'Sends a message: 201, or 200 with the stored one when it repeats an earlier send.',
      async handle(scope: Scope<Person>, { params, body }) {
        const { message, isNew, marks } = await postMessage(scope, messaging, {
          ...body,
          body: body.body ?? '',
          conversationId: params.id,
        });
        return reply(
          MessageReply,
          { message: messageView(message, audienceOf(scope.actor), marks, links) },
          isNew ? 201 : 200,
        );
      },
    }),
    route({
      name: 'api.messages.edit',
      method: 'PATCH',
      path: '/api/support/conversations/:id/messages/:messageId',
      policy: signedIn(),
      face: 'json',
      params: MessagePath,
      body: EditBody,
      reply: MessageReply,
      summary: "Replaces the text of one's own message.",
      async handle(scope: Scope<Person>, { params, body }) {
        const { id: conversationId, messageId } = params;
        const own = await editMessage(scope, messaging, { conversationId, messageId, body: body.body });
        return reply(MessageReply, {
          message: messageView(own.message, audienceOf(scope.actor), own.conversation, links),
        });
      },
    }),
    route({
      name: 'api.messages.delete',
      method: 'DELETE',
      path: '/api/support/conversations/:id/messages/:messageId',
      policy: signedIn(),
      face: 'json',
      params: MessagePath,
      reply: MessageReply,
      summary: "Takes the text of one's own message away; its place stays.",
      async handle(scope: Scope<Person>, { params }) {
        const own = await deleteMessage(scope, { conversationId: params.id, messageId: params.messageId });
        return reply(MessageReply, {
          message: messageView(own.message, audienceOf(scope.actor), own.conversation, links),
        });
      },
    }),
    route({
      name: 'api.messages.react',
      method: 'PUT',
      path: '/api/support/conversations/:id/messages/:messageId/reaction',
      policy: signedIn(),
      face: 'json',
      params: MessagePath,
      body: ReactionBody,
      reply: MessageReply,
      summary: "The caller's word on a message of the other side, in place of the one they had.",
      handle: (scope: Scope<Person>, { params, body }) => react(scope, params, body.reaction),
    }),
    route({
      name: 'api.messages.take-back-reaction',
      method: 'DELETE',
      path: '/api/support/conversations/:id/messages/:messageId/reaction',
      policy: signedIn(),
      face: 'json',
      params: MessagePath,
      reply: MessageReply,
      summary: "Takes the caller's word on a message back.",
      handle: (scope: Scope<Person>, { params }) => react(scope, params, null),
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];

  async function react(
    scope: Scope<Person>,
    { id: conversationId, messageId }: z.output<typeof MessagePath>,
    reaction: z.output<typeof ReactionBody>['reaction'] | null,
  ) {
    const { message, conversation } = await reactToMessage(scope, messaging, { conversationId, messageId, reaction });
    return reply(MessageReply, { message: messageView(message, audienceOf(scope.actor), conversation, links) });
  }
}
