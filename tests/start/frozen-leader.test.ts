import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { killLeftovers, run } from '../support/program.ts';

/** F22: the process that leads the jobs is frozen, another one leads, and it wakes. */

afterEach(killLeftovers);

test('while the leader is frozen another node leads, and the one that wakes leads no more', {
  timeout: 180_000,
}, async () => {
  const fresh = await freshDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'frozen-'));
  const owner = new pg.Client({ connectionString: fresh.adminUrl });
  await owner.connect();
  const env = { DATABASE_URL: fresh.url, DATA_DIR: folder, SECRET_KEY: 'x'.repeat(40), PORT: '0', DEMO: '0' };
  const nodes = ['one', 'two'].map(() => run('node_modules/.bin/node', ['src/main.ts'], { env }));
  onTestFinished(async () => {
    for (const { child } of nodes) child.kill('SIGKILL');
    await Promise.all(nodes.map(({ ended }) => ended));
    await owner.end();
    await fresh.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Who ran the job that comes every five seconds, since then. */
  async function ranSince(at: Date): Promise<number[]> {
    const { rows } = await owner.query<{ pid: number }>(
      `select split_part(node, ':', 2)::int as pid from job_runs where job = 'desk.assign' and started_at > $1 order by id`,
      [at],
    );
    return rows.map((row) => row.pid);
  }

  const began = new Date();
  await expect.poll(() => ranSince(began), { timeout: 60_000 }).not.toEqual([]);
  await expect.poll(() => nodes.every(({ stdout }) => stdout.includes('ready on')), { timeout: 60_000 }).toBe(true);
  const [leader] = await ranSince(began);
  const frozen = nodes.find(({ child }) => child.pid === leader);
  const other = nodes.find((node) => node !== frozen);
  expect(frozen).toBeDefined();

  frozen?.child.kill('SIGSTOP');
  const stoppedAt = new Date();
  await expect.poll(async () => (await ranSince(stoppedAt)).at(-1), { timeout: 60_000 }).toBe(other?.child.pid);
  frozen?.child.kill('SIGCONT');
  const wokeAt = new Date();
  await expect.poll(async () => (await ranSince(wokeAt)).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
  expect(new Set(await ranSince(wokeAt))).toEqual(new Set([other?.child.pid]));
  // it is there and ready to lead again
  other?.child.kill('SIGKILL');
  const killedAt = new Date();
  await expect.poll(async () => (await ranSince(killedAt)).at(-1), { timeout: 60_000 }).toBe(leader);
});
