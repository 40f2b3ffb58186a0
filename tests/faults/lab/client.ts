import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Recorder } from './history.ts';
import type { Random } from './random.ts';

/** Who a client is, and what it does. */
export interface ClientOptions {
  /** Its name in the history: one device. */
  readonly name: string;
  readonly token: string;
  /** Person and tenant behind the token. */
  readonly sender: string;
  readonly tenant: string;
  /** Conversations it subscribes to. */
  readonly rooms: readonly string[];
  /** What it may hear; `rooms` unless said otherwise. */
  readonly mayRead?: readonly string[];
  /** Ports it may connect to; asked at each try. */
  readonly ports: () => readonly number[];
  readonly recorder: Recorder;
  readonly random: Random;
  /** Sends by socket (default), or by POST. */
  readonly via?: 'socket' | 'post';
  /** Messages on their way at once (16). */
  readonly window?: number;
  /** Longest silence before it takes the line for dead (4,000). */
  readonly silenceMs?: number;
  /** Longest wait between two tries to connect (250). */
  readonly maxBackoffMs?: number;
  /** What an earlier run of the same device left on its disk. */
  readonly saved?: Saved;
  /** Told of every frame, for those who keep more of a conversation than its messages. */
  readonly onFrame?: (frame: Readonly<Record<string, unknown>>) => void;
}

