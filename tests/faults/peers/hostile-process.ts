/**
 * Forty peers that mean no good, in a process of their own: `hostile-process.ts <port> <token>…`. Each breaks the rules
 * in one way, comes back when it is cut, and sends as fast as the line takes it. Ends with its parent.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [port = '', ...tokens] = process.argv.slice(2);
/** Their own address: what is counted by address hits nobody else. */
const FROM = '127.0.0.66';
const PEERS = 40;
let cuts = 0;

process.on('disconnect', () => process.exit(0));
process.on('message', () => process.send?.({ cuts }));

const WAYS: readonly ((token: string) => Promise<void>)[] = [
  endlessFragments,
  pings,
  pongs,
  halfHandshake,
  slowHeaders,
  neverReads,
  oversize,
  claimsMore,
];
for (let at = 0; at < PEERS; at++) void comeBack(WAYS[at % WAYS.length] ?? pings, tokens[at % tokens.length] ?? '');

async function comeBack(way: (token: string) => Promise<void>, token: string): Promise<never> {
  for (;;) {
    await way(token).catch(() => {});
    cuts += 1;
    await sleep(20);
  }
}

/** One message in fragments of one byte, without an end. */
async function endlessFragments(token: string): Promise<void> {
  const socket = await opened(token);
  socket.write(frame(1, 'x', false));
  await flood(socket, Buffer.concat(Array.from({ length: 500 }, () => frame(0, 'x', false))));
}

async function pings(token: string): Promise<void> {
  const socket = await opened(token);
  await flood(socket, Buffer.concat(Array.from({ length: 200 }, () => frame(9, 'ping', true))));
}

async function pongs(token: string): Promise<void> {
  const socket = await opened(token);
  await flood(socket, Buffer.concat(Array.from({ length: 200 }, () => frame(10, 'pong', true))));
}

/** Begins a handshake and says no more. */
async function halfHandshake(): Promise<void> {
  const socket = await knock();
  socket.write(`GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n`);
  await once(socket, 'close');
}

/** A letter of its head every now and then. */
async function slowHeaders(): Promise<void> {
  const socket = await knock();
  socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Slow: `);
  while (!socket.destroyed) {
    socket.write('x');
    await sleep(100);
  }
}

/** Asks and asks, and never reads an answer. */
async function neverReads(token: string): Promise<void> {
  const socket = await opened(token);
  socket.pause();
  const ask = frame(1, '{"type":"subscribe","room":"conversation_00000000-0000-7000-8000-000000000000"}', true);
  await flood(socket, Buffer.concat(Array.from({ length: 50 }, () => ask)));
}

/** A frame as large as the line takes. */
async function oversize(token: string): Promise<void> {
  const socket = await opened(token);
  socket.write(head(1, 1_000_000_000, true));
  await flood(socket, Buffer.alloc(65_536, 'x'));
}

/** Says that a frame is large, sends a part, and waits. */
async function claimsMore(token: string): Promise<void> {
  const socket = await opened(token);
  socket.write(head(1, 60_000, true));
  socket.write(Buffer.alloc(59_000, 'x'));
  await firstOf(socket, ['close'], 5_000);
  socket.destroy();
}

/** Writes as long as somebody takes it. */
async function flood(socket: Socket, bytes: Buffer): Promise<void> {
  while (!socket.destroyed) {
    if (!socket.write(bytes)) await firstOf(socket, ['drain', 'close']);
    // the others want to write, too
    await sleep(1);
  }
}

/** Waits for what comes first, and then listens for none of it any more: a socket that floods waits very often. */
async function firstOf(socket: Socket, events: readonly string[], timeoutMs?: number): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([
      ...events.map((event) => once(socket, event, { signal })),
      ...(timeoutMs === undefined ? [] : [sleep(timeoutMs, undefined, { signal })]),
    ]);
  } finally {
    over.abort();
  }
}

async function knock(): Promise<Socket> {
  const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress: FROM });
  socket.on('error', () => {});
  await firstOf(socket, ['connect', 'close']);
  return socket;
}

async function opened(token: string): Promise<Socket> {
  const socket = await knock();
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: support.v1.json\r\n` +
      `Authorization: Bearer ${token}\r\n\r\n`,
  );
  await firstOf(socket, ['data', 'close']);
  socket.resume();
  return socket;
}

/** A masked frame of a client; the mask is zero, which is allowed. */
function frame(opcode: number, payload: string, isFinal: boolean): Buffer {
  return Buffer.concat([head(opcode, payload.length, isFinal), Buffer.from(payload)]);
}

function head(opcode: number, length: number, isFinal: boolean): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode;
  if (length < 126) return Buffer.from([first, 0x80 | length, 0, 0, 0, 0]);
  const long = Buffer.alloc(14);
  long[0] = first;
  long[1] = 0x80 | 127;
  long.writeBigUInt64BE(BigInt(length), 2);
  return long;
}
