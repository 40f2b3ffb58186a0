import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entities } from '../../src/entities.ts';
import { seedDemo } from '../../src/identity/index.ts';
import { importsTasks } from '../../src/imports/index.ts';
import { readConfig, withSecretKey } from '../../src/platform/config/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { runTask } from '../../src/platform/jobs/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { TEST_SECRET_KEY } from '../support/people.ts';

/** The volume that a tenant is filled with: what the tables hold must be what the doors would have written. */

const quiet = { info() {}, debug() {}, warn() {}, error() {} };
const CONVERSATIONS = 700;
const MESSAGES = 9_001;

let fresh: FreshDatabase;
let database: Database;
let admin: pg.Pool;

beforeAll(async () => {
  fresh = await freshDatabase();
  database = await openDatabase({ url: fresh.url, entities, log: quiet });
  admin = new pg.Pool({ connectionString: fresh.adminUrl, max: 2 });
  await seedDemo({ database, config: configOf(), log: quiet });
});
afterAll(async () => {
  await admin?.end();
  await database?.close();
  await fresh?.drop();
});

function configOf(more: Record<string, string> = {}) {
  const env = { DATABASE_URL: fresh.url, SECRET_KEY: 'x'.repeat(32), PUBLIC_URL: 'https://support.example', ...more };
  return withSecretKey({ ...readConfig(env), secretKey: TEST_SECRET_KEY });
}

async function seedVolume(args: string[], env: Record<string, string> = {}): Promise<string[]> {
  const lines: string[] = [];
  await runTask(importsTasks, 'seed-volume', args, {
    config: configOf(env),
    log: quiet,
    database: async () => database,
    print: (line) => lines.push(line),
  });
  return lines;
}

async function one<T = number>(statement: string): Promise<T> {
  const { rows } = await admin.query({ text: statement, rowMode: 'array' });
  return rows[0]?.[0];
}

async function none(statement: string): Promise<void> {
  expect((await admin.query(statement)).rows.slice(0, 3), statement).toEqual([]);
}

describe('a made-up volume', () => {
  test('has exactly as many conversations and messages as were asked for', async () => {
    const [line] = await seedVolume(['--conversations', String(CONVERSATIONS), '--messages', String(MESSAGES)]);
    expect(line).toMatch(/^safego: 700 conversations, 9001 messages of \d+ people and 43 agents$/);
    expect(await one('select count(*)::integer from conversations')).toBe(CONVERSATIONS);
    expect(await one('select count(*)::integer from messages')).toBe(MESSAGES);
  });

  test('is what the doors would have written', async () => {
    // numbers without gaps, the head as the log says
    await none(`select c.id from conversations c left join (
        select conversation_id, count(*) as n, max(seq) as last, min(seq) as first, max(created_at) as at,
          bool_or(seq <> version or first_version <> version) as odd
        from messages group by 1) m on m.conversation_id = c.id
      where m.n is distinct from c.last_seq or m.last <> c.last_seq or m.first <> 1 or c.version <> c.last_seq or m.odd
        or m.at <> c.last_message_at`);
    // time grows with the place, and none is in the future
    await none(`select 1 from messages m join messages n on n.conversation_id = m.conversation_id and n.seq = m.seq + 1
      where n.created_at < m.created_at`);
    await none('select 1 from messages where created_at > now()');
    await none(`select c.id from conversations c where c.unread_by_staff <> (select count(*) from messages m
        where m.conversation_id = c.id and m.seq > c.staff_read_seq and m.sender_type = 'user')
      or c.unread_by_user <> (select count(*) from messages m
        where m.conversation_id = c.id and m.seq > c.user_read_seq and m.sender_type = 'admin')`);
    // the last line of what is closed says so; who waits has no answer after that
    await none(`select c.id from conversations c join messages m on m.conversation_id = c.id and m.seq = c.last_seq
      where (c.status = 'closed') <> (m.event is not distinct from 'closed')
        or (c.waiting_since is not null) <> (c.status = 'open' and m.sender_type = 'user')`);
    await none(`select m.id from messages m join conversations c on c.id = m.conversation_id
      where m.sender_type = 'user' and m.sender_id <> c.opened_by`);
    await none(`select m.id from messages m where m.sender_type = 'admin' and not exists (
      select 1 from conversation_participants p where p.conversation_id = m.conversation_id and p.user_id = m.sender_id)`);
    await none(`select c.id from conversations c where c.assigned_admin_id is null and exists (
      select 1 from messages m where m.conversation_id = c.id and m.sender_type = 'admin')`);
    // a clock for every answered wait, ended by the answer
    await none(`select r.conversation_id from response_clocks r where r.answered_at is not null and not exists (
      select 1 from messages m where m.conversation_id = r.conversation_id and m.sender_type = 'admin'
        and m.seq > r.asked_seq and m.created_at = r.answered_at)`);
  });

  test('has everything that lists, searches and reports are made from', async () => {
    for (const statement of [
      "select count(*)::integer from conversations where status = 'open' and assigned_admin_id is null",
      "select count(*)::integer from conversations where status = 'open' and waiting_since is null",
      "select count(*)::integer from messages where event = 'assigned'",
      "select count(*)::integer from messages where event = 'transferred'",
      "select count(*)::integer from messages where event = 'reopened'",
      "select count(*)::integer from messages where body ~ '[ঀ-৿]'",
      "select count(*)::integer from messages where body like 'Hello%'",
      'select count(*)::integer from conversation_ratings where score < 5',
      "select count(*)::integer from response_clocks where kind = 'first' and breached_at is not null",
      "select count(*)::integer from response_clocks where kind = 'next' and breached_at is null",
      'select count(*)::integer from assignment_decisions',
      'select count(*)::integer from conversation_notes',
      'select count(*)::integer from note_mentions',
    ]) {
      expect(await one(statement), statement).toBeGreaterThan(0);
    }
    // of every type, and of the demo's own agents too
    expect(await one('select count(distinct user_type)::integer from conversations')).toBe(3);
    expect(
      await one(`select count(*)::integer from conversations c join users u on u.id = c.assigned_admin_id
        where u.sub in ('agent', 'agent-2', 'lead')`),
    ).toBeGreaterThan(0);
    await none("select 1 from messages where body like '%{%'");
  });

  test('comes again beside what is there, in the tenant that is named', async () => {
    await seedVolume(['--conversations', '40', '--tenant', 'smart-equiz', '--agents', '3', '--days', '30']);
    expect(await one('select count(*)::integer from conversations')).toBe(CONVERSATIONS + 40);
    expect(
      await one(`select count(*)::integer from conversations c join tenants t on t.id = c.tenant_id
        where t.slug = 'smart-equiz' and c.user_type = 'participant'`),
    ).toBe(40);
    await seedVolume(['--conversations', '10', '--messages', '40']);
    expect(await one('select count(*)::integer from messages')).toBe(MESSAGES + 800 + 40);
    await none(`select user_type, sub from users where issuer = 'volume' group by tenant_id, 1, 2 having count(*) > 1`);
  });

  test.each([
    [['--conversations', '0'], /--conversations/],
    [['--conversations', '10', '--messages', '39'], /--messages must be at least 4/],
    [['--tenant', 'nowhere'], /no tenant nowhere/],
    [['--open', '2'], /--open/],
  ])('%j is one clear line', async (args, line) => {
    await expect(seedVolume(args)).rejects.toThrow(line);
  });

  test('never goes into production', async () => {
    await expect(seedVolume([], { NODE_ENV: 'production' })).rejects.toThrow(/never in production/);
  });
});
