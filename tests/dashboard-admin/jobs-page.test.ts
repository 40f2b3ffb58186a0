import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startJobs } from '../../src/platform/jobs/index.ts';
import { adminUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { plainBrowser } from './admin-pages.ts';

const JOBS = '/admin/settings/jobs';
const silent = { info() {}, debug() {}, warn() {}, error() {} };
let app: RunningApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.newTenant();
});
afterAll(() => app?.stop());

test('the run log shows how the last runs of every job went, without what concerns other companies', async () => {
  const job = (name: string, run: () => Promise<Record<string, number>>) => ({ name, schedule: '0 0 1 1 *', run });
  const runner = startJobs(
    [
      job('tests.counted', async () => ({ closedSecretly: 41 })),
      job('tests.broken', async () => {
        throw new TypeError('canary of an error');
      }),
    ],
    { database: app.database, log: silent },
  );
  await runner.runNow('tests.counted');
  await runner.runNow('tests.broken').catch(() => {});
  await runner.stop();
  const owner = await plainBrowser(app, tenant, 'owner');
  // with a company beside this one, what was counted for both is not shown
  await app.newTenant();
  await expect.poll(async () => (await owner.get(JOBS)).html, { timeout: 3_000 }).not.toContain('closedSecretly');
  const { html, status } = await owner.get(JOBS);
  expect(status).toBe(200);
  expect(html).toMatch(/tests\.counted[\s\S]*done/);
  expect(html).toMatch(/tests\.broken[\s\S]*failed[\s\S]*TypeError/);
  expect(html).not.toMatch(/canary|closedSecretly/);
  expect((await owner.get('/admin/settings')).html).toContain(`href="${JOBS}"`);
  expect((await (await plainBrowser(app, tenant, 'lead')).get(JOBS)).status).toBe(403);
  const admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  await admin.query(`delete from job_runs where job like 'tests.%'`);
  await admin.end();
});
