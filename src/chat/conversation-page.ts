import { canReopen } from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import {
  accessConversation,
  type Conversation,
  type LogPage,
  type LogWindow,
  MAX_MESSAGE_LENGTH,
  type MessageView,
  messageView,
  readLog,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { newId } from '../platform/text/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { conversationPath, supportPath } from './paths.ts';

/** Messages of one page of the log. */
const PAGE_SIZE = 50;

/** A piece of the log as `/messaging/_log` and `/messaging/_older` draw it. */
export interface LogView {
  readonly conversationId: string;
  readonly audience: 'user';
  readonly messages: readonly MessageView[];
  /** Last message that the other side has read, and that this side has read. */
  readonly seen: number;
  readonly readSeq: number;
  readonly readUrl: string;
  /** The page itself: rebuilds the log by GET. */
  readonly reloadUrl: string;
  readonly earlierUrl: string | null;
}

/** What was typed and could not be taken; shown again with the reason. */
export interface Refused {
  readonly text: string;
  readonly clientId: string;
  readonly error: { readonly status: number; readonly code: string };
}

/** The window of the log that was asked for, with the conversation as it stood before it was read. */
export async function readConversation(
  scope: Scope<Person>,
  id: string,
  window: LogWindow,
): Promise<{ conversation: Conversation; log: LogView }> {
  const conversation = await accessConversation(scope, id);
  const page = await readLog(scope, id, window, PAGE_SIZE);
  return { conversation, log: logView(scope.actor, conversation, page, window) };
}

function logView(person: Person, conversation: Conversation, page: LogPage, window: LogWindow): LogView {
  const path = conversationPath(person.userType, conversation.id);
  const first = page.items[0];
  const hasEarlier = 'after' in window ? false : page.hasMore;
  return {
    conversationId: conversation.id,
    audience: 'user',
    messages: page.items.map((message) => messageView(message, 'user', conversation)),
    seen: conversation.staffReadSeq,
    readSeq: conversation.userReadSeq,
    readUrl: `${path}/read`,
    reloadUrl: path,
    earlierUrl: hasEarlier && first ? `${path}?before=${first.seq}` : null,
  };
}

/** Everything `/chat/conversation` shows. */
export function conversationPage(
  deps: ChatDeps,
  scope: Scope<Person>,
  conversation: Conversation,
  log: LogView,
  refused?: Refused,
): object {
  const { actor } = scope;
  const path = conversationPath(actor.userType, conversation.id);
  const settings = deps.messaging.settings(scope.tenant.id);
  const room = `conversation_${conversation.id}`;
  return {
    me: { id: actor.id, name: actor.name, userType: actor.userType },
    listHref: supportPath(actor.userType),
    conversation: { status: conversation.status, label: conversation.context?.label ?? conversation.subject ?? null },
    log,
    live: {
      rooms: [{ room, after: `${deps.epoch}:${conversation.version}` }],
      pauses: true,
      pollUrl: path,
    },
    state: {
      status: conversation.status,
      isOn: settings.enabled,
      canReopen: canReopen(actor, deps.messaging, conversation, scope.now),
      reopenAction: `${path}/reopen`,
      startHref: `${supportPath(actor.userType)}#new`,
      reloadUrl: path,
      room,
    },
    composer: {
      action: `${path}/messages`,
      conversationId: conversation.id,
      clientId: formId(refused),
      startHref: supportPath(actor.userType),
      seen: log.messages.at(-1)?.seq ?? 0,
      text: refused?.text ?? '',
      error: refused?.error ?? null,
      maxLength: Math.min(settings.maxMessageLength, MAX_MESSAGE_LENGTH),
      pending: pendingMessage(actor, conversation.id, scope.now),
    },
  };
}

/**
 * The id under which a form sends: its own again, so that it is not stored twice. What was refused because its id is
 * taken by other words gets a new one: sent again it is a new message.
 */
export function formId(refused: Refused | undefined): string {
  return refused && refused.error.code !== 'client_id_reused' ? refused.clientId : crypto.randomUUID();
}

/** The bubble on its way: drawn by the same partial as every message, and filled in by the page. */
export function pendingMessage(person: Person, conversationId: string, now: Date): MessageView {
  return {
    id: newId(),
    conversationId,
    seq: 0,
    version: 0,
    senderType: 'user',
    sender: { id: person.id, userType: person.userType, name: person.name },
    messageType: 'text',
    event: null,
    data: null,
    body: '',
    attachments: [],
    replyToId: null,
    read: false,
    clientId: '',
    createdAt: now.toISOString(),
    editedAt: null,
    deletedAt: null,
  };
}
