import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Log } from '../database/index.ts';
import { AppError } from '../errors/index.ts';
import { createCounted } from './counted.ts';
import type { Hub } from './hub.ts';
import type { Connection, Viewer } from './room.ts';
import { endAfter, IMPATIENT_CLOSE_MS, openSocket, type SocketConnection } from './socket-connection.ts';
import type { Gate, SocketLimits, Visitor } from './visitor.ts';

/** Limits of libraries.md: a peer that sends one-byte fragments costs no more than this. */
const MAX_PAYLOAD_BYTES = 65_536;
const MAX_FRAGMENTS = 64;

/** A beat each 20 seconds; who has not answered the last one is gone, so after 40 seconds at most. */
const BEAT_SECONDS = 20;
const CLOSE_TIMEOUT_MS = 15_000;
const IDENTIFY_TIMEOUT_MS = 5_000;
/** Whose socket broke the protocol gets no other for this long: coming back again and again is what it would do next. */
const RUDE_FOR_MS = 10_000;
/** The close frame says why; after this nobody listens. */
const RUDE_CLOSE_MS = 250;
/** They get their refusal so late, because whoever waits for an answer asks no more meanwhile; so many of a person's at once. */
const RUDE_WAIT_MS = 1_000;
const RUDE_WAITING = 4;
/** After a restart thousands come at once: so many are looked up together, the others wait in line. */
const IDENTIFY_AT_ONCE = 100;

/** How a socket speaks: fragments for pages, JSON for programs. */
export interface Dialect {
  /** The WebSocket subprotocol; null for sockets that ask for none. */
  readonly protocol: string | null;
  readonly format: Viewer['format'];
  /** Sent with every beat, for browsers, whose code sees no pings. */
  readonly beat: string | null;
  /** The socket is open. Returns what takes its frames, and is told when it closed. Must not throw. */
  opened(connection: SocketConnection, request: IncomingMessage): { received(text: string): void; closed?(): void };
}

/** What the WebSocket transport is made from. */
export interface WebSocketDeps {
  readonly server: Server;
  readonly path: string;
  readonly hub: Hub;
  readonly gate: Gate;
  readonly dialects: readonly Dialect[];
  readonly limits: SocketLimits | null;
  readonly log: Log;
  /** 20; tests are less patient. */
  readonly beatSeconds?: number;
}

/**
 * Serves `GET /ws`. A foreign Origin is refused with 403 before the handshake, as is a cookie without Origin. Trouble
 * with signing in is told after it, by close code 4401, because browsers show no status of a refused handshake and
 * would try again for ever.
 * @returns what stops the beats; the hub closes the sockets
 */
