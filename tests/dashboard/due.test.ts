import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Desk, openDesk } from '../../src/desk/index.ts';
import { openTenancy, type Tenancy } from '../../src/tenancy/index.ts';
import { faultsOf } from '../support/axe.ts';
import { launchBrowser } from '../support/browser.ts';
import { adminUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

/** When answers are due, on the desk: in words, counted on, in order; leads are told the moment one is late. */

const log = { info() {}, warn() {}, debug() {}, error: console.error };
const DESK = '/admin/support-chat';
let app: RunningApp;
let browser: Browser;
let tenancy: Tenancy;
let desk: Desk;
let admin: pg.Pool;
beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(), launchBrowser()]);
  tenancy = await openTenancy({ database: app.database, log });
  // the jobs of this node, whose events reach the pages
  desk = openDesk({ database: app.database, tenancy, people: () => [], log });
  admin = new pg.Pool({ connectionString: adminUrl(), max: 2 });
});
afterAll(async () => {
  await browser?.close();
  await desk?.close();
  await tenancy?.close();
  await admin?.end();
  await app?.stop();
});

/** As if the user had written so many minutes ago. */
async function waitsSince(id: string, minutes: number): Promise<void> {
  await admin.query(
    `with moved as (
       update conversations set waiting_since = waiting_since - make_interval(mins => $2) where id = $1 returning waiting_since)
     update response_clocks r set waiting_since = moved.waiting_since, due_at = due_at - make_interval(mins => $2)
     from moved where r.conversation_id = $1 and settled_at is null`,
    [id, minutes],
  );
}

const look = (tenant: TestTenant) => desk.watchResponseTimes(tenant.tenant.id);
const order = (page: Page) =>
  page.locator('#conversations > .item:not([hidden])').evaluateAll((items) => items.map((item) => item.id.slice(2)));

test('says when an answer is due and how late it is, tells leads, and forgets it with the answer', async () => {
  const tenant = await app.newTenant();
  const [lead, agent] = await Promise.all([visit(browser, app, tenant, 'lead'), visit(browser, app, tenant, 'agent')]);
  const rahim = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  await look(tenant);
  await Promise.all([lead.page.goto(`${DESK}/${rahim}`), agent.page.goto(DESK)]);
  const mark = (page: Page) => page.locator(`#c-${rahim} .due`);
  expect(await mark(agent.page).textContent()).toMatch(/^Due in [45]m$/);
  expect(await lead.page.locator('#thread-due').textContent()).toMatch(/Due in [45]m/);

  // a minute before it is due, and late: it stands there in words, and the page finds it without being asked
  await waitsSince(rahim, 4);
  await agent.page.reload();
  expect(await mark(agent.page).textContent()).toBe('Due soon: 1m');
  await waitsSince(rahim, 4);
  expect(await look(tenant)).toMatchObject({ late: 1 });
  await expect.poll(() => mark(agent.page).textContent()).toBe('Late by 3m');
  await expect.poll(() => lead.page.locator('#thread-due').textContent()).toContain('Late by 3m');
  const notice = lead.page.locator('#late-notice');
  await notice.waitFor();
  expect(await notice.textContent()).toContain('An answer is late: 1 now');
  expect(await lead.page.locator('#late').getAttribute('data-count')).toBe('1');
  await expect.poll(() => agent.page.locator('#late').getAttribute('data-count')).toBe('1');
  expect(await agent.page.locator('#late-notice').count()).toBe(0);

  // the filter shows it and nothing else; the answer ends it for everybody
  const ayesha = await userWrites(app, tenant, 'ayesha', 'My order is cold');
  await look(tenant);
  await notice.locator('a').click();
  await lead.page.waitForURL(/late=1/);
  expect(await order(lead.page)).toEqual([rahim]);
  await postForm(app, tenant, 'agent', `${DESK}/${rahim}/messages`, {
    body: 'I am looking',
    clientId: crypto.randomUUID(),
  });
  await expect.poll(() => mark(agent.page).count()).toBe(0);
  await look(tenant);
  await expect.poll(() => agent.page.locator('#late').getAttribute('data-count')).toBe('0');
  await expect.poll(() => order(lead.page)).toEqual([]);
  await expect.poll(() => lead.page.locator('#list').textContent()).toContain('No answer is late');
  expect(await agent.page.locator(`#c-${ayesha} .due`).count()).toBe(1);
  expect([...lead.complaints, ...agent.complaints]).toEqual([]);
});