/** What a device keeps when its program is killed: messages without an answer, and how far it had read. */
export interface Saved {
  readonly outbox: readonly Waiting[];
  readonly cursors: ReadonlyMap<string, Cursor>;
  readonly known: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

interface Cursor {
  readonly epoch: string;
  readonly version: number;
}

/** One of one's own messages, as its answer named it. */
export interface OwnMessage {
  readonly conversation: string;
  readonly id: string;
  readonly seq: number;
}

/** A message in the outbox of a client. */
interface Waiting {
  readonly conversation: string;
  readonly clientId: string;
  readonly body: string;
  readonly done: PromiseWithResolvers<Answered>;
  isInvoked: boolean;
  /** Sent on the present line and not answered. */
  isOnTheWay: boolean;
}

/** How a send ended. */
export interface Answered {
  readonly outcome: 'ok' | 'fail';
  readonly seq?: number;
  readonly code?: string;
}

/** A program that keeps what it sends until it is acknowledged, and resumes where it was. */
export interface VirtualClient {
  readonly name: string;
  /** Puts it in the outbox; resolves when it is acknowledged or refused for good. */
  send(conversation: string, body: string, clientId?: string): Promise<Answered>;
  readonly isClosed: boolean;
  /** Messages without an answer. */
  readonly waiting: number;
  /** Messages that were written to the line that leads to a port and not answered. */
  onTheWay(port: number): number;
  readonly isConnected: boolean;
  /** True while every room is subscribed. */
  readonly isSubscribed: boolean;
  /** How often it connected. */
  readonly connects: number;
  /** Whether it has a place of a conversation, in this version at least, from its page, frames or answers. */
  knows(conversation: string, seq: number, version?: number): boolean;
  /** Its own messages that were acknowledged, oldest first. */
  readonly own: readonly OwnMessage[];
  /** Edits one of them, or deletes it (`body` null); by HTTP, tried again until answered. */
  change(message: OwnMessage, body: string | null): Promise<void>;
  /** The code with which the server ended it for good (4401, 4403), or null. */
  readonly endedWith: number | null;
  /** What `subscribed` said lately, by room. */
  readonly states: ReadonlyMap<string, { status: string; version: number }>;
  /** Cuts its own line without a word. */
  drop(): void;
  /** Stops and starts reading. */
  pause(): void;
  resume(): void;
  /** Not connecting until `online()`. */
  offline(): void;
  online(): void;
  setCursor(conversation: string, cursor: string | null): void;
  /** How far it has read. */
  cursor(conversation: string): Cursor | undefined;
  close(): void;
  /** Ends without a word, and leaves what lies on its disk. */
  kill(): Saved;
}

/** Refusals that sending again will not change. */
const FOR_GOOD = new Set([
  'conversation_closed',
  'forbidden',
  'support_disabled',
  'client_id_reused',
  'not_found',
  'invalid',
  'assigned_to_other',
  'not_signed_in',
]);

interface DownFrame {
  readonly type: string;
  readonly room?: string;
  readonly status?: 'resumed' | 'reset';
  readonly version?: number;
  readonly epoch?: string;
  readonly clientId?: string;
  readonly code?: string;
  readonly retryAfterSeconds?: number;
  readonly message?: {
    readonly id: string;
    readonly seq: number;
    readonly version: number;
    readonly body: string | null;
    readonly conversationId: string;
  };
}

/** Connects, and keeps trying until closed. */
export function openClient(options: ClientOptions): VirtualClient {
  const { name, recorder, random, rooms, via = 'socket', window = 16, silenceMs = 4_000, maxBackoffMs = 250 } = options;
  const { saved } = options;
  const outbox: Waiting[] = saved?.outbox.map((one) => ({ ...one, isOnTheWay: false })) ?? [];
  const cursors = new Map<string, Cursor>(saved?.cursors);
  const given = new Map<string, string | null>();
  /** With which position each room was asked for on the present line. */
  const asked = new Map<string, number | null>();
  const known = new Map([...(saved?.known ?? [])].map(([room, places]) => [room, new Map(places)]));
  const own: OwnMessage[] = [];
  const states = new Map<string, { status: string; version: number }>();
  const live = new Set<string>();
  let socket: WebSocket | null = null;
  let isClosed = false;
  let isOffline = false;
  let connects = 0;
  let endedWith: number | null = null;
  let failures = 0;
  let isPosting = false;
  let line = 0;
  let lastHeard = performance.now();
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });

  recorder.add({
    type: 'client',
    process: name,
    sender: options.sender,
    tenant: options.tenant,
    mayRead: options.mayRead ?? rooms,
  });

  function connect(): void {
    if (isClosed || isOffline || endedWith !== null) return;
    const ports = options.ports();
    if (ports.length === 0) return void again();
    const port = random.pick(ports);
    if (via === 'socket') line = port;
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['support.v1.json'], {
      headers: { authorization: `Bearer ${options.token}` },
      handshakeTimeout: silenceMs,
      perMessageDeflate: false,
    });
    socket = ws;
    ws.on('error', () => {});
    ws.on('open', () => {
      if (socket !== ws) return ws.terminate();
      connects += 1;
      lastHeard = performance.now();
      for (const room of rooms) subscribe(ws, room);
      for (const one of outbox) one.isOnTheWay = false;
      pump();
    });
    ws.on('message', (data) => {
      lastHeard = performance.now();
      // one buffer a message with ws's default binaryType
      if (socket !== ws) return;
      const frame: unknown = JSON.parse((data as Buffer).toString());
      received(frame as DownFrame);
      options.onFrame?.(frame as Record<string, unknown>);
    });
    ws.on('ping', () => (lastHeard = performance.now()));
    ws.on('pong', () => (lastHeard = performance.now()));
    ws.on('close', (code) => {
      if (socket !== ws) return;
      socket = null;
      live.clear();
      recorder.add({ type: 'closed', process: name, code });
      for (const one of outbox) {
        if (one.isOnTheWay && via === 'socket') info(one, 'cut');
        one.isOnTheWay = false;
      }
      if (code === 4401 || code === 4403) endedWith = code;
      again();
    });
  }

  function again(): void {
    failures += 1;
    const wait = random.between(5, Math.min(maxBackoffMs, 20 * 2 ** Math.min(failures, 6)));
    setTimeout(connect, wait).unref();
  }

  function subscribe(ws: WebSocket, room: string): void {
    const cursor = cursors.get(room);
    const chosen = given.get(room);
    const after = chosen !== undefined ? chosen : cursor ? `${cursor.epoch}:${cursor.version}` : undefined;
    given.delete(room);
    asked.set(room, after ? Number(after.split(':').at(-1)) : null);
    ws.send(
      JSON.stringify({
        type: 'subscribe',
        room: `conversation_${room}`,
        ...(after === null || after === undefined ? {} : { after }),
      }),
    );
  }

  function received(frame: DownFrame): void {
    const room = frame.room?.startsWith('conversation_') ? frame.room.slice('conversation_'.length) : undefined;
    switch (frame.type) {
      case 'subscribed': {
        if (!room) return;
        const position = asked.get(room) ?? null;
        const version = frame.version ?? 0;
        recorder.add({
          type: 'subscribed',
          process: name,
          conversation: room,
          status: frame.status ?? 'reset',
          version,
          after: position,
        });
        states.set(room, { status: frame.status ?? '', version });
        const start = frame.status === 'resumed' ? (position ?? 0) : version;
        // a page holds everything as it stands
        if (frame.status === 'reset') for (let seq = 1; seq <= version; seq++) know(room, seq, version);
        cursors.set(room, { epoch: frame.epoch ?? '', version: start });
        live.add(room);
        failures = 0;
        return;
      }
      case 'message:new':
      case 'message:changed': {
        const { message } = frame;
        if (!room || !message) return;
        recorder.add({
          type: 'frame',
          process: name,
          conversation: message.conversationId,
          kind: frame.type === 'message:new' ? 'new' : 'changed',
          seq: message.seq,
          version: message.version,
          body: message.body,
        });
        know(room, message.seq, message.version);
        const cursor = cursors.get(room);
        if (cursor && message.version > cursor.version) cursors.set(room, { ...cursor, version: message.version });
        return;
      }
      case 'message:ack': {
        const one = take(frame.clientId);
        if (!one || !frame.message) return;
        acknowledged(one, frame.message);
        pump();
        return;
      }
      case 'error': {
        if (frame.clientId === undefined) return;
        refused(frame.clientId, frame.code ?? 'internal', frame.retryAfterSeconds ?? 0);
        return;
      }
      default:
    }
  }

  function acknowledged(one: Waiting, message: NonNullable<DownFrame['message']>): void {
    recorder.add({
      type: 'ok',
      process: name,
      conversation: one.conversation,
      clientId: one.clientId,
      seq: message.seq,
      version: message.version,
      body: message.body,
    });
    know(one.conversation, message.seq, message.version);
    own.push({ conversation: one.conversation, id: message.id, seq: message.seq });
    one.done.resolve({ outcome: 'ok', seq: message.seq });
  }

  function refused(clientId: string, code: string, waitSeconds: number): void {
    const one = outbox.find((waiting) => waiting.clientId === clientId);
    if (!one) return;
    if (FOR_GOOD.has(code)) {
      take(clientId);
      recorder.add({ type: 'fail', process: name, conversation: one.conversation, clientId, code });
      one.done.resolve({ outcome: 'fail', code });
      pump();
      return;
    }
    info(one, 'refused', code);
    setTimeout(
      () => {
        one.isOnTheWay = false;
        pump();
      },
      Math.min(waitSeconds * 1_000, 300) + random.between(10, 60),
    ).unref();
  }

  function take(clientId: string | undefined): Waiting | undefined {
    const at = outbox.findIndex((one) => one.clientId === clientId);
    return at < 0 ? undefined : outbox.splice(at, 1)[0];
  }

  function info(one: Waiting, cause: 'cut' | 'refused', code?: string): void {
    recorder.add({
      type: 'info',
      process: name,
      conversation: one.conversation,
      clientId: one.clientId,
      cause,
      ...(code ? { code } : {}),
    });
  }

  function know(conversation: string, seq: number, version: number): void {
    const places = known.get(conversation);
    if (!places) known.set(conversation, new Map([[seq, version]]));
    else if (version >= (places.get(seq) ?? 0)) places.set(seq, version);
  }

  async function change({ conversation, id, seq }: OwnMessage, body: string | null): Promise<void> {
    while (!isClosed) {
      const ports = options.ports();
      try {
        const answer = await http({
          agent,
          port: random.pick(ports),
          token: options.token,
          method: body === null ? 'DELETE' : 'PATCH',
          path: `/api/support/conversations/${conversation}/messages/${id}`,
          ...(body === null ? {} : { body: { body } }),
          timeoutMs: silenceMs,
        });
        const { message } = answer.body as { message?: DownFrame['message'] };
        if (answer.status < 300) {
          const { version } = message ?? { version: 0 };
          recorder.add({ type: 'changed', process: name, conversation, seq, version, body });
          return;
        }
        // taken back, or closed: there is nothing to change any more
        if (answer.status < 500 && answer.status !== 429) return;
      } catch {
        // the line broke; an edit or a deletion may be sent again
      }
      await sleep(random.between(20, 120));
    }
  }

  function invoke(one: Waiting): void {
    if (one.isInvoked) return;
    one.isInvoked = true;
    recorder.add({
      type: 'invoke',
      process: name,
      sender: options.sender,
      conversation: one.conversation,
      clientId: one.clientId,
      body: one.body,
    });
  }

  /** Sends what waits, in order, as far as the window goes. */
  function pump(): void {
    if (via === 'post') {
      if (!isPosting) void post();
      return;
    }
    if (socket?.readyState !== WebSocket.OPEN) return;
    for (const one of outbox.slice(0, window)) {
      if (one.isOnTheWay) continue;
      one.isOnTheWay = true;
      invoke(one);
      socket.send(
        JSON.stringify({
          type: 'message:send',
          conversationId: one.conversation,
          clientId: one.clientId,
          body: one.body,
        }),
      );
    }
  }

  async function post(): Promise<void> {
    isPosting = true;
    while (outbox[0] && !isClosed) {
      const one = outbox[0];
      const ports = options.ports();
      if (isOffline || ports.length === 0) {
        await sleep(20);
        continue;
      }
      invoke(one);
      line = random.pick(ports);
      one.isOnTheWay = true;
      try {
        const answer = await ask(agent, line, options.token, one, silenceMs);
        const { message, error } = answer.body as { message?: DownFrame['message']; error?: { code: string } };
        if (answer.status < 300 && message) {
          take(one.clientId);
          acknowledged(one, message);
        } else if (answer.status < 500 && answer.status !== 429 && FOR_GOOD.has(error?.code ?? '')) {
          take(one.clientId);
          const code = error?.code ?? '';
          recorder.add({ type: 'fail', process: name, conversation: one.conversation, clientId: one.clientId, code });
          one.done.resolve({ outcome: 'fail', code });
        } else {
          one.isOnTheWay = false;
          info(one, 'refused', `${answer.status} ${error?.code ?? ''}`);
          await sleep(random.between(50, 200));
        }
      } catch {
        one.isOnTheWay = false;
        info(one, 'cut');
        await sleep(random.between(20, 120));
      }
    }
    isPosting = false;
  }

  const heart = setInterval(() => {
    const ws = socket;
    if (ws?.readyState !== WebSocket.OPEN) return;
    if (performance.now() - lastHeard > silenceMs) ws.terminate();
    else ws.ping();
  }, silenceMs / 3).unref();

  connect();
  return {
    name,
    send(conversation, body, clientId = randomUUID()) {
      const one: Waiting = {
        conversation,
        clientId,
        body,
        done: Promise.withResolvers<Answered>(),
        isInvoked: false,
        isOnTheWay: false,
      };
      outbox.push(one);
      pump();
      return one.done.promise;
    },
    get isClosed() {
      return isClosed;
    },
    get waiting() {
      return outbox.length;
    },
    onTheWay: (port) => (line === port ? outbox.filter((one) => one.isOnTheWay).length : 0),
    get isConnected() {
      return socket?.readyState === WebSocket.OPEN;
    },
    get isSubscribed() {
      return socket?.readyState === WebSocket.OPEN && live.size === rooms.length;
    },
    get connects() {
      return connects;
    },
    knows: (conversation, seq, version = 0) => (known.get(conversation)?.get(seq) ?? -1) >= version,
    own,
    change,
    get endedWith() {
      return endedWith;
    },
    states,
    drop() {
      socket?.terminate();
    },
    pause: () => socket?.pause(),
    resume: () => socket?.resume(),
    offline() {
      isOffline = true;
      socket?.terminate();
    },
    online() {
      isOffline = false;
      if (!socket) connect();
      pump();
    },
    setCursor: (conversation, cursor) => void given.set(conversation, cursor),
    cursor: (conversation) => cursors.get(conversation),
    close,
    kill() {
      close();
      for (const one of outbox) if (one.isOnTheWay) info(one, 'cut');
      return { outbox, cursors, known };
    },
  };

  function close(): void {
    isClosed = true;
    clearInterval(heart);
    socket?.terminate();
    socket = null;
    agent.destroy();
  }
}

