import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { visit } from '../dashboard/desk-browser.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

/** The pages of those who manage: in both sizes, themes and languages nothing overflows, and axe finds nothing. */

const PAGES = ['/admin/settings', '/admin/settings/support', '/admin/audit-log', '/admin/audit-log?entity=nothing'];
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

const sizes = [
  { width: 360, height: 640 },
  { width: 1280, height: 800 },
] as const;

test.for(PAGES)('%s', { timeout: 60_000 }, async (path) => {
  for (const language of ['en', 'bn'] as const) {
    for (const size of sizes) {
      for (const dark of [false, true]) {
        const { page, context, complaints } = await visit(browser, app, tenant, 'owner', { ...size, dark, language });
        await page.goto(path);
        const where = `${path} ${size.width} ${dark ? 'dark' : 'light'} ${language}`;
        const overflow = await page.evaluate(
          `[...document.querySelectorAll('html, main')].map((one) => one.scrollWidth - one.clientWidth)`,
        );
        expect([where, overflow]).toEqual([where, [0, 0]]);
        if (shots) {
          const name = `${path.slice(1).replaceAll('/', '-').replace(/\W+/g, '-')}-${size.width}-${dark ? 'dark' : 'light'}-${language}`;
          await page.screenshot({ path: `${shots}/${name}.png` });
        }
        if (language === 'en') {
          const { violations } = await new AxeBuilder({ page }).analyze();
          expect(violations.map((one) => [where, one.id, one.nodes.map((node) => node.html)])).toEqual([]);
        }
        expect([where, complaints]).toEqual([where, []]);
        await context.close();
      }
    }
  }
});
