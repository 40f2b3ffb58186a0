import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import type { Handle, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { userWrites, type Visitor, visit } from './desk-browser.ts';

/** Two agents and three users in real browsers through a working day, in fast motion. */

const OFFLINE_MS = 30_000;

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

const USERS = { rahim: 'driver', ayesha: 'customer', 'kacchi-house': 'restaurant' } as const;
type User = keyof typeof USERS;

async function write({ page }: Visitor, text: string): Promise<void> {
  await page.locator('#body').fill(text);
  await page.keyboard.press('Enter');
}

/** Texts of the open conversation as they stand there, without system lines. */
async function texts({ page }: Visitor): Promise<string[]> {
  return page.locator('#messages > .message .body').allTextContents();
}

/** Moves of the place to write and of the details, as Chromium counts them; messages and rows may go up. */
const WATCH_SHIFTS = `window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries()) for (const { node } of sources) {
      const still = (node?.closest ? node : node?.parentElement)?.closest('.dock, #details');
      if (still) window.shifts.push(still.id || still.className);
    }
  }).observe({ type: 'layout-shift', buffered: false });`;

test('nothing jumps, nothing is stale, nothing is answered twice; who was away for half a minute has everything', {
  timeout: 240_000,
}, async () => {
  const ids = {} as Record<User, string>;
  for (const handle of Object.keys(USERS) as User[])
    ids[handle] = await userWrites(app, tenant, handle, `${handle} asks 1`);
  const [first, second] = await Promise.all([
    visit(browser, app, tenant, 'agent'),
    visit(browser, app, tenant, 'agent-2'),
  ]);
  const users = {} as Record<User, Visitor>;
  for (const handle of Object.keys(USERS) as User[]) {
    users[handle] = await visit(browser, app, tenant, handle as Handle, { width: 360, height: 640 });
    await users[handle].page.goto(`/${USERS[handle]}/support/conversations/${ids[handle]}`);
  }
  await first.page.goto(`/admin/support-chat/${ids.rahim}`);
  await second.page.goto('/admin/support-chat');
  await expect.poll(() => second.page.locator('#conversations > .item').count()).toBe(3);

  // both are about to answer the driver: one of them is told, and nobody is answered twice
  await second.page.locator(`#o-${ids.rahim}`).click();
  await second.page.locator('#thread-name', { hasText: 'Rahim' }).waitFor();
  await second.page.locator('#body').fill('I will help you');
  await write(first, 'I am on it');
  await users.rahim.page.locator('#messages', { hasText: 'I am on it' }).waitFor();
  await second.page.locator('#answer[data-mode^="takeOver"]').waitFor();
  await second.page.locator('#body').press('Enter');
  expect(await texts(users.rahim)).toEqual(['rahim asks 1', 'I am on it']);

  // the second one takes the next, and the list of the first says who holds it, in place
  await second.page.locator(`#o-${ids.ayesha}`).click();
  await second.page.locator('#thread-name', { hasText: 'Ayesha' }).waitFor();
  await write(second, 'Hello Ayesha');
  await users.ayesha.page.locator('#messages', { hasText: 'Hello Ayesha' }).waitFor();
  await first.page.locator(`#c-${ids.ayesha} .holder`).waitFor();

  // half a sentence, a scrolled log and the focus stay where they are while everybody writes
  await first.page.locator('#body').fill('half a sent');
  await first.page.evaluate(WATCH_SHIFTS);
  for (let round = 2; round <= 6; round += 1) {
    for (const handle of Object.keys(USERS) as User[]) await write(users[handle], `${handle} asks ${round}`);
  }
  await expect
    .poll(() => texts(first))
    .toEqual(['rahim asks 1', 'I am on it', ...[2, 3, 4, 5, 6].map((round) => `rahim asks ${round}`)]);
  expect(await first.page.locator('#body').inputValue()).toBe('half a sent');
  expect(await first.page.evaluate('document.activeElement.id')).toBe('body');
  expect(await first.page.evaluate('shifts')).toEqual([]);

  // half a minute without a line; meanwhile there are answers, a new conversation's words, a closing and a note
  await first.context.setOffline(true);
  const since = Date.now();
  await write(second, 'While you were away');
  await users.rahim.page.locator('#body').waitFor();
  await write(users.rahim, 'rahim asks 7');
  await write(users['kacchi-house'], 'kacchi-house asks 7');
  await second.page.locator(`#o-${ids.rahim}`).click();
  await second.page.locator('#thread-name', { hasText: 'Rahim' }).waitFor();
  await second.page.locator('#compose-note').check();
  await second.page.locator('#note').fill('He called, too');
  await second.page.getByRole('button', { name: 'Add note' }).click();
  await second.page.locator('#messages .note', { hasText: 'He called' }).waitFor();
  await second.page.locator(`#o-${ids.ayesha}`).click();
  await second.page.locator('#thread-name', { hasText: 'Ayesha' }).waitFor();
  await second.page.locator('#thread').focus();
  await second.page.keyboard.press('e');
  await second.page.locator(`#c-${ids.ayesha}[data-status="closed"]`).waitFor();
  await first.page.locator('#connection', { hasText: /Connection lost, \d+ s/ }).waitFor();
  await new Promise((done) => setTimeout(done, Math.max(0, OFFLINE_MS - (Date.now() - since))));
  expect(await texts(first)).not.toContain('rahim asks 7');
  await first.context.setOffline(false);
  await expect.poll(() => texts(first), { timeout: 20_000 }).toContain('rahim asks 7');
  await first.page.locator('#messages .note', { hasText: 'He called' }).waitFor();
  await expect
    .poll(() => first.page.locator(`#c-${ids.ayesha}`).getAttribute('data-status'), { timeout: 20_000 })
    .toBe('closed');
  await expect
    .poll(() => first.page.locator(`#c-${ids['kacchi-house']} .item-line`).textContent())
    .toContain('kacchi-house asks 7');
  expect(await first.page.locator('#body').inputValue()).toBe('half a sent');

  // everybody has the same, once, in the same order
  await write(first, 'Now I answer');
  await users.rahim.page.locator('#messages', { hasText: 'Now I answer' }).waitFor();
  await expect
    .poll(() => texts(users.rahim))
    .toEqual([
      'rahim asks 1',
      'I am on it',
      ...[2, 3, 4, 5, 6, 7].map((round) => `rahim asks ${round}`),
      'Now I answer',
    ]);
  await expect.poll(async () => (await texts(first)).filter((one) => one === 'Now I answer').length).toBe(1);
  const seen = await texts(users.rahim);
  await expect.poll(async () => (await texts(first)).filter((one) => seen.includes(one))).toEqual(seen);
  expect(second.complaints).toEqual([]);
});
