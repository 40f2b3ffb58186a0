import pg from 'pg';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/platform/database/index.ts';
import { databaseUrl, freshDatabase } from '../support/database.ts';

const log = { info() {}, debug() {}, warn() {}, error() {} };

test('the run has a migrated database that the app may use', async () => {
  const database = await openDatabase({ url: databaseUrl(), entities: [], log });
  const { rows } = await database.systemPool.query('select current_user as name');
  expect(rows[0].name).toBe('app_safego');
  await database.close();
});

test('a test may have a database to itself', async () => {
  const fresh = await freshDatabase();
  const client = new pg.Client({ connectionString: fresh.url });
  await client.connect();
  expect((await client.query('select count(*)::int as n from migrations')).rows[0].n).toBeGreaterThan(0);
  await client.end();
  await fresh.drop();
});
