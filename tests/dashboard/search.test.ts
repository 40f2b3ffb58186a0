import pg from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
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

/** Closed conversations, the first the newest, an hour apart; `said` of them is said in the last one, so often. */
async function longAgo(other: TestTenant, count: number, said: string, times: number): Promise<void> {
  const admin = new pg.Client({ connectionString: inject('adminUrl') });
  await admin.connect();
  try {
    const values = [other.tenant.id, other.people.rahim.id, count];
    const { rows } = await admin.query<{ id: string }>(
      `insert into conversations (id, tenant_id, opened_by, user_type, status, last_seq, version, last_message_at, created_at,
         updated_at, closed_at, closed_by)
       select gen_random_uuid(), $1, $2, 'driver', 'closed', 1, 1, now() - n * interval '1 hour', now(), now(), now(), 'system'
       from generate_series(1, $3::int) n returning id`,
      values,
    );
    await admin.query(
      `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
         message_type, body, client_id, content_hash, created_at)
       select gen_random_uuid(), $1, $3, n, n, n, 'user', $2, 'text', $4 || ' ' || n, gen_random_uuid(), gen_random_uuid(),
         now() from generate_series(1, $5::int) n`,
      [other.tenant.id, other.people.rahim.id, rows.at(-1)?.id, said, times],
    );
  } finally {
    await admin.end();
  }
}

test('a search that has looked through the newest and found nothing goes on, and does not say that there is nothing', {
  timeout: 60_000,
}, async () => {
  const other = await app.newTenant();
  // more often than is named one by one (2,500), and only in the oldest of 700 conversations
  await longAgo(other, 700, 'umbrella', 2_600);
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
