/**
 * `npm run bench`: our figures as ratios against the raw limits measured in the same run, on a private PostgreSQL with
 * fsync on. Prints a table and, as the last line, the same as JSON. `npm run bench -- volume`: see volume.bench.ts;
 * `npm run bench -- memory` measures the open sockets alone; `npm run bench -- uploads`: see uploads.bench.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.ts';
import { migrate } from '../../src/platform/database/index.ts';
import { measureAppending } from './append.bench.ts';
import { parentOf } from './cpu.ts';
import { type Figure, ratio, table } from './figures.ts';
import { measureIsolation } from './isolation.bench.ts';
import { measureMemory } from './memory.bench.ts';
import { measurePage, preparePage } from './page.bench.ts';
import { measureSending } from './send.bench.ts';
import { hostTokens, startBare, startProduct } from './servers.ts';
import { measureUploads } from './uploads.bench.ts';
import { measureVolume } from './volume.bench.ts';
import { type BenchDatabase, CONVERSATIONS, quiet } from './workload.ts';

const [which, ...args] = process.argv.slice(2);
if (which === 'volume') {
  if (!(await measureVolume(args))) process.exitCode = 1;
} else if (which === 'uploads') {
  if (!(await measureUploads(args))) process.exitCode = 1;
} else {
  await compare();
}

async function compare(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-bench-'));
  const postgres = await openEmbeddedPostgres({ dataDir, log: { ...quiet, warn: console.warn } });
  try {
    const figures = await measure(postgres, dataDir);
    console.log(table(figures));
    console.log(
      JSON.stringify({ cpus: cpus().length, figures: figures.map((one) => ({ ...one, ratio: ratio(one) })) }),
    );
  } finally {
    await postgres.release();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measure(postgres: { url: string; adminUrl: string }, dataDir: string): Promise<Figure[]> {
  const { url, adminUrl } = postgres;
  const where = { url, adminUrl, pid: await postmasterPid(adminUrl) };
  await migrate({ url, entities: [], log: quiet });
  const figures = which === 'memory' ? [] : await measureWork(where, dataDir);
  return [...figures, ...(await measureMemory(where, dataDir))];
}

async function measureWork(where: BenchDatabase, dataDir: string): Promise<Figure[]> {
  const { url, adminUrl } = where;
  const product = await startProduct(url, dataDir);
  try {
    const page = join(dataDir, 'page.html');
    const [browserToken = ''] = await hostTokens(url, dataDir, ['--as', 'rahim']);
    const prepared = await preparePage(product, browserToken, page);
    const single = await startBare(adminUrl, 'single', page);
    const batch = await startBare(adminUrl, 'batch', page);
    try {
      const users = ['--type', 'driver', '--sub', 'bench-', '--count', String(CONVERSATIONS)];
      const userTokens = await hostTokens(url, dataDir, users);
      const [agentToken = ''] = await hostTokens(url, dataDir, ['--as', 'agent']);
      const sending = { product, bare: { single, batch }, userTokens, agentToken, databasePid: where.pid };
      return [
        ...(await measureAppending(where)),
        ...(await measureSending(sending)),
        ...(await measurePage(product, single, prepared)),
        ...(await measureIsolation(where)),
      ];
    } finally {
      await Promise.all([single.stop(), batch.stop()]);
    }
  } finally {
    await product.stop();
  }
}

/** The postmaster is the parent of every connection's process. */
async function postmasterPid(adminUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const postmaster = parentOf(rows[0]?.pid ?? 0);
  await client.end();
  return postmaster;
}
