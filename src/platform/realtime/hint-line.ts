import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../database/index.ts';
import type { Backplane, Hint } from './room.ts';

/** Hints gather this long after one batch went out; the first after a rest goes out at once. */
const GATHER_MS = 8;
const PING_EVERY_MS = 2_000;
/** Own pings come back within milliseconds; after this long the line is taken for dead. */
const DEAD_AFTER_MS = 6_500;
/** A node that was not heard for this long is not told anything: it would have pinged. */
const ALONE_AFTER_MS = 7_000;
const MAX_NODES = 1_000;

/** `[tenant, room, version, after, note?]` */
const WireHint = z.union([
  z.tuple([z.uuid(), z.string().max(120), z.int().min(0), z.int().min(0)]),
  z.tuple([z.uuid(), z.string().max(120), z.int().min(0), z.int().min(0), z.string().max(200)]),
]);
const WireHints = z.array(WireHint);

/** An open line: short texts to every node, our own included. */
export interface Line {
  /** Rejects when the line is known to be down. */
  send(payload: string): Promise<void>;
  /** Resolves when the line has ended by itself. */
  readonly ended: Promise<void>;
  /** Lets go of it: in order, or at once when it does not answer. Never rejects. */
  close(how: 'politely' | 'at once'): Promise<void>;
}

/** What carries the texts: PostgreSQL, Redis. */
export interface LineOptions {
  /** Opens the line and hears everything on it; rejects when that fails or takes too long. */
  connect(heard: (payload: string) => void): Promise<Line>;
  readonly maxPayloadBytes: number;
  readonly log: Log;
  /** This process among the nodes. */
  readonly node?: string;
}

/**
 * Hints over a line that may break: one coalescing notifier a process, never inside anybody's transaction. Hints of one
 * room that gather together become one. Every two seconds a ping must come back, or the line is opened anew and
 * listeners are told that hints were lost. While no other node was heard nothing is sent at all, so a single process
 * pays one small ping every two seconds.
 */
export function openHintLine({
  connect,
  maxPayloadBytes,
  log,
  node = randomBytes(6).toString('base64url'),
}: LineOptions): Backplane {
  const listeners: ((hint: Hint) => void)[] = [];
  const restored: (() => void)[] = [];
  const others = new Map<string, number>();
  let waiting = new Map<string, Hint>();
  let notes: Hint[] = [];
  let line: Line | null = null;
  let isSending = false;
  let isClosed = false;
  let heardAt = Number.NEGATIVE_INFINITY;
  let lostAt = 0;
  const leaving = new AbortController();

  function publish(hint: Hint): void {
    if (isAlone() || isClosed) return;
    if (hint.note !== undefined) notes.push(hint);
    else {
      const key = `${hint.tenantId} ${hint.room}`;
      const earlier = waiting.get(key);
      waiting.set(key, earlier ? joined(earlier, hint) : hint);
    }
    if (!isSending) {
      isSending = true;
      setImmediate(() => void send());
    }
  }

  /** One batch after the other; what comes meanwhile goes together with the next. */
  async function send(): Promise<void> {
    try {
      while ((waiting.size > 0 || notes.length > 0) && !isClosed) {
        const hints = [...waiting.values(), ...notes];
        waiting = new Map();
        notes = [];
        // with the line down they are lost, and the sweep finds what they were about
        if (line) for (const payload of payloads(node, hints, maxPayloadBytes)) await line.send(payload);
        await sleep(GATHER_MS);
      }
    } catch (error) {
      log.warn({ err: error }, 'hints to other nodes were lost; sweeps find them');
    } finally {
      isSending = false;
    }
  }

  function heard(payload: string): void {
    heardAt = performance.now();
    const space = payload.indexOf(' ');
    const from = payload.slice(0, space);
    if (from === node || space < 1) return;
    const isNew = !others.has(from);
    if (isNew && others.size >= MAX_NODES) return;
    others.set(from, heardAt);
    // who is new here does not know us yet; an own ping says that we are here
    if (isNew) void line?.send(`${node} `).catch(() => {});
    const text = payload.slice(space + 1);
    if (text === '') return;
    for (const hint of parsed(text)) for (const listener of listeners) listener(hint);
  }

  function isAlone(): boolean {
    const now = performance.now();
    for (const [other, at] of others) if (now - at > ALONE_AFTER_MS) others.delete(other);
    return others.size === 0;
  }

  /** Opens the line, keeps it alive, opens it anew; until closed. */
  async function keepOpen(): Promise<void> {
    for (let failures = 0; !isClosed; ) {
      let opened: Line | null = null;
      try {
        opened = await connect(heard);
        heardAt = performance.now();
        line = opened;
        failures = 0;
        if (lostAt > 0) for (const listener of restored) listener();
        await pingUntilDead(opened);
      } catch (error) {
        if (!isClosed) log.warn({ err: error }, 'the line to the other nodes broke; opening it again');
      }
      line = null;
      lostAt = performance.now();
      await opened?.close(isClosed ? 'politely' : 'at once');
      failures += 1;
      if (!isClosed)
        await sleep(Math.min(200 * failures, 2_000), undefined, { signal: leaving.signal }).catch(() => {});
    }
  }

  async function pingUntilDead(opened: Line): Promise<void> {
    let isLost = false;
    void opened.ended.then(() => {
      isLost = true;
    });
    while (!isClosed && !isLost) {
      void opened.send(`${node} `).catch(() => {
        isLost = true;
      });
      const rest = sleep(PING_EVERY_MS, undefined, { signal: leaving.signal }).catch(() => {});
      await Promise.race([rest, opened.ended]);
      if (performance.now() - heardAt > DEAD_AFTER_MS) return;
    }
  }

  const running = keepOpen();
  return {
    publish,
    onHint: (listener) => void listeners.push(listener),
    onRestored: (listener) => void restored.push(listener),
    silentForMs: () => performance.now() - heardAt,
    async close() {
      isClosed = true;
      leaving.abort();
      await running;
    },
  };
}

/** Two hints about one log say together what each said. */
function joined(earlier: Hint, later: Hint): Hint {
  return {
    ...later,
    version: Math.max(earlier.version, later.version),
    after: Math.min(earlier.after, later.after),
  };
}

function payloads(node: string, hints: readonly Hint[], maxBytes: number): string[] {
  const done: string[] = [];
  let parts: string[] = [];
  let bytes = 0;
  for (const { tenantId, room, version, after, note } of hints) {
    const part = JSON.stringify(note === undefined ? [tenantId, room, version, after] : [tenantId, room, 0, 0, note]);
    const size = Buffer.byteLength(part) + 1;
    if (bytes + size > maxBytes) {
      done.push(`${node} [${parts.join()}]`);
      parts = [];
      bytes = 0;
    }
    parts.push(part);
    bytes += size;
  }
  return parts.length > 0 ? [...done, `${node} [${parts.join()}]`] : done;
}

/** Whoever may speak on the line could say anything here. */
function parsed(text: string): Hint[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const hints = WireHints.safeParse(value);
  if (!hints.success) return [];
  return hints.data.map(([tenantId, room, version, after, note]) => ({
    tenantId,
    room,
    version,
    after,
    ...(note === undefined ? {} : { note }),
  }));
}
