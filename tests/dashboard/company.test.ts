import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

test('an agent says that they are away, and it is kept; a viewer has nothing to say', async () => {
  const { page, complaints } = await visit(browser, app, tenant, 'agent');
  await page.goto('/admin/support-chat');
  await page.getByLabel('Your availability').selectOption('away');
  await page.locator('#availability[data-choice="away"]').waitFor();
  await page.reload();
  expect(await page.getByLabel('Your availability').inputValue()).toBe('away');
  const viewer = await visit(browser, app, tenant, 'viewer');
  await viewer.page.goto('/admin/support-chat');
  expect(await viewer.page.getByLabel('Your availability').count()).toBe(0);
  expect((await postForm(app, tenant, 'viewer', '/admin/availability', { choice: 'away' })).status).toBe(403);
  expect((await postForm(app, tenant, 'agent', '/admin/availability', { choice: 'asleep' })).status).toBe(422);
  expect((await postForm(app, tenant, 'agent', '/admin/availability', { choice: 'available' })).status).toBe(303);
  expect(complaints).toEqual([]);
});

test('who else looks at a conversation is named, and no longer once they have left', async () => {
  const id = await userWrites(app, tenant, 'rahim', 'Hello');
  const [agent, lead] = await Promise.all([visit(browser, app, tenant, 'agent'), visit(browser, app, tenant, 'lead')]);
  await agent.page.goto(`/admin/support-chat/${id}`);
  await lead.page.goto(`/admin/support-chat/${id}`);
  await agent.page.locator('#looking', { hasText: 'Tanvir Ahmed' }).waitFor();
  await lead.page.locator('#looking', { hasText: 'Nusrat Jahan' }).waitFor();
  // nobody is told of themselves
  expect(await agent.page.locator('#looking').textContent()).not.toContain('Nusrat');
  await lead.page.locator('#body').fill('I am writing');
  await agent.page.locator('#typing', { hasText: 'Tanvir Ahmed is typing' }).waitFor();
  await lead.context.close();
  await agent.page.locator('#looking').waitFor({ state: 'hidden' });
  expect(agent.complaints).toEqual([]);
});

test('Ctrl+K finds what can be done by its name, and does it', async () => {
  await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const { page, complaints } = await visit(browser, app, tenant, 'agent');
  await page.goto('/admin/support-chat');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('ayesha');
  await page.keyboard.press('Enter');
  await page.locator('#thread-name', { hasText: 'Ayesha' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('assign to me');
  await page.keyboard.press('Enter');
  await page.locator('#conversation-state').getByText('With you').waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('private');
  await page.keyboard.press('Enter');
  await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('note');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('no such thing');
  await page.getByText('Nothing of that name.').waitFor();
  await page.keyboard.press('Escape');
  expect(await page.locator('#palette').isHidden()).toBe(true);
  expect(complaints).toEqual([]);
});

test('sounds are off until they are switched on, and what is unread stands on the tab', async () => {
  const other = await app.newTenant();
  const { page, complaints } = await visit(browser, app, other, 'agent');
  await page.addInitScript(`
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...args) { window.tones += 1; return start.apply(this, args); };
  `);
  await page.goto('/admin/support-chat');
  await page.getByText('No conversations yet').waitFor();
  await userWrites(app, other, 'rahim', 'Hello');
  await page.locator('.item').waitFor();
  await expect.poll(() => page.title()).toMatch(/^\(1\) /);
  await expect.poll(() => page.locator('link[rel="icon"]').getAttribute('href')).toMatch(/^blob:/);
  expect(await page.evaluate('window.tones')).toBe(0);
  await page.getByText('Sounds', { exact: true }).click();
  await page.getByLabel('Sound for new messages').check();
  await expect.poll(() => page.evaluate('window.tones')).toBe(2);
  await page.waitForTimeout(3_100);
  await userWrites(app, other, 'ayesha', 'Hello');
  await expect.poll(() => page.evaluate('window.tones')).toBe(4);
  await page.reload();
  await page.getByText('Sounds', { exact: true }).click();
  expect(await page.getByLabel('Sound for new messages').isChecked()).toBe(true);
  expect(complaints).toEqual([]);
});
