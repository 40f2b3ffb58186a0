import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countExpired, retentionJob } from '../../src/desk/index.ts';
import {
  NOT_PERSONAL,
  OF_CONVERSATION,
  OF_CONVERSATION_BY_PAGES,
  OF_PERSON,
} from '../../src/desk/privacy/personal-data.ts';
import { newId } from '../../src/platform/text/index.ts';
import { AuditRecord, openTenancy, type Tenancy } from '../../src/tenancy/index.ts';
import { adminUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type PlainBrowser, plainBrowser } from './admin-pages.ts';

const PRIVACY = '/admin/privacy';
const silent = { info() {}, debug() {}, warn() {}, error() {} };
let app: RunningApp;
let admin: pg.Client;
let tenant: TestTenant;
let owner: PlainBrowser;

beforeAll(async () => {
  app = await startApp();
  admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  tenant = await app.newTenant();
  owner = await plainBrowser(app, tenant, 'owner');
});
afterAll(async () => {
  await admin?.end();
  await app?.stop();
});

/** Everywhere that a word stands: tables with their number of rows, and files of the store. */
async function whereIs(word: string): Promise<string[]> {
  const { rows: tables } = await admin.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 1`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await admin.query<{ count: number }>(
      `select count(*)::int as count from ${name} t where t::text ~ $1`,
      [word],
    );
    if (rows[0]!.count > 0) found.push(name.replace('public.', ''));
  }
  const folder = join(app.config.dataDir, 'files');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(word)) found.push('a file');
  }
  return found;
}

/** A driver who says the word wherever something can be said, with what the desk adds; the conversation's id. */
async function leaveTraces(word: string, of = tenant): Promise<{ id: string; conversation: string }> {
  const person = of.people['driver-2'];
  await admin.query(
    `insert into settings (tenant_id, section, data, updated_at, updated_by)
     values ($1, 'support', '{"allowedAttachmentTypes": ["text/plain"]}', now(), 'system') on conflict do nothing`,
    [of.tenant.id],
  );
  // every node follows within a second
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const token = await of.hostToken({
    sub: 'driver-2',
    userType: 'driver',
    name: `${word} name`,
    email: `${word}@example.com`,
    phone: '+15550001',
    country: 'US',
    profile: { note: `${word} profile` },
    context: { type: 'trip', id: '1', label: `${word} trip` },
  });
  const post = (path: string, headers: Record<string, string>, body: object) =>
    fetch(app.base + path, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const session = (await (await post('/api/support/session', {}, { token })).json()) as { accessToken: string };
  const driver = { authorization: `Bearer ${session.accessToken}` };
  const started = (await (
    await post('/api/support/conversations', driver, {
      subject: `${word} subject`,
      topic: word.slice(0, 90),
      context: { type: 'trip', id: '1', label: `${word} context` },
      message: { body: `${word} message`, clientId: newId() },
    })
  ).json()) as { conversation: { id: string } };
  const conversation = started.conversation.id;
  const form = new FormData();
  form.set('clientId', newId());
  form.set('file', new Blob([`${word} in a file`], { type: 'text/plain' }), `${word}.txt`);
  const uploaded = await fetch(`${app.base}/api/support/conversations/${conversation}/attachments`, {
    method: 'POST',
    headers: driver,
    body: form,
  });
  const { attachment } = (await uploaded.json()) as { attachment: { id: string } };
  const messages = `/api/support/conversations/${conversation}/messages`;
  const sent = await post(messages, driver, { clientId: newId(), attachmentIds: [attachment.id] });
  expect([uploaded.status, sent.status]).toEqual([201, 201]);
  const { bearer } = await of.signIn('agent');
  await post(messages, bearer, { body: `${word} answer`, clientId: newId() });
  await post(`/api/admin/support/conversations/${conversation}/notes`, bearer, {
    body: `${word} note`,
    clientId: newId(),
  });
  await admin.query(
    `insert into conversation_ratings (conversation_id, tenant_id, user_id, score, comment, created_at, updated_at)
     values ($1, $2, $3, 1, $4, now(), now())`,
    [conversation, of.tenant.id, person.id, `${word} comment`],
  );
  return { id: person.id, conversation };
}

test('every table is known: personal and how it goes, or not and why', async () => {
  const { rows } = await admin.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
  );
  const known = [
    ...OF_PERSON.map(({ table }) => table),
    ...OF_CONVERSATION.map(({ table }) => table),
    ...OF_CONVERSATION_BY_PAGES,
    ...Object.keys(NOT_PERSONAL),
  ];
  expect(known.toSorted()).toEqual(rows.map(({ name }) => name));
  // what hangs on a conversation goes with it: by a foreign key, or by the trigger that tests/reports shows
  const { rows: left } = await admin.query<{ name: string }>(
    `select c.table_name as name from information_schema.columns c
     where c.table_schema = 'public' and c.column_name = 'conversation_id' and not exists (
       select from pg_constraint k where k.contype = 'f' and k.confdeltype = 'c' and k.conrelid = format('public.%I', c.table_name)::regclass
         and k.confrelid = 'public.conversations'::regclass)
     order by 1`,
  );
  expect(left.map(({ name }) => name)).toEqual([
    'messages',
    'report_activity',
    'report_conversations',
    'report_responses',
  ]);
});

describe('the privacy page', () => {
  test('is for whoever manages privacy', async () => {
    const { id } = tenant.people.rahim;
    for (const handle of ['lead', 'agent', 'viewer'] as const) {
      const browser = await plainBrowser(app, tenant, handle);
      for (const path of [PRIVACY, `${PRIVACY}/persons/${id}`]) expect((await browser.get(path)).status).toBe(403);
      for (const what of ['export', 'erase'])
        expect((await browser.post(`${PRIVACY}/persons/${id}/${what}`, {})).status).toBe(403);
    }
    expect((await owner.get(PRIVACY)).status).toBe(200);
    const profile = `/admin/drivers/${id}`;
    expect((await owner.get(profile)).html).toContain(`href="${PRIVACY}/persons/${id}"`);
    expect((await (await plainBrowser(app, tenant, 'lead')).get(profile)).html).not.toContain(PRIVACY);
    for (const nobody of [newId(), tenant.people.agent.id]) {
      expect((await owner.get(`${PRIVACY}/persons/${nobody}`)).status).toBe(404);
      expect((await owner.post(`${PRIVACY}/persons/${nobody}/erase`, { confirm: 'agent' })).status).toBe(404);
      expect((await owner.post(`${PRIVACY}/persons/${nobody}/export`, {})).status).toBe(404);
    }
  });

  test('gives out everything that is kept of a person, and erases it: the word is nowhere any more', async () => {
    const word = `canary${newId().replaceAll('-', '')}`;
    const other = `neighbour${newId().replaceAll('-', '')}`;
    const { id } = await leaveTraces(word);
    const elsewhere = await app.newTenant();
    await leaveTraces(other, elsewhere);
    const before = await whereIs(word);
    // the host's user is another row than the test tenant's own driver
    const { rows } = await admin.query<{ id: string; sub: string }>(`select id, sub from users where name = $1`, [
      `${word} name`,
    ]);
    const person = rows[0]!;
    expect(id).not.toBe('');
    expect(before).toEqual(
      [
        'a file',
        'attachments',
        'conversation_notes',
        'conversation_ratings',
        'conversations',
        'messages',
        'sessions',
        'users',
      ].toSorted((a, b) => Number(a === 'a file') - Number(b === 'a file') || a.localeCompare(b)),
    );
    const neighbours = await whereIs(other);

    const path = `${PRIVACY}/persons/${person.id}`;
    expect((await owner.get(`${PRIVACY}?q=${word}`)).html).toContain(`href="${path}"`);
    expect((await owner.get(path)).html).toMatch(/conversations 1, messages [34], files 1\./);
    const exported = await owner.post(`${path}/export`, {});
    expect([exported.status, exported.headers.get('content-disposition')]).toEqual([
      200,
      `attachment; filename="person-${person.id}.json"`,
    ]);
    const document = JSON.parse(exported.html);
    for (const said of [
      'name',
      '@example.com',
      'profile',
      'trip',
      'subject',
      'message',
      'answer',
      'note',
      'comment',
      'context',
      '.txt',
    ]) {
      expect([
        said,
        exported.html.includes(said.startsWith('@') || said.startsWith('.') ? word + said : `${word} ${said}`),
      ]).toEqual([said, true]);
    }
    const [conversation] = document.conversations;
    expect(Buffer.from(conversation.attachments[0].content, 'base64').toString()).toBe(`${word} in a file`);
    expect(conversation.messages.length).toBeGreaterThanOrEqual(3);
    expect(exported.html).not.toMatch(/token_hash|password_hash|storage_path|content_hash/);
    expect(exported.html).not.toContain(other);

    const wrong = await owner.post(`${path}/erase`, { confirm: 'somebody else' });
    expect([wrong.status, wrong.html.includes('Nothing has been erased.')]).toEqual([422, true]);
    expect(await whereIs(word)).toEqual(before);
    const done = await owner.post(`${path}/erase`, { confirm: person.sub });
    expect([done.status, done.location]).toEqual([303, `${PRIVACY}?erased=1`]);
    expect(await whereIs(word)).toEqual([]);
    expect(await whereIs(other)).toEqual(neighbours);
    expect((await owner.get(path)).html).toContain('This person has been erased.');

    const records = await tenant.asPerson('system', ({ em }) =>
      em.find(
        AuditRecord,
        { entityId: person.id, action: { $in: ['SUPPORT_EXPORTED', 'SUPPORT_PERSON_ERASED'] } },
        { orderBy: { id: 'asc' } },
      ),
    );
    expect(records.map(({ action, actorId }) => [action, actorId])).toEqual([
      ['SUPPORT_EXPORTED', tenant.people.owner.id],
      ['SUPPORT_PERSON_ERASED', tenant.people.owner.id],
    ]);
    expect(records[1]?.metadata).toMatchObject({ conversations: 1, files: 1 });
    // whoever comes again with the old id is somebody new
    await leaveTraces(`again${word.slice(6)}`);
    const { rows: anew } = await admin.query(
      `select id from users where tenant_id = $1 and sub = 'driver-2' and name ~ '^again'`,
      [tenant.tenant.id],
    );
    expect(anew[0]?.id === person.id).toBe(false);
  });

  test('of somebody who is erased while they are signed in, nothing works any more', async () => {
    const own = await app.newTenant();
    const rahim = await own.signIn('rahim');
    const mine = () => fetch(`${app.base}/api/support/conversations/me`, { headers: rahim.bearer });
    expect((await mine()).status).toBe(200);
    const browser = await plainBrowser(app, own, 'owner');
    await browser.post(`${PRIVACY}/persons/${own.people.rahim.id}/erase`, { confirm: 'rahim' });
    await expect.poll(async () => (await mine()).status, { timeout: 1_500 }).toBe(401);
  });
});

describe('retention', () => {
  let tenancy: Tenancy;
  beforeAll(async () => {
    tenancy = await openTenancy({ database: app.database, log: silent });
  });
  afterAll(() => tenancy?.close());

  test('deletes what was closed for longer than the setting says, as many as were counted, and nothing else', async () => {
    const own = await app.newTenant();
    const word = `old${newId().replaceAll('-', '')}`;
    const now = new Date();
    // 260 closed ones, a day apart each, and one that is open for ever
    await admin.query(
      `insert into users (id, tenant_id, user_type, issuer, sub, name, created_at, updated_at)
       select gen_random_uuid(), $1, 'driver', 'load', 'r' || n, 'x', now(), now() from generate_series(0, 260) n`,
      [own.tenant.id],
    );
    await admin.query(
      `insert into conversations (id, tenant_id, opened_by, user_type, status, last_seq, version, last_message_at, created_at, updated_at, closed_at, closed_by, subject)
       select gen_random_uuid(), $1, u.id, 'driver', case when u.sub = 'r0' then 'open' else 'closed' end, 1, 1, $2::timestamptz - interval '999 days', now(), now(),
         case when u.sub = 'r0' then null else $2::timestamptz - substr(u.sub, 2)::int * interval '1 day' + interval '1 hour' end, case when u.sub = 'r0' then null else 'system' end, $3
       from users u where u.tenant_id = $1 and u.issuer = 'load'`,
      [own.tenant.id, now.toISOString(), word],
    );
    await admin.query(
      `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id, message_type, body, client_id, content_hash, created_at)
       select gen_random_uuid(), c.tenant_id, c.id, 1, 1, 1, 'user', c.opened_by, 'text', $2, gen_random_uuid(), gen_random_uuid(), now()
       from conversations c where c.tenant_id = $1`,
      [own.tenant.id, word],
    );
    const removed: string[] = [];
    const job = retentionJob({ tenancy, storage: { remove: async (path) => void removed.push(path) } });
    const run = () => job.run({ database: app.database, log: silent, now });
    const left = async () => {
      const { rows } = await admin.query<{ conversations: number; messages: number }>(
        `select (select count(*)::int from conversations where tenant_id = $1) as conversations, (select count(*)::int from messages where tenant_id = $1) as messages`,
        [own.tenant.id],
      );
      return rows[0];
    };
    // never, by default
    await tenancy.refresh();
    await run();
    expect(await left()).toEqual({ conversations: 261, messages: 261 });

    await admin.query(
      `insert into settings (tenant_id, section, data, updated_at, updated_by) values ($1, 'support', '{"retentionDays": 30}', now(), 'system')`,
      [own.tenant.id],
    );
    await tenancy.refresh();
    const browser = await plainBrowser(app, own, 'owner');
    // what a person on legal hold said stays, however old: the control is that it would have been counted
    const count = () => own.asPerson('system', (scope) => countExpired(scope, 30, now));
    expect(await count()).toBe(230);
    const { rows: oldest } = await admin.query<{ id: string }>(
      `select id from users where tenant_id = $1 and issuer = 'load' and sub = 'r260'`,
      [own.tenant.id],
    );
    const held = `${PRIVACY}/persons/${oldest[0]?.id}`;
    expect((await browser.post(`${held}/hold`, { hold: 'yes' })).status).toBe(303);
    const counted = await count();
    await expect
      .poll(async () => (await browser.get(PRIVACY)).html)
      .toContain(`The next night deletes ${counted} conversations.`);
    expect(await run()).toMatchObject({ conversations: counted, messages: counted });
    expect(counted).toBe(229);
    expect(await left()).toEqual({ conversations: 32, messages: 32 });
    expect(await run()).toMatchObject({ conversations: 0 });
    const { rows } = await admin.query<{ sum: number }>(
      `select sum((metadata->>'conversations')::int)::int as sum from audit_log where tenant_id = $1 and action = 'SUPPORT_CONVERSATIONS_DELETED'`,
      [own.tenant.id],
    );
    expect(rows[0]?.sum).toBe(counted);

    // nor are they erased; when the hold has ended, all of it goes
    const refused = await browser.post(`${held}/erase`, { confirm: 'r260' });
    expect(refused.status).toBe(409);
    expect(refused.html).toContain('This person is on legal hold.');
    expect(await left()).toEqual({ conversations: 32, messages: 32 });
    const agent = await plainBrowser(app, own, 'agent');
    expect((await agent.post(`${held}/hold`, { hold: 'no' })).status).toBe(403);
    await browser.post(`${held}/hold`, { hold: 'no' });
    expect(await run()).toMatchObject({ conversations: 1 });
    const { rows: holds } = await admin.query<{ held: boolean }>(
      `select (metadata->>'held')::boolean as held from audit_log
       where tenant_id = $1 and action = 'SUPPORT_LEGAL_HOLD_CHANGED' order by id`,
      [own.tenant.id],
    );
    expect(holds.map((one) => one.held)).toEqual([true, false]);
  });
});
