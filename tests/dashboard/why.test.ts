import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formFields, plainBrowser } from '../dashboard-admin/admin-pages.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

/** "Why did I get this?", answered beside the conversation, for every reason, in both languages. */

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

test('the one who is there gets it and reads why; a person who hands it over is told of as one', async () => {
  const owner = await plainBrowser(app, tenant, 'owner');
  const path = '/admin/settings/support';
  await owner.post(path, { ...formFields((await owner.get(path)).html, path), autoAssignMode: 'balanced' });
  const { page, complaints } = await visit(browser, app, tenant, 'agent');
  await page.goto('/admin/support-chat');
  const id = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  await page.locator(`#c-${id} .holder.me`).waitFor();
  await page.locator(`#o-${id}`).click();
  const why = page.locator('#why');
  await expect.poll(() => why.textContent()).toContain('Nusrat Jahan was the only one here with room for it.');
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/assign`, { adminId: tenant.people['agent-2'].id });
  await expect.poll(() => why.textContent()).toContain('taken or handed over by a person');
  expect(complaints).toEqual([]);

  const bengali = await visit(browser, app, tenant, 'agent', { language: 'bn', script: false });
  await bengali.page.goto(`/admin/support-chat/${id}`);
  expect(await bengali.page.locator('#why').textContent()).toContain('একজন ব্যক্তি এটি নিয়েছেন');
  // the user's side never says why
  const { cookie } = await tenant.signIn('rahim', 'browser');
  const users = await fetch(`${app.base}/driver/support/conversations/${id}`, { headers: cookie });
  expect([users.status, (await users.text()).includes('id="why"')]).toEqual([200, false]);
});
