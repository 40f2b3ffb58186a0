import { z } from 'zod';
import { rateConversation, reopenConversation } from '../desk/index.ts';
import { type Person, users } from '../identity/index.ts';
import {
  accessConversation,
  findOpenConversation,
  type LogWindow,
  MAX_ATTACHMENTS,
  markRead,
  messageItem,
  messageView,
  postMessage,
  REACTIONS,
  reactToMessage,
  readLog,
  receiveForm,
  startConversation,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type AppError, Conflict, NotFound, NotSignedIn } from '../platform/errors/index.ts';
import {
  expectedError,
  fragment,
  noContent,
  page,
  type Reply,
  type Route,
  type RouteInput,
  route,
  seeOther,
  waitHeaders,
} from '../platform/http/index.ts';
import { type Show, stream } from '../platform/views/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import {
  conversationPage,
  type LogView,
  type Refused,
  readConversation,
  statePart,
  type Typed as Typing,
} from './conversation-page.ts';
import { listPage } from './list-page.ts';
import { conversationPath, supportPath } from './paths.ts';
import { showUser } from './show-user.ts';
import { chosenTopic } from './topics.ts';
import { transcript } from './transcript.ts';

const UserPath = z.strictObject({ userType: z.string() });
const ConversationPath = z.strictObject({ userType: z.string(), id: z.uuid() });

/** A place in the log as links and forms write it. */
const Place = z.coerce.number().int().min(0).max(2_147_483_647);

const Typed = z.strictObject({
  body: z.string(),
  clientId: z.uuid(),
  /** Last message that the page showed; moves the read mark where no script does. */
  seen: Place.optional(),
  /** Files that the page has uploaded. */
  attachmentIds: z.array(z.uuid()).max(MAX_ATTACHMENTS).optional(),
});

/** A page of the log, the state alone (for a page that is open), or a page that asks again and again by itself. */
const Asked = z.object({
  after: Place.optional(),
  before: Place.optional(),
  part: z.string().max(10).optional(),
  follow: z.string().max(1).optional(),
});

/** The first message says, beside, what it is about. */
const Started = Typed.extend({ topic: z.string().max(100).optional() });

/** A word on a message of staff; the same again takes it back. */
const Reacted = z.strictObject({ seq: Place.min(1), reaction: z.enum(REACTIONS) });

/** In an open conversation: its text, or (`check`) a look whether something is new that keeps the text where it is. */
const Written = Typed.extend({ check: z.string().max(1).optional() });

/** Opening again may take along what could not be sent because the conversation was closed. */
const Reopened = Typed.partial();

