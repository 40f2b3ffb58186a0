import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { visit } from '../dashboard/desk-browser.ts';
import { launchBrowser } from '../support/browser.ts';
import { type ReportsApp, startReportsApp } from './reports-app.ts';

/** The reports: in both sizes, themes and languages nothing overflows, and axe finds nothing; on paper all is there. */

const PAGES = [
  '/admin/support-reports?period=30',
  '/admin/support-reports?period=range&from=1990-01-01&to=1990-02-01',
  '/admin/support-reports/agents?period=90',
  '/admin/support-reports/conversations?period=90&of=response&side=out&clock=open',
  '/admin/support-reports/conversations?period=today&of=rated&score=2',
];
const shots = process.env['PAGES_SHOTS'];
let reports: ReportsApp;
let browser: Browser;

beforeAll(async () => {
  [reports, browser] = await Promise.all([startReportsApp(), launchBrowser()]);
  await reports.fold();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await reports?.stop();
});

const looks = [
  { width: 360, height: 640, dark: false, language: 'en', axe: true },
  { width: 1280, height: 800, dark: true, language: 'en', axe: true },
  { width: 1280, height: 800, dark: false, language: 'bn', axe: false },
  { width: 360, height: 640, dark: true, language: 'bn', axe: false },
] as const;

test.for(PAGES)('%s', { timeout: 90_000 }, async (path) => {
  for (const { axe, ...look } of looks) {
    const { page, context, complaints } = await visit(browser, reports.app, reports.home, 'lead', look);
    await page.goto(path);
    const where = `${path} ${look.width} ${look.dark ? 'dark' : 'light'} ${look.language}`;
    if (shots) await page.screenshot({ path: `${shots}/${where.replace(/\W+/g, '-')}-top.png` });
    await page.evaluate(`for (const one of document.querySelectorAll('main details')) one.open = true`);
    const overflow = await page.evaluate(
      `[...document.querySelectorAll('html, main')].map((one) => one.scrollWidth - one.clientWidth)`,
    );
    expect([where, overflow]).toEqual([where, [0, 0]]);
    if (shots) {
      const height = Number(await page.evaluate(`document.querySelector('main').scrollHeight`)) + 120;
      await page.setViewportSize({ width: look.width, height: Math.min(height, 6_000) });
      await page.screenshot({ path: `${shots}/${where.replace(/\W+/g, '-')}.png` });
    }
    if (axe) {
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((one) => [where, one.id, one.nodes.map((node) => node.html)])).toEqual([]);
    }
    expect([where, complaints]).toEqual([where, []]);
    await context.close();
  }
});
