import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import WebSocket, { type ClientOptions } from 'ws';
import { entities } from '../../src/entities.ts';
import { openModules } from '../../src/modules.ts';
import { type ReadyConfig, readConfig } from '../../src/platform/config/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import type { Backplane } from '../../src/platform/realtime/index.ts';
import { collectedLog } from '../support/collected-log.ts';
import { databaseUrl } from '../support/database.ts';
import { TEST_SECRET_KEY, type TestSession } from '../support/people.ts';

/** A frame of `support.v1.json`. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every shape
export type Frame = any;

/** One process of the product: the whole app with its sockets. */
export interface LiveNode {
  readonly base: string;
  readonly database: Database;
  /** What was logged as an error: empty unless something of ours failed. */
  readonly errors: unknown[];
  stop(): Promise<void>;
}

/** Starts the whole app in this process. `backplane` replaces the one of PostgreSQL. */
export async function startNode({
  env = {},
  backplane,
}: {
  env?: Record<string, string>;
  backplane?: Backplane;
} = {}): Promise<LiveNode> {
  const read = readConfig({ DATABASE_URL: databaseUrl(), PORT: '0', LIMITS: 'off', DEMO: '0', ...env });
  const config: ReadyConfig = { ...read, secretKey: TEST_SECRET_KEY };
  const errors: unknown[] = [];
  const log = collectedLog({ error: (...told: unknown[]) => void errors.push(told) });
  const database = await openDatabase({ url: databaseUrl(), entities, log });
  const modules = await openModules({ config, database, log, compress: false, ...(backplane ? { backplane } : {}) });
  modules.server.listen(0, '127.0.0.1');
  await once(modules.server, 'listening');
  modules.setReadiness(null);
  return {
    base: `http://127.0.0.1:${(modules.server.address() as AddressInfo).port}`,
    database,
    errors,
    async stop() {
      await modules.closeSockets();
      modules.server.closeAllConnections();
      modules.server.close();
      await modules.close();
      await database.close();
    },
  };
}

/** A socket of a program or a page, with what came down it. */
export interface TestSocket {
  readonly ws: WebSocket;
  /** Everything that came, parsed where it is JSON. */
  readonly frames: Frame[];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  send(frame: unknown): void;
  /** The first frame, from what came already on, that fits; each is given once. Fails after `ms`. */
  next(fits: (frame: Frame) => boolean, ms?: number): Promise<Frame>;
  /** Subscribes and gives the answer. */
  join(room: string, after?: number | string | null): Promise<Frame>;
  /** Sends a message and gives the ack or the error. */
  say(conversationId: string, body: string, clientId?: string, more?: object): Promise<Frame>;
  /** Frames that fit within this time. */
  during(ms: number, fits?: (frame: Frame) => boolean): Promise<Frame[]>;
  close(): Promise<void>;
}

/** Wraps a socket before it is open. */
function watch(ws: WebSocket): TestSocket {
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  const taken = new Set<number>();
  ws.on('message', (data) => {
    const text = String(data);
    frames.push(text.startsWith('{') ? JSON.parse(text) : text);
    for (const look of [...waiting]) look();
  });
  ws.on('error', () => {});
  const closed = new Promise<number>((done) => ws.once('close', (code) => done(code)));
  const socket: TestSocket = {
    ws,
    frames,
    closed,
    send: (frame) => ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    next(fits, ms = 5_000) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const index = frames.findIndex((frame, at) => !taken.has(at) && fits(frame));
          if (index < 0) return;
          taken.add(index);
          clearTimeout(timer);
          waiting.delete(look);
          resolve(frames[index]);
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no such frame within ${ms} ms; came: ${JSON.stringify(frames).slice(0, 2_000)}`));
        }, ms);
        waiting.add(look);
        look();
      });
    },
    join(room, after) {
      const ref = randomUUID();
      socket.send({ type: 'subscribe', room, ref, ...(after === undefined ? {} : { after }) });
      return socket.next((frame) => frame.ref === ref);
    },
    say(conversationId, body, clientId = randomUUID(), more = {}) {
      const ref = randomUUID();
      socket.send({ type: 'message:send', conversationId, clientId, body, ref, ...more });
      return socket.next((frame) => frame.ref === ref);
    },
    async during(ms, fits = () => true) {
      const from = frames.length;
      await new Promise((done) => setTimeout(done, ms));
      return frames.slice(from).filter(fits);
    },
    async close() {
      ws.close();
      await closed;
    },
  };
  return socket;
}

/** Connects a program with its bearer token and waits until it is open. */
export async function program(node: Pick<LiveNode, 'base'>, session: TestSession): Promise<TestSocket> {
  const socket = knock(node, '/ws', { headers: session.bearer }, ['support.v1.json']);
  await once(socket.ws, 'open');
  return socket;
}

/** Connects a page with its cookie and our own Origin. */
export async function page(node: Pick<LiveNode, 'base'>, session: TestSession, query: string): Promise<TestSocket> {
  const socket = knock(node, `/ws?${query}`, { headers: { ...session.cookie, origin: node.base } });
  await once(socket.ws, 'open');
  return socket;
}

/** Any handshake. */
export function knock(
  node: Pick<LiveNode, 'base'>,
  path: string,
  options: ClientOptions = {},
  protocols: string[] = [],
): TestSocket {
  return watch(new WebSocket(node.base.replace('http', 'ws') + path, protocols, options));
}

/** The status of a refused handshake, or the close code after an accepted one (0 when it stays open). */
export function outcomeOf(socket: TestSocket, ms = 1_500): Promise<number> {
  return new Promise((resolve) => {
    socket.ws.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.ws.terminate();
    });
    void socket.closed.then(resolve);
    socket.ws.once('open', () => setTimeout(() => resolve(0), ms).unref());
  });
}

/** Calls the JSON API. */
export async function call(
  node: Pick<LiveNode, 'base'>,
  session: TestSession,
  method: string,
  path: string,
  body?: unknown,
): Promise<Frame> {
  const answer = await fetch(node.base + path, {
    method,
    headers: { ...session.bearer, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, ...(text.startsWith('{') ? JSON.parse(text) : { text }) };
}

/** Opens a conversation as a user, with a first message; gives its id. */
export async function startConversation(
  node: Pick<LiveNode, 'base'>,
  user: TestSession,
  body = 'My trip was not paid out.',
): Promise<string> {
  const made = await call(node, user, 'POST', '/api/support/conversations', {
    message: { body, clientId: randomUUID() },
  });
  if (made.status >= 300) throw new Error(`not started: ${JSON.stringify(made)}`);
  return made.conversation.id;
}
