import { LockMode } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Forbidden, Invalid, Unavailable } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { bindAttachments, withAttachments } from '../attachments/post-with-attachments.ts';
import { tell } from '../events.ts';
import { appendInTransaction } from '../messages/append-in-transaction.ts';
import { storedOrThrow, withFreshPerson } from '../messages/append-outcome.ts';
import { checkedText } from '../messages/message-text.ts';
import { newMessage } from '../messages/post-message.ts';
import type { StoredMessage } from '../messages/stored-message.ts';
import type { Messaging } from '../messaging.ts';
import { rows } from '../rows.ts';
import { accessConversation } from './access-conversation.ts';
import { Conversation, type ConversationContext } from './conversation.entity.ts';
import { conversationKind } from './conversation-kinds.ts';
import { ConversationStart } from './conversation-start.entity.ts';
import { joinConversation } from './join-conversation.ts';

/** The message that opens it. */
interface FirstMessage {
  /** As typed; may be empty when there are attachments. */
  readonly body: string;
  readonly clientId: string;
  /** Files that the sender has uploaded for it, or into the conversation that is open. */
  readonly attachmentIds?: readonly string[] | undefined;
}

/** What a user says when opening a conversation. */
export interface StartConversation {
  /** `support` when absent. */
  readonly kind?: string | undefined;
  readonly subject?: string | null | undefined;
  readonly topic?: string | null | undefined;
  readonly context?: ConversationContext | null | undefined;
  readonly message?: FirstMessage | undefined;
}

/** What came of it. */
export interface StartedConversation {
  readonly conversation: Conversation;
  /** The first message as stored, when one was sent. */
  readonly message: StoredMessage | null;
  /** False when the user's open conversation was used again, or the start was a repeat. */
  readonly created: boolean;
}

/** Two starts that meet are told apart after at most this many looks. */
const MAX_ATTEMPTS = 5;

/**
 * Opens a conversation, or appends to the open one that the user has already. Idempotent by (user, clientId of the
 * message): a repeat finds its conversation again, whatever became of it (D3).
 * @throws Forbidden when this person opens none of that kind, or `support_disabled`.
 * @throws Invalid, Conflict `client_id_reused` as `postMessage` does.
 */
export async function startConversation(
  scope: Scope<Person>,
  messaging: Messaging,
  input: StartConversation,
): Promise<StartedConversation> {
  const kind = conversationKind(input.kind ?? 'support');
  if (!kind) throw new Invalid({ kind: 'unknown' });
  if (!kind.mayStart(scope.actor)) throw new Forbidden();
  const message = input.message && checkedMessage(input.message);
  return meetingOthers(() =>
    withFreshPerson(scope.actor, messaging, (actor) =>
      transact({ ...scope, actor }, async (inside) => {
        const repeated = message && (await findStart(inside, message.clientId));
        if (repeated) return appendTo(inside, messaging, repeated, message, false);
        refuseWhileDisabled(inside, messaging);
        const open = kind.reusesOpen ? await lockOpen(inside, kind.name) : null;
        const conversation = open ?? (await create(inside, kind.name, input));
        if (!message) return { conversation, message: null, created: !open };
        await rememberStart(inside, message.clientId, conversation.id);
        return appendTo(inside, messaging, conversation, message, !open);
      }),
    ),
  );
}

/** A first message as it goes into the log: without text it is null. */
interface CheckedMessage {
  readonly body: string | null;
  readonly clientId: string;
  readonly attachmentIds: readonly string[];
}

function checkedMessage({ body, clientId, attachmentIds = [] }: FirstMessage): CheckedMessage {
  const isFilesAlone = attachmentIds.length > 0 && body.trim() === '';
  return {
    body: isFilesAlone ? null : checkedText(body, 'message.body'),
    clientId: clientId.toLowerCase(),
    attachmentIds,
  };
}

/** Another start of the same person was in the way; what it did can be seen by looking again. */
class MetAnother extends Error {}

async function meetingOthers<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MetAnother)) throw error;
    }
  }
  throw new Unavailable(1, 'busy', 'Too many conversations are being opened at once. Try again.');
}

/** The conversation that this message opened or joined before, locked. */
async function findStart(scope: Scope<Person>, clientId: string): Promise<Conversation | null> {
  const start = await scope.em.findOne(ConversationStart, { userId: scope.actor.id, clientId });
  return start && accessConversation(scope, start.conversationId, { lock: true });
}

function refuseWhileDisabled(scope: Scope<Person>, messaging: Messaging): void {
  if (!messaging.settings(scope.tenant.id).enabled) {
    throw new Forbidden('support_disabled', 'Support is switched off at the moment.');
  }
}

async function lockOpen(scope: Scope<Person>, kind: string): Promise<Conversation | null> {
  return scope.em.findOne(
    Conversation,
    { kind, openedBy: scope.actor.id, status: 'open' },
    { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
  );
}

/** The partial unique index lets one of several starts through; the others wait for its commit and look again. */
async function create(scope: Scope<Person>, kind: string, input: StartConversation): Promise<Conversation> {
  const id = newId();
  const { actor, now } = scope;
  // what the host said the visit is about, unless the user says it themselves
  const about = input.context ?? actor.context ?? null;
  const context = about ? JSON.stringify(about) : null;
  const created = await rows(
    scope,
    sql`
      insert into conversations (id, tenant_id, kind, opened_by, user_type, subject, topic, context,
                                 last_message_at, created_at, updated_at)
      values (${id}, ${scope.tenant.id}, ${kind}, ${actor.id}, ${actor.userType}, ${input.subject ?? null},
              ${input.topic ?? null}, ${context}::jsonb, ${now}, ${now}, ${now})
      on conflict (tenant_id, opened_by) where kind = 'support' and status = 'open' do nothing
      returning id`,
  );
  if (created.length === 0) throw new MetAnother();
  await joinConversation(scope, id, actor.id, 'user');
  recordAudit(scope, {
    action: 'SUPPORT_CONVERSATION_CREATED',
    entityType: 'support_conversation',
    entityId: id,
    metadata: { userId: actor.id, userType: actor.userType },
  });
  tell(scope, { type: 'conversation:started', tenantId: scope.tenant.id, conversationId: id, userId: actor.id });
  return accessConversation(scope, id, { lock: true });
}

/** Rolls everything back when a twin with the same clientId was faster. */
async function rememberStart(scope: Scope<Person>, clientId: string, conversationId: string): Promise<void> {
  const written = await rows(
    scope,
    sql`
      insert into conversation_starts (user_id, client_id, tenant_id, conversation_id, created_at)
      values (${scope.actor.id}, ${clientId}, ${scope.tenant.id}, ${conversationId}, ${scope.now})
      on conflict (user_id, client_id) do nothing returning client_id`,
  );
  if (written.length === 0) throw new MetAnother();
}

async function appendTo(
  scope: Scope<Person>,
  messaging: Messaging,
  conversation: Conversation,
  message: CheckedMessage,
  created: boolean,
): Promise<StartedConversation> {
  const plain = newMessage(scope.actor, messaging, { ...message, conversationId: conversation.id }, message.body);
  const next = await withAttachments(scope, conversation, plain);
  const [outcome] = await appendInTransaction(scope, [next]);
  const posted = storedOrThrow(outcome);
  if (posted.isNew && next !== plain) await bindAttachments(scope, posted.message, message.attachmentIds);
  if (posted.isNew) tell(scope, { type: 'messages:appended', tenantId: scope.tenant.id, messages: [posted.message] });
  // the append moved the conversation's numbers behind the ORM's back
  return { conversation: await accessConversation(scope, conversation.id), message: posted.message, created };
}
