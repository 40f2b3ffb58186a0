import { UniqueConstraintViolationException } from '@mikro-orm/postgresql';
import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, Invalid } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { bindAttachments, withAttachments } from '../attachments/post-with-attachments.ts';
import { accessConversation, findOpenConversation, mayRead } from '../conversations/access-conversation.ts';
import { assignTo, claimLine, reopen } from '../conversations/change-state.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import { messageReopens } from '../conversations/reopen-window.ts';
import { type MessagingEvent, tell } from '../events.ts';
import type { Messaging } from '../messaging.ts';
import { appendInTransaction } from './append-in-transaction.ts';
import { type AppendedMessage, REFUSALS, storedOrThrow, withFreshPerson } from './append-outcome.ts';
import { type ReadMarks, type ReplyReference, UNREAD } from './message.view.ts';
import { readMessage } from './message-log.ts';
import { checkedText, isLongerThan } from './message-text.ts';
import type { NewMessage, Sender, SendLimit } from './stored-message.ts';

/** One message as a person sends it, by form, REST or socket. */
export interface PostMessage {
  readonly conversationId: string;
  /** As typed; may be empty when there are attachments. */
  readonly body: string;
  /** UUID that the client made before it sent. */
  readonly clientId: string;
  /** Files that the sender has uploaded into this conversation and sent with no message yet. */
  readonly attachmentIds?: readonly string[] | undefined;
  /** A message of the same conversation. */
  readonly replyToId?: string | null | undefined;
  /** An admin takes the conversation over from a colleague; needs ASSIGN_SUPPORT_CHAT. */
  readonly takeOver?: boolean | undefined;
  /** The socket it came in on; it gets the ack instead of its own message. */
  readonly connectionId?: string | undefined;
}

/** What of a scope the way of a message needs: it works without an EntityManager. */
type Door = Pick<Scope<Person>, 'tenant' | 'actor'>;

/** A message that is in the log, and how far each side has read: for a new one, nobody has. */
export interface PostedMessage extends AppendedMessage {
  readonly marks: ReadMarks;
}

/**
 * The way of every message. Costs no query before the append: rights come from the session cache and are compared
 * again inside it. Resolves after COMMIT. Must not be called inside `transact()`; does not touch `scope.em`.
 *
 * @throws Invalid for a text that is empty, too long or cannot be stored.
 * @throws NotFound when the conversation is not there or not theirs.
 * @throws Conflict `client_id_reused`, `conversation_closed`, `assigned_to_other`; `another_open` where it would reopen.
 * @throws TooMany beyond the send limit.
 * @throws Forbidden, also `support_disabled`. A repeat is answered with what is stored before any of this is asked.
 */
export async function postMessage(scope: Door, messaging: Messaging, input: PostMessage): Promise<PostedMessage> {
  const { tenant } = scope;
  const attachmentIds = input.attachmentIds ?? [];
  const body = attachmentIds.length > 0 && input.body.trim() === '' ? null : checkedText(input.body);
  const reply = input.replyToId ? await readReply(scope, messaging, input.conversationId, input.replyToId) : null;

  // the way of nearly all: one wait between the door and the log
  const isPlain = attachmentIds.length === 0 && !reply;
  let asked = isPlain ? await messaging.appender.append(newMessage(scope.actor, messaging, input, body)) : null;
  if (asked?.verdict === 'new') return { message: asked.message, isNew: true, marks: UNREAD };

  const posted = await withFreshPerson(scope.actor, messaging, (actor) => {
    const plain = newMessage(actor, messaging, input, body);
    const message = reply ? { ...plain, data: { reply } } : plain;
    const door = { tenant, actor };
    const mayReopen = actor.side === 'user' && messaging.settings(tenant.id).reopenOnMessage;
    return mayReopen ? postOrReopen(door, messaging, message, post) : post(door, message);
  });
  return { ...posted, marks: posted.isNew ? UNREAD : await readMarks(scope, messaging, input.conversationId) };

  async function post(door: Door, message: NewMessage): Promise<AppendedMessage> {
    if (attachmentIds.length > 0) return postWithFiles(door, messaging, message, input.takeOver === true);
    const outcome = asked ?? (await messaging.appender.append(message));
    asked = null;
    const claims = outcome.verdict === 'unassigned' || (outcome.verdict === 'assigned_to_other' && input.takeOver);
    if (claims) {
      const first = outcome.verdict === 'unassigned' ? await firstAnswer(door, messaging, message) : null;
      return first ?? answerAndClaim(door, messaging, message, input.takeOver === true);
    }
    return storedOrThrow(outcome);
  }
}

