import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Scope } from '../../src/platform/database/index.ts';

/** What the liar does wrong from the third message on, most of it once; `busy` is allowed: it answers 429 first. */
export type Lie =
  | 'none'
  | 'busy'
  | 'drops a frame'
  | 'doubles a frame'
  | 'acknowledges without storing'
  | 'changes a byte'
  | 'swaps two'
  | 'forgets a read mark'
  | 'stays open'
  | 'stores twice';

interface Row {
  readonly id: string;
  seq: number;
  version: number;
  senderType: string;
  clientId: string;
  messageType: string;
  body: string | null;
  event?: string;
}

interface Socket {
  readonly socket: WebSocket;
  readonly side: string;
  readonly rooms: Set<string>;
}

/**
 * A server that keeps the contract just well enough for a replay, in memory, and breaks it in one chosen way: to show
 * that the replay would see it.
 */
export async function startLiar(lie: Lie) {
  const rows = new Map<string, Row[]>();
  const marks = new Map<string, Record<string, number>>();
  const closed = new Set<string>();
  const sockets = new Set<Socket>();
  const told = new Set<string>();

  /** True once: the lie is told at the third message. */
  function lies(what: Lie, seq: number): boolean {
    if (lie !== what || seq < 3 || told.has(what)) return false;
    told.add(what);
    return true;
  }

  function append(id: string, from: string, given: { body: string; clientId: string }, origin?: Socket): Row {
    const log = rows.get(id) ?? [];
    const repeat = log.find(({ clientId }) => clientId === given.clientId);
    if (repeat) return repeat;
    const seq = log.length + 1;
    const row = {
      id: randomUUID(),
      seq,
      version: seq,
      senderType: from,
      messageType: 'text',
      clientId: given.clientId,
      body: given.body.replaceAll('\r\n', '\n'),
    };
    if (lies('acknowledges without storing', seq)) {
      publish(id, row, origin);
      return row;
    }
    log.push(row);
    rows.set(id, log);
    if (lies('changes a byte', seq)) row.body = `${row.body} `;
    if (lies('stores twice', seq)) log.push({ ...row, id: randomUUID(), seq: seq + 1, version: seq + 1 });
    publish(id, row, origin);
    return row;
  }

  function publish(id: string, row: Row, origin?: Socket): void {
    if (lies('drops a frame', row.seq)) return;
    const times = lies('doubles a frame', row.seq) ? 2 : 1;
    for (let time = 0; time < times; time += 1) tell(id, { type: 'message:new', message: row }, origin);
  }

  function tell(id: string, frame: object, origin?: Socket): void {
    for (const one of sockets) {
      for (const room of [`conversation_${id}`, 'admin_support']) {
        if (one !== origin && one.rooms.has(room)) one.socket.send(JSON.stringify({ ...frame, room }));
      }
    }
  }

  function read(id: string, side: string, seq: number): void {
    // A mark says "up to here": one that is forgotten once is made good by the next.
    if (lie === 'forgets a read mark' && seq >= 3) return;
    const mark = marks.get(id) ?? {};
    mark[side] = Math.max(mark[side] ?? 0, seq);
    marks.set(id, mark);
    tell(id, { type: 'message:read', participant: { senderType: side }, seq });
  }

  function conversation(id: string) {
    const status = closed.has(id) && lie !== 'stays open' ? 'closed' : 'open';
    return { id, status, lastSeq: rows.get(id)?.length ?? 0 };
  }

  function shown(id: string) {
    const mark = marks.get(id) ?? {};
    const log = (rows.get(id) ?? []).map((row) => ({
      ...row,
      read: (mark[row.senderType === 'user' ? 'admin' : 'user'] ?? 0) >= row.seq,
    }));
    const [third, fourth] = [log[2], log[3]];
    if (lie === 'swaps two' && third && fourth) {
      [third.body, fourth.body] = [fourth.body, third.body];
    }
    return log;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer); // No encoding is set, so chunks are buffers.
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    const path = new URL(request.url ?? '', 'http://liar').pathname;
    const side = request.headers.authorization === 'Bearer admin' ? 'admin' : 'user';
    const send = (status: number, value: object, headers = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    };
    const [, id = '', what = ''] = /\/conversations\/([^/]+)\/?(\w*)/.exec(path) ?? [];
    if (lie === 'busy' && Math.random() < 0.2) {
      send(429, { error: { code: 'too_many', message: '' } }, { 'retry-after': '0' });
    } else if (path.endsWith('/session')) {
      send(201, { accessToken: body.token, user: { id: randomUUID() } });
    } else if (path.endsWith('/conversations')) {
      const fresh = randomUUID();
      const message = body.message && append(fresh, 'user', body.message);
      send(201, { conversation: conversation(fresh), message });
    } else if (what === 'messages' && request.method === 'POST') {
      send(201, { message: append(id, side, body) });
    } else if (what === 'messages') {
      send(200, { items: shown(id), nextCursor: null });
    } else if (what === 'read') {
      read(id, side, body.seq);
      send(200, {});
    } else if (what === 'close') {
      closed.add(id);
      const log = rows.get(id) ?? [];
      const seq = log.length + 1;
      const row = {
        id: randomUUID(),
        seq,
        version: seq,
        senderType: 'system',
        clientId: '',
        messageType: 'system',
        body: null,
      };
      log.push(row);
      tell(id, { type: 'message:new', message: row });
      tell(id, { type: 'conversation:close', conversation: conversation(id) });
      send(200, { conversation: conversation(id) });
    } else {
      send(200, { conversation: conversation(id) });
    }
  }

  const server = createServer((request, response) => void answer(request, response));
  new WebSocketServer({ server, handleProtocols: () => 'support.v1.json' }).on('connection', (socket, request) => {
    const side = request.headers.authorization === 'Bearer admin' ? 'admin' : 'user';
    const one: Socket = { socket, side, rooms: new Set() };
    sockets.add(one);
    socket.on('close', () => sockets.delete(one));
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === 'subscribe') {
        one.rooms.add(frame.room);
        const id = String(frame.room).replace('conversation_', '');
        const log = rows.get(id) ?? [];
        socket.send(
          JSON.stringify({ type: 'subscribed', room: frame.room, status: 'resumed', version: 0, epoch: 'e' }),
        );
        for (const message of log) socket.send(JSON.stringify({ type: 'message:new', room: frame.room, message }));
      } else if (frame.type === 'message:read') {
        read(frame.conversationId, side, frame.seq);
      } else if (frame.type === 'message:send') {
        const message = append(frame.conversationId, side, frame, one);
        socket.send(JSON.stringify({ type: 'message:ack', clientId: frame.clientId, message }));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  /** Stands in for the tables: the same rows. */
  const scope = {
    em: {
      async execute(text: string): Promise<object[]> {
        if (text.includes('from conversations')) {
          return [...rows.keys()].map((id) => ({ ...conversation(id), last_seq: rows.get(id)?.length ?? 0 }));
        }
        return [...rows].flatMap(([id, log]) =>
          log.map((row) => ({
            conversation_id: id,
            seq: row.seq,
            sender_type: row.senderType,
            client_id: row.clientId,
            message_type: row.messageType,
            body: row.body,
          })),
        );
      },
    },
  };
  return {
    base: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), // It listens on TCP.
    // The replay reads through `em.execute` alone.
    inTenant: <T>(work: (scope: Scope) => Promise<T>): Promise<T> => work(scope as unknown as Scope),
    async close(): Promise<void> {
      for (const { socket } of sockets) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
