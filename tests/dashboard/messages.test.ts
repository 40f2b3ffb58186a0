import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../live/live-app.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

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

test('one’s own answer is put in other words and taken back, and the driver sees it happen', async () => {
  const id = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  const [agent, driver] = await Promise.all([
    visit(browser, app, tenant, 'agent'),
    visit(browser, app, tenant, 'rahim', { width: 360, height: 640 }),
  ]);
  await driver.page.goto(`/driver/support/conversations/${id}`);
  const { page } = agent;
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#body').fill('It is payd.');
  await page.keyboard.press('Enter');
  const own = page.locator('#messages [data-side="admin"]').last();
  await own.waitFor();
  await driver.page.locator('#messages').getByText('It is payd.').waitFor();

  // half an answer is kept beside it
  await page.locator('#body').fill('half a sent');
  await own.locator('.line-link').click();
  await page.locator('#tools').getByRole('link', { name: 'Edit' }).click();
  await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('edit-body');
  await page.locator('#edit-body').fill('It is paid.');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('#messages').getByText('It is paid.').waitFor();
  await driver.page.locator('#messages').getByText('It is paid.').waitFor();
  expect(await driver.page.locator('#messages [data-side="admin"]').last().textContent()).toContain('edited');
  expect(await page.locator('#body').inputValue()).toBe('half a sent');

  await own.locator('.line-link').focus();
  await page.keyboard.press('Enter');
  await page.locator('#tools summary').click();
  await page.getByRole('button', { name: 'Delete for everybody' }).click();
  await page.locator('#messages').getByText('This message was deleted.').waitFor();
  await driver.page.locator('#messages').getByText('This message was deleted.').waitFor();
  expect(await driver.page.content()).not.toContain('It is paid.');
  await page.locator('#tools').waitFor({ state: 'hidden' });
  // the user's message offers a reply and the words of reactions; the driver has no tools at all
  await page.locator('#m1 .line-link').click();
  await expect
    .poll(() => page.locator('#tools .button').allTextContents())
    .toEqual(['Reply', 'Thanks', 'Got it', 'Looking into it']);
  await expect.poll(() => page.evaluate("document.activeElement.closest('#tools') !== null")).toBe(true);
  await page.keyboard.press('Escape');
  expect(await page.locator('#tools').isHidden()).toBe(true);
  expect(await driver.page.locator('.line-link').count()).toBe(0);
  expect([...agent.complaints, ...driver.complaints]).toEqual([]);

  const actions = await tenant.asPerson('system', (scope) =>
    scope.em
      .getConnection()
      .execute(`select action from audit_log where tenant_id = ? and metadata ->> 'conversationId' = ? order by id`, [
        tenant.tenant.id,
        id,
      ]),
  );
  const told = actions.map((one) => one['action']);
  expect(told).toContain('SUPPORT_MESSAGE_EDITED');
  expect(told.at(-1)).toBe('SUPPORT_MESSAGE_DELETED');
});

test('the server refuses to change what is not one’s own, whatever the page offers', async () => {
  const id = await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const path = `/admin/support-chat/${id}`;
  await postForm(app, tenant, 'agent', `${path}/messages`, { body: 'Mine', clientId: randomUUID() });
  const seq = '3';
  expect((await postForm(app, tenant, 'agent-2', `${path}/edit`, { seq, body: 'Not yours' })).status).toBe(403);
  expect((await postForm(app, tenant, 'agent-2', `${path}/delete`, { seq })).status).toBe(403);
  expect((await postForm(app, tenant, 'viewer', `${path}/delete`, { seq })).status).toBe(403);
  expect((await postForm(app, tenant, 'agent', `${path}/delete`, { seq: '99' })).status).toBe(404);
  expect((await postForm(app, tenant, 'agent', `${path}/edit`, { seq: '1', body: 'the user’s' })).status).toBe(403);
  expect((await postForm(app, tenant, 'agent', `${path}/edit`, { seq, body: 'Mine again' })).status).toBe(303);
});