/**
 * A user's message into a conversation that was closed a while ago opens it again: line and message are one transaction,
 * so that what is refused opens nothing.
 */
async function postOrReopen(
  scope: Door,
  messaging: Messaging,
  message: NewMessage,
  post: (scope: Door, message: NewMessage) => Promise<AppendedMessage>,
): Promise<AppendedMessage> {
  try {
    return await post(scope, message);
  } catch (error) {
    if (!(error instanceof Conflict && error.code === 'conversation_closed')) throw error;
  }
  return messaging.database.withScope(scope.tenant, scope.actor, async (fresh) => {
    try {
      return await transact(fresh, (inside) => reopenAndStore(inside, messaging, message));
    } catch (error) {
      // another one was opened meanwhile, or before
      if (!(error instanceof UniqueConstraintViolationException)) throw error;
      const closed = await accessConversation(fresh, message.conversationId);
      const open = await findOpenConversation(fresh, closed.kind, fresh.actor.id);
      throw new Conflict('another_open', 'Another conversation is open already.', { conversationId: open?.id ?? '' });
    }
  });
}

async function reopenAndStore(
  scope: Scope<Person>,
  messaging: Messaging,
  message: NewMessage,
): Promise<AppendedMessage> {
  const conversation = await accessConversation(scope, message.conversationId, { lock: true });
  if (!conversation.isOpen()) {
    if (!messageReopens(messaging.settings(scope.tenant.id), conversation, scope.now)) {
      throw new Conflict('conversation_closed', 'This conversation is closed.');
    }
    await reopen(scope, conversation);
  }
  const complete = message.attachmentIds ? await withAttachments(scope, conversation, message) : message;
  const posted = await storeLocked(scope, complete);
  if (posted.isNew && message.attachmentIds) await bindAttachments(scope, posted.message, message.attachmentIds);
  return posted;
}

/** The message with its sender as the token says, and the code under which it is refused if it is new. */
export function newMessage(
  sender: Person,
  messaging: Pick<Messaging, 'settings' | 'limits'>,
  input: Omit<PostMessage, 'takeOver' | 'body'>,
  body: string | null,
): NewMessage {
  return {
    id: newId(),
    tenantId: sender.tenantId,
    conversationId: input.conversationId,
    sender: senderOf(sender),
    clientId: input.clientId.toLowerCase(),
    messageType: 'text',
    body,
    replyToId: input.replyToId ?? null,
    ...(input.attachmentIds?.length ? { attachmentIds: input.attachmentIds.map((id) => id.toLowerCase()) } : {}),
    refuseNew: refusalOf(sender, messaging, body),
    sendLimit: messaging.limits ? sendLimitOf(sender, messaging) : null,
    ...(input.connectionId ? { originConnectionId: input.connectionId } : {}),
  };
}

function senderOf(person: Person): Sender {
  return {
    type: person.side,
    id: person.id,
    accessVersion: person.accessVersion,
    name: person.name,
    userType: person.userType,
  };
}

function refusalOf(person: Person, messaging: Pick<Messaging, 'settings'>, body: string | null): string | null {
  const settings = messaging.settings(person.tenantId);
  if (person.side === 'user' && !settings.enabled) return REFUSALS.disabled;
  if (person.side === 'admin' && !person.can('REPLY_SUPPORT_CHAT')) return REFUSALS.forbidden;
  if (body !== null && isLongerThan(body, settings.maxMessageLength)) return REFUSALS.tooLong;
  return null;
}

/** Staff talk to many people at once. */
const STAFF_FACTOR = 6;

function sendLimitOf(person: Person, messaging: Pick<Messaging, 'settings'>): SendLimit {
  const { messages, seconds } = messaging.settings(person.tenantId).sendLimit;
  return { messages: person.side === 'admin' ? messages * STAFF_FACTOR : messages, seconds };
}

