import type { Side } from './dialogues.ts';

/** One turn on its way through the server; times in milliseconds of one clock. */
export interface SentTurn {
  readonly clientId: string;
  readonly from: Side;
  /** As it must be stored. */
  readonly text: string;
  readonly sentAt: number;
  ackedAt?: number;
  /** Its place, as the acknowledgement said. */
  seq?: number;
  /** When the other side's socket showed it. */
  deliveredAt?: number;
  /** The code with which the server refused it. */
  refused?: string;
}

/** What one side's socket showed of one conversation. */
export interface Watch {
  /** seq → how often `message:new` came for it in the conversation's room. */
  readonly shown: Map<number, number>;
  /** seq numbers that came after a greater one. */
  outOfOrder: number;
  lastSeq: number;
  /** Highest read mark of the other side that was shown. */
  readMark: number;
  closed: boolean;
}

/** One dialogue as it was played: a conversation, its turns, and what both sides saw. */
export interface Played {
  readonly dialogueId: string;
  conversationId?: string;
  readonly turns: SentTurn[];
  readonly watches: Readonly<Record<Side, Watch>>;
  closed: boolean;
  /** What differs from what was promised; each a line for the report. */
  readonly differences: string[];
}

/** Begins the record of one dialogue. */
export function openRecord(dialogueId: string): Played {
  return {
    dialogueId,
    turns: [],
    watches: { user: openWatch(), agent: openWatch() },
    closed: false,
    differences: [],
  };
}

function openWatch(): Watch {
  return { shown: new Map(), outOfOrder: 0, lastSeq: 0, readMark: 0, closed: false };
}

/** Notes that a socket showed the message at `seq` in the conversation's room. */
export function noteShown(watch: Watch, seq: number): void {
  if (seq < watch.lastSeq) watch.outOfOrder += 1;
  watch.lastSeq = Math.max(watch.lastSeq, seq);
  watch.shown.set(seq, (watch.shown.get(seq) ?? 0) + 1);
}

/**
 * What a side's socket showed twice, out of order, or not at all. A side that sends through its socket gets the
 * acknowledgement instead of its own message, so its own numbers count as seen.
 * @param lastSeq the conversation's last number
 */
export function judgeWatch(played: Played, side: Side, lastSeq: number): { doubled: number; missing: number } {
  const { shown, outOfOrder } = played.watches[side];
  const own = new Set(played.turns.filter(({ from }) => from === side).map(({ seq }) => seq));
  const numbers = Array.from({ length: lastSeq }, (_, index) => index + 1);
  const missing = numbers.filter((seq) => !shown.has(seq) && !own.has(seq));
  const doubled = [...shown].filter(([, times]) => times > 1).map(([seq]) => seq);
  const say = (what: string, list: readonly number[]): void => {
    if (list.length > 0) played.differences.push(`${side}'s socket ${what} ${list.join(', ')}`);
  };
  say('was never shown', missing);
  say('was shown twice', doubled);
  if (outOfOrder > 0) played.differences.push(`${side}'s socket was shown ${outOfOrder} out of order`);
  return { doubled: doubled.length, missing: missing.length };
}
