import { request } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, page as pageSocket } from '../live/live-app.ts';
import { faultsOf } from '../support/axe.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

let app: RunningApp;
let browser: Browser;
let tenant: TestTenant;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp({}, { compress: true }), launchBrowser()]);
  tenant = await app.newTenant();
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

async function axe(page: Page, what: string): Promise<void> {
  expect(await faultsOf(page), what).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), what).toBe(true);
}

test('axe finds nothing in any state of writing, light and dark, in both languages', { timeout: 90_000 }, async () => {
  const id = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  await postForm(app, tenant, 'lead', '/admin/saved-replies', {
    title: 'Hello',
    shortcut: 'hello',
    body: 'Hi {{customer}}',
  });
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/messages`, {
    body: 'Look',
    clientId: crypto.randomUUID(),
  });
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/notes`, { body: 'Ask @Farhana Rahman' });
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/reactions`, { seq: '1', reaction: 'got_it' });
  for (const [language, dark, width] of [
    ['en', false, 1280],
    ['bn', true, 360],
  ] as const) {
    const { page, context } = await visit(browser, app, tenant, 'lead', { language, dark, width, height: 700 });
    await page.goto(`/admin/support-chat/${id}`);
    await page.locator('#body').fill('/');
    await page.locator('#replies [role="option"]').waitFor();
    await axe(page, `${language} replies`);
    await page.locator('#body').fill('');
    await page.locator('#m3 .line-link').click();
    await page.locator('#tools .button').first().waitFor();
    await axe(page, `${language} tools`);
    await page.locator('#tools a[href*="edit="]').click();
    await page.locator('#edit-body').waitFor();
    await axe(page, `${language} edit`);
    await page.keyboard.press('Escape');
    // the composer comes back in its place, and closes the tools once more
    await page.locator('#edit-body').waitFor({ state: 'detached' });
    await page.locator('#body').waitFor();
    await page.locator('#m1 .reactions [data-reaction="got_it"]').waitFor();
    await page.locator('#m1 .line-link').click();
    await page.locator('#tools form[action*="/reactions"] .button').first().waitFor();
    await axe(page, `${language} reactions`);
    await page.locator('#tools a[href*="reply="]').click();
    await page.locator('.replying').waitFor();
    await axe(page, `${language} reply`);
    await page.locator('#compose-note').check({ force: true });
    await page.locator('#note').fill('@');
    await page.locator('#names [role="option"]').first().waitFor();
    await axe(page, `${language} note`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.locator('#palette [role="option"]').first().waitFor();
    await axe(page, `${language} palette`);
    await page.goto('/admin/saved-replies');
    await axe(page, `${language} saved replies`);
    await page.locator('.rows .row').click();
    await page.locator('#f-shortcut').fill('no word');
    await page.locator('button.primary').last().click();
    await page.locator('.field-error').waitFor();
    await axe(page, `${language} saved reply`);
    await context.close();
  }
});

test('every state says what it is and what to do: empty, nothing found, not allowed, not there', async () => {
  const other = await app.newTenant();
  const { page } = await visit(browser, app, other, 'agent');
  await page.goto('/admin/support-chat');
  await page.getByText('No conversations yet').waitFor();
  await page.goto('/admin/support-chat?mentions=me');
  await page.getByText('Nothing matches').waitFor();
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await page.getByText('No conversations yet').waitFor();
  expect((await page.goto(`/admin/support-chat/${crypto.randomUUID()}`))?.status()).toBe(404);
  await axe(page, 'not there');
  expect((await page.goto('/admin/saved-replies'))?.status()).toBe(403);
  await page.getByText('Your role does not include this').waitFor();
  const driver = await visit(browser, app, other, 'rahim');
  expect((await driver.page.goto('/admin/support-chat'))?.status()).toBe(403);
});

test('a lost connection says for how long, and what came meanwhile is there when it is back', async () => {
  const second = await startApp();
  try {
    const id = await userWrites(app, tenant, 'ayesha', 'My food is cold');
    const { page } = await visit(browser, second, tenant, 'agent');
    await page.goto(`/admin/support-chat/${id}`);
    await page.locator('#composer').waitFor();
    await page.context().setOffline(true);
    await page.locator('#connection', { hasText: /Connection lost, \d+ s/ }).waitFor();
    await axe(page, 'connection lost');
    await userWrites(app, tenant, 'ayesha', 'Are you there?');
    const agent = await tenant.signIn('lead');
    await call(app, agent, 'POST', `/api/admin/support/conversations/${id}/notes`, { body: 'she is waiting' });
    await page.context().setOffline(false);
    await page.locator('#messages').getByText('Are you there?').waitFor({ timeout: 20_000 });
    await page.locator('#messages .note', { hasText: 'she is waiting' }).waitFor();
    await page.locator('#connection').waitFor({ state: 'hidden' });
  } finally {
    await second.stop();
  }
});

test('print shows the conversation: no list, no field, and no note, which is nobody else’s', async () => {
  const id = await userWrites(app, tenant, 'kacchi-house', 'The tablet is silent');
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/notes`, { body: 'known problem' });
  const { page } = await visit(browser, app, tenant, 'agent');
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#messages .note').waitFor();
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('#messages').getByText('The tablet is silent').isVisible()).toBe(true);
  for (const hidden of ['#list', '.dock', '.desk-bar', '#messages .note', '#notes-region', '#looking']) {
    expect(await page.locator(hidden).first().isVisible(), hidden).toBe(false);
  }
});

