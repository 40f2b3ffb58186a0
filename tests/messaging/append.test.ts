import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppendOutcome, createAppender, type NewMessage, type StoredMessage } from '../../src/messaging/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import { adminUrl, databaseUrl } from '../support/database.ts';
import { insertConversation, insertPerson, insertTenant, type PersonRow } from '../support/rows.ts';

/** The log's own promises (D1 to D5), through the batching door, on two "nodes" with pools of their own. */

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const nodes: Database[] = [];
let admin: pg.Pool;

beforeAll(async () => {
  admin = new pg.Pool({ connectionString: adminUrl(), max: 4 });
  nodes.push(
    await openDatabase({ url: databaseUrl(), entities: [], log: quiet }),
    await openDatabase({ url: databaseUrl(), entities: [], log: quiet }),
  );
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await admin.end();
});

const newTenant = () => insertTenant(admin);
const newPerson = (tenantId: string, type?: 'user' | 'admin') => insertPerson(admin, tenantId, type);
const newConversation = (user: PersonRow, assignedTo?: PersonRow) => insertConversation(admin, user, assignedTo);

function message(from: PersonRow, conversationId: string, body: string, more: Partial<NewMessage> = {}): NewMessage {
  return {
    id: newId(),
    tenantId: from.tenantId,
    conversationId,
    sender: { type: from.type, id: from.id, accessVersion: 1, name: 'Somebody', userType: 'driver' },
    clientId: randomUUID(),
    messageType: 'text',
    body,
    ...more,
  };
}

function stored(outcome: AppendOutcome | undefined): StoredMessage {
  if (outcome?.verdict !== 'new' && outcome?.verdict !== 'repeat') throw new Error(`not stored: ${outcome?.verdict}`);
  return outcome.message;
}

async function seqs(conversationId: string): Promise<number[]> {
  const rows = await admin.query<{ seq: number }>('select seq from messages where conversation_id = $1 order by seq', [
    conversationId,
  ]);
  return rows.rows.map((row) => row.seq);
}

async function rowOf(conversationId: string): Promise<Record<string, unknown>> {
  const { rows } = await admin.query('select * from conversations where id = $1', [conversationId]);
  return rows[0];
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, at) => at + 1);
}