export function serveWebSockets(deps: WebSocketDeps): { close(): void } {
  const { server, hub, gate, dialects, limits, log } = deps;
  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_PAYLOAD_BYTES,
    perMessageDeflate: false,
    handleProtocols: (asked) =>
      dialects.find(({ protocol }) => protocol !== null && asked.has(protocol))?.protocol ?? false,
    maxFragments: MAX_FRAGMENTS,
    // newer than the published types
    ...{ closeTimeout: CLOSE_TIMEOUT_MS },
  });
  const byAddress = createCounted();
  const unknownByAddress = createCounted();
  /** People who were rude, and how many of their sockets wait for a refusal. */
  const rude = new Map<string, { readonly timer: NodeJS.Timeout; waiting: number }>();
  const beats = createBeats(deps.beatSeconds ?? BEAT_SECONDS);
  const line = createLine(IDENTIFY_AT_ONCE);
  let nextId = 0;

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', ignore);
    const address = gate.clientAddress(request);
    const isUnknown = gate.credentialOf(request) === null;
    const refusal = refusalOf(request) ?? crowdOf(address, isUnknown);
    if (refusal !== null) {
      refuse(socket, refusal);
      return;
    }
    socket.once('close', () => byAddress.free(address));
    admit(request, socket, head)
      .catch((error: unknown) => {
        log.error({ err: error }, 'a socket could not be opened');
        refuse(socket, 503);
      })
      .finally(() => {
        if (isUnknown) unknownByAddress.free(address);
      });
  }

  /** Counts the socket, or gives the status with which too many of one address are turned away. */
  function crowdOf(address: string, isUnknown: boolean): number | null {
    if (!byAddress.take(address, limits?.perAddress ?? Number.POSITIVE_INFINITY)) return 429;
    if (!isUnknown) return null;
    if (unknownByAddress.take(address, limits?.unknownPerAddress ?? Number.POSITIVE_INFINITY)) return null;
    byAddress.free(address);
    return 429;
  }

  /** The status with which a request is turned away before anybody asks who it is. */
  function refusalOf(request: IncomingMessage): number | null {
    if (request.url?.split('?', 1)[0] !== deps.path) return 404;
    if (hub.isDraining) return 503;
    try {
      gate.checkHost(request);
    } catch (error) {
      return error instanceof AppError ? error.status : 400;
    }
    const { origin } = request.headers;
    if (origin !== undefined && !gate.isOwnOrigin(origin, request)) return 403;
    if (origin === undefined && gate.credentialOf(request) === 'cookie') return 403;
    return dialectOf(request) ? null : 400;
  }

  async function admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    let visitor: Visitor | null;
    try {
      visitor = await line.run(() => (socket.destroyed ? Promise.resolve(null) : withTimeout(gate.identify(request))));
    } catch (error) {
      log.warn({ err: error }, 'a socket could not be signed in');
      return refuse(socket, 503);
    }
    const dialect = dialectOf(request);
    if (socket.destroyed || !dialect) return;
    if (hub.isDraining) return refuse(socket, 503);
    if (visitor && limits) {
      const known = rude.get(nameOf(visitor));
      if (known) {
        if (known.waiting < RUDE_WAITING) {
          known.waiting += 1;
          await sleep(RUDE_WAIT_MS);
          known.waiting -= 1;
        }
        return refuse(socket, 429);
      }
      await makeRoomFor(visitor);
      // asked again without a wait before this one counts, or many that come at once would all find room
      if (isCrowded(visitor) || isFull(visitor, limits)) return refuse(socket, 429);
    }
    if (socket.destroyed) return;
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>();
    // ws answers a malformed handshake itself, without calling back
    socket.once('close', done);
    wss.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', ignore);
      if (visitor) {
        open(ws, socket, request, visitor, dialect);
        done();
      } else {
        ws.on('message', ignore);
        ws.close(4401, 'signed out');
        endAfter(ws, IMPATIENT_CLOSE_MS);
      }
    });
    await isDone;
    // a listener that stays would keep the request, headers and all, as long as the socket lives
    socket.off('close', done);
  }

  /** Who comes back after a broken line may still be counted with the sockets that broke: those are asked first. */
  async function makeRoomFor(visitor: Visitor): Promise<void> {
    if (isCrowded(visitor)) await hub.probe(visitor.actor.tenantId, visitor.actor.id);
  }

  function isCrowded({ actor: { tenantId, id }, maxConnections }: Visitor): boolean {
    return hub.connectionsOf(tenantId, id) >= maxConnections;
  }

  /** One tenant must not take the places of all. */
  function isFull({ actor: { tenantId } }: Visitor, { perTenant }: SocketLimits): boolean {
    return hub.connectionsOfTenant(tenantId) >= perTenant;
  }

  function nameOf({ actor: { tenantId, id } }: Visitor): string {
    return `${tenantId} ${id}`;
  }

  /** Until the time is over this person gets no socket. */
  function wasRude(visitor: Visitor): void {
    const name = nameOf(visitor);
    const known = rude.get(name);
    if (known) known.timer.refresh();
    else rude.set(name, { timer: setTimeout(() => rude.delete(name), RUDE_FOR_MS).unref(), waiting: 0 });
  }

  function open(ws: WebSocket, socket: Duplex, request: IncomingMessage, visitor: Visitor, dialect: Dialect): void {
    nextId += 1;
    const connection = openSocket({ ws, socket, id: `${nextId}`, visitor, format: dialect.format, hub });
    hub.attach(connection);
    const handler = dialect.opened(connection, request);
    const beat = { isAlive: true, ws, connection, dialect };
    const forget = beats.add(beat);
    // ws tells so of what no well-made client sends: too many fragments, too large a frame, a frame that is none
    ws.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (!code?.startsWith('WS_ERR_')) return;
      wasRude(visitor);
      // ws would read on, and throw away what comes, until the other side closes
      endAfter(ws, RUDE_CLOSE_MS);
    });
    const budget = limits ? createBudget(limits.framesPerSecond, connection) : null;
    ws.on('message', (data, isBinary) => {
      beat.isAlive = true;
      if (!connection.isOpen) return;
      if (isBinary) return connection.close(1008);
      budget?.spend();
      // one buffer a message with ws's default binaryType
      handler.received((data as Buffer).toString());
    });
    /** A well-made client pings now and then. */
    function pinged(): void {
      beat.isAlive = true;
      if (!connection.isOpen) return;
      const isFlood = budget?.spend() === 'flood';
      // ws ends by itself who pings and pings and does not take the answers
      if (!isFlood && ws.readyState === ws.OPEN) return;
      wasRude(visitor);
      connection.close(1008);
      endAfter(ws, RUDE_CLOSE_MS);
    }
    ws.on('pong', pinged);
    ws.on('ping', pinged);
    ws.on('close', () => {
      forget();
      budget?.stop();
      hub.detach(connection);
      handler.closed?.();
    });
  }

  function dialectOf(request: IncomingMessage): Dialect | undefined {
    const asked = request.headers['sec-websocket-protocol'];
    if (asked === undefined) return dialects.find(({ protocol }) => protocol === null);
    const names = asked.split(',').map((name) => name.trim());
    return dialects.find(({ protocol }) => protocol !== null && names.includes(protocol));
  }

  const timer = setInterval(() => beats.next(hub), 1_000).unref();
  server.on('upgrade', onUpgrade);
  return {
    close() {
      clearInterval(timer);
      server.off('upgrade', onUpgrade);
    },
  };
}

