/**
 * `npm run bench`: our figures as ratios against the raw limits measured in the same run, on a private PostgreSQL with
 * fsync on. Prints a table and, as the last line, the same as JSON.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.ts';
import { migrate } from '../../src/platform/database/index.ts';
import { measureAppending } from './append.bench.ts';
import { type Figure, ratio, table } from './figures.ts';
import { measureIsolation } from './isolation.bench.ts';
import { measurePage, preparePage } from './page.bench.ts';
import { measureSending } from './send.bench.ts';
import { hostTokens, startBare, startProduct } from './servers.ts';
import { CONVERSATIONS, quiet } from './workload.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'safego-bench-'));
const postgres = await openEmbeddedPostgres({ dataDir, log: { ...quiet, warn: console.warn } });
try {
  const figures = await measure();
  console.log(table(figures));
  console.log(JSON.stringify({ cpus: cpus().length, figures: figures.map((one) => ({ ...one, ratio: ratio(one) })) }));
} finally {
  await postgres.release();
  rmSync(dataDir, { recursive: true, force: true });
}

async function measure(): Promise<Figure[]> {
  const { url, adminUrl } = postgres;
  const where = { url, adminUrl, pid: postmasterPid() };
  await migrate({ url, entities: [], log: quiet });
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

/** First line of postmaster.pid (PostgreSQL manual, 19.3). */
function postmasterPid(): number {
  try {
    return Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return 0; // Its folder lies elsewhere (root without user namespaces): its CPU time is not shown.
  }
}
