/** The page of a host app that the demo shows: another site for the browser, with the chat in a frame and a number on its button. */
import { mkdirSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { type Folder, folder, type RunningProgram, start } from '../support/program.ts';
import { DESK, PHONE } from './windows.ts';

const PICTURES = process.env['PICTURES'];

let program: RunningProgram;
let fresh: FreshDatabase;
let place: Folder;
let browser: Browser;
beforeAll(async () => {
  place = folder();
  fresh = await freshDatabase({ empty: true });
  program = await start({ env: { DATABASE_URL: fresh.url, DATA_DIR: place.path, DEMO: '1' } });
  browser = await launchBrowser();
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  await fresh?.drop();
  place?.remove();
});

describe.each([
  { viewport: PHONE, colorScheme: 'light', locale: 'en-US', entry: 'Support Chat' },
  { viewport: DESK, colorScheme: 'dark', locale: 'bn-BD', entry: 'সাপোর্ট চ্যাট' },
] as const)('$viewport.width px, $colorScheme, $locale', ({ viewport, colorScheme, locale, entry }) => {
  it('leads from the demo to a page on another site, whose menu opens the chat in a frame, where one writes', async () => {
    const context = await browser.newContext({ viewport, colorScheme, locale });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(program.url);
    const link = page.locator('a[href$="/demo/host"]');
    expect(new URL((await link.getAttribute('href')) ?? '').host).not.toBe(new URL(program.url).host);
    await link.click();
    await page.waitForURL(/\/demo\/host$/);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    const name = `${viewport.width}-${colorScheme}-${locale.slice(0, 2)}-host`;
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
    await page.getByText(entry, { exact: true }).click();
    const find = () => page.frames().find((frame) => frame.url().includes('/driver/support'));
    await expect.poll(() => find()?.url() ?? '').toContain('/driver/support');
    const chat = find()!; // just found
    await chat.waitForFunction(() => 'safego' in globalThis);
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}-open.png` });
    const isOpen = (await chat.locator('main a.primary').count()) > 0;
    if (isOpen) await chat.click('main a.primary');
    else await chat.fill('#body', 'From inside the app');
    if (!isOpen) await chat.click('#new button.primary');
    await chat.waitForURL(/\/conversations\//);
    await expect.poll(() => chat.locator('#messages .body').allTextContents()).toContain('From inside the app');
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}-chat.png` });
    await context.close();
  }, 90_000);
});