/** Bytes of the answer as they go over the wire. */
function weigh(path: string, headers: Record<string, string>): Promise<{ bytes: number; text: Buffer }> {
  return new Promise((done, fail) => {
    request(app.base + path, { headers: { ...headers, 'accept-encoding': 'br' } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => done({ bytes: Buffer.concat(parts).length, text: Buffer.concat(parts) }));
    })
      .on('error', fail)
      .end();
  });
}

test('the desk’s first page weighs at most 60 KB, a live message at most 1 KB', async () => {
  const id = await userWrites(app, tenant, 'driver-2', 'Airport fares are wrong');
  const { cookie } = await tenant.signIn('agent', 'browser');
  const html = await (await fetch(`${app.base}/admin/support-chat`, { headers: cookie })).text();
  const assets = [...html.matchAll(/(?:href|src)="(\/(?:assets\/)?[\w./-]+\.(?:css|js|svg|webmanifest))"/g)].map(
    (one) => one[1] ?? '',
  );
  expect(assets.length).toBeGreaterThanOrEqual(3);
  const weights = await Promise.all(['/admin/support-chat', ...new Set(assets)].map((path) => weigh(path, cookie)));
  const total = weights.reduce((sum, one) => sum + one.bytes, 0);
  process.stdout.write(`weight: the desk's first page ${total} bytes\n`);
  expect(total).toBeLessThanOrEqual(60 * 1024);

  const socket = await pageSocket(app, await tenant.signIn('agent', 'browser'), `room=conversation_${id}&after=`);
  await socket.next((frame) => String(frame).includes('hx-subscribed'));
  await userWrites(app, tenant, 'driver-2', 'Are you there? I have been waiting since Monday.');
  const frame = await socket.next((one) => String(one).includes('hx-upsert'));
  expect(Buffer.byteLength(String(frame))).toBeLessThanOrEqual(1024);
  await socket.close();
});

/** Keeps a picture where `PICTURES` names a folder. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env['PICTURES'];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

const middleOf = (box: { y: number; height: number }) => box.y + box.height / 2;

test('a phone folds the filters, keeps its bar on one line, and no notice covers who it is about', {
  timeout: 90_000,
}, async () => {
  const own = await app.newTenant();
  for (const handle of ['ayesha', 'kacchi-house', 'driver-2', 'customer-2'] as const) {
    await userWrites(app, own, handle, 'My food is cold and nobody came');
  }
  const id = await userWrites(app, own, 'rahim', 'Where is my bonus?');
  for (const [language, dark] of [
    ['en', false],
    ['en', true],
    ['bn', false],
    ['bn', true],
  ] as const) {
    const visitor = await visit(browser, app, own, 'owner', { language, dark, width: 360, height: 640 });
    const { page, context } = visitor;
    const name = `desk-360-${language}-${dark ? 'dark' : 'light'}`;
    const box = async (selector: string) => (await page.locator(selector).first().boundingBox())!;
    await page.goto('/admin/support-chat');
    await page.locator('#conversations .item').first().waitFor();
    await picture(page, `${name}-list`);
    await axe(page, `${name} list`);
    expect([name, (await box('#list')).y < 320]).toEqual([name, true]);
    expect(await page.locator('#f-status').isVisible()).toBe(false);
    const bar = await Promise.all(
      ['.desk-nav a[aria-current]', '#availability', '.desk-me button:visible'].map(async (one) =>
        middleOf(await box(one)),
      ),
    );
    expect([name, Math.max(...bar) - Math.min(...bar) <= 4, bar]).toEqual([name, true, bar]);
    await page.locator('.filters-more > summary').click();
    await page.locator('#f-status').selectOption('open');
    await page.waitForURL(/status=open/);
    await picture(page, `${name}-filters`);
    await axe(page, `${name} filters`);
    await page.reload();
    expect(await page.locator('#f-status').isVisible()).toBe(true);

    await page.goto(`/admin/support-chat/${id}`);
    await page.locator('#composer, .dock').first().waitFor();
    await context.setOffline(true);
    await page.locator('#connection').waitFor();
    await picture(page, `${name}-lost`);
    const [notice, head] = [await box('#connection'), await box('#conversation-state')];
    expect([name, notice.y >= head.y + head.height, notice.y < 320]).toEqual([name, true, true]);
    await context.close();
  }
  for (const script of [true, false]) {
    const phone = await visit(browser, app, own, 'agent', { width: 360, height: 640, script });
    await phone.page.goto('/admin/support-chat?userType=driver');
    expect(await phone.page.locator('#f-type').inputValue()).toBe('driver');
    expect(await phone.page.locator('#f-type').isVisible()).toBe(true);
    await phone.context.close();
    const desk = await visit(browser, app, own, 'agent', { script });
    await desk.page.goto('/admin/support-chat');
    expect(await desk.page.locator('.filters-more > summary').isVisible()).toBe(false);
    for (const field of ['#f-status', '#f-type', '#f-assigned', '#f-sort', '.dates > summary']) {
      expect([script, field, await desk.page.locator(field).isVisible()]).toEqual([script, field, true]);
    }
    await picture(desk.page, `desk-1280-${script ? 'script' : 'plain'}`);
    await desk.context.close();
  }
});