function shuffled<T>(items: T[], seed: number): T[] {
  let state = seed;
  const next = () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
  return items
    .map((item) => ({ item, key: next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

describe('one message', () => {
  test('a new one takes the next number, a repeat is answered with it, other content is a conflict', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const rahim = await newPerson(await newTenant());
    const conversation = await newConversation(rahim);
    const first = message(rahim, conversation, 'Where is my bonus?');
    const one = await appender.append(first);
    expect(one.verdict).toBe('new');
    expect(stored(one)).toMatchObject({ seq: 1, version: 1, firstVersion: 1, body: 'Where is my bonus?' });
    const again = await appender.append({ ...first, id: newId() });
    expect(again.verdict).toBe('repeat');
    expect(stored(again)).toMatchObject({ id: first.id, seq: 1, body: 'Where is my bonus?' });
    expect(stored(again).createdAt.getTime()).toBe(stored(one).createdAt.getTime());
    expect(await appender.append({ ...first, id: newId(), body: 'Something else' })).toEqual({ verdict: 'conflict' });
    expect(await seqs(conversation)).toEqual([1]);
  });

  test('the same client id twice in one batch is one message', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const rahim = await newPerson(await newTenant());
    const conversation = await newConversation(rahim);
    const first = message(rahim, conversation, 'Hello');
    const outcomes = await Promise.all([
      appender.append(first),
      appender.append({ ...first, id: newId() }),
      appender.append({ ...first, id: newId(), body: 'Other' }),
      appender.append(message(rahim, conversation, 'Second')),
    ]);
    expect(outcomes.map((outcome) => outcome.verdict)).toEqual(['new', 'repeat', 'conflict', 'new']);
    expect(stored(outcomes[1]).id).toBe(first.id);
    expect(await seqs(conversation)).toEqual([1, 2]);
  });

  test('a repeat is answered whatever the state is by now; a new one is refused', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const rahim = await newPerson(await newTenant());
    const conversation = await newConversation(rahim);
    const first = message(rahim, conversation, 'Before');
    await appender.append(first);
    await admin.query(
      `update conversations set status = 'closed', closed_at = now(), closed_by = 'system' where id = $1`,
      [conversation],
    );
    expect((await appender.append({ ...first, id: newId() })).verdict).toBe('repeat');
    expect(await appender.append(message(rahim, conversation, 'After'))).toEqual({ verdict: 'closed' });
    expect(await appender.append({ ...first, id: newId(), refuseNew: 'support_disabled' })).toMatchObject({
      verdict: 'repeat',
    });
    await admin.query(`update conversations set status = 'open', closed_at = null where id = $1`, [conversation]);
    expect(await appender.append(message(rahim, conversation, 'x', { refuseNew: 'support_disabled' }))).toEqual({
      verdict: 'refused',
      code: 'support_disabled',
    });
  });

  test('moves no index of its conversation: a list changes its order without one', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const tenant = await newTenant();
    const [rahim, agent] = await Promise.all([newPerson(tenant), newPerson(tenant, 'admin')]);
    const conversation = await newConversation(rahim, agent);
    const { rows: indexed } = await admin.query<{ column: string }>(
      `select distinct a.attname as column from pg_index i
       join pg_depend d on d.objid = i.indexrelid and d.refobjid = i.indrelid and d.refobjsubid > 0
       join pg_attribute a on a.attrelid = i.indrelid and a.attnum = d.refobjsubid
       where i.indrelid = 'conversations'::regclass`,
    );
    const columns = new Set(indexed.map((one) => one.column));
    // the control: keys and conditions are both seen
    expect([columns.has('active_at'), columns.has('status')]).toEqual([true, true]);

    const changes = async () => {
      const before = await rowOf(conversation);
      for (const from of [rahim, agent, rahim]) await appender.append(message(from, conversation, randomUUID()));
      const after = await rowOf(conversation);
      return Object.keys(after).filter((name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]));
    };
    let changed = await changes();
    // five minutes may end in between, which is when an index is moved
    if (changed.includes('active_at')) changed = await changes();
    expect(changed).toEqual(expect.arrayContaining(['last_message_at', 'waiting_since', 'last_seq', 'preview']));
    expect(changed.filter((name) => columns.has(name))).toEqual([]);
  });

  test('who may write: not a stranger, not another tenant, not with old rights; an admin only where it is his', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const tenant = await newTenant();
    const [rahim, stranger, agent, colleague] = await Promise.all([
      newPerson(tenant),
      newPerson(tenant),
      newPerson(tenant, 'admin'),
      newPerson(tenant, 'admin'),
    ]);
    const foreign = await newPerson(await newTenant());
    const conversation = await newConversation(rahim);
    const try_ = (from: PersonRow, more: Partial<NewMessage> = {}) =>
      appender.append(message(from, conversation, 'Hi', more));
    expect((await try_(rahim)).verdict).toBe('new');
    expect((await try_(stranger)).verdict).toBe('absent');
    expect((await try_(foreign)).verdict).toBe('absent');
    expect((await try_(foreign, { tenantId: tenant })).verdict).toBe('stale');
    expect((await try_(rahim, { tenantId: foreign.tenantId })).verdict).toBe('absent');
    expect((await try_(agent)).verdict).toBe('unassigned');
    await admin.query('update conversations set assigned_admin_id = $2 where id = $1', [conversation, agent.id]);
    expect((await try_(agent)).verdict).toBe('new');
    expect((await try_(colleague)).verdict).toBe('assigned_to_other');
    await admin.query('update users set access_version = 2 where id = $1', [rahim.id]);
    expect((await try_(rahim)).verdict).toBe('stale');
    expect(await seqs(conversation)).toEqual([1, 2]);
  });

  test('counters, preview and waiting time follow', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const tenant = await newTenant();
    const rahim = await newPerson(tenant);
    const agent = await newPerson(tenant, 'admin');
    const conversation = await newConversation(rahim, agent);
    await appender.append(message(rahim, conversation, 'One'));
    await appender.append(message(rahim, conversation, 'Two'));
    const waiting = await rowOf(conversation);
    expect(waiting).toMatchObject({
      unread_by_staff: 2,
      unread_by_user: 0,
      preview: 'Two',
      preview_sender_type: 'user',
      last_seq: 2,
    });
    expect(waiting['waiting_since']).not.toBeNull();
    await appender.append(message(agent, conversation, 'Three'));
    expect(await rowOf(conversation)).toMatchObject({
      unread_by_staff: 2,
      unread_by_user: 1,
      preview: 'Three',
      waiting_since: null,
    });
    const audit = await admin.query(
      `select * from audit_log where tenant_id = $1 and action = 'SUPPORT_MESSAGE_SENT'`,
      [tenant],
    );
    expect(audit.rows).toHaveLength(3);
    expect(JSON.stringify(audit.rows)).not.toContain('Three');
  });
});

