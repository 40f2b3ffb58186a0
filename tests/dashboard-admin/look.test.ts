import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { visit } from '../dashboard/desk-browser.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

/** The pages of those who manage: in both sizes, themes and languages nothing overflows, and axe finds nothing. */

const PAGES = [
  '/admin/settings',
  '/admin/settings/support',
  '/admin/audit-log',
  '/admin/audit-log?entity=nothing',
  '/admin/roles',
];
const shots = process.env['PAGES_SHOTS'];
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

const looks = [
  { width: 360, height: 640, dark: false, language: 'en', axe: true },
  { width: 1280, height: 800, dark: true, language: 'en', axe: true },
  { width: 1280, height: 800, dark: false, language: 'bn', axe: false },
  { width: 360, height: 640, dark: true, language: 'bn', axe: false },
] as const;

test.for(PAGES)('%s', { timeout: 60_000 }, async (path) => {
  for (const { axe, ...look } of looks) {
    const { page, context, complaints } = await visit(browser, app, tenant, 'owner', look);
    await page.goto(path);
    const where = `${path} ${look.width} ${look.dark ? 'dark' : 'light'} ${look.language}`;
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
