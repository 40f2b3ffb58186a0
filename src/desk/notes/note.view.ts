import type { StaffName, StoredNote } from './stored-note.ts';

/** A note as staff see it, in JSON and on the page. */
export interface NoteView {
  readonly id: string;
  readonly conversationId: string;
  readonly version: number;
  readonly author: StaffName;
  readonly body: string;
  readonly mentions: readonly StaffName[];
  readonly clientId: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** There is one audience for notes. */
export function noteView(note: StoredNote): NoteView {
  const { id, conversationId, version, author, body, mentions, clientId } = note;
  return { id, conversationId, version, author, body, mentions, clientId, createdAt: note.createdAt.toISOString() };
}

/** A note as a line of the thread: behind the message that was last when it was written, before the next one's day line. */
export interface NoteLine extends NoteView {
  /** Place among the messages, `12.000003`: the third note, after message 12. */
  readonly seq: number;
  readonly senderType: 'note';
}

/** The line of a note. */
export function noteLine(note: StoredNote): NoteLine {
  return {
    ...noteView(note),
    seq: Number(`${note.afterSeq}.${String(note.version).padStart(6, '0')}`),
    senderType: 'note',
  };
}
