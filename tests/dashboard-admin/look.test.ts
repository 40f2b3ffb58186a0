import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { userWrites, visit } from '../dashboard/desk-browser.ts';
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
const shots = process.env['PAGES_SHOTS'];
let app: RunningApp;
let browser: Browser;
let tenant: TestTenant;

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
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

const looks = [
  { width: 360, height: 640, dark: false, language: 'en', axe: true },
  { width: 1280, height: 800, dark: true, language: 'en', axe: true },
  { width: 1280, height: 800, dark: false, language: 'bn', axe: false },
  { width: 360, height: 640, dark: true, language: 'bn', axe: false },
] as const;

test.for(PAGES)('%s', { timeout: 60_000 }, async (path) => {
  for (const { axe, ...look } of looks) {
    const { page, context, complaints } = await visit(browser, app, tenant, 'owner', look);
    await page.goto(path.replace(':rahim', tenant.people.rahim.id));
    const where = `${path} ${look.width} ${look.dark ? 'dark' : 'light'} ${look.language}`;
    await page.evaluate(`for (const one of document.querySelectorAll('main details')) one.open = true`);
    const overflow = await page.evaluate(
      `[...document.querySelectorAll('html, main')].map((one) => one.scrollWidth - one.clientWidth)`,
    );
    expect([where, overflow]).toEqual([where, [0, 0]]);
    if (shots) await page.screenshot({ path: `${shots}/${where.replace(/\W+/g, '-')}.png` });
    if (axe) {
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((one) => [where, one.id, one.nodes.map((node) => node.html)])).toEqual([]);
    }
    expect([where, complaints]).toEqual([where, []]);
    await context.close();
  }
});
