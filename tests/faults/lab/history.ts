import { appendFileSync, writeFileSync } from 'node:fs';

/** One line of history.jsonl. `at`: milliseconds since the run began, by the runner's monotonic clock. */
export type HistoryEvent = { readonly at: number } & (
  | {
      /** A client is about to send; `process` is one device, `sender` the person. */
      readonly type: 'invoke';
      readonly process: string;
      readonly sender: string;
      readonly conversation: string;
      readonly clientId: string;
      readonly body: string;
    }
  | {
      /** Acknowledged: a 2xx or an ack. */
      readonly type: 'ok';
      readonly process: string;
      readonly conversation: string;
      readonly clientId: string;
      readonly seq: number;
      readonly version: number;
      readonly body: string | null;
    }
  /** Refused for good: it must not be there. */
  | {
      readonly type: 'fail';
      readonly process: string;
      readonly conversation: string;
      readonly clientId: string;
      readonly code: string;
    }
  /** Nobody knows. `cut`: the line broke; `refused`: an answer that says to try again (503, 429). */
  | {
      readonly type: 'info';
      readonly process: string;
      readonly conversation: string;
      readonly clientId: string;
      readonly cause: 'cut' | 'refused';
      readonly code?: string;
    }
  /** `mayRead`: the conversations that this process may hear; `tenant`: whose canary it may see. */
  | {
      readonly type: 'client';
      readonly process: string;
      readonly sender: string;
      readonly tenant: string;
      readonly mayRead: readonly string[];
    }
  | {
      readonly type: 'subscribed';
      readonly process: string;
      readonly conversation: string;
      readonly status: 'resumed' | 'reset';
      /** The version the log stood at. */
      readonly version: number;
      /** What was asked for; null for none. */
      readonly after: number | null;
    }
  | {
      readonly type: 'frame';
      readonly process: string;
      readonly conversation: string;
      readonly kind: 'new' | 'changed';
      readonly seq: number;
      readonly version: number;
      readonly body: string | null;
    }
  /** A change of one's own message was answered with success: everybody must come to hear of it. */
  | {
      readonly type: 'changed';
      readonly process: string;
      readonly conversation: string;
      readonly seq: number;
      readonly version: number;
      readonly body: string | null;
    }
  /** From now on this process may see nothing more (plus the second of D7). */
  | { readonly type: 'revoked'; readonly process: string }
  | { readonly type: 'closed'; readonly process: string; readonly code: number }
  /** The process has been connected and subscribed while nothing happened for long enough. */
  | { readonly type: 'quiet'; readonly process: string; readonly conversation: string }
  /** What the nemesis did. */
  | { readonly type: 'nemesis'; readonly what: string }
);

/** Everything that is known about a message when all is over. */
export interface FinalMessage {
  readonly conversation: string;
  readonly seq: number;
  readonly version: number;
  /** The version with which it came. */
  readonly firstVersion: number;
  readonly sender: string | null;
  readonly clientId: string;
  readonly body: string | null;
  /** How the conversation counts, repeated on each of its messages. */
  readonly lastSeq: number;
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;

/** Takes down what happens. */
export interface Recorder {
  readonly events: readonly HistoryEvent[];
  add(event: WithoutTime<HistoryEvent>): void;
  /** Milliseconds since it was opened. */
  now(): number;
  /** Forgets everything: a new round. */
  reset(): void;
  /** Writes all of it as JSON lines. */
  save(file: string): void;
}

/** A history of its own; in memory until saved. */
export function openRecorder(): Recorder {
  const began = performance.now();
  const events: HistoryEvent[] = [];
  return {
    events,
    add(event) {
      // the union is rebuilt member by member
      events.push({ at: Math.round((performance.now() - began) * 10) / 10, ...event } as HistoryEvent);
    },
    now: () => performance.now() - began,
    reset: () => void events.splice(0),
    save(file) {
      writeFileSync(file, '');
      for (let at = 0; at < events.length; at += 1_000) {
        const lines = events.slice(at, at + 1_000).map((event) => `${JSON.stringify(event)}\n`);
        appendFileSync(file, lines.join(''));
      }
    },
  };
}
