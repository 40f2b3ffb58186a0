import type { Browser } from 'playwright-core';
import { expect } from 'vitest';
import { faultsOf } from '../support/axe.ts';
import type { Handle, TestTenant } from '../support/people.ts';
import type { RunningApp } from '../support/running-app.ts';
import { visit } from './desk-browser.ts';

const LOOKS = [
  { width: 360, height: 640, dark: false, language: 'en', axe: true },
  { width: 1280, height: 800, dark: true, language: 'en', axe: true },
  { width: 1280, height: 800, dark: false, language: 'bn', axe: false },
  { width: 360, height: 640, dark: true, language: 'bn', axe: false },
] as const;

/** `PAGES_SHOTS=<folder>` keeps a picture of every look. */
const shots = process.env['PAGES_SHOTS'];

/** Somebody's windows: both sizes, themes and languages. */
export interface Looks {
  /** In each of them nothing of the page overflows, axe finds nothing, and the browser has nothing to complain of. */
  expectFine(path: string, name?: string): Promise<void>;
  close(): Promise<void>;
}

export async function openLooks(browser: Browser, app: RunningApp, tenant: TestTenant, handle: Handle): Promise<Looks> {
  const windows = await Promise.all(
    LOOKS.map(async (look) => ({ look, ...(await visit(browser, app, tenant, handle, look)) })),
  );
  return {
    async expectFine(path, name = '') {
      for (const { look, page, complaints } of windows) {
        complaints.length = 0;
        const answer = await page.goto(path);
        const where = `${name} ${path} ${look.width} ${look.dark ? 'dark' : 'light'} ${look.language}`;
        const picture = shots && `${shots}/${where.replace(/\W+/g, '-')}`;
        if (picture) await page.screenshot({ path: `${picture}-top.png` });
        await page.evaluate(`for (const one of document.querySelectorAll('main details')) one.open = true`);
        const overflow = await page.evaluate(
          `[...document.querySelectorAll('html, main')].map((one) => one.scrollWidth - one.clientWidth)`,
        );
        expect([where, overflow]).toEqual([where, [0, 0]]);
        if (picture) {
          const height = Number(await page.evaluate(`document.querySelector('main').scrollHeight`)) + 120;
          await page.setViewportSize({ width: look.width, height: Math.min(height, 6_000) });
          await page.screenshot({ path: `${picture}.png` });
          await page.setViewportSize(look);
        }
        if (look.axe) expect([where, await faultsOf(page)]).toEqual([where, []]);
        // a browser says itself that the answer was none it wanted
        if (answer?.ok()) expect([where, complaints]).toEqual([where, []]);
      }
    },
    async close() {
      await Promise.all(windows.map(({ context }) => context.close()));
    },
  };
}
