import type { StoredMessage } from './stored-message.ts';

/** What may be said of a message in a word or two; views make it a word of the reader's language. An open list outside. */
export const REACTIONS = ['thanks', 'got_it', 'on_my_way', 'looking_into_it'] as const;

/** One of them. */
export type Reaction = (typeof REACTIONS)[number];

/** Somebody's word on a message, as it stands in the message's data: everybody has one at most. */
export interface StoredReaction {
  readonly reaction: string;
  readonly side: 'user' | 'admin';
  readonly by: string;
  readonly name: string;
}

/** The contract's view of it: a participant and the word. */
export interface ReactionView {
  readonly reaction: string;
  /** `id` is null where the reader may not have it. */
  readonly participant: { readonly id: string | null; readonly senderType: string; readonly name: string };
}

/** What was said of a message, first come first; `reactToMessage` alone writes it. */
export function reactionsOf({ data, event }: Pick<StoredMessage, 'data' | 'event'>): readonly StoredReaction[] {
  return event === null ? ((data?.['reactions'] as readonly StoredReaction[] | undefined) ?? []) : [];
}

/** For one audience: users know staff by name only. */
export function reactionViews(message: StoredMessage, audience: 'user' | 'staff'): ReactionView[] {
  return reactionsOf(message).map(({ reaction, side, by, name }) => ({
    reaction,
    participant: { id: audience === 'staff' || side === 'user' ? by : null, senderType: side, name },
  }));
}
