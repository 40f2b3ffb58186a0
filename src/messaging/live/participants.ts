import type { Audience } from '../messages/message.view.ts';

/** A participant as frames show it; staff have no id for users. */
export interface ParticipantView {
  readonly id?: string;
  readonly senderType: 'user' | 'admin';
  readonly name: string;
}

/** Somebody's mark in a conversation, with what decides who may hear of it. */
export interface Mark {
  readonly userId: string;
  readonly name: string;
  readonly side: 'user' | 'admin';
  readonly seq: number;
  /** False for the mark of an admin who may not answer: it tells the user nothing. */
  readonly counts: boolean;
}

/** One member of `readMarks`. */
export interface ReadMarkView {
  readonly participant: ParticipantView;
  readonly seq: number;
}

/** The marks that an audience may know. */
export function marksFor(audience: Audience, marks: readonly Mark[]): ReadMarkView[] {
  return marks
    .filter((mark) => audience === 'staff' || mark.counts)
    .map(({ userId, side, name, seq }) => ({
      participant: participantView(audience, { id: userId, side, name }),
      seq,
    }));
}

/** A person for one audience: users see staff by name and side only. */
export function participantView(
  audience: Audience,
  person: { readonly id: string; readonly side: 'user' | 'admin'; readonly name: string },
): ParticipantView {
  const { id, side, name } = person;
  return audience === 'staff' || side === 'user' ? { id, senderType: side, name } : { senderType: side, name };
}
