import pg from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { type Job, listJobRuns, startJobs } from '../../src/platform/jobs/index.ts';
import { freshDatabase } from '../support/database.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const log = { info() {}, debug() {}, warn() {}, error() {} };
const EVERY_SECOND = '* * * * * *';

test('a job runs on the node that leads; when that one leaves another one leads', async () => {
  const fresh = await freshDatabase();
  const ran: string[] = [];
  const nodes = await Promise.all(['one', 'two'].map((name) => startNode(name)));
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
    await fresh.drop();
  });

  await expect.poll(() => ran.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
  const [leader] = ran;
  expect(new Set(ran)).toEqual(new Set([leader]));

  ran.length = 0;
  await nodes.find((node) => node.name === leader)?.close();
  await expect.poll(() => ran.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(1);
  expect(ran).not.toContain(leader);

  async function startNode(name: string) {
    const database: Database = await openDatabase({ url: fresh.url, entities: [], log });
    const note: Job = { name: 'test.note', schedule: EVERY_SECOND, run: async () => void ran.push(name) };
    const broken: Job = { name: 'test.broken', schedule: EVERY_SECOND, run: () => Promise.reject(new Error('broken')) };
    const runner = startJobs([broken, note], { database, log });
    let closing: Promise<void> | undefined;
    return {
      name,
      close() {
        closing ??= runner.stop().then(() => database.close());
        return closing;
      },
    };
  }
});

test('a job can be run at once, and then its errors are the caller’s', async () => {
  const fresh = await freshDatabase();
  const database = await openDatabase({ url: fresh.url, entities: [], log });
  const runner = startJobs(
    [{ name: 'test.fails', schedule: '0 0 1 1 *', run: () => Promise.reject(new Error('no luck')) }],
    { database, log },
  );
  await expect(runner.runNow('test.fails')).rejects.toThrow('no luck');
  await expect(runner.runNow('test.unknown')).rejects.toThrow('There is no job test.unknown.');
  await runner.stop();
  await database.close();
  await fresh.drop();
});

test('every run is written down: by whom, with what outcome and counts, and never with an error’s text', async () => {
  const fresh = await freshDatabase();
  const database = await openDatabase({ url: fresh.url, entities: [], log });
  onTestFinished(async () => {
    await database.close();
    await fresh.drop();
  });
  const given: Date[] = [];
  const runner = startJobs(
    [
      { name: 'test.counts', schedule: '0 0 1 1 *', run: async ({ now }) => ({ seen: given.push(now) }) },
      {
        name: 'test.fails',
        schedule: '0 0 1 1 *',
        run: () => Promise.reject(new RangeError('a name, a phone number')),
      },
    ],
    { database, log },
  );
  await runner.runNow('test.counts');
  await runner.runNow('test.counts');
  await expect(runner.runNow('test.fails')).rejects.toThrow(RangeError);
  await runner.stop();
  const runs = await listJobRuns(database, 10);
  expect(runs.map(({ job, outcome, counts, errorCode }) => ({ job, outcome, counts, errorCode }))).toEqual([
    { job: 'test.counts', outcome: 'done', counts: { seen: 2 }, errorCode: null },
    { job: 'test.counts', outcome: 'done', counts: { seen: 1 }, errorCode: null },
    { job: 'test.fails', outcome: 'failed', counts: null, errorCode: 'RangeError' },
  ]);
  expect(JSON.stringify(runs)).not.toContain('phone');
  // the job's time is the one of the log
  expect(runs[1]?.startedAt).toEqual(given[0]);
  expect(runs[0]?.finishedAt?.getTime()).toBeGreaterThanOrEqual(given[1]?.getTime() ?? Number.POSITIVE_INFINITY);
  expect(runs[0]?.node).toMatch(/:\d+$/);
  expect(await listJobRuns(database, 1)).toHaveLength(2);
});

test('a run whose node died is known as lost, and old runs go', async () => {
  const fresh = await freshDatabase();
  const database = await openDatabase({ url: fresh.url, entities: [], log });
  const owner = new pg.Client({ connectionString: fresh.adminUrl });
  await owner.connect();
  onTestFinished(async () => {
    await owner.end();
    await database.close();
    await fresh.drop();
  });
  const runner = startJobs([{ name: 'test.counts', schedule: '0 0 1 1 *', run: async () => ({ seen: 1 }) }], {
    database,
    log,
  });
  await owner.query(
    `insert into job_runs (job, node, started_at) select 'test.counts', 'dead:1', now() - interval '20 minutes' from generate_series(1, 400)`,
  );
  await runner.runNow('test.counts');
  await runner.stop();
  const runs = await listJobRuns(database, 1_000);
  expect(runs).toHaveLength(300);
  expect(runs[0]?.outcome).toBe('done');
  expect(new Set(runs.slice(1).map((run) => run.outcome))).toEqual(new Set(['lost']));
});