describe('a hundred writers at once', () => {
  for (const conversations of [1, 100]) {
    test(`on ${conversations} conversation(s), two nodes, repeats and refusals mixed in: no gap, no double, no error`, async () => {
      const appenders = nodes.map((database) => createAppender({ database, log: quiet }));
      const tenants = await Promise.all([newTenant(), newTenant(), newTenant()]);
      const rooms = await Promise.all(
        Array.from({ length: conversations }, async (_, at) => {
          const user = await newPerson(tenants[at % 3] as string);
          const agent = await newPerson(user.tenantId, 'admin');
          return { user, agent, id: await newConversation(user, agent), expected: 0 };
        }),
      );
      const PER_WRITER = 40;
      const told: StoredMessage[] = [];
      for (const appender of appenders) appender.onAppended((batch) => told.push(...batch));
      let refused = 0;
      await Promise.all(
        Array.from({ length: 100 }, async (_, writer) => {
          const room = rooms[writer % conversations] as (typeof rooms)[number];
          for (let turn = 0; turn < PER_WRITER; turn++) {
            const from = (writer + turn) % 2 ? room.user : room.agent;
            const text = `${writer}.${turn}`;
            const sent = message(from, room.id, text);
            const copies = shuffled(
              [
                appenders[0]?.append(sent),
                turn % 3 === 0 ? appenders[1]?.append({ ...sent, id: newId() }) : undefined,
                turn % 4 === 0 ? appenders[1]?.append({ ...sent, id: newId(), body: 'changed' }) : undefined,
                turn % 5 === 0 ? appenders[0]?.append(message(from, room.id, 'no', { refuseNew: 'off' })) : undefined,
              ],
              writer,
            );
            const outcomes = (await Promise.all(copies)).filter((outcome) => outcome !== undefined);
            const kept = outcomes.filter((outcome) => outcome.verdict === 'new');
            expect(kept).toHaveLength(1);
            room.expected++;
            const places = new Set(
              outcomes.filter((one) => one.verdict === 'new' || one.verdict === 'repeat').map((one) => stored(one).seq),
            );
            expect(places.size).toBe(1);
            refused += outcomes.filter((one) => one.verdict === 'refused').length;
          }
        }),
      );
      expect(refused).toBe(100 * (PER_WRITER / 5));
      for (const room of rooms) {
        expect(await seqs(room.id)).toEqual(range(room.expected));
        const row = (await admin.query('select last_seq, version from conversations where id = $1', [room.id])).rows[0];
        expect(row).toEqual({ last_seq: room.expected, version: room.expected });
      }
      expect(told).toHaveLength(100 * PER_WRITER);
      expect(new Set(told.map((one) => `${one.conversationId} ${one.seq}`)).size).toBe(told.length);
    });
  }

  test('a conversation that is locked elsewhere does not hold up its neighbours', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const tenant = await newTenant();
    const [a, b] = await Promise.all([newPerson(tenant), newPerson(tenant)]);
    const [locked, free] = [await newConversation(a), await newConversation(b)];
    const holder = await admin.connect();
    await holder.query('begin');
    await holder.query('select 1 from conversations where id = $1 for update', [locked]);
    const slow = appender.append(message(a, locked, 'waits'));
    const quick = await appender.append(message(b, free, 'goes'));
    expect(quick.verdict).toBe('new');
    let done = false;
    void slow.then(() => {
      done = true;
    });
    await appender.append(message(b, free, 'goes on'));
    expect(done).toBe(false);
    await holder.query('commit');
    holder.release();
    expect((await slow).verdict).toBe('new');
  });

  test('one message that PostgreSQL cannot hold does not fail its neighbours', async () => {
    const appender = createAppender({ database: nodes[0] as Database, log: quiet });
    const rahim = await newPerson(await newTenant());
    const conversation = await newConversation(rahim);
    const outcomes = await Promise.allSettled([
      appender.append(message(rahim, conversation, 'good')),
      appender.append(message(rahim, conversation, 'bad \u0000')),
      appender.append(message(rahim, conversation, 'good too')),
    ]);
    expect(outcomes.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await seqs(conversation)).toEqual([1, 2]);
  });
});

test('what a conversation cannot be is refused wherever it is written, and so is another side of what was said', async () => {
  const rahim = await newPerson(await newTenant());
  const id = await newConversation(rahim);
  const write = (column: string, value: string | null) =>
    admin.query(`update conversations set ${pg.escapeIdentifier(column)} = $1 where id = $2`, [value, id]);
  const fits = {
    kind: 'support',
    priority: 'urgent',
    subject: 'x'.repeat(200),
    topic: 'x'.repeat(100),
    status: 'open',
  };
  const fitsNot: Record<string, (string | null)[]> = {
    kind: ['Support!'],
    priority: ['soon'],
    subject: ['x'.repeat(201)],
    topic: ['x'.repeat(101)],
    status: ['gone', 'closed'],
    closed_at: ['2026-01-01'],
    opened_by: [null],
    user_type: [null],
  };
  for (const [column, value] of Object.entries(fits)) await write(column, value);
  for (const [column, values] of Object.entries(fitsNot)) {
    for (const value of values) {
      await expect(write(column, value), `${column} ${value}`).rejects.toMatchObject({ code: '23514' });
    }
  }
  const insert = admin.query(
    `insert into conversations (id, tenant_id, opened_by, user_type, priority, last_message_at, created_at, updated_at)
     select gen_random_uuid(), tenant_id, opened_by, user_type, 'soon', now(), now(), now() from conversations where id = $1`,
    [id],
  );
  await expect(insert).rejects.toMatchObject({ code: '23514' });

  await createAppender({ database: nodes[0] as Database, log: quiet }).append(message(rahim, id, 'Hello'));
  for (const change of [`sender_type = 'nobody'`, `message_type = 'system'`, `event = 'closed'`]) {
    const changing = admin.query(`update messages set ${change} where conversation_id = $1`, [id]);
    await expect(changing, change).rejects.toMatchObject({ code: '23514' });
  }
});
