/**
 * The raw limit for sending: Node's http, `pg` and `ws`, and nothing else. No sign-in, no rights, no numbers, no
 * repeats, no counters, no audit: POST /messages inserts one row and sends it to the other side's socket.
 *
 * `node bare-server.ts <database url> <single | batch> <html file>`; prints its port.
 * single: one INSERT a message. batch: what arrives while two statements are under way goes out in one INSERT.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { type WebSocket, WebSocketServer } from 'ws';

interface Sent {
  readonly conversation: number;
  readonly side: number;
  readonly clientId: string;
  readonly body: string;
}

const [url = '', store = 'single', pageFile = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: store === 'single' ? 10 : 2 });
const page = pageFile === '' ? Buffer.from('') : readFileSync(pageFile);
const sockets = new Map<string, WebSocket>();
const waiting: { message: Sent; done: () => void }[] = [];
let running = 0;

await pool.query(`create table if not exists bare_messages (
  id uuid primary key, conversation int not null, side int not null, client_id uuid not null, body text not null,
  created_at timestamptz not null default now())`);

async function insertOne(message: Sent): Promise<void> {
  await pool.query({
    name: 'one',
    text: 'insert into bare_messages (id, conversation, side, client_id, body) values ($1, $2, $3, $4, $5)',
    values: [randomUUID(), message.conversation, message.side, message.clientId, message.body],
  });
}

function insertSoon(message: Sent): Promise<void> {
  return new Promise((done) => {
    waiting.push({ message, done });
    if (waiting.length === 1) setImmediate(flush);
  });
}

async function flush(): Promise<void> {
  if (running >= 2 || waiting.length === 0) return;
  running += 1;
  const batch = waiting.splice(0, 500);
  await pool.query({
    name: 'many',
    text: `insert into bare_messages (id, conversation, side, client_id, body)
      select * from unnest($1::uuid[], $2::int[], $3::int[], $4::uuid[], $5::text[])`,
    values: [
      batch.map(() => randomUUID()),
      batch.map(({ message }) => message.conversation),
      batch.map(({ message }) => message.side),
      batch.map(({ message }) => message.clientId),
      batch.map(({ message }) => message.body),
    ],
  });
  running -= 1;
  for (const { done } of batch) done();
  await flush();
}

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html', 'content-length': page.length }).end(page);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const message = JSON.parse(Buffer.concat(chunks).toString()) as Sent; // Only the bench posts here.
    await (store === 'single' ? insertOne(message) : insertSoon(message));
    const frame = JSON.stringify({ type: 'message:new', message });
    sockets.get(`${message.conversation}:${1 - message.side}`)?.send(frame);
    response.writeHead(201, { 'content-type': 'application/json' }).end(frame);
  });
});

new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket, request) => {
  const { searchParams } = new URL(request.url ?? '', 'http://bare');
  sockets.set(`${searchParams.get('conversation')}:${searchParams.get('side')}`, socket);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port)); // It listens on TCP.
