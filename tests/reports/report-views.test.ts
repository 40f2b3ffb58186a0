/** Reports under a name, the desk at this moment, and the mail on Mondays. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAppViews } from '../../src/app.ts';
import { openDurableQueue } from '../../src/platform/jobs/index.ts';
import { openMailTransport } from '../../src/platform/outbound/index.ts';
import { foldTenant, oweWeeklyReports, weeklyReportEffect } from '../../src/reports/index.ts';
import { openTenancy } from '../../src/tenancy/index.ts';
import { userWrites } from '../dashboard/desk-browser.ts';
import { type PlainBrowser, plainBrowser } from '../dashboard-admin/admin-pages.ts';
import { HURRY } from '../reach/hurry.ts';
import { type MailServer, startMailServer } from '../reach/mail-server.ts';
import { faultsOf } from '../support/axe.ts';
import { launchBrowser } from '../support/browser.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

const REPORTS = '/admin/support-reports';
const VIEWS = `${REPORTS}/views`;
const quiet = { info() {}, debug() {}, warn() {}, error: (...told: unknown[]) => console.error(...told) };

let own: FreshDatabase;
let app: RunningApp;
let admin: pg.Pool;
let smtp: MailServer;
let tenant: TestTenant;
let lead: PlainBrowser;

beforeAll(async () => {
  own = await freshDatabase();
  smtp = await startMailServer();
  app = await startApp({ DATABASE_URL: own.url, SMTP_URL: smtp.url });
  admin = new pg.Pool({ connectionString: own.adminUrl, max: 2 });
  tenant = await app.newTenant();
  lead = await plainBrowser(app, tenant, 'lead');
});
afterAll(async () => {
  await app?.stop();
  await smtp?.down();
  await admin?.end();
  await own?.drop();
});

const plain = (html: string) => html.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');

describe('kept reports', () => {
  test('stay under their name, and open as the report they are', async () => {
    expect(plain((await lead.get(VIEWS)).html)).toContain('Nothing is kept yet');
    const kept = await lead.post(VIEWS, {
      report: 'overview',
      query: 'period=30&userType=driver&nonsense=1',
      name: '  Drivers,   30 days ',
    });
    expect(kept.status).toBe(303);
    const { html } = await lead.get(VIEWS);
    const href = html
      .match(/<a class="row-title" href="([^"]+)"><bdi>Drivers, 30 days</)?.[1]
      ?.replaceAll('&amp;', '&');
    expect(href).toBe(`${REPORTS}?period=30&userType=driver`);
    expect((await lead.get(href ?? '')).status).toBe(200);
    // the same name again is the same view
    await lead.post(VIEWS, { report: 'agents', query: 'period=7', name: 'drivers, 30 days' });
    const again = (await lead.get(VIEWS)).html;
    expect(again.match(/class="row-title"/g)).toHaveLength(1);
    expect(again).toContain(`href="${REPORTS}/agents?period=7"`);
  });

  test('are for their owner, until shared; and nobody deletes a colleague’s', async () => {
    const owner = await plainBrowser(app, tenant, 'owner');
    await owner.post(VIEWS, { report: 'overview', query: '', name: 'Private one' });
    await owner.post(VIEWS, { report: 'overview', query: 'period=90', name: 'For all', shared: 'yes' });
    const { html } = await lead.get(VIEWS);
    expect(html).toContain('For all');
    expect(html).not.toContain('Private one');
    const { rows } = await admin.query<{ id: string; name: string }>(
      `select id, name from report_views where tenant_id = $1 and name in ('Private one', 'For all')`,
      [tenant.tenant.id],
    );
    for (const { id, name } of rows) {
      expect((await lead.post(`${VIEWS}/${id}/delete`, {})).status).toBe(404);
      expect((await lead.get(`${VIEWS}/${id}`)).status).toBe(name === 'For all' ? 303 : 404);
    }
    const elsewhere = await app.newTenant();
    const stranger = await plainBrowser(app, elsewhere, 'owner');
    for (const { id } of rows) expect((await stranger.get(`${VIEWS}/${id}`)).status).toBe(404);
    // the owner can
    for (const { id } of rows) expect((await owner.post(`${VIEWS}/${id}/delete`, {})).status).toBe(303);
    expect((await lead.get(VIEWS)).html).not.toContain('For all');
  });

  test('say what is wrong with a name, and keep what was typed', async () => {
    const long = 'x'.repeat(81);
    const refused = await lead.post(VIEWS, { report: 'overview', query: 'period=90', name: long, shared: 'yes' });
    expect(refused.status).toBe(422);
    expect(plain(refused.html)).toContain('At most 80 characters.');
    expect(refused.html).toContain(`value="${long}"`);
    expect(refused.html).toMatch(/name="shared" value="yes" checked/);
    expect((await lead.post(VIEWS, { report: 'overview', query: '', name: '   ' })).status).toBe(422);
    expect((await lead.post(VIEWS, { report: 'nowhere', query: '', name: 'x' })).status).toBe(422);
  });

  test('are closed to whoever may not view reports', async () => {
    for (const handle of ['agent', 'viewer'] as const) {
      const browser = await plainBrowser(app, tenant, handle);
      expect((await browser.get(VIEWS)).status).toBe(403);
      expect((await browser.post(VIEWS, { report: 'overview', query: '', name: 'x' })).status).toBe(403);
      expect((await browser.get(`${REPORTS}/live`)).status).toBe(403);
    }
  });
});

describe('the desk at this moment', () => {
  test('tells what is open, who waits and who holds what', async () => {
    const home = await app.newTenant();
    const eyes = await plainBrowser(app, home, 'lead');
    expect(plain((await eyes.get(`${REPORTS}/live`)).html)).toContain('Nobody is waiting.');
    const first = await userWrites(app, home, 'rahim', 'where is it');
    await userWrites(app, home, 'ayesha', 'and mine');
    const agent = await plainBrowser(app, home, 'agent');
    await agent.post(`/admin/support-chat/${first}/assign`, {});
    await admin.query(`update conversations set waiting_since = waiting_since - interval '125 minutes' where id = $1`, [
      first,
    ]);
    const text = plain((await eyes.get(`${REPORTS}/live`)).html);
    expect(text).toMatch(/Open 2 Waiting 2 Longest wait 2 h 5 min Late \d Unassigned 1/);
    expect(text).toMatch(/Rahim Uddin Driver Nusrat Jahan 2 h 5 min/);
    expect(text).toMatch(/Nusrat Jahan not available 1 1 2 h 5 min/);
    // and changes by itself, without a wait for the next look
    const chromium = await launchBrowser();
    try {
      const context = await chromium.newContext();
      const { token } = await home.signIn('lead', 'browser');
      await context.addCookies([{ name: 'safego', value: token, url: app.base }]);
      const wall = await context.newPage();
      await wall.goto(`${app.base}${REPORTS}/live`);
      await wall.locator('#live[data-mean="sse"]').waitFor({ state: 'attached' });
      await wall.locator('.now-numbers dd').first().filter({ hasText: '2' }).waitFor();
      await wall.waitForTimeout(1_000);
      await userWrites(app, home, 'driver-2', 'a third one');
      await wall.locator('.now-numbers dd').first().filter({ hasText: '3' }).waitFor({ timeout: 12_000 });
      // a line that was dead for a while comes back, with what happened meanwhile
      await context.setOffline(true);
      await wall.waitForTimeout(2_000);
      await userWrites(app, home, 'customer-2', 'a fourth one, unseen');
      await wall.waitForTimeout(1_000);
      expect(await wall.locator('.now-numbers dd').first().textContent()).toBe('3');
      await context.setOffline(false);
      await wall.locator('.now-numbers dd').first().filter({ hasText: '4' }).waitFor({ timeout: 30_000 });
      expect(await faultsOf(wall)).toEqual([]);
    } finally {
      await chromium.close();
    }
    // a stranger's desk is another one
    expect(plain((await lead.get(`${REPORTS}/live`)).html)).not.toContain('2 h 5 min');
  }, 120_000);
});

describe('the mail on Mondays', () => {
  test('tells last week’s numbers once, to whoever asked and still may see them', async () => {
    const home = await app.newTenant();
    const browser = await plainBrowser(app, home, 'lead');
    const zone = 'UTC';
    await browser.post(VIEWS, { report: 'overview', query: 'userType=driver', name: 'My drivers', weekly: 'yes' });
    const id = await userWrites(app, home, 'rahim', 'last week');
    await userWrites(app, home, 'ayesha', 'a customer, last week too');
    await admin.query(
      `update conversations set created_at = created_at - interval '7 days', last_message_at = last_message_at - interval '7 days',
         waiting_since = waiting_since - interval '7 days' where tenant_id = $1`,
      [home.tenant.id],
    );
    await admin.query(`update messages set created_at = created_at - interval '7 days' where tenant_id = $1`, [
      home.tenant.id,
    ]);
    expect(id).toBeTruthy();
    const tenancy = await openTenancy({ database: app.database, log: quiet });
    const info = (await tenancy.byId(home.tenant.id))!; // it was just made
    await home.asPerson('system', (scope) => foldTenant(scope, info, { batches: 100, everything: true }));
    const mail = openMailTransport({ smtpUrl: smtp.url, ownHost: 'support.example.com' });
    const views = await openAppViews({ compress: false });
    const effect = weeklyReportEffect({
      tenancy,
      views,
      mail,
      publicUrl: new URL('https://support.example.com'),
      log: quiet,
    });
    const queue = await openDurableQueue({ database: app.database, log: quiet, effects: [effect], timing: HURRY });
    const look = () => home.asPerson('system', (scope) => oweWeeklyReports(scope, queue, effect, zone));
    const weekTurns = () =>
      admin.query(`update report_views set mailed_week = mailed_week - 7 where tenant_id = $1`, [home.tenant.id]);
    const address = home.people.lead.email;

    // who asks during the week gets it next Monday
    expect(await look()).toBe(0);
    await weekTurns();
    // two nodes that look at once owe it once
    const owed = await Promise.all([look(), look(), look()]);
    expect(owed.reduce((sum, n) => sum + n, 0)).toBe(1);
    const deadline = Date.now() + 15_000;
    while (smtp.to(address).length === 0 && Date.now() < deadline) await new Promise((done) => setTimeout(done, 100));
    expect(smtp.to(address)).toHaveLength(1);
    const { parsed } = smtp.to(address)[0]!; // just counted
    expect(parsed.subject).toBe(`My drivers: last week at Test ${home.tenant.slug}`);
    expect(parsed.text).toMatch(/Opened: 1 \(week before: 0\)/);
    expect(parsed.text).toContain('https://support.example.com/admin/support-reports/views/');
    expect(parsed.html).toMatch(/<th scope="row"[^>]*>Opened<\/th><td[^>]*><b>1<\/b><\/td>/);
    // no names, no texts
    expect(parsed.text).not.toContain('Rahim');

    // who may not see reports any more gets nothing, though they asked
    await admin.query(`delete from role_assignments where tenant_id = $1 and user_id = $2`, [
      home.tenant.id,
      home.people.lead.id,
    ]);
    await weekTurns();
    expect(await look()).toBe(1);
    await new Promise((done) => setTimeout(done, 3_000));
    expect(smtp.to(address)).toHaveLength(1);
    await queue.close();
    await tenancy.close();
  });
});
