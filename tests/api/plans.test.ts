/**
 * Every list, filter and page on 100,000 conversations: the statements that the app really sends are explained as the
 * app's role, under its row-level security, and a sequential scan of a growing table fails the test. What runs inside
 * functions is watched by PostgreSQL's own counters.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleNames } from '../../src/platform/database/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { type ApiApp, type Caller, deskOf, messagesOf, says, startApiApp } from './api-app.ts';

const CONVERSATIONS = 100_000;
const USERS = 20_000;
const LONG_LOG = 50_000;
const GROWING = ['conversations', 'messages', 'users', 'conversation_participants', 'conversation_starts', 'audit_log'];

interface Sent {
  readonly text: string;
  readonly values: unknown[];
}

interface Connected {
  query(this: unknown, ...args: unknown[]): unknown;
  release(): void;
}

let own: FreshDatabase;
let app: ApiApp;
let agent: Caller;
let lead: Caller;
let rahim: Caller;
let rahims: string;
const sent: Sent[] = [];

beforeAll(async () => {
  own = await freshDatabase();
  app = await startApiApp(own);
  [agent, lead, rahim] = await Promise.all([app.as('agent'), app.as('lead'), app.as('rahim')]);
  await load();
  rahims = (await rahim.post('/api/support/conversations', { message: says('hello') })).body.conversation.id;
  await agent.post(messagesOf(rahims), says('hello to you'));
  await app.home.asPerson('system', record);
}, 180_000);

afterAll(async () => {
  await app?.stop();
  await own?.drop();
});

/** Listens at the driver of the ORM's pool, through which kysely goes too. */
async function record(): Promise<void> {
  // the connection class of PostgreSQL has it; the ORM's type is the one of every database
  const connection = app.database.orm.em.getConnection() as unknown as {
    getNativeClient(): Promise<{ connect(): Promise<Connected> }>;
  };
  const client = await (await connection.getNativeClient()).connect();
  const prototype: Pick<Connected, 'query'> = Object.getPrototypeOf(client);
  const { query } = prototype;
  prototype.query = function recording(this: unknown, ...args: unknown[]) {
    const [text, values] = args;
    if (typeof text === 'string') sent.push({ text, values: Array.isArray(values) ? [...values] : [] });
    return query.apply(this, args);
  };
  client.release();
}

/** As superuser, by numbers: 20,000 users of three types, 100,000 conversations, one of them with a long log. */
async function load(): Promise<void> {
  const tenant = app.home.tenant.id;
  const admins = [app.home.people.agent.id, app.home.people['agent-2'].id, app.home.people.lead.id];
  await app.admin.query(
    `insert into users (id, tenant_id, user_type, issuer, sub, name, email, phone, created_at, updated_at)
     select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1,
       (array['driver', 'customer', 'restaurant'])[1 + n % 3], 'load', 'host-' || n, 'Person ' || md5(n::text),
       'person-' || n || '@example.com', '+88017' || lpad(n::text, 8, '0'), now(), now()
     from generate_series(1, $2::int) n`,
    [tenant, USERS],
  );
  await app.admin.query(
    `insert into conversations (id, tenant_id, opened_by, user_type, status, assigned_admin_id, last_seq, version,
       unread_by_staff, last_message_at, created_at, updated_at, closed_at, closed_by)
     select ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, $1,
       ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % $2::int), 12, '0'))::uuid,
       (array['driver', 'customer', 'restaurant'])[1 + (1 + n % $2::int) % 3],
       case when n > $3::int - 15000 then 'open' else 'closed' end,
       case when n % 3 = 0 then null else ($4::uuid[])[1 + n % 3] end, 1, 1, n % 2,
       now() - (n % 9000) * interval '1 hour', now() - interval '400 days', now(),
       case when n > $3::int - 15000 then null else now() end, case when n > $3::int - 15000 then null else 'system' end
     from generate_series(1, $3::int) n`,
    [tenant, USERS, CONVERSATIONS, admins],
  );
  await app.admin.query(
    `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
       message_type, body, client_id, content_hash, created_at)
     select ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, $1,
       ('00000000-0000-7000-9000-' || lpad(to_hex(least(n, $2::int)), 12, '0'))::uuid, greatest(1, n - $2::int + 1),
       greatest(1, n - $2::int + 1), greatest(1, n - $2::int + 1), 'user',
       ('00000000-0000-7000-8000-' || lpad(to_hex(1 + least(n, $2::int) % $3::int), 12, '0'))::uuid, 'text', 'text ' || n,
       gen_random_uuid(), gen_random_uuid(), now()
     from generate_series(1, $2::int + $4::int - 1) n`,
    [tenant, CONVERSATIONS, USERS, LONG_LOG],
  );
  await app.admin.query(
    `insert into conversation_participants (conversation_id, user_id, tenant_id, side, joined_at)
     select id, opened_by, tenant_id, 'user', now() from conversations where tenant_id = $1`,
    [tenant],
  );
  await app.admin.query(
    `insert into conversation_starts (user_id, client_id, tenant_id, conversation_id, created_at)
     select opened_by, gen_random_uuid(), tenant_id, id, now() from conversations where tenant_id = $1`,
    [tenant],
  );
  await app.admin.query(`update conversations set last_seq = $2, version = $2, unread_by_staff = $2 where id = $1`, [
    longLog(),
    LONG_LOG,
  ]);
  await app.admin.query('vacuum analyze');
}

