import { Unavailable } from '../errors/index.ts';

/** Longest wait for a place; beyond it the answer would come too late to be of use. */
const WAIT_TIMEOUT_MS = 10_000;
/** Longest line; who would stand behind it is turned away at once. */
const MAX_WAITING = 5_000;

/** A bounded line before something of which there are few. */
export interface Turnstile {
  /**
   * Resolves when a place is free, first come first served; `leave` gives it back.
   * @throws Unavailable after ten seconds, or at once when the line is too long.
   */
  enter(): Promise<void>;
  leave(): void;
}

/**
 * Stands before the ORM's pool. The driver's own line shares its time limit with connecting: three seconds are right for
 * a database that does not answer, and too few for a burst of work that is merely waiting its turn.
 */
export function createTurnstile(places: number): Turnstile {
  let free = places;
  const line: { let: () => void; timer: NodeJS.Timeout }[] = [];
  return {
    enter() {
      if (free > 0) {
        free--;
        return Promise.resolve();
      }
      if (line.length >= MAX_WAITING) return Promise.reject(new Unavailable(2));
      return new Promise<void>((resolve, reject) => {
        const waiting = {
          let: resolve,
          timer: setTimeout(() => {
            line.splice(line.indexOf(waiting), 1);
            reject(new Unavailable(2));
          }, WAIT_TIMEOUT_MS),
        };
        line.push(waiting);
      });
    },
    leave() {
      const next = line.shift();
      if (!next) {
        free++;
        return;
      }
      clearTimeout(next.timer);
      next.let();
    },
  };
}
