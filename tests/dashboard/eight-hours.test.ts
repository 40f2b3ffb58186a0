import pg from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

/** What an agent counts on all day long. */

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

/** Runs statements as superuser, each with its values. */
async function asSuperuser(statements: readonly (readonly [string, readonly unknown[]])[]): Promise<void> {
  const admin = new pg.Client({ connectionString: inject('adminUrl') });
  await admin.connect();
  try {
    for (const [text, values] of statements) await admin.query(text, [...values]);
  } finally {
    await admin.end();
  }
}

test('days begin and times are told in the tenant’s zone, wherever the agent sits', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'late in the evening');
  await userWrites(app, other, 'rahim', 'after midnight');
  const at = 'update messages set created_at = $3 where conversation_id = $1 and seq = $2';
  await asSuperuser([
    [`update tenants set time_zone = 'Asia/Dhaka' where id = $1`, [other.tenant.id]],
    [at, [id, 1, '2026-03-04T17:59:00Z']],
    [at, [id, 2, '2026-03-04T18:01:00Z']],
  ]);
  const context = await browser.newContext({ baseURL: app.base, timezoneId: 'America/New_York', locale: 'en-GB' });
  const { token } = await other.signIn('agent', 'browser');
  await context.addCookies([{ name: 'safego', value: token, url: app.base }]);
  const page = await context.newPage();
  // all nodes read tenants twice a second
  await expect
    .poll(async () => {
      await page.goto(`/admin/support-chat/${id}`);
      return page.locator('#messages > .message time').allInnerTexts();
    })
    .toEqual([expect.stringContaining('23:59'), expect.stringContaining('00:01')]);
  expect(await page.locator('#messages > .day').allInnerTexts()).toEqual(['4 March', '5 March']);
  // what comes live stands under a day of its own
  await userWrites(app, other, 'rahim', 'and now');
  await page.locator('#messages', { hasText: 'and now' }).waitFor();
  expect(await page.locator('#messages > .day').allInnerTexts()).toEqual(['4 March', '5 March', 'Today']);
  await context.close();
});

test('what is half written is there again: after another conversation, and after a reload', async () => {
  const [first, second] = [
    await userWrites(app, tenant, 'rahim', 'one'),
    await userWrites(app, tenant, 'ayesha', 'two'),
  ];
  const { page, complaints } = await visit(browser, app, tenant, 'agent');
  await page.goto(`/admin/support-chat/${first}`);
  await page.locator('#body').fill('Dear Rahim, half a sent');
  await page.locator(`#o-${second}`).click();
  await page.locator('#thread-name', { hasText: 'Ayesha' }).waitFor();
  expect(await page.locator('#body').inputValue()).toBe('');
  await page.locator('#body').fill('Dear Ayesha');
  await page.locator(`#o-${first}`).click();
  await page.locator('#thread-name', { hasText: 'Rahim' }).waitFor();
  await expect.poll(() => page.locator('#body').inputValue()).toBe('Dear Rahim, half a sent');
  await page.reload();
  expect(await page.locator('#body').inputValue()).toBe('Dear Rahim, half a sent');
  await page.goto(`/admin/support-chat/${second}`);
  expect(await page.locator('#body').inputValue()).toBe('Dear Ayesha');
  // a colleague at the same machine finds none of it
  const { token } = await tenant.signIn('agent-2', 'browser');
  await page.context().addCookies([{ name: 'safego', value: token, url: app.base }]);
  await page.reload();
  expect(await page.locator('#body').inputValue()).toBe('');
  expect(complaints).toEqual([]);
});

test('a person is found under their own profile page, with what the host says, and in no other tenant', async () => {
  const stranger = await app.newTenant();
  const id = await userWrites(app, tenant, 'rahim', 'Hello');
  const { page } = await visit(browser, app, tenant, 'agent');
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#details .stats', { hasText: '412' }).waitFor();
  await page.locator('#details').getByText('completed trips').waitFor();
  await page.getByRole('link', { name: 'Driver profile' }).click();
  await page.getByRole('heading', { name: 'Rahim Uddin' }).waitFor();
  await page.getByText(/As of \d/).waitFor();
  // what they said of how it went
  await page.getByText('No ratings yet.').waitFor();
  await postForm(app, tenant, 'agent', `/admin/support-chat/${id}/close`, {});
  const rating = { score: '2', comment: 'It took too long' };
  expect((await postForm(app, tenant, 'rahim', `/driver/support/conversations/${id}/rating`, rating)).status).toBe(303);
  await page.reload();
  await page.getByRole('link', { name: /2 of 5.*It took too long/ }).click();
  await page.locator('#thread-name', { hasText: 'Rahim' }).waitFor();
  const people = { drivers: 'rahim', customers: 'ayesha', restaurants: 'kacchi-house' } as const;
  for (const [path, handle] of Object.entries(people)) {
    const href = `/admin/${path}/${tenant.people[handle].id}`;
    const status = async (of: TestTenant) => {
      const { cookie } = await of.signIn('agent', 'browser');
      return (await fetch(`${app.base}${href}`, { headers: cookie })).status;
    };
    expect([await status(tenant), await status(stranger)], path).toEqual([200, 404]);
  }
});