function longLog(): string {
  return `00000000-0000-7000-9000-${CONVERSATIONS.toString(16).padStart(12, '0')}`;
}

/** The statements that a request sent, which read or write tables that grow. */
async function statementsOf(ask: () => Promise<{ status: number }>): Promise<Sent[]> {
  sent.length = 0;
  const answer = await ask();
  const seen = [...sent];
  expect(answer.status).toBeLessThan(300);
  const tables = new RegExp(`\\b(from|join|into|update)\\s+"?(${GROWING.join('|')})\\b`, 'i');
  return seen.filter((one) => tables.test(one.text));
}

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  Plans?: Plan[];
}

/** Explains as the app's role in the tenant; everything is rolled back. */
async function scannedTables(statements: readonly Sent[], before = ''): Promise<string[]> {
  const client = await app.admin.connect();
  const found: string[] = [];
  try {
    for (const { text, values } of statements) {
      await client.query('begin');
      if (before) await client.query(before);
      await client.query(`set local role ${roleNames(own.url).app}`);
      await client.query(`select set_config('app.tenant_id', $1, true)`, [app.home.tenant.id]);
      const { rows } = await client.query(`explain (format json) ${text}`, values);
      await client.query('rollback');
      found.push(...nodes(rows[0]['QUERY PLAN'][0].Plan));
    }
  } finally {
    await client.query('rollback');
    client.release();
  }
  return found;
}

function nodes(plan: Plan): string[] {
  const scans = plan['Node Type'].includes('Seq Scan') && GROWING.includes(plan['Relation Name'] ?? '');
  return [...(scans ? [plan['Relation Name'] ?? ''] : []), ...(plan.Plans ?? []).flatMap(nodes)];
}

const FILTERS: Record<string, readonly string[]> = {
  status: ['open', 'closed'],
  userType: ['driver', 'restaurant', 'nobody'],
  assignedAdminId: ['me', 'none'],
  dateFrom: ['2026-01-01'],
  dateTo: ['2026-06-30', '2100-01-01'],
};

/** Every combination of the filters, each with every value. */
function combinations(): string[] {
  let all = [''];
  for (const [name, values] of Object.entries(FILTERS)) {
    all = all.flatMap((one) => [one, ...values.map((value) => `${one}&${name}=${value}`)]);
  }
  return all;
}

