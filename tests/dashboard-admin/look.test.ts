import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { userWrites } from '../dashboard/desk-browser.ts';
import { type Looks, openLooks } from '../dashboard/looks.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { formFields, plainBrowser } from './admin-pages.ts';

/** The pages of those who manage: in both sizes, themes and languages nothing overflows, and axe finds nothing. */

const PAGES = [
  '/admin/settings',
  '/admin/settings/support',
  '/admin/settings/jobs',
  '/admin/audit-log',
  '/admin/audit-log?entity=nothing',
  '/admin/roles',
  '/admin/privacy?q=rahim',
  '/admin/privacy/persons/:rahim',
];
let app: RunningApp;
let browser: Browser;
let tenant: TestTenant;
let looks: Looks;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(), launchBrowser()]);
  tenant = await app.newTenant();
  const conversation = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  const owner = await plainBrowser(app, tenant, 'owner');
  await owner.post(`/admin/support-chat/${conversation}/assign`, {});
  const support = '/admin/settings/support';
  await owner.post(support, {
    ...formFields((await owner.get(support)).html, support),
    agentLimit: '7',
    saturday_closed: 'on',
    newHoliday: '2026-12-16',
  });
  await owner.post(`/admin/roles/people/${tenant.people.viewer.id}`, { roles: ['support_agent', 'support_viewer'] });
  const capabilities = ['SUPPORT_CHAT', 'VIEW_SUPPORT_CHAT_LIST'];
  await owner.post('/admin/roles', { label: 'Night shift', capabilities });
  looks = await openLooks(browser, app, tenant, 'owner');
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

test.for(PAGES)('%s', { timeout: 60_000 }, async (path) => {
  await looks.expectFine(path.replace(':rahim', tenant.people.rahim.id));
});