test('every key: j and k, Enter, a, e, n, /, f, r, ? and Ctrl+K; and none while one writes', async () => {
  const other = await app.newTenant();
  await userWrites(app, other, 'rahim', 'one');
  await userWrites(app, other, 'ayesha', 'two');
  await postForm(app, other, 'lead', '/admin/saved-replies', { title: 'Hi', shortcut: 'hi', body: 'Hi {{customer}}' });
  const { page, complaints } = await visit(browser, app, other, 'agent');
  const focused = () => page.evaluate('document.activeElement.id');
  const focusedName = () => page.evaluate(`document.activeElement.querySelector('.item-name')?.textContent`);
  await page.goto('/admin/support-chat');
  await page.keyboard.press('j');
  expect(await focusedName()).toBe('Ayesha Siddika');
  await page.keyboard.press('j');
  expect(await focusedName()).toBe('Rahim Uddin');
  await page.keyboard.press('k');
  expect(await focusedName()).toBe('Ayesha Siddika');
  await page.keyboard.press('Enter');
  await page.locator('#thread-name', { hasText: 'Ayesha' }).waitFor();
  await expect.poll(focused).toBe('body');
  // letters are letters while one writes
  await page.keyboard.type('a jeknf?');
  expect(await page.locator('#body').inputValue()).toBe('a jeknf?');
  await page.locator('#conversation-state').getByText('Unassigned').waitFor();
  await page.locator('#body').fill('');
  await page.keyboard.press('Escape');
  await page.keyboard.press('n');
  await expect.poll(focused).toBe('note');
  await page.keyboard.press('Escape');
  await page.keyboard.press('r');
  await expect.poll(focused).toBe('body');
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await page.locator('#replies [role="option"]').waitFor();
  await page.keyboard.press('Enter');
  await expect.poll(() => page.locator('#body').inputValue()).toBe('Hi Ayesha Siddika');
  await page.keyboard.press('Escape');
  await page.keyboard.press('f');
  expect(await focused()).toBe('q');
  await page.keyboard.press('Escape');
  await page.keyboard.press('a');
  await page.locator('#conversation-state').getByText('With you').waitFor();
  await page.keyboard.press('?');
  await page.locator('#keys[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  await page.locator('#palette [role="option"]').first().waitFor();
  await page.keyboard.press('Escape');
  await page.locator('#thread').focus();
  await page.keyboard.press('e');
  await page.getByText('This conversation is closed.').waitFor();
  expect(complaints).toEqual([]);
});

test('a desktop notification says who wrote, never what, only of a hidden page, and not unless it is wanted', async () => {
  const other = await app.newTenant();
  const { page, complaints, context } = await visit(browser, app, other, 'agent');
  await context.grantPermissions(['notifications']);
  await page.addInitScript(`
    window.notices = [];
    window.Notification = class { constructor(text, options) { notices.push([text, options]); } };
    Notification.permission = 'granted';
    Notification.requestPermission = async () => 'granted';
    window.hide = (hidden) => Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  `);
  await page.goto('/admin/support-chat');
  const notices = () => page.evaluate<[string, object][]>('notices');
  await page.evaluate('hide(true)');
  await userWrites(app, other, 'rahim', 'a secret thing');
  await page.locator('.item', { hasText: 'Rahim' }).waitFor();
  expect(await notices()).toEqual([]);
  await page.evaluate('hide(false)');
  await page.getByText('Sounds', { exact: true }).click();
  await page.locator('input[name="desktop"]').check();
  await userWrites(app, other, 'ayesha', 'seen anyway');
  await page.locator('.item', { hasText: 'Ayesha' }).waitFor();
  expect(await notices()).toEqual([]);
  await page.evaluate('hide(true)');
  await userWrites(app, other, 'kacchi-house', 'another secret');
  await expect.poll(async () => (await notices()).length).toBe(1);
  const [[text]] = (await notices()) as [[string, object]];
  expect(text).toContain('Kacchi House');
  expect(text).not.toContain('secret');
  // and off again
  await page.evaluate('hide(false)');
  await page.locator('input[name="desktop"]').uncheck();
  await page.evaluate('hide(true)');
  await userWrites(app, other, 'customer-2', 'nobody is told');
  await page.locator('.item', { hasText: 'Emily' }).waitFor();
  expect((await notices()).length).toBe(1);
  expect(complaints).toEqual([]);
});