function ignore(): void {}

interface Beat {
  isAlive: boolean;
  readonly ws: WebSocket;
  readonly connection: Connection;
  readonly dialect: Dialect;
}

/** Sockets in as many groups as a beat has seconds, one group a second, so that 5,000 pings do not leave at once. */
function createBeats(seconds: number) {
  const groups = Array.from({ length: seconds }, () => new Set<Beat>());
  let current = 0;
  return {
    /** Joins the group whose turn was last, so that the first beat comes after a whole round. */
    add(beat: Beat): () => void {
      const group = groups[current];
      group?.add(beat);
      return () => void group?.delete(beat);
    },
    next(hub: Hub): void {
      current = (current + 1) % groups.length;
      for (const beat of groups[current] ?? []) {
        if (!beat.isAlive) {
          beat.ws.terminate();
          continue;
        }
        beat.isAlive = false;
        beat.ws.ping();
        if (beat.dialect.beat) beat.connection.send({ text: beat.dialect.beat, cursor: null, bytes: null });
        void hub.recheck(beat.connection);
      }
    },
  };
}

/**
 * Lets a socket send so many frames a second, with three seconds' worth at once; the rest waits in its line. `flood`:
 * what came at once already is as much again.
 */
function createBudget(framesPerSecond: number, connection: SocketConnection) {
  const most = framesPerSecond * 3;
  let tokens = most;
  let filledAt = performance.now();
  let timer: NodeJS.Timeout | null = null;
  return {
    spend(): 'fine' | 'flood' {
      const now = performance.now();
      tokens = Math.min(most, tokens + ((now - filledAt) * framesPerSecond) / 1_000);
      filledAt = now;
      tokens -= 1;
      if (tokens < 0 && timer === null) {
        connection.pause();
        timer = setTimeout(
          () => {
            timer = null;
            connection.resume();
          },
          Math.min(2_000, 100 + (-tokens * 1_000) / framesPerSecond),
        ).unref();
      }
      return tokens < -most ? 'flood' : 'fine';
    },
    /** The socket is gone: a timer would keep it. */
    stop(): void {
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** Runs so many works at once, in the order in which they came. */
function createLine(atOnce: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (running >= atOnce) await new Promise<void>((turn) => waiting.push(turn));
      else running += 1;
      try {
        return await work();
      } finally {
        // the place is handed on; nobody can take it in between
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  const timeout = new AbortController();
  try {
    return await Promise.race([
      work,
      sleep(IDENTIFY_TIMEOUT_MS, undefined, { signal: timeout.signal }).then(() => {
        throw new Error('signing in took too long');
      }),
    ]);
  } finally {
    timeout.abort();
  }
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

function refuse(socket: Duplex, status: number): void {
  const retry = status === 429 || status === 503 ? 'Retry-After: 5\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Refused'}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    // whoever shakes hands waits for the answer before they say more; what a flood says now would be kept until the end
    () => socket.destroy(),
  );
  const timer = setTimeout(() => socket.destroy(), IMPATIENT_CLOSE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