test('a reply stands with what it answers, for both, and the quote follows the message', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Where is my bonus?');
  await userWrites(app, other, 'rahim', 'And where is my shirt?');
  const [agent, driver] = await Promise.all([visit(browser, app, other, 'agent'), visit(browser, app, other, 'rahim')]);
  await driver.page.goto(`/driver/support/conversations/${id}`);
  const { page } = agent;
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#m1 .line-link').click();
  await page.locator('#tools').getByRole('link', { name: 'Reply' }).click();
  await page.locator('.replying').getByText('Where is my bonus?').waitFor();
  await page.locator('#body').fill('Paid on 3 November');
  await page.keyboard.press('Enter');
  for (const window of [page, driver.page]) {
    const quote = window.locator('#messages .message', { hasText: 'Paid on 3 November' }).locator('.quote');
    await quote.waitFor();
    expect(await quote.getAttribute('href')).toBe('#m1');
    expect(await quote.textContent()).toContain('Rahim Uddin');
  }
  expect(await page.locator('.replying').count()).toBe(0);
  await page.reload();
  await page.locator('.quote', { hasText: 'Where is my bonus?' }).waitFor();
  // what its writer takes away is away in the quote, too
  const rahim = await other.signIn('rahim');
  const log = await call(app, rahim, 'GET', `/api/support/conversations/${id}/messages`);
  await call(app, rahim, 'DELETE', `/api/support/conversations/${id}/messages/${log.items[0].id}`);
  await page.locator('.quote', { hasText: 'This message was deleted.' }).waitFor();
  expect(await page.content()).not.toContain('Where is my bonus?');
  expect(log.items.at(-1)).not.toHaveProperty('reply');
  expect([...agent.complaints, ...driver.complaints]).toEqual([]);
});

test('an answer that came while one was writing is read before one’s own goes out', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Where is my bonus?');
  const path = `/admin/support-chat/${id}`;
  const agent = await visit(browser, app, other, 'agent');
  const { page } = agent;
  await page.goto(path);
  await page.locator('#body').fill('Paid on 3 Nov');
  // the lead takes it, answers, and gives it back
  const lead = (action: string, fields: Record<string, string>) =>
    postForm(app, other, 'lead', `${path}/${action}`, fields);
  expect((await lead('messages', { body: 'I looked: it is paid', clientId: randomUUID() })).status).toBe(303);
  expect((await lead('assign', { adminId: other.people.agent.id })).status).toBe(303);
  await page.locator('#conversation-state').getByText('With you').waitFor();
  await page.locator('#body').focus();
  await page.keyboard.press('Enter');
  await page
    .locator('#pending')
    .getByText(/A colleague has answered meanwhile/)
    .waitFor();
  await page.locator('#messages').getByText('I looked: it is paid').waitFor();
  expect(await page.locator('#messages').getByText('Paid on 3 Nov').count()).toBe(0);

  // without a script the page comes back with both
  const fields = { body: 'Paid on 3 Nov', clientId: randomUUID(), seen: '1' };
  const refused = await postForm(app, other, 'agent', `${path}/messages`, fields);
  expect(refused.status).toBe(409);
  const shown = await refused.text();
  expect(shown).toContain('A colleague has answered meanwhile');
  expect(shown).toContain('I looked: it is paid');
  const seen = /name="seen" value="(\d+)"/.exec(shown)?.[1] ?? '';
  const again = { ...fields, seen };
  expect((await postForm(app, other, 'agent', `${path}/messages`, again)).status).toBe(303);
  // what is stored is a repeat, whatever came since
  expect((await postForm(app, other, 'agent', `${path}/messages`, fields)).status).toBe(303);
});

test('editing, deleting and replying work without JavaScript', async () => {
  const id = await userWrites(app, tenant, 'driver-2', 'Airport fares are wrong');
  const { page } = await visit(browser, app, tenant, 'agent', { script: false });
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#m1 .line-link').click();
  await page.getByRole('link', { name: 'Reply' }).click();
  await page.locator('#body').fill('We look into it');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('.quote').waitFor();
  await page.locator('#m3 .line-link').click();
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.locator('#edit-body').fill('We looked into it');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('#messages').getByText('We looked into it').waitFor();
  await page.locator('#m3 .line-link').click();
  await page.locator('#tools summary').click();
  await page.getByRole('button', { name: 'Delete for everybody' }).click();
  await page.locator('#messages').getByText('This message was deleted.').waitFor();
});
