import pg from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { gatherWords } from '../../src/messaging/index.ts';
import { call } from '../live/live-app.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { userWrites, visit } from './desk-browser.ts';

let app: RunningApp;
let browser: Browser;
let tenant: TestTenant;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(), launchBrowser()]);
  tenant = await app.newTenant();
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

test('what was said finds its conversation: words in any order, the last one as far as it is typed', async () => {
  const id = await userWrites(app, tenant, 'rahim', 'My Bonus for November was not paid, order #4711 আমার টাকা');
  const other = await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const agent = await tenant.signIn('agent');
  const find = async (q: string, more = '') => {
    const query = `q=${encodeURIComponent(q)}${more}`;
    const found = await call(app, agent, 'GET', `/api/admin/support/conversations?${query}`);
    expect(found.status, q).toBe(200);
    return found.items.map((one: { id: string }) => one.id);
  };
  for (const q of ['bonus', 'BONUS', 'november bonus', 'not paid', 'novem', '4711', 'আমার টাকা', 'টাকা', 'paid, order!']) {
    expect(await find(q), q).toEqual([id]);
  }
  expect(await find('food')).toEqual([other]);
  // the last word is a beginning; another one is whole; nothing is found by an inner part or by mere signs
  for (const q of [
    'bon november',
    'bon',
    'onus',
    '!!!',
    "' or 1=1 --",
    'bonus food',
    '\\',
    '%%%',
    '___',
    ':*',
    '(((',
    '"',
  ]) {
    expect(await find(q), q).toEqual([]);
  }
  // beside names, which are found as before, and with filters
  expect(await find('Rahim')).toEqual([id]);
  expect(await find('bonus', '&status=closed')).toEqual([]);
  expect(await find('bonus', '&userType=driver')).toEqual([id]);

  // what was taken away is not found any more; nor what another tenant was told
  const rahim = await tenant.signIn('rahim');
  const log = await call(app, rahim, 'GET', `/api/support/conversations/${id}/messages`);
  await call(app, rahim, 'DELETE', `/api/support/conversations/${id}/messages/${log.items[0].id}`);
  expect(await find('bonus')).toEqual([]);
  const stranger = await (await app.newTenant()).signIn('agent');
  expect((await call(app, stranger, 'GET', '/api/admin/support/conversations?q=food')).items).toEqual([]);
  // and notes are no messages
  await call(app, agent, 'POST', `/api/admin/support/conversations/${id}/notes`, { body: 'secretword' });
  expect(await find('secretword')).toEqual([]);
});

/** Puts all that was said until now into the index, as if everybody had rested. */
const everybodyRests = () => gatherWords(app.database, new Date(Date.now() + 60_000));

test('what was said is found at once, at rest, and after more was said; what was changed is not found as it was', async () => {
  const other = await app.newTenant();
  const agent = await other.signIn('agent');
  const rahim = await other.signIn('rahim');
  const id = await userWrites(app, other, 'rahim', 'The parcel with <b came wet');
  const log = `/api/support/conversations/${id}/messages`;
  const say = (body: string) => call(app, rahim, 'POST', log, { body, clientId: crypto.randomUUID() });
  const find = async (q: string) => {
    const found = await call(app, agent, 'GET', `/api/admin/support/conversations?q=${encodeURIComponent(q)}`);
    return found.items.map((one: { id: string }) => one.id);
  };
  await say('nobody rang > the bell');
  for (const moment of ['at once', 'at rest', 'at rest again']) {
    for (const q of ['parcel', 'wet', 'nobody', 'bell rang']) expect(await find(q), `${q} ${moment}`).toEqual([id]);
    // both were said, but by no one message
    expect(await find('parcel nobody'), moment).toEqual([]);
    await everybodyRests();
  }

  // what comes after a rest, beside what was said before
  const later = await say('It was a lantern');
  expect([await find('lantern'), await find('parcel')]).toEqual([[id], [id]]);
  await everybodyRests();
  expect([await find('lantern'), await find('parcel')]).toEqual([[id], [id]]);

  // changed and taken away after it came into the index
  expect((await call(app, rahim, 'PATCH', `${log}/${later.message.id}`, { body: 'It was a mirror' })).status).toBe(200);
  expect([await find('lantern'), await find('mirror')]).toEqual([[], [id]]);
  await call(app, rahim, 'DELETE', `${log}/${later.message.id}`);
  expect([await find('mirror'), await find('parcel')]).toEqual([[], [id]]);
  const admin = new pg.Client({ connectionString: inject('adminUrl') });
  await admin.connect();
  const words = `select string_agg(words::text, ' ') as words from conversation_words where conversation_id = $1`;
  const left = await admin.query<{ words: string }>(words, [id]);
  await admin.end();
  expect(left.rows[0]?.words).toContain("'parcel'");
  expect(left.rows[0]?.words).not.toMatch(/mirror|lantern/);
});

test('a long conversation is in the index before it rests', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'The very first word');
  const admin = new pg.Client({ connectionString: inject('adminUrl') });
  await admin.connect();
  await admin.query(
    `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
       message_type, body, client_id, content_hash, created_at)
     select gen_random_uuid(), $1, $2, n, n, n, 'user', $3, 'text', 'word' || n, gen_random_uuid(), gen_random_uuid(), now()
     from generate_series(10, 700) n`,
    [other.tenant.id, id, other.people.rahim.id],
  );
  await admin.query('update conversations set last_seq = 700, version = 700 where id = $1', [id]);
  await gatherWords(app.database, new Date(Date.now() - 300_000));
  const rows = 'select upto from conversation_words where conversation_id = $1 order by upto';
  const { rows: gathered } = await admin.query<{ upto: number }>(rows, [id]);
  await admin.end();
  expect(gathered.length).toBeGreaterThan(2);
  expect(gathered.at(-1)?.upto).toBe(700);
  const agent = await other.signIn('agent');
  for (const q of ['first', 'word10', 'word333', 'word700']) {
    const found = await call(app, agent, 'GET', `/api/admin/support/conversations?q=${q}`);
    expect([q, found.items.length]).toEqual([q, 1]);
  }
});