const Rated = z.strictObject({
  score: z.coerce.number().int().min(1).max(5),
  comment: z.string().max(4_000).optional(),
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
      framed: true,
      params: UserPath,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        return page(show.page('/chat/conversations', await listPage(deps, scope)));
      },
    }),

    route<Person, z.infer<typeof UserPath>, unknown, z.infer<typeof Started> | null>({
      name: 'chat.conversations.start',
      method: 'POST',
      path: '/:userType/support',
      policy: users(),
      face: 'page',
      framed: true,
      params: UserPath,
      bodyKind: 'form',
      body: Started,
      takesFiles: true,
      whenSignedOut: (input) => signedOut(deps, input, supportPath(input.params.userType)),
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const { typed, kept, error } = await typedIn(deps, scope, input, Started, null);
        const { body, clientId } = typed;
        const topic = chosenTopic(scope.actor.userType, typed.topic);
        const attachmentIds = [...new Set([...(typed.attachmentIds ?? []), ...kept])];
        try {
          if (error) throw error;
          const message = { body, clientId, attachmentIds };
          const { conversation } = await startConversation(scope, deps.messaging, { topic, message });
          return seeOther(conversationPath(scope.actor.userType, conversation.id));
        } catch (error) {
          const known = input.isFragment ? null : expectedError(error);
          if (!known) throw error;
          if (known.status === 503) {
            const action = supportPath(scope.actor.userType);
            return unstored(show, known, { action, clientId, text: body, topic });
          }
          const files = keptFiles(known, attachmentIds);
          return await refusedStart(deps, scope, show, {
            text: body,
            clientId,
            topic,
            attachmentIds: files,
            error: known,
          });
        }
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, z.infer<typeof Asked>>({
      name: 'chat.conversations.read',
      method: 'GET',
      path: '/:userType/support/conversations/:id',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      query: Asked,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        if (input.query.part === 'state') {
          const conversation = await accessConversation(scope, input.params.id);
          return fragment(show.partial('/chat/_state', await statePart(deps, scope, conversation)));
        }
        const { conversation, log } = await readConversation(scope, input.params.id, logWindow(input));
        if (input.isFragment) {
          const isPoll = input.query.after !== undefined;
          return logFragment(show, log, isPoll ? await statePart(deps, scope, conversation) : null);
        }
        const view = await conversationPage(deps, scope, conversation, log);
        return page(show.page('/chat/conversation', { ...view, follows: input.query.follow === '1' }));
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, z.infer<typeof Written> | null>({
      name: 'chat.messages.create',
      method: 'POST',
      path: '/:userType/support/conversations/:id/messages',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      bodyKind: 'form',
      body: Written,
      takesFiles: true,
      whenSignedOut: (input) =>
        signedOut(deps, input, `${conversationPath(input.params.userType, input.params.id)}/messages`),
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        return await takeTyped(deps, scope, show, input);
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, { seq: number }>({
      name: 'chat.conversations.mark-read',
      method: 'POST',
      path: '/:userType/support/conversations/:id/read',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      bodyKind: 'form',
      body: z.strictObject({ seq: Place }),
      async handle(scope, input) {
        showUser(deps, scope, input);
        await markRead(scope, input.params.id, input.body.seq);
        return noContent();
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, z.infer<typeof Reacted>>({
      name: 'chat.messages.react',
      method: 'POST',
      path: '/:userType/support/conversations/:id/reactions',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      bodyKind: 'form',
      body: Reacted,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const { id } = await accessConversation(scope, input.params.id);
        const { seq, reaction } = input.body;
        const message = (await readLog(scope, id, { after: seq - 1 }, 1)).items.find((one) => one.seq === seq);
        if (!message) throw new NotFound();
        const had = messageView(message, 'user').reactions.find((one) => one.participant.id === scope.actor.id);
        const changed = await reactToMessage(scope, deps.messaging, {
          conversationId: id,
          messageId: message.id,
          reaction: had?.reaction === reaction ? null : reaction,
        });
        if (input.isFragment) return messageFragment(show, messageItem(changed.message, 'user', changed.conversation));
        return seeOther(`${conversationPath(scope.actor.userType, id)}#m${seq}`);
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, z.infer<typeof Reopened> | null>({
      name: 'chat.conversations.reopen',
      method: 'POST',
      path: '/:userType/support/conversations/:id/reopen',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      bodyKind: 'form',
      body: Reopened,
      takesFiles: true,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const path = (id: string) => conversationPath(scope.actor.userType, id);
        try {
          await reopenConversation(scope, deps.messaging, input.params.id);
        } catch (error) {
          const other = error instanceof Conflict && error.detail?.['conversationId'];
          if (typeof other !== 'string') throw error;
          return seeOther(path(other));
        }
        if (input.body === null) return await takeTyped(deps, scope, show, { ...input, body: null });
        const { body = '', clientId, ...rest } = input.body;
        if (!clientId || (!body && !rest.attachmentIds?.length)) return seeOther(path(input.params.id));
        return await takeTyped(deps, scope, show, { ...input, body: { ...rest, body, clientId } });
      },
    }),

    route<Person, z.infer<typeof ConversationPath>, unknown, z.infer<typeof Rated>>({
      name: 'chat.conversations.rate',
      method: 'POST',
      path: '/:userType/support/conversations/:id/rating',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      bodyKind: 'form',
      body: Rated,
      async handle(scope, input) {
        showUser(deps, scope, input);
        const { score, comment } = input.body;
        await rateConversation(scope, input.params.id, { score, comment: comment ?? null });
        return seeOther(`${conversationPath(scope.actor.userType, input.params.id)}#conversation-state`);
      },
    }),

    route<Person, z.infer<typeof ConversationPath>>({
      name: 'chat.conversations.transcript',
      method: 'GET',
      path: '/:userType/support/conversations/:id/transcript',
      policy: users(),
      face: 'page',
      framed: true,
      params: ConversationPath,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const body = await transcript(scope, show, input.params.id);
        const name = `support-${scope.now.toISOString().slice(0, 10)}.txt`;
        const headers = { 'Content-Disposition': `attachment; filename="${name}"` };
        return { status: 200, type: 'text/plain; charset=utf-8', body, headers };
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** Stores what was typed and leads to it; what cannot be taken is shown again with the reason. */
async function takeTyped(
  deps: ChatDeps,
  scope: Scope<Person>,
  show: Show,
  input: RouteInput<{ readonly id: string }, unknown, z.infer<typeof Written> | null>,
): Promise<Reply> {
  const { id } = input.params;
  const { typed, kept, error } = await typedIn(deps, scope, input, Written, id);
  const { body, clientId, seen } = typed;
  const attachmentIds = [...new Set([...(typed.attachmentIds ?? []), ...kept])];
  try {
    if (error) throw error;
    if (typed.check) return await looked(deps, scope, show, id, { text: body, clientId, attachmentIds, error }, seen);
    const posted = { conversationId: id, body, clientId, attachmentIds };
    const { message } = await postMessage(scope, deps.messaging, posted);
    if (input.isFragment) return messageFragment(show, messageItem(message, 'user'));
    if (seen) await markRead(scope, id, seen);
    return seeOther(`${conversationPath(scope.actor.userType, id)}#m${message.seq}`);
  } catch (error) {
    const known = input.isFragment ? null : expectedError(error);
    if (!known || known.status === 404) throw error;
    if (known.status === 503) {
      const action = `${conversationPath(scope.actor.userType, id)}/messages`;
      return unstored(show, known, { action, clientId, text: body, topic: null });
    }
    const { conversation, log } = await readConversation(scope, id, { newest: true });
    const refused = { text: body, clientId, attachmentIds: keptFiles(known, attachmentIds), error: known };
    const view = await conversationPage(deps, scope, conversation, log, refused);
    return page(show.page('/chat/conversation', view), known.status, waitHeaders(known));
  }
}

/** The page as it is now, with what is half written in its field: no browser keeps that over a page that is loaded again. */
async function looked(
  deps: ChatDeps,
  scope: Scope<Person>,
  show: Show,
  id: string,
  typed: Typing,
  seen: number | undefined,
): Promise<Reply> {
  if (seen) await markRead(scope, id, seen);
  if (!typed.text && !typed.attachmentIds?.length) return seeOther(conversationPath(scope.actor.userType, id));
  const { conversation, log } = await readConversation(scope, id, { newest: true });
  return page(show.page('/chat/conversation', await conversationPage(deps, scope, conversation, log, typed)));
}

/** A file that cannot be sent here (it was put into a conversation that is closed now) would be refused again and again. */
function keptFiles({ fields }: AppError, ids: readonly string[]): readonly string[] {
  return fields?.['attachmentIds'] ? [] : ids;
}

/** What was typed, and ids of the files that came with it. */
async function typedIn<T>(
  { messaging }: ChatDeps,
  scope: Scope<Person>,
  input: RouteInput<unknown, unknown, T | null>,
  schema: z.ZodType<T>,
  conversationId: string | null,
): Promise<{ typed: T; kept: readonly string[]; error: AppError | null }> {
  if (input.body !== null) return { typed: input.body, kept: [], error: null };
  const form = { conversationId, maxFiles: MAX_ATTACHMENTS, schema };
  const { typed, kept, error } = await receiveForm(scope, messaging, input.ctx.req, form);
  return { typed, kept: kept.map(({ attachment }) => attachment.id), error };
}

/** The text again, in a form that works once its writer is back. */
function signedOut(
  { views }: ChatDeps,
  { body, reader, frame }: RouteInput<unknown, unknown, z.infer<typeof Started> | null>,
  action: string,
): Reply {
  if (!body) throw new NotSignedIn();
  const kept = { action, clientId: body.clientId, text: body.body, topic: body.topic ?? null };
  const error = { status: 401, code: 'not_signed_in' };
  return page(views.for(reader).page('/chat/signed-out', { kept, error, frame }), 401);
}

/** The text again on a page that asks the database nothing; for one that is full, or away. */
function unstored(
  show: Show,
  error: AppError,
  kept: { readonly action: string; readonly clientId: string; readonly text: string; readonly topic: string | null },
): Reply {
  const { status, code } = error;
  return page(show.page('/chat/signed-out', { kept, error: { status, code } }), status, { 'Retry-After': '30' });
}

/** The text again with the reason: where the next conversation starts, or in the open one, where there is no start. */
async function refusedStart(deps: ChatDeps, scope: Scope<Person>, show: Show, refused: Refused): Promise<Reply> {
  const { status } = refused.error;
  const headers = waitHeaders(refused.error);
  const open = await findOpenConversation(scope, 'support', scope.actor.id);
  if (!open) return page(show.page('/chat/conversations', await listPage(deps, scope, refused)), status, headers);
  const { conversation, log } = await readConversation(scope, open.id, { newest: true });
  const view = await conversationPage(deps, scope, conversation, log, refused);
  return page(show.page('/chat/conversation', view), status, headers);
}

function logWindow(input: { readonly isFragment: boolean; readonly query: z.infer<typeof Asked> }): LogWindow {
  const { after, before } = input.query;
  if (before !== undefined) return { before };
  // only a page that shows the rest already can do with what is new
  return input.isFragment && after !== undefined ? { after } : { newest: true };
}

/** For "earlier messages", or for a page that has to ask again and again: that one gets the state (place, hours) with it. */
function logFragment(show: Show, log: LogView, polled: Awaited<ReturnType<typeof statePart>> | null): Reply {
  if (!polled) return fragment(show.partial('/messaging/_older', { log }));
  return fragment(
    ...log.messages.map((message) => upserted(show, message)),
    // morphed: what is the same is not said again, and a comment that is being written stays
    stream.replace('#conversation-state', show.partial('/chat/_state', polled)),
  );
}

function messageFragment(show: Show, message: LogView['messages'][number]): Reply {
  return fragment(upserted(show, message));
}

function upserted(show: Show, message: LogView['messages'][number]): string {
  const item = show.partial('/messaging/_message', { message, newWord: '' });
  return stream.upsert('#messages', item, { key: 'data-seq' });
}
