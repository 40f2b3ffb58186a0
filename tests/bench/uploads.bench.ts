import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.ts';
import { migrate } from '../../src/platform/database/index.ts';
import { percentile } from './figures.ts';
import { hostTokens, startProduct } from './servers.ts';
import type { Place } from './uploads.load.ts';
import { quiet } from './workload.ts';

const MEGABYTE = 1024 * 1024;
const MESSAGES = 200;
const PROMISED_MB = 150;
const PROMISED_RATIO = 2;

/**
 * `npm run bench -- uploads [documents|photos] [count]`: so many uploads of 10 MB at once (200), and beside them somebody who
 * chats, on a private PostgreSQL, until every file is ready. Prints as JSON what the server and the process that looks into its
 * pictures grow by, and what becomes of the time of a message (idle: before and after). False when that is more than is promised.
 */
export async function measureUploads([kind = 'documents', count = '200']: readonly string[]): Promise<boolean> {
  if (kind !== 'documents' && kind !== 'photos') throw new Error('uploads of documents, or of photos');
  return measure(kind, Number(count));
}

async function measure(kind: 'documents' | 'photos', count: number): Promise<boolean> {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-bench-uploads-'));
  const postgres = await openEmbeddedPostgres({
    dataDir,
    log: { ...quiet, warn: console.warn },
  });
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
      for (let n = 0; n < 1_000; n += 1) await say(product.base, writer);
      const idle = await chat(product.base, writer);
      const before = memoryOf(product.pid);
      const most = { server: before.server, looking: 0, together: before.server };
      const watch = setInterval(() => {
        const { server, looking } = memoryOf(product.pid);
        most.server = Math.max(most.server, server);
        most.looking = Math.max(most.looking, looking);
        most.together = Math.max(most.together, server + looking);
      }, 250);
      const startedAt = performance.now();
      const child = startLoad(product.base, kind, uploaders);
      const ended = once(child, 'exit');
      let taken = 0;
      const ready = ended.then(async () => {
        taken = performance.now() - startedAt;
        await allReady(postgres.adminUrl, count);
      });
      const busy = await chat(product.base, writer, ready);
      const seconds = (performance.now() - startedAt) / 1_000;
      clearInterval(watch);
      idle.push(...(await chat(product.base, writer)));
      const said = {
        uploads: count,
        kind,
        takenSeconds: Math.round(taken / 1_000),
        readySeconds: Math.round(seconds),
        exitCode: child.exitCode,
        idleMb: Math.round(before.server / MEGABYTE),
        growthMb: Math.round((most.together - before.server) / MEGABYTE),
        serverGrowthMb: Math.round((most.server - before.server) / MEGABYTE),
        lookingMb: Math.round(most.looking / MEGABYTE),
        idleMs: spread(idle),
        busyMs: spread(busy),
        ratios: [0.5, 0.95].map((share) => Number((percentile(busy, share) / percentile(idle, share)).toFixed(2))),
      };
      process.stdout.write(`${JSON.stringify(said)}\n`);
      return child.exitCode === 0 && said.growthMb <= PROMISED_MB && Math.max(...said.ratios) <= PROMISED_RATIO;
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
  return {
    messages: values.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
  };
}

async function enter(base: string, hostToken: string): Promise<Place> {
  const session = await post(`${base}/api/support/session`, undefined, {
    token: hostToken,
  });
  const { accessToken: token } = session as { accessToken: string };
  const made = await post(`${base}/api/support/conversations`, token, {});
  return {
    token,
    conversation: (made as { conversation: { id: string } }).conversation.id,
  };
}

async function post(url: string, token: string | undefined, body: object): Promise<unknown> {
  const headers = {
    'content-type': 'application/json',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const answer = await fetch(url, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function say(base: string, { token, conversation }: Place): Promise<unknown> {
  const body = { body: 'Where is my bonus?', clientId: randomUUID() };
  return post(`${base}/api/support/conversations/${conversation}/messages`, token, body);
}

/** Milliseconds of messages, twenty a second at most, at least two hundred of them and until `end`. */
async function chat(base: string, writer: Place, end: Promise<unknown> = Promise.resolve()): Promise<number[]> {
  const taken: number[] = [];
  let goesOn = true;
  end.finally(() => (goesOn = false)).catch(() => {});
  while (taken.length < MESSAGES || goesOn) {
    const startedAt = performance.now();
    await say(base, writer);
    taken.push(performance.now() - startedAt);
    await sleep(50);
  }
  await end;
  return taken;
}

/** Resolves once so many files are ready: those for which there was no time at once are looked into later. */
async function allReady(url: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (let ready = 0; ready < count; await sleep(1_000)) {
      const { rows } = await client.query("select count(*)::int as ready from attachments where state = 'ready'");
      ready = rows[0].ready;
    }
  } finally {
    await client.end();
  }
}

/** Bytes of a server and of the processes that look into its pictures, what they share counted once. */
function memoryOf(pid: number): { server: number; looking: number } {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return {
    server: proportionalSet(pid),
    looking: children.map(Number).reduce((sum, one) => sum + proportionalSet(one), 0),
  };
}

function proportionalSet(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1_024;
  } catch {
    // ended by now
    return 0;
  }
}

function startLoad(base: string, kind: string, places: readonly Place[]): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'uploads.load.ts'), base, kind], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  child.stdin?.end(JSON.stringify(places));
  return child;
}