/** Closed conversations, the first the newest, an hour apart; something is said in the last ones, once in each. */
async function longAgo(other: TestTenant, count: number, said: string, times: number): Promise<void> {
  const admin = new pg.Client({ connectionString: inject('adminUrl') });
  await admin.connect();
  try {
    await admin.query(
      `with made as (
         insert into conversations (id, tenant_id, opened_by, user_type, status, last_seq, version, last_message_at, created_at,
           updated_at, closed_at, closed_by)
         select gen_random_uuid(), $1, $2, 'driver', 'closed', 1, 1, now() - n * interval '1 hour', now(), now(), now(), 'system'
         from generate_series(1, $3::int) n returning id, last_message_at)
       insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
         message_type, body, client_id, content_hash, created_at)
       select gen_random_uuid(), $1, made.id, 1, 1, 1, 'user', $2, 'text', $4, gen_random_uuid(), gen_random_uuid(), now()
       from made order by made.last_message_at limit $5`,
      [other.tenant.id, other.people.rahim.id, count, said, times],
    );
  } finally {
    await admin.end();
  }
}

/** Elsewhere it is said in more conversations than are named one by one (2,500), and is in the index. */
async function manySay(said: string): Promise<TestTenant> {
  const elsewhere = await app.newTenant();
  await longAgo(elsewhere, 2_600, said, 2_600);
  await everybodyRests();
  return elsewhere;
}

test('what very many say is known before the index is read, and is found in one message, at rest and later', {
  timeout: 60_000,
}, async () => {
  const many = await manySay('a parasol for 8801712345678');
  const admin = new pg.Client({ connectionString: inject('adminUrl') });
  await admin.connect();
  await admin.query('analyze conversation_words');
  const { rows } = await admin.query<{ known: number; unknown: number }>(
    `select said_share('parasol') as known, said_share('zyzzyva') as unknown`,
  );
  await admin.end();
  expect(rows[0]?.known).toBeGreaterThan(0.01);
  expect(rows[0]?.unknown).toBe(0);

  const agent = await many.signIn('agent');
  const ayesha = await many.signIn('ayesha');
  const find = async (q: string, who = agent) => {
    const found = await call(app, who, 'GET', `/api/admin/support/conversations?limit=5&q=${encodeURIComponent(q)}`);
    return found.items.map((one: { id: string }) => one.id);
  };
  const id = await userWrites(app, many, 'ayesha', 'The parasol is torn');
  const log = `/api/support/conversations/${id}/messages`;
  await call(app, ayesha, 'POST', log, { body: 'Call 8801712345678', clientId: crypto.randomUUID() });
  for (const moment of ['at once', 'at rest']) {
    expect((await find('parasol'))[0], moment).toBe(id);
    expect((await find('8801712345678'))[0], moment).toBe(id);
    // said by no one message of hers
    const both = await find('parasol 8801712345678');
    expect([both.length, both.includes(id)], moment).toEqual([5, false]);
    await everybodyRests();
  }
  await call(app, ayesha, 'POST', log, { body: 'A parasol, 8801712345678', clientId: crypto.randomUUID() });
  for (const moment of ['said later', 'at rest again']) {
    expect((await find('parasol 8801712345678'))[0], moment).toBe(id);
    await everybodyRests();
  }

  // many say the number of somebody who does not: it finds whoever has it for those who may see it
  const other = await app.newTenant();
  const silent = await userWrites(app, other, 'rahim', 'Hello');
  expect(await find('8801712345678', await other.signIn('lead'))).toEqual([silent]);
  expect(await find('8801712345678', await other.signIn('agent'))).toEqual([]);
});

test('a search that has looked through the newest and found nothing goes on, and does not say that there is nothing', {
  timeout: 60_000,
}, async () => {
  // said in more conversations than are named one by one, of which here only the oldest of 700 is
  const other = await app.newTenant();
  await longAgo(other, 700, 'umbrella', 1);
  await manySay('umbrella');
  const { page, complaints } = await visit(browser, app, other, 'agent');
  await page.goto('/admin/support-chat?q=umbrella');
  await page.getByRole('heading', { name: 'Nothing among the newest' }).waitFor();
  expect(await page.getByText('Nothing matches').count()).toBe(0);
  await page.getByRole('link', { name: 'Search further' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.item', { hasText: 'Rahim Uddin' }).waitFor();
  await expect.poll(() => page.evaluate('document.activeElement.className')).toBe('item-link');
  expect(await page.locator('#more').count()).toBe(0);

  // the days leave out the one that says it: it goes on to the end, and then says that this was all
  const from = new Date(Date.now() - 28 * 86_400_000).toISOString().slice(0, 10);
  await page.goto(`/admin/support-chat?q=umbrella&dateFrom=${from}`);
  await page.getByRole('link', { name: 'Search further' }).click();
  await page.getByText('No further conversation matches.').waitFor();
  expect(complaints).toEqual([]);

  const plain = await visit(browser, app, other, 'agent', { script: false });
  await plain.page.goto('/admin/support-chat?q=umbrella');
  await plain.page.getByRole('link', { name: 'Search further' }).click();
  await plain.page.locator('.item', { hasText: 'Rahim Uddin' }).waitFor();
});
