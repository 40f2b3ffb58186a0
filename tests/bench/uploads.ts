/**
 * `node tests/bench/uploads.ts [count]`: that many uploads of 10 MB at once (200) on a private PostgreSQL, and beside them
 * somebody who chats. Prints what the server's memory grows by and what becomes of the time of a message, as a line of JSON.
 * With `load` in front it is the process that uploads.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.ts';
import { migrate } from '../../src/platform/database/index.ts';
import { percentile } from './figures.ts';
import { hostTokens, startProduct } from './servers.ts';
import { quiet } from './workload.ts';

const SIZE = 10 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;
const MESSAGES = 100;

/** Where somebody's files go. */
interface Place {
  readonly token: string;
  readonly conversation: string;
}

if (process.argv[2] === 'load') await load();
else await measure(Number(process.argv[2] ?? 200));

async function measure(count: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-bench-uploads-'));
  const postgres = await openEmbeddedPostgres({ dataDir, log: { ...quiet, warn: console.warn } });
  try {
    await migrate({ url: postgres.url, entities: [], log: quiet });
    const product = await startProduct(postgres.url, dataDir);
    try {
      const args = ['--type', 'driver', '--sub', 'bench-', '--count', String(count + 1)];
      await hostTokens(postgres.url, dataDir, ['--as', 'rahim']);
      const tokens = await hostTokens(postgres.url, dataDir, args);
      const places: Place[] = [];
      for (const token of tokens) places.push(await enter(product.base, token));
      const [writer, ...uploaders] = places;
      if (!writer) throw new Error('nobody chats');
      for (let n = 0; n < 20; n += 1) await say(product.base, writer);
      const idle = await chat(product.base, writer, () => false);
      const before = memoryOf(product.pid);
      let most = before;
      const watch = setInterval(() => {
        most = Math.max(most, memoryOf(product.pid));
      }, 50);
      const startedAt = performance.now();
      const child = startLoad(product.base, uploaders);
      const ended = once(child, 'exit');
      const busy = await chat(product.base, writer, () => child.exitCode === null);
      await ended;
      clearInterval(watch);
      const seconds = (performance.now() - startedAt) / 1_000;
      const said = {
        uploads: count,
        megabytesEach: SIZE / MEGABYTE,
        seconds: Math.round(seconds),
        exitCode: child.exitCode,
        idleMb: Math.round(before / MEGABYTE),
        growthMb: Math.round((most - before) / MEGABYTE),
        idleMs: spread(idle),
        busyMs: spread(busy),
        ratio: Number((percentile(busy, 0.5) / percentile(idle, 0.5)).toFixed(2)),
      };
      process.stdout.write(`${JSON.stringify(said)}\n`);
    } finally {
      await product.stop();
    }
  } finally {
    await postgres.release();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function spread(values: readonly number[]): Record<string, number> {
  const at = (share: number) => Number(percentile(values, share).toFixed(1));
  return { messages: values.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

async function enter(base: string, hostToken: string): Promise<Place> {
  const session = await post(`${base}/api/support/session`, undefined, { token: hostToken });
  const { accessToken: token } = session as { accessToken: string };
  const made = await post(`${base}/api/support/conversations`, token, {});
  return { token, conversation: (made as { conversation: { id: string } }).conversation.id };
}

async function post(url: string, token: string | undefined, body: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function say(base: string, { token, conversation }: Place): Promise<unknown> {
  const body = { body: 'Where is my bonus?', clientId: randomUUID() };
  return post(`${base}/api/support/conversations/${conversation}/messages`, token, body);
}

/** Milliseconds of messages, twenty a second, at least a hundred of them and as long as `goesOn`. */
async function chat(base: string, writer: Place, goesOn: () => boolean): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < MESSAGES || goesOn()) {
    const startedAt = performance.now();
    await say(base, writer);
    taken.push(performance.now() - startedAt);
    await sleep(50);
  }
  return taken;
}

/** Resident bytes of a process without what it shares with files. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1_024;
}

function startLoad(base: string, places: readonly Place[]): ChildProcess {
  const child = spawn(process.execPath, [import.meta.filename, 'load', base], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  child.stdin?.end(JSON.stringify(places));
  return child;
}

/** All files at once, each a whole form. */
async function load(): Promise<void> {
  const base = new URL(process.argv[3] ?? '');
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8') as AsyncIterable<string>) text += part;
  const places = JSON.parse(text) as Place[]; // our own process wrote it
  const file = Buffer.concat([Buffer.from('%PDF-1.4\n'), randomBytes(SIZE - 9)]);
  const statuses = await Promise.all(places.map((place) => upload(base, place, file)));
  const failed = statuses.filter((status) => status !== 201);
  if (failed.length > 0) process.stderr.write(`not taken: ${failed.join(' ')}\n`);
  process.exit(failed.length > 0 ? 1 : 0);
}

function upload(base: URL, { token, conversation }: Place, file: Buffer): Promise<number> {
  const part = (head: string) => `--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const start = Buffer.from(`${part('name="clientId"')}${randomUUID()}\r\n${part('name="file"; filename="a.pdf"')}`);
  const end = Buffer.from('\r\n--x--\r\n');
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname: base.hostname,
        port: base.port,
        method: 'POST',
        agent: false,
        path: `/api/support/conversations/${conversation}/attachments`,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'multipart/form-data; boundary=x',
          'content-length': start.length + file.length + end.length,
        },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on('error', reject);
    sent.write(start);
    sent.write(file);
    sent.end(end);
  });
}
