/**
 * The filters above a report: with a script only the report is swapped, the address keeps what is chosen, back brings the
 * former report, and whoever uses the keyboard stays where they were; without one it is a form like any other.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { visit, watchFragments } from '../dashboard/desk-browser.ts';
import { launchBrowser, stepBack } from '../support/browser.ts';
import { type ReportsApp, startReportsApp } from './reports-app.ts';

const REPORTS = '/admin/support-reports';
let reports: ReportsApp;
let browser: Browser;

beforeAll(async () => {
  [reports, browser] = await Promise.all([startReportsApp(), launchBrowser()]);
  await reports.fold();
});
afterAll(async () => {
  await browser?.close();
  await reports?.stop();
});

const focused = 'document.activeElement.id';
const openedNow = (page: { locator(selector: string): { first(): { textContent(): Promise<string | null> } } }) =>
  page.locator('.report-cards a').first().textContent();

test('swap the report, keep address, dates, tabs and focus, and go back', { timeout: 60_000 }, async () => {
  const { page, context, complaints } = await visit(browser, reports.app, reports.home, 'lead');
  const fragments = watchFragments(page);
  await page.goto(`${REPORTS}?period=7`);
  // marks the document: a load of the whole page would lose it
  await page.evaluate('window.stays = true');
  const week = await openedNow(page);
  const been: [address: string, type: string][] = [[page.url(), '']];

  await page.locator('#r-period').focus();
  await page.locator('#r-period').selectOption('90');
  await page.waitForURL(/period=90/);
  await page.locator('#report', { hasText: 'compared with' }).waitFor();
  const quarter = await openedNow(page);
  expect(Number(quarter)).toBeGreaterThan(Number(week));
  expect(await page.evaluate(focused)).toBe('r-period');
  const from = await page.locator('#r-from').inputValue();
  expect(Date.now() - Date.parse(from)).toBeGreaterThan(88 * 86_400_000);

  been.push([page.url(), '']);
  await page.locator('#r-type').focus();
  await page.locator('#r-type').selectOption('driver');
  await page.waitForURL(/userType=driver/);
  await page.locator('#report', { hasText: 'Only User type' }).waitFor();
  expect(Number(await openedNow(page))).toBeLessThan(Number(quarter));
  expect(await page.evaluate(focused)).toBe('r-type');
  // the other reports take the filter along
  expect(await page.locator('#r-tabs a').nth(1).getAttribute('href')).toContain('userType=driver');
  expect(await page.locator('#report a[download]').getAttribute('href')).toContain('period=90');

  been.push([page.url(), 'driver']);
  // days that were typed stay when something else is chosen after them
  await page.locator('#r-from').fill('2026-01-01');
  await page.locator('#r-from').press('Enter');
  await page.waitForURL(/from=2026-01-01/);
  await page.locator('#r-period').and(page.locator(':has(option[value="range"]:checked)')).waitFor();
  been.push([page.url(), 'driver']);
  await page.locator('#r-country').selectOption('BD');
  await page.waitForURL(/country=BD/);
  await page.locator('#report', { hasText: 'Country: Bangladesh' }).waitFor();
  expect(await page.locator('#report').textContent()).toContain('1 January 2026');
  const narrowed = await openedNow(page);
  expect(await page.evaluate('window.stays')).toBe(true);
  expect(fragments.length).toBeGreaterThanOrEqual(4);

  // the address alone shows the same
  const fresh = await context.newPage();
  await fresh.goto(page.url());
  expect(await openedNow(fresh)).toBe(narrowed);
  expect(await fresh.locator('#r-country').inputValue()).toBe('BD');
  await fresh.close();

  // step by step: each is the report that was there, its form included
  for (const [address, type] of been.reverse()) {
    await stepBack(page);
    await page.waitForURL(address);
    await expect.poll(() => page.locator('#r-type').inputValue()).toBe(type);
  }
  await expect.poll(() => openedNow(page)).toBe(week);
  expect(await page.locator('#r-period').inputValue()).toBe('7');
  expect(complaints).toEqual([]);
  await context.close();
});

test('are a form without a script', { timeout: 60_000 }, async () => {
  for (const path of [REPORTS, `${REPORTS}/agents`, `${REPORTS}/conversations`]) {
    const { page, context } = await visit(browser, reports.app, reports.home, 'lead', { script: false });
    await page.goto(path);
    await page.locator('#r-period').selectOption('90');
    await page.locator('#r-type').selectOption('driver');
    await page.locator('.report-filters button').click();
    await page.waitForURL(/period=90.*userType=driver/);
    expect(await page.locator('#r-type').inputValue()).toBe('driver');
    expect(await page.locator('#report').textContent()).toContain('Only User type: Driver');
    await context.close();
  }
});
