import { canReopen, MAX_RATING_COMMENT, readRating } from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import {
  accessConversation,
  attachView,
  type Conversation,
  type LogPage,
  type LogWindow,
  MAX_MESSAGE_LENGTH,
  type MessageItem,
  type MessageView,
  messageItem,
  messageReopens,
  otherWithUnchecked,
  readLog,
  reopenableUntil,
  unsentAttachments,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { newId } from '../platform/text/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { deskState } from './desk-state.ts';
import { conversationPath, supportPath } from './paths.ts';
import { isKnownTopic } from './topics.ts';

/** Messages of one page of the log. */
const PAGE_SIZE = 50;

/** A piece of the log as `/messaging/_log` and `/messaging/_older` draw it. */
export interface LogView {
  readonly conversationId: string;
  readonly audience: 'user';
  readonly messages: readonly MessageItem[];
  /** Last message that the other side has read, and that this side has read. */
  readonly seen: number;
  readonly readSeq: number;
  readonly readUrl: string;
  /** The page itself: rebuilds the log by GET. */
  readonly reloadUrl: string;
  readonly earlierUrl: string | null;
}

/** What was typed and is not sent: shown again, with the reason where it could not be taken. */
export interface Typed {
  readonly text: string;
  readonly clientId: string;
  /** Files that came with it. */
  readonly attachmentIds?: readonly string[];
  /** Chosen for a new conversation. */
  readonly topic?: string | null;
  /** Null: its writer only looks whether something is new. */
  readonly error: { readonly status: number; readonly code: string } | null;
}

/** What was typed and could not be taken. */
export interface Refused extends Typed {
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
    messages: page.items.map((message) => messageItem(message, 'user', conversation)),
    seen: conversation.staffReadSeq,
    readSeq: conversation.userReadSeq,
    readUrl: `${path}/read`,
    reloadUrl: path,
    earlierUrl: hasEarlier && first ? `${path}?before=${first.seq}` : null,
  };
}

/** Everything `/chat/conversation` shows. */
export async function conversationPage(
  deps: ChatDeps,
  scope: Scope<Person>,
  conversation: Conversation,
  log: LogView,
  typed?: Typed,
): Promise<object> {
  const { actor } = scope;
  const path = conversationPath(actor.userType, conversation.id);
  const settings = deps.messaging.settings(scope.tenant.id);
  const { state } = await statePart(deps, scope, conversation);
  return {
    me: { id: actor.id, name: actor.name, userType: actor.userType },
    listHref: supportPath(actor.userType),
    conversation: { status: conversation.status, ...aboutOf(conversation) },
    log,
    checking: await otherWithUnchecked(scope, conversation.id),
    live: {
      rooms: [{ room: roomOf(conversation), after: `${deps.epoch}:${conversation.version}` }],
      pauses: true,
      pollUrl: path,
    },
    state,
    react: reactView(actor, log, path),
    transcriptHref: `${path}/transcript`,
    composer: {
      action: `${path}/messages`,
      conversationId: conversation.id,
      clientId: formId(typed),
      startHref: supportPath(actor.userType),
      seen: log.messages.at(-1)?.seq ?? 0,
      text: typed?.text ?? '',
      error: typed?.error ?? null,
      // where the conversation is closed its text can still go somewhere
      rescue:
        typed && state.status === 'closed'
          ? { reopenAction: state.canReopen ? state.reopenAction : null, startAction: supportPath(actor.userType) }
          : null,
      maxLength: Math.min(settings.maxMessageLength, MAX_MESSAGE_LENGTH),
      pending: pendingMessage(actor, conversation.id, scope.now),
      attach: attachView(settings, conversation.id, await unsentAttachments(scope, typed?.attachmentIds ?? [])),
    },
  };
}

/** What users say in a word. */
const USER_REACTIONS = ['thanks', 'got_it', 'on_my_way'] as const;

/** The last message, if staff wrote it: a word is enough of an answer. */
function reactView(person: Person, log: LogView, path: string) {
  const last = log.messages.findLast((message) => message.senderType !== 'system');
  const isTheirs = last?.senderType === 'admin' && last.deletedAt === null;
  return {
    action: `${path}/reactions`,
    words: USER_REACTIONS,
    seq: isTheirs ? last.seq : 0,
    own: last?.reactions.find((one) => one.participant.id === person.id)?.reaction ?? null,
  };
}

/** As `/chat/_state` takes it. */
interface StateView {
  readonly status: string;
  readonly isOn: boolean;
  /** Until then what is written opens it again; null: it does not. */
  readonly reopensUntil: string | null;
  readonly canReopen: boolean;
  readonly reopenAction: string;
  readonly startHref: string;
  readonly reloadUrl: string;
  readonly room: string;
  readonly desk: object;
  readonly rating: object | null;
}

/** What `/chat/_state` shows under the messages, which changes while the page is open. */
export async function statePart(
  deps: ChatDeps,
  scope: Scope<Person>,
  conversation: Conversation,
): Promise<{ state: StateView }> {
  const { actor } = scope;
  const path = conversationPath(actor.userType, conversation.id);
  const isClosed = !conversation.isOpen();
  const settings = deps.messaging.settings(scope.tenant.id);
  return {
    state: {
      status: conversation.status,
      isOn: settings.enabled,
      reopensUntil: messageReopens(settings, conversation, scope.now)
        ? (reopenableUntil(settings, conversation)?.toISOString() ?? null)
        : null,
      canReopen: canReopen(actor, deps.messaging, conversation, scope.now),
      reopenAction: `${path}/reopen`,
      startHref: `${supportPath(actor.userType)}#new`,
      reloadUrl: `${path}?part=state`,
      room: roomOf(conversation),
      desk: await deskState(deps, scope, conversation),
      rating: isClosed
        ? { action: `${path}/rating`, given: await readRating(scope, conversation.id), maxLength: MAX_RATING_COMMENT }
        : null,
    },
  };
}

function roomOf(conversation: Conversation): string {
  return `conversation_${conversation.id}`;
}

/** What a conversation is about, in the words of the host or by the topic that was chosen. */
export function aboutOf(conversation: Pick<Conversation, 'context' | 'subject' | 'topic'>): {
  readonly label: string | null;
  readonly topic: string | null;
} {
  const label = conversation.context?.label ?? conversation.subject ?? null;
  const topic = conversation.topic ?? null;
  if (label !== null || topic === null) return { label, topic: null };
  return isKnownTopic(topic) ? { label: null, topic } : { label: topic, topic: null };
}

/**
 * The id under which a form sends: its own again, so that it is not stored twice. What was refused because its id is
 * taken by other words gets a new one: sent again it is a new message.
 */
export function formId(typed: Typed | undefined): string {
  return typed && typed.error?.code !== 'client_id_reused' ? typed.clientId : crypto.randomUUID();
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
    reactions: [],
    read: false,
    clientId: '',
    createdAt: now.toISOString(),
    editedAt: null,
    deletedAt: null,
  };
}