/** An answer in JSON. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: unknown;
}

function ask(agent: Agent, port: number, token: string, one: Waiting, timeoutMs: number): Promise<HttpAnswer> {
  const path = `/api/support/conversations/${one.conversation}/messages`;
  return http({
    agent,
    port,
    token,
    method: 'POST',
    path,
    body: { body: one.body, clientId: one.clientId },
    timeoutMs,
  });
}

/** One request, with a deadline for the whole of it. Rejects when the line breaks or the deadline passes. */
export function http(call: {
  readonly port: number;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly agent?: Agent;
  readonly timeoutMs?: number;
}): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  const sent = request(
    {
      host: '127.0.0.1',
      port: call.port,
      method: call.method,
      path: call.path,
      agent: call.agent,
      signal: AbortSignal.timeout(call.timeoutMs ?? 10_000),
      headers: {
        accept: 'application/json',
        ...(call.token ? { authorization: `Bearer ${call.token}` } : {}),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    },
    (response) => {
      let received = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (received += chunk));
      response.on('error', reject);
      response.on('aborted', () => reject(new Error('cut')));
      response.on('end', () => {
        try {
          const body: unknown = received.startsWith('{') ? JSON.parse(received) : received;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        } catch (error) {
          reject(error instanceof Error ? error : new Error('not JSON'));
        }
      });
    },
  );
  sent.on('error', reject);
  sent.end(text);
  return promise;
}
