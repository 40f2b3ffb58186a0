import type { Person } from '../../identity/index.ts';
import { accessConversation, checkedText } from '../../messaging/index.ts';
import { type DomainEvent, type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { ConversationNote, NoteMention } from './conversation-note.entity.ts';
import { listNoteReaders, mentionedIn } from './mentions.ts';
import { type StoredNote, withNames } from './stored-note.ts';

/** A note as an admin writes it, by form or REST. */
export interface AddNote {
  readonly conversationId: string;
  /** As typed; `@` and a colleague's name tells that colleague. */
  readonly body: string;
  /** UUID that the client made, so that sending it twice is writing it once; made here when absent. */
  readonly clientId?: string | undefined;
}

/** A note was written; told after commit. */
export interface NoteAdded extends DomainEvent {
  readonly type: 'note:added';
  readonly note: StoredNote;
}

/**
 * Writes a private note, also in a closed conversation and in a colleague's. Users never hear of it.
 * @throws Forbidden without REPLY_SUPPORT_CHAT; NotFound when the conversation is not there.
 * @throws Invalid for a text that is empty, too long or cannot be stored; Conflict `client_id_reused`.
 */
export async function addNote(
  scope: Scope<Person>,
  { conversationId, body: typed, clientId = newId() }: AddNote,
): Promise<{ note: StoredNote; isNew: boolean }> {
  if (scope.actor.side !== 'admin' || !scope.actor.can('REPLY_SUPPORT_CHAT')) throw new Forbidden();
  const body = checkedText(typed);
  return transact(scope, async (inside) => {
    const { em, actor, now } = inside;
    const conversation = await accessConversation(inside, conversationId, { lock: true });
    const earlier = await em.findOne(ConversationNote, { conversationId, authorId: actor.id, clientId });
    if (earlier) return { note: await sameOrThrow(inside, earlier, body), isNew: false };

    const last = await em.findOne(ConversationNote, { conversationId }, { orderBy: { version: 'desc' } });
    const note = em.create(ConversationNote, {
      id: newId(),
      tenantId: inside.tenant.id,
      conversationId,
      version: (last?.version ?? 0) + 1,
      afterSeq: conversation.lastSeq,
      authorId: actor.id,
      body,
      clientId: clientId.toLowerCase(),
      createdAt: now,
    });
    em.persist(note);
    // mentions refer to the note, and nothing tells the ORM so
    await em.flush();
    for (const { id } of mentionedIn(body, await listNoteReaders(inside))) {
      const { tenantId } = note;
      em.persist(
        em.create(NoteMention, {
          noteId: note.id,
          userId: id,
          tenantId,
          conversationId,
          createdAt: now,
          // whoever names themselves knows it
          seenAt: id === actor.id ? now : null,
        }),
      );
    }
    recordAudit(inside, {
      action: 'SUPPORT_NOTE_ADDED',
      entityType: 'support_note',
      entityId: note.id,
      metadata: { conversationId },
    });
    await em.flush();
    const [stored] = await withNames(inside, [note]);
    if (!stored) throw new Error('a note has lost its names');
    const added: NoteAdded = { type: 'note:added', tenantId: inside.tenant.id, note: stored };
    inside.emit(added);
    return { note: stored, isNew: true };
  });
}

async function sameOrThrow(scope: Scope, earlier: ConversationNote, body: string): Promise<StoredNote> {
  if (earlier.body !== body)
    throw new Conflict('client_id_reused', 'Another note was sent with this clientId already.');
  const [stored] = await withNames(scope, [earlier]);
  if (!stored) throw new Error('a note has lost its names');
  return stored;
}