/** Few messages answer another one, so only those pay for the question whether it is there. */
async function readReply(
  scope: Door,
  messaging: Messaging,
  conversationId: string,
  id: string,
): Promise<ReplyReference> {
  const found = await messaging.database.withScope(scope.tenant, scope.actor, async (reading) => {
    await accessConversation(reading, conversationId);
    return readMessage(reading, conversationId, id);
  });
  if (!found || found.event !== null) throw new Invalid({ replyToId: 'unknown' });
  return { seq: found.seq, name: found.senderName ?? '' };
}

/** Only a repeat can have been read already. */
async function readMarks(scope: Door, messaging: Messaging, conversationId: string): Promise<ReadMarks> {
  return messaging.database.withScope(scope.tenant, scope.actor, (reading) =>
    accessConversation(reading, conversationId),
  );
}

/**
 * An admin's first answer into a conversation that is nobody's: with whatever other first answers there are, in one
 * statement. Null where that was not to be had: then the slow door says why, or does it.
 */
async function firstAnswer(
  { actor, tenant }: Door,
  messaging: Messaging,
  message: NewMessage,
): Promise<AppendedMessage | null> {
  const { conversationId } = message;
  if (!mayRead(actor, { kind: 'support', tenantId: tenant.id, openedBy: null })) return null;
  const line = claimLine(actor, conversationId);
  const stored = await messaging.appender.claim({ line, answer: message });
  if (!stored) return null;
  const told: MessagingEvent[] = [
    { type: 'messages:appended', tenantId: tenant.id, messages: stored },
    { type: 'conversation:state', tenantId: tenant.id, conversationId },
  ];
  for (const event of told) messaging.database.tell(event);
  return { message: stored[1], isNew: true };
}

/** The slow door: a take-over, or what could not be claimed. Claim, line and message are one transaction. */
async function answerAndClaim(
  scope: Door,
  messaging: Messaging,
  message: NewMessage,
  takeOver: boolean,
): Promise<AppendedMessage> {
  return messaging.database.withScope(scope.tenant, scope.actor, (fresh) =>
    transact(fresh, async (inside) => {
      const conversation = await accessConversation(inside, message.conversationId, { lock: true });
      await claim(inside, conversation, takeOver);
      return storeLocked(inside, message);
    }),
  );
}

/** The door of messages with files: they become part of the message in the transaction that stores it. */
async function postWithFiles(
  scope: Door,
  messaging: Messaging,
  message: NewMessage,
  takeOver: boolean,
): Promise<AppendedMessage> {
  return messaging.database.withScope(scope.tenant, scope.actor, (fresh) =>
    transact(fresh, async (inside) => {
      const conversation = await accessConversation(inside, message.conversationId, { lock: true });
      const complete = await withAttachments(inside, conversation, message);
      // unchanged it is a repeat: the log says of what
      if (complete === message) return storeLocked(inside, complete);
      if (inside.actor.side === 'admin' && !message.refuseNew) await claim(inside, conversation, takeOver);
      const posted = await storeLocked(inside, complete);
      if (posted.isNew) await bindAttachments(inside, posted.message, message.attachmentIds ?? []);
      return posted;
    }),
  );
}

/** Makes the locked conversation the actor's, if it is nobody's or they may take it over. */
async function claim(scope: Scope<Person>, conversation: Conversation, takeOver: boolean): Promise<void> {
  const holder = conversation.assignedAdminId ?? null;
  if (!conversation.isOpen()) throw new Conflict('conversation_closed', 'This conversation is closed.');
  if (holder === scope.actor.id) return;
  if (holder && !takeOver) throw new Conflict('assigned_to_other', 'A colleague is answering this conversation.');
  if (holder && !scope.actor.can('ASSIGN_SUPPORT_CHAT')) throw new Forbidden();
  await assignTo(scope, conversation, { id: scope.actor.id, name: scope.actor.name });
}

async function storeLocked(scope: Scope<Person>, message: NewMessage): Promise<AppendedMessage> {
  const [outcome] = await appendInTransaction(scope, [message]);
  const posted = storedOrThrow(outcome);
  if (posted.isNew) tell(scope, { type: 'messages:appended', tenantId: scope.tenant.id, messages: [posted.message] });
  return posted;
}
