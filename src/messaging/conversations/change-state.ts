import type { Person } from '../../identity/index.ts';
import type { Actor, Scope } from '../../platform/database/index.ts';
import { newId } from '../../platform/text/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { tell } from '../events.ts';
import { appendInTransaction } from '../messages/append-in-transaction.ts';
import type { NewMessage } from '../messages/stored-message.ts';
import { Conversation } from './conversation.entity.ts';
import { joinConversation, leaveConversation } from './join-conversation.ts';

/** An admin who is to hold a conversation. */
export interface Assignee {
  readonly id: string;
  readonly name: string;
}

/**
 * Hands a locked, open conversation to an admin, or to nobody (null). Writes the line `assigned`, `transferred` or
 * `released`, the audit entry and who takes part. Whether the actor may do so is the caller's question; `system` is the
 * actor of jobs.
 */
export async function assignTo(
  scope: Scope<Person | Actor>,
  conversation: Conversation,
  to: Assignee | null,
): Promise<void> {
  const from = conversation.assignedAdminId ?? null;
  const event = to === null ? 'released' : from === null ? 'assigned' : 'transferred';
  await update(scope, conversation, { assignedAdminId: to?.id ?? null });
  if (from) await leaveConversation(scope, conversation.id, from);
  if (to) await joinConversation(scope, conversation.id, to.id, 'admin');
  await line(scope, conversation, event, { adminId: to?.id ?? null, adminName: to?.name ?? null, fromAdminId: from });
  recordAudit(scope, {
    action: 'SUPPORT_CONVERSATION_ASSIGNED',
    entityType: 'support_conversation',
    entityId: conversation.id,
    metadata: { conversationId: conversation.id, assignedAdminId: to?.id ?? null },
  });
}

/** Closes a locked, open conversation. `system` is the actor of jobs. */
export async function close(scope: Scope<Person | Actor>, conversation: Conversation): Promise<void> {
  await update(scope, conversation, {
    status: 'closed',
    closedAt: scope.now,
    closedBy: scope.actor.id,
    waitingSince: null,
  });
  await line(scope, conversation, 'closed', { closedBy: scope.actor.id });
  recordAudit(scope, {
    action: 'SUPPORT_CONVERSATION_CLOSED',
    entityType: 'support_conversation',
    entityId: conversation.id,
    metadata: { conversationId: conversation.id, closedBy: scope.actor.id },
  });
}

/**
 * Says in a locked, open conversation that it will close by itself at that time unless somebody writes. Returns the
 * line's place: while it is the last one, nothing has happened since.
 */
export async function announceClosing(
  scope: Scope<Person | Actor>,
  conversation: Conversation,
  closesAt: Date,
): Promise<number> {
  return line(scope, conversation, 'closing_soon', { closesAt: closesAt.toISOString() });
}

/** Opens a locked, closed conversation again; the one who held it still does. */
export async function reopen(scope: Scope<Person>, conversation: Conversation): Promise<void> {
  await update(scope, conversation, { status: 'open', closedAt: null, closedBy: null });
  await line(scope, conversation, 'reopened', {});
  recordAudit(scope, {
    action: 'SUPPORT_CONVERSATION_REOPENED',
    entityType: 'support_conversation',
    entityId: conversation.id,
    metadata: { conversationId: conversation.id },
  });
}

/** Columns of state; the log's own columns move by the append alone. */
type StateColumns = Partial<
  Pick<Conversation, 'status' | 'assignedAdminId' | 'closedAt' | 'closedBy' | 'waitingSince'>
>;

/** At once, not with the flush at the end: the append that follows looks at these columns. */
async function update(scope: Scope, conversation: Conversation, columns: StateColumns): Promise<void> {
  await scope.em.nativeUpdate(Conversation, { id: conversation.id }, { ...columns, updatedAt: scope.now });
}

/**
 * A line says what happened and who did it, by data; views make the sentence. Users never get the ids. Returns its place.
 */
async function line(
  scope: Scope<Actor & Partial<Person>>,
  conversation: Conversation,
  event: string,
  data: Record<string, unknown>,
): Promise<number> {
  const [outcome] = await appendInTransaction(scope, [
    systemLine(scope.tenant.id, conversation.id, event, { ...data, ...actorOf(scope.actor) }),
  ]);
  if (outcome?.verdict !== 'new') throw new Error(`a system line was not stored: ${outcome?.verdict}`);
  tell(scope, { type: 'messages:appended', tenantId: scope.tenant.id, messages: [outcome.message] });
  tell(scope, { type: 'conversation:state', tenantId: scope.tenant.id, conversationId: conversation.id });
  return outcome.message.seq;
}

/** Who did what a line tells, as its data names them. */
function actorOf(actor: Actor & Partial<Person>): Record<string, unknown> {
  return { actorId: actor.id, actorSide: actor.side ?? 'system', actorName: actor.name ?? null };
}

function systemLine(
  tenantId: string,
  conversationId: string,
  event: string,
  data: Record<string, unknown>,
): NewMessage {
  const id = newId();
  return {
    id,
    tenantId,
    conversationId,
    sender: { type: 'system' },
    clientId: id,
    messageType: 'system',
    event,
    data,
    body: null,
  };
}

/** The line that `assignTo` writes when somebody takes a conversation that was nobody's. */
export function claimLine(actor: Person, conversationId: string): NewMessage {
  const data = { adminId: actor.id, adminName: actor.name, fromAdminId: null, ...actorOf(actor) };
  return systemLine(actor.tenantId, conversationId, 'assigned', data);
}