test('in the order of what is due, live, page by page and without a script', async () => {
  const tenant = await app.newTenant();
  const rahim = await userWrites(app, tenant, 'rahim', 'First of all');
  const ayesha = await userWrites(app, tenant, 'ayesha', 'Second');
  const kacchi = await userWrites(app, tenant, 'kacchi-house', 'Third');
  await look(tenant);
  await waitsSince(ayesha, 10);
  await look(tenant);
  const { page, complaints } = await visit(browser, app, tenant, 'agent');
  await page.goto(DESK);
  expect(await order(page)).toEqual([kacchi, ayesha, rahim]);
  await page.locator('#f-sort').selectOption('due');
  await expect.poll(() => order(page)).toEqual([ayesha, rahim, kacchi]);
  expect(new URL(page.url()).searchParams.get('sort')).toBe('due');
  // who comes later is due later: it stands below, by itself
  const other = await userWrites(app, tenant, 'customer-2', 'Fourth');
  await look(tenant);
  await page.mouse.move(1_000, 500);
  await expect.poll(() => order(page)).toEqual([ayesha, rahim, kacchi, other]);
  // answered: gone from the list of who waits
  await postForm(app, tenant, 'agent', `${DESK}/${ayesha}/messages`, { body: 'Yes', clientId: crypto.randomUUID() });
  await look(tenant);
  await expect.poll(() => order(page)).toEqual([rahim, kacchi, other]);
  expect(complaints).toEqual([]);

  const plain = await visit(browser, app, tenant, 'viewer', { script: false, language: 'bn' });
  await plain.page.goto(`${DESK}?sort=due&userType=customer`);
  expect(await order(plain.page)).toEqual([other]);
  expect(await plain.page.locator('.due').first().textContent()).toMatch(/^বাকি [৪৫]/);
});

test('stands still while nobody is there, and says so', async () => {
  const tenant = await app.newTenant();
  const weekly = { monday: [], tuesday: [], wednesday: [], thursday: [], friday: [], saturday: [], sunday: [] };
  const open = { ...weekly, monday: [{ from: '09:00', to: '09:01' }] };
  // whichever day it is: the one minute of the week is not now
  const zone = new Date().getUTCDay() === 1 && new Date().getUTCHours() === 9 ? 'Asia/Dhaka' : 'UTC';
  await admin.query(
    `insert into settings (tenant_id, section, data, updated_at, updated_by) values ($1, 'support', $2, now(), 'system')`,
    [tenant.tenant.id, { firstResponseTargetMinutes: 1, businessHours: { timeZone: zone, weekly: open } }],
  );
  await tenancy.refresh();
  const id = await userWrites(app, tenant, 'rahim', 'Anybody there?');
  await look(tenant);
  const { page } = await visit(browser, app, tenant, 'agent');
  const words = async () => {
    await page.goto(DESK);
    return page.locator(`#c-${id} .due`).textContent();
  };
  await expect.poll(words).toBe('Due soon: 1m · closed now');
  await admin.query(`update settings set data = $2, version = version + 1 where tenant_id = $1`, [
    tenant.tenant.id,
    { businessHours: { weekly } },
  ]);
  await tenancy.refresh();
  await look(tenant);
  await expect.poll(words).toBe('Never due: no opening hours · closed now');
});

test('looks right in both sizes, themes and languages', async () => {
  const tenant = await app.newTenant();
  const ids = [
    await userWrites(app, tenant, 'rahim', 'Where is my bonus of last week? I have asked twice.'),
    await userWrites(app, tenant, 'ayesha', 'My order is cold'),
    await userWrites(app, tenant, 'kacchi-house', 'The app says that we are closed'),
  ];
  await look(tenant);
  await waitsSince(ids[0]!, 125);
  await waitsSince(ids[1]!, 4);
  await look(tenant);
  const shots = process.env['PAGES_SHOTS'];
  for (const { width, height, dark, language } of [
    { width: 360, height: 640, dark: false, language: 'en' },
    { width: 1280, height: 800, dark: true, language: 'en' },
    { width: 1280, height: 800, dark: false, language: 'bn' },
    { width: 360, height: 640, dark: true, language: 'bn' },
  ] as const) {
    for (const path of [`${DESK}?sort=due`, `${DESK}/${ids[0]}`, `${DESK}?late=1&status=closed`]) {
      const { page, context, complaints } = await visit(browser, app, tenant, 'lead', {
        width,
        height,
        dark,
        language,
      });
      await page.goto(path);
      const where = `due ${path.split('support-chat')[1]?.slice(0, 9)} ${width} ${dark ? 'dark' : 'light'} ${language}`;
      const overflow = await page.evaluate(
        `[...document.querySelectorAll('html, main, #list')].map((one) => one.scrollWidth - one.clientWidth)`,
      );
      expect([where, overflow]).toEqual([where, [0, 0, 0]]);
      if (shots) await page.screenshot({ path: `${shots}/${where.replace(/\W+/g, '-')}.png` });
      // words and rules are the same in both languages
      if (language === 'en') expect([where, await faultsOf(page)]).toEqual([where, []]);
      expect(complaints).toEqual([]);
      await context.close();
    }
  }
}, 90_000);
