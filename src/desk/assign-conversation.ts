import type { Person } from '../identity/index.ts';
import { accessConversation, assignTo, type Conversation } from '../messaging/index.ts';
import { type Scope, transact } from '../platform/database/index.ts';
import { Conflict, Forbidden, Invalid } from '../platform/errors/index.ts';
import { type Colleague, findColleague } from './colleagues.ts';
import { addNote } from './notes/add-note.ts';

/** Who is to hold it: absent claims it for the caller, an id hands it over, null releases it. */
export interface AssignConversation {
  readonly adminId?: string | null | undefined;
  /** What whoever gets it should know: becomes a private note that names them, in the same transaction. */
  readonly note?: { readonly body: string; readonly clientId?: string | undefined } | undefined;
}

/**
 * Claims, hands over or releases a conversation. What holds already changes nothing and writes no line; a note is kept anyway.
 * @throws Forbidden without ASSIGN_SUPPORT_CHAT; also for claiming by somebody who may not answer.
 * @throws NotFound when it is not there.
 * @throws Conflict `assigned_to_other` for a claim of what a colleague holds; `conversation_closed`.
 * @throws Invalid `adminId` for somebody who is no active admin with REPLY_SUPPORT_CHAT; whatever `addNote` throws.
 */
export async function assignConversation(
  scope: Scope<Person>,
  conversationId: string,
  { adminId, note }: AssignConversation,
): Promise<Conversation> {
  const { actor } = scope;
  if (actor.side !== 'admin' || !actor.can('ASSIGN_SUPPORT_CHAT')) throw new Forbidden();
  const isClaim = adminId === undefined;
  if (isClaim && !actor.can('REPLY_SUPPORT_CHAT')) throw new Forbidden();

  return transact(scope, async (inside) => {
    const conversation = await accessConversation(inside, conversationId, { lock: true });
    const holder = conversation.assignedAdminId ?? null;
    const wanted = isClaim ? actor.id : adminId;
    if (!conversation.isOpen()) throw new Conflict('conversation_closed', 'This conversation is closed.');
    if (holder === wanted && !note) return conversation;
    if (isClaim && holder !== wanted && holder)
      throw new Conflict('assigned_to_other', 'A colleague is answering this conversation.');
    const colleague = wanted === null ? null : await findColleague(inside, wanted);
    if (wanted !== null && !colleague) throw new Invalid({ adminId: 'unknown' });
    if (holder !== wanted) await assignTo(inside, conversation, colleague);
    if (note) await addNote(inside, { ...note, conversationId, body: addressed(note.body, colleague) });
    return accessConversation(inside, conversationId);
  });
}

/** Naming them is what tells them. */
function addressed(body: string, colleague: Colleague | null): string {
  return colleague && body.trim() !== '' ? `@${colleague.name} ${body}` : body;
}
