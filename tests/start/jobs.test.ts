import { expect, onTestFinished, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { type Job, startJobs } from '../../src/platform/jobs/index.ts';
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
