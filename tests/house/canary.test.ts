import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { startDesk } from '../desk/desk-node.ts';
import { gather, search, searchRun } from '../support/canary.ts';
import { collectedLog, LOGS_ENV } from '../support/collected-log.ts';
import { freshDatabase } from '../support/database.ts';

/** The search of every run (tests/support/global-database.ts) finds what it is for; the run fails by it. */

const TOKEN = `sgs_${'a'.repeat(43)}`;

test('finds what was planted in a log and in an audit row, and every shape of a credential', async () => {
  const own = await freshDatabase();
  const desk = await startDesk(1, own);
  const folder = mkdtempSync(join(tmpdir(), 'canary-'));
  const client = new pg.Client({ connectionString: own.adminUrl });
  await client.connect();
  const set = process.env[LOGS_ENV] ?? '';
  onTestFinished(async () => {
    await client.end();
    await desk.stop();
    // what was planted here is not the run's
    delete process.env[LOGS_ENV];
    await own.drop();
    process.env[LOGS_ENV] = set;
    rmSync(folder, { recursive: true, force: true });
  });
  const id = await desk.conversation();
  await desk.write(id);
  await client.query(`update messages set body = 'my "secret" bonus is 500' where conversation_id = $1`, [id]);
  await gather(own.adminUrl, folder);
  // as it is: the texts of the tests are there, and nobody told of them
  expect(searchRun(folder).planted).toBeGreaterThan(1);
  expect(searchRun(folder).findings).toEqual([]);

  writeFileSync(join(folder, '1.log'), `${JSON.stringify({ msg: 'not sent', body: 'my "secret" bonus is 500' })}\n`);
  await client.query(
    `update audit_log set metadata = '{"to": "rahim@shop.example.com"}' where id = (select max(id) from audit_log)`,
  );
  await gather(own.adminUrl, folder);
  expect(searchRun(folder).findings.map(({ where, what }) => [where, what])).toEqual([
    ['log 1.log', 'a text: my \\"secret\\" bonus is 500'],
    ['audit rows', 'an email address: rahim@shop.example.com'],
  ]);

  for (const text of [
    TOKEN,
    `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${'x'.repeat(20)}`,
    'A'.repeat(116),
    'ayesha.siddika@mail.example',
    '+8801712345678',
  ]) {
    expect(search('x', `{"msg":"${text}"}`, new Set())).toHaveLength(1);
  }
  expect(search('x', '{"msg":"ready","id":"01a1fddc-4cf6-7182-b0e2-be9399e5c4d8"}', new Set())).toEqual([]);
});

test('the log of the tests is the program’s own: it writes what the program would write', () => {
  const told: unknown[] = [];
  collectedLog({ warn: (...line) => void told.push(line) }).warn({ token: TOKEN }, 'a line of the canary’s own test');
  expect(told).toEqual([[{ token: TOKEN }, 'a line of the canary’s own test']]);
  // struck out by the program's log: were it not, this run would fail at its end
  expect(process.env[LOGS_ENV]).toBeTruthy();
});
