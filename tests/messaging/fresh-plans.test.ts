import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAppender } from '../../src/messaging/index.ts';
import { openDatabase } from '../../src/platform/database/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { insertConversation, insertPerson, insertTenant, type PersonRow } from '../support/rows.ts';

/** The first hour of an installation: nobody has counted the tables yet, and a message must cost what it costs later. */

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const CONVERSATIONS = 200;
let own: FreshDatabase;
let admin: pg.Pool;
const open: { id: string; user: PersonRow }[] = [];

beforeAll(async () => {
  own = await freshDatabase();
  admin = new pg.Pool({ connectionString: own.adminUrl, max: 4 });
  for (const table of ['conversations', 'users', 'messages']) {
    await admin.query(`alter table ${table} set (autovacuum_enabled = false)`);
  }
  const tenant = await insertTenant(admin);
  for (let n = 0; n < CONVERSATIONS; n++) {
    const user = await insertPerson(admin, tenant);
    open.push({ user, id: await insertConversation(admin, user) });
  }
});
afterAll(async () => {
  await admin?.end();
  await own?.drop();
});

/** What is read from indexes of conversations and people for a message into each conversation. */
async function readPerMessage(): Promise<number> {
  await admin.query('select pg_stat_reset()');
  const database = await openDatabase({ url: own.url, entities: [], log: quiet });
  const appender = createAppender({ database, log: quiet });
  for (const { id, user } of open) {
    const outcome = await appender.append({
      id: newId(),
      tenantId: user.tenantId,
      conversationId: id,
      sender: { type: 'user', id: user.id, accessVersion: 1, name: 'Somebody', userType: 'driver' },
      clientId: randomUUID(),
      messageType: 'text',
      body: 'hello',
    });
    expect(outcome.verdict).toBe('new');
  }
  // a connection that ends hands in what it has counted
  await database.close();
  const counted = `select coalesce(sum(idx_tup_read), 0)::integer as read from pg_stat_user_indexes
    where relname in ('conversations', 'users')`;
  let read = 0;
  await expect
    .poll(async () => (read = (await admin.query<{ read: number }>(counted)).rows[0]?.read ?? 0), { timeout: 20_000 })
    .toBeGreaterThanOrEqual(CONVERSATIONS);
  return read / CONVERSATIONS;
}

test('a message finds its conversation and its sender by their ids, not by their tenant', async () => {
  expect(await readPerMessage()).toBeLessThan(20);
  // what a planner without statistics made of the plain condition, in the function as it was before
  const before = await readFile(new URL('../../migrations/Migration20261121000084_by_id.ts', import.meta.url), 'utf8');
  const definition = /create or replace function append_messages[\s\S]*?end \$\$/.exec(before)?.[0] ?? '';
  await admin.query(definition.replaceAll(/\((\w+\.tenant_id = i\.tenant_id)\) is true/g, '$1'));
  await admin.query('alter function append_messages security definer');
  expect(await readPerMessage()).toBeGreaterThan(50);
});
