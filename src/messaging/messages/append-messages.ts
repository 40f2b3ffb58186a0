import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Log, Scope } from '../../platform/database/index.ts';
import { batched, isInTransaction, isSilence } from '../../platform/database/index.ts';
import { Unavailable } from '../../platform/errors/index.ts';
import { type Claim, callAppend, callClaim } from './append-statement.ts';
import type { AppendOutcome, NewMessage, StoredMessage } from './stored-message.ts';

/** Most messages one statement takes; beyond it a statement's time grows without saving anything. */
const MAX_BATCH = 500;
/** Statements under way at once; two keep the database busy while the next batch gathers. */
const MAX_STATEMENTS = 2;
/** Statements that wait for a conversation somebody else holds; the pool has room for both kinds. */
const MAX_WAITS = 2;
/** Messages waiting in this process before new ones are turned away (503) instead of piling up. */
const MAX_WAITING = 20_000;
/** How often a batch is sent again after a lost connection; the client ids make that safe. */
const CONNECTION_RETRIES = 3;

interface Waiting {
  readonly message: NewMessage;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** How many statements of one kind may run at once, and do. */
interface Lane {
  readonly limit: number;
  running: number;
}

/** First answers that one statement takes, and statements of them at once. */
const CLAIMS = { max: 100, atOnce: 1 };

/** Told once per committed batch; per conversation in the order of the sequence. */
export type AppendedListener = (messages: readonly StoredMessage[]) => void;

/** The batching door of the log; one per process. */
export interface Appender {
  /**
   * Stores one message with whatever else arrives in this turn of the event loop, and tells what became of it.
   * Resolves after COMMIT. Must not be awaited inside `transact()` (use `appendInTransaction` there): it throws.
   * @throws Unavailable when the database cannot be reached or this process is overloaded; whether the message was
   *   stored is then unknown, and sending it again with the same client id is safe.
   */
  append(message: NewMessage, scope?: Scope): Promise<AppendOutcome>;
  /**
   * Makes a conversation that is nobody's the answering admin's, and stores the line that says so and the answer, with
   * whatever other first answers arrive meanwhile. Resolves after COMMIT; tells no listener.
   * @returns both as they were stored; null where it could not be claimed and nothing happened, or where nobody knows:
   *   asking again with the same client id is safe
   */
  claim(claim: Claim): Promise<readonly [line: StoredMessage, answer: StoredMessage] | null>;
  /** For what `appendInTransaction` stored, once its transaction has committed. */
  announce(messages: readonly StoredMessage[]): void;
  onAppended(listener: AppendedListener): void;
  /** Messages taken and not answered yet. */
  pending(): number;
}

/**
 * Group commit: messages that arrive in one turn of the event loop, or while two statements are under way, go out
 * together in one statement; never a timer. Within this process a conversation is never in two statements at once, so
 * that two of our own statements do not wait for each other's lock. A conversation that somebody else holds (`busy`)
 * is asked for again in statements of its own that wait, so that its neighbours do not.
 */
export function createAppender({ database, log }: { database: Pick<Database, 'appendPool'>; log: Log }): Appender {
  const listeners: AppendedListener[] = [];
  const batches: Lane = { limit: MAX_STATEMENTS, running: 0 };
  const waits: Lane = { limit: MAX_WAITS, running: 0 };
  let queue: Waiting[] = [];
  const busy: Waiting[][] = [];
  const inFlight = new Set<string>();
  let waiting = 0;
  let scheduled = false;

  function append(message: NewMessage, scope?: Scope): Promise<AppendOutcome> {
    if (scope && isInTransaction(scope)) {
      throw new Error('appendMessages was awaited inside a transaction; use appendInTransaction.');
    }
    if (waiting >= MAX_WAITING) throw new Unavailable(1, 'overloaded', 'Too many messages at once. Try again.');
    waiting++;
    return new Promise<AppendOutcome>((resolve, reject) => {
      queue.push({ message, resolve, reject });
      schedule();
    });
  }

  /** Waits for the end of this turn, so that everything that arrives in it shares one statement. */
  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      send();
    });
  }

  function send(): void {
    while (batches.running < batches.limit && queue.length > 0) {
      const batch = takeBatch();
      if (batch.length === 0) break;
      void store(batches, batch);
    }
    while (waits.running < waits.limit && busy.length > 0) {
      void store(waits, busy.shift() ?? []);
    }
  }

  /** The next messages whose conversations are in no statement now, none of them twice; the others keep their place. */
  function takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    const left: Waiting[] = [];
    const firsts = new Map<string, Waiting>();
    /** Of conversations that are in the batch more than once; V8 keeps each string that is a key, so not of all. */
    const clientIds = new Set<string>();
    const heldBack = new Set<string>();
    for (const one of queue) {
      const { conversationId, clientId } = one.message;
      const isFree = batch.length < MAX_BATCH && !inFlight.has(conversationId) && !heldBack.has(conversationId);
      const first = isFree ? firsts.get(conversationId) : undefined;
      if (first) clientIds.add(first.message.clientId);
      if (isFree && !(first && clientIds.has(clientId))) {
        if (first) clientIds.add(clientId);
        else firsts.set(conversationId, one);
        batch.push(one);
      } else {
        // what comes after it in its conversation stays after it
        if (isFree) heldBack.add(conversationId);
        left.push(one);
      }
    }
    queue = left;
    for (const { message } of batch) inFlight.add(message.conversationId);
    return batch;
  }

  /** Never rejects. The next statement is on its way before anybody is told of this one: the database need not wait. */
  async function store(lane: Lane, batch: Waiting[]): Promise<void> {
    let outcomes: (AppendOutcome | 'busy')[];
    lane.running++;
    try {
      outcomes = await callWithRetry(
        batch.map((one) => one.message),
        lane === waits,
      ).finally(() => {
        lane.running--;
      });
    } catch (error) {
      if (batch.length > 1 && isDataError(error)) {
        // one row poisons its statement: each by itself, in order, so that only that one fails
        for (const one of batch) await store(waits, [one]);
      } else {
        release(batch);
        send();
        for (const one of batch) reject(one, asUnavailable(error));
      }
      return;
    }
    const settled: Waiting[] = [];
    const held = new Map<string, Waiting[]>();
    const stored: StoredMessage[] = [];
    batch.forEach((one, at) => {
      const outcome = outcomes[at];
      if (outcome === 'busy') {
        held.set(one.message.conversationId, [...(held.get(one.message.conversationId) ?? []), one]);
        return;
      }
      settled.push(one);
      if (outcome?.verdict === 'new') stored.push(outcome.message);
    });
    busy.push(...held.values());
    release(settled);
    send();
    if (stored.length > 0) announce(stored);
    batch.forEach((one, at) => {
      const outcome = outcomes[at];
      if (outcome !== 'busy' && outcome) resolve(one, outcome);
    });
  }

  function release(batch: Waiting[]): void {
    for (const { message } of batch) inFlight.delete(message.conversationId);
  }

  function resolve(one: Waiting, outcome: AppendOutcome): void {
    waiting--;
    one.resolve(outcome);
  }

  function reject(one: Waiting, error: Error): void {
    waiting--;
    one.reject(error);
  }

  /** On a lost connection nobody knows what was stored: the same client ids make asking again safe. */
  async function callWithRetry(messages: NewMessage[], wait: boolean): Promise<(AppendOutcome | 'busy')[]> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await callAppend(database.appendPool, messages, wait);
      } catch (error) {
        if (attempt >= CONNECTION_RETRIES || !isTransient(error)) throw error;
        log.warn({ code: codeOf(error), attempt, messages: messages.length }, 'append sent again');
        await sleep(50 * 2 ** attempt);
      }
    }
  }

  const claimTogether = batched((claims: readonly Claim[]) => callClaim(database.appendPool, claims), CLAIMS);
  async function claim(claim: Claim): ReturnType<Appender['claim']> {
    try {
      return await claimTogether(claim);
    } catch (error) {
      log.warn({ code: codeOf(error) }, 'first answers are stored one by one');
      return null;
    }
  }

  function announce(messages: readonly StoredMessage[]): void {
    for (const listener of listeners) {
      try {
        listener(messages);
      } catch (error) {
        // the messages are stored; a listener that fails is repaired by the next sweep
        log.error({ err: error }, 'a listener failed on appended messages');
      }
    }
  }

  return {
    append,
    claim,
    announce,
    onAppended: (listener) => void listeners.push(listener),
    pending: () => waiting,
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** SQLSTATE 22 and 23: the values of one row; its neighbours are innocent. */
function isDataError(error: unknown): boolean {
  return /^2[23]/.test(codeOf(error));
}

/** The connection was lost, the server is starting or stopping, or two transactions met: all of it passes. */
function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  if (/^(08|57P|40)/.test(code)) return true;
  if (/^(ECONN|EPIPE|ETIMEDOUT)/.test(code)) return true;
  return error instanceof Error && /Connection terminated|connection.*timeout/i.test(error.message);
}

function asUnavailable(error: unknown): Error {
  const code = codeOf(error);
  if (isTransient(error) || isSilence(error) || code === '55P03' || code === '57014' || code === '53300') {
    return new Unavailable(2, 'unavailable', 'The message could not be stored right now. Send it again.');
  }
  return error instanceof Error ? error : new Error('append failed');
}
