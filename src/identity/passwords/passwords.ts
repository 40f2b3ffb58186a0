import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { Unavailable } from '../../platform/errors/index.ts';

/** OWASP's second choice for Argon2id: 19 MiB, two passes, one lane. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Threads of libuv's pool that hashing may hold; files and DNS need the others. */
const MAX_RUNNING = 2;
const MAX_WAITING = 50;

/** Characters; no other rule, people keep long ones in mind more easily than odd ones. */
export const MIN_PASSWORD_LENGTH = 12;
/** Characters; hashing more would only cost time. */
export const MAX_PASSWORD_LENGTH = 200;

/** Hashes and compares passwords off the main thread, a few at a time. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** With `stored` null (nobody of that name) it takes as long and answers false. */
  matches(stored: string | null, password: string): Promise<boolean>;
}

/** @throws Unavailable (from both functions) when too many wait already. */
export function createPasswords(): Passwords {
  const waiting: (() => void)[] = [];
  let running = 0;
  let nobodys: Promise<string> | undefined;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= MAX_RUNNING) {
      if (waiting.length >= MAX_WAITING) throw new Unavailable(5, 'busy', 'Too many people are signing in. Try again.');
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // the turn is handed on, so the count stays
      if (next) next();
      else running -= 1;
    }
  }

  return {
    hash: (password) => inTurn(() => hash(normalised(password), ARGON2)),
    async matches(stored, password) {
      nobodys ??= inTurn(() => hash(randomBytes(24), ARGON2));
      const compared = stored ?? (await nobodys);
      const isRight = await inTurn(() => verify(compared, normalised(password)));
      return isRight && stored !== null;
    },
  };
}

/** The same password from another keyboard is the same bytes (RFC 8265, OpaqueString). */
function normalised(password: string): string {
  return password.normalize('NFC');
}