describe('no sequential scan', () => {
  test("in the staff's list, for every combination of filters, first and second page", async () => {
    const queries = combinations();
    expect(queries.length).toBe(3 * 4 * 3 * 2 * 3);
    const scanned: string[] = [];
    for (const filters of queries) {
      const path = `/api/admin/support/conversations?limit=20${filters}`;
      let cursor: string | null = null;
      const first = await statementsOf(async () => {
        const answer = await agent.get(path);
        cursor = answer.body.nextCursor;
        return answer;
      });
      expect(first.length).toBeGreaterThan(0);
      for (const table of await scannedTables(first)) scanned.push(`${table}: ${filters}`);
      if (!cursor) continue;
      const second = await statementsOf(() => agent.get(`${path}&cursor=${cursor}`));
      for (const table of await scannedTables(second)) scanned.push(`${table}: ${filters}, second page`);
    }
    expect(scanned).toEqual([]);
  }, 180_000);

  test('in the search for people', async () => {
    const scanned: string[] = [];
    for (const q of [
      'Person 1',
      'PERSON a',
      'person-77@',
      'host-123',
      '+8801700000',
      '0170',
      longLog(),
      '00000000-0000-7000-8000-000000000005',
      '%',
      '_',
      "' or 1=1",
    ]) {
      for (const more of ['', '&status=open', '&userType=driver&assignedAdminId=none']) {
        const statements = await statementsOf(() =>
          lead.get(`/api/admin/support/conversations?q=${encodeURIComponent(q)}${more}`),
        );
        for (const table of await scannedTables(statements)) scanned.push(`${table}: ${q}${more}`);
      }
    }
    expect(scanned).toEqual([]);
  });

  test("in the user's list, a conversation, every page of a log, and every change", async () => {
    const [message] = (await rahim.get(messagesOf(rahims))).body.items;
    const asked: [string, () => Promise<{ status: number }>][] = [
      ['mine', () => rahim.get('/api/support/conversations/me')],
      ['one', () => rahim.get(`/api/support/conversations/${rahims}`)],
      ['one for staff', () => agent.get(`/api/support/conversations/${longLog()}`)],
      ['newest', () => agent.get(messagesOf(longLog()))],
      ['before', () => agent.get(`${messagesOf(longLog())}?before=25000`)],
      ['after', () => agent.get(`${messagesOf(longLog())}?after=25000`)],
      ['changedAfter', () => agent.get(`${messagesOf(longLog())}?changedAfter=49000`)],
      ['read', () => agent.post(`/api/support/conversations/${longLog()}/read`, { seq: 40_000 })],
      ['read by the user', () => rahim.post(`/api/support/conversations/${rahims}/read`, { seq: 2 })],
      ['start', () => rahim.post('/api/support/conversations', { message: says('again') })],
      ['edit', () => rahim.patch(`${messagesOf(rahims)}/${message.id}`, { body: 'edited' })],
      ['delete', () => rahim.del(`${messagesOf(rahims)}/${message.id}`)],
      ['close', () => agent.post(deskOf(rahims, 'close'))],
      ['reopen', () => rahim.post(`/api/support/conversations/${rahims}/reopen`)],
      ['assign', () => agent.post(deskOf(rahims, 'assign'), { adminId: agent.person.id })],
    ];
    const scanned: string[] = [];
    for (const [name, ask] of asked) {
      const statements = await statementsOf(ask);
      expect([name, statements.length > 0]).toEqual([name, true]);
      for (const table of await scannedTables(statements)) scanned.push(`${table}: ${name}`);
    }
    expect(scanned).toEqual([]);
  });

  test('inside functions: PostgreSQL counts none while messages are sent and people are searched', async () => {
    const before = await seqScans();
    await rahim.post(messagesOf(rahims), says('counted'));
    await agent.get('/api/admin/support/conversations?q=Person%201');
    await lead.get('/api/admin/support/conversations?q=%2B88017000');
    expect(await seqScans()).toEqual(before);
    // the control: the counters do see a scan, and the list of statements did not miss a table
    await app.admin.query('select count(body) from messages');
    expect(await seqScans()).not.toEqual(before);
  });
});

describe('the test itself', () => {
  test('finds the scan when the indexes are gone', async () => {
    const drop = (...names: string[]) => `drop index ${names.join(', ')}`;
    const listed = await statementsOf(() => agent.get('/api/admin/support/conversations?limit=20'));
    const lists = drop(
      'conversations_by_activity',
      'conversations_closed_by_activity',
      'conversations_closed_by_assignee',
      'conversations_closed_by_user_type',
      'conversations_by_user',
      'conversations_open',
      'conversations_one_open',
      'conversations_closed',
    );
    expect(await scannedTables(listed, lists)).toContain('conversations');
    const logged = await statementsOf(() => agent.get(`${messagesOf(longLog())}?before=25000`));
    const logs = drop(
      'messages_by_seq',
      'messages_by_version',
      'messages_events_by_time',
      'messages_sent',
      'messages_by_client_id',
    );
    expect(await scannedTables(logged, logs)).toContain('messages');
    // and the transaction took that back
    expect(await scannedTables([...listed, ...logged])).toEqual([]);
  });

  test('a page deep in a long log costs what the first one costs', async () => {
    const took = async (path: string) => {
      const begun = performance.now();
      await agent.get(path);
      return performance.now() - begun;
    };
    // in turns: a machine that is busy for a moment is busy for both
    const newest: number[] = [];
    const deep: number[] = [];
    for (let n = 0; n < 15; n++) {
      newest.push(await took(messagesOf(longLog())));
      deep.push(await took(`${messagesOf(longLog())}?before=500`));
    }
    const median = (times: number[]) => times.sort((a, b) => a - b)[7] ?? 0;
    expect(median(deep)).toBeLessThan(median(newest) * 2 + 10);
  });
});

async function seqScans(): Promise<Record<string, string>> {
  // a backend tells its counters a second after its last statement at the latest; ours are idle by then
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await app.admin.query('select pg_stat_force_next_flush()');
  const { rows } = await app.admin.query(
    'select relname, seq_scan from pg_stat_user_tables where relname = any ($1) order by relname',
    [GROWING],
  );
  return Object.fromEntries(rows.map((one) => [one.relname, one.seq_scan]));
}
