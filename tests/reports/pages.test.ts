/**
 * The reports as a lead uses them: every number leads to what is behind it and says as much, the card, the table and
 * the download are the same, and whoever may not see them sees nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formFields, type PlainBrowser, plainBrowser } from '../dashboard-admin/admin-pages.ts';
import { type ReportsApp, startReportsApp } from './reports-app.ts';

const REPORTS = '/admin/support-reports';
const EVERYTHING = 'period=range&from=1970-01-01&to=2199-12-31';

let reports: ReportsApp;
let lead: PlainBrowser;
beforeAll(async () => {
  reports = await startReportsApp();
  await reports.fold();
  lead = await plainBrowser(reports.app, reports.home, 'lead');
});
afterAll(() => reports?.stop());

/** Links to what is behind a number, with the number as the page writes it. */
function numbers(html: string): { href: string; count: number }[] {
  return [...html.matchAll(/<a\b[^>]*href="(\/admin\/support-reports\/conversations\?[^"]*)"[^>]*>([^<]*)<\/a>/g)]
    .map(([, href = '', text = '']) => ({
      href: href.replaceAll('&amp;', '&'),
      // a share says its count in brackets
      count: Number((/\(([\d,]+)\)/.exec(text)?.[1] ?? text).replace(/[^\d]/g, '')),
    }))
    .filter(({ href }) => !/[?&]tab/.test(href));
}

/** The total that the page behind a number says. */
function totalOf(html: string): number {
  return Number(
    (/<h2 id="s-list">[^<]*<span class="tabular">([\d,]+)<\/span>/.exec(html)?.[1] ?? 'x').replaceAll(',', ''),
  );
}

function csvRows(text: string): string[][] {
  return text
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split('\r\n')
    .map((line) => line.split(','));
}

async function download(path: string): Promise<string[][]> {
  const { status, html, headers } = await lead.get(path);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('text/csv');
  return csvRows(html);
}

describe('every number', () => {
  test.each([
    `${REPORTS}?${EVERYTHING}`,
    `${REPORTS}?period=30`,
    `${REPORTS}?period=90&userType=driver&country=BD`,
    `${REPORTS}?period=90&topic=-`,
    `${REPORTS}/agents?period=90`,
  ])('of %s leads to as many rows as it says', async (path) => {
    const { status, html } = await lead.get(path);
    expect(status).toBe(200);
    const main = html.slice(html.indexOf('id="report"'));
    const found = numbers(main);
    expect(found.length).toBeGreaterThan(path.includes('agents') ? 10 : 25);
    expect(found.some(({ count }) => count > 0)).toBe(true);
    for (const { href, count } of found) {
      const behind = await lead.get(href);
      expect([href, behind.status, totalOf(behind.html)]).toEqual([href, 200, count]);
      const rows = await download(href.replace('/conversations?', '/conversations/export?'));
      const counted = rows.slice(1).reduce((sum, row) => sum + Number(row[1]), 0);
      expect([href, counted]).toEqual([href, count]);
    }
  });

  test('with a filter by agent and by something else is read from the facts, and agrees too', async () => {
    const { agent } = reports.home.people;
    const { html } = await lead.get(`${REPORTS}?period=90&agent=${agent.id}&userType=driver`);
    for (const { href, count } of numbers(html.slice(html.indexOf('id="report"')))) {
      expect([href, totalOf((await lead.get(href)).html)]).toEqual([href, count]);
    }
  });
});

test('the overview says what a plain computation says', async () => {
  const { rows } = await reports.admin.query<Record<string, number>>(
    `select
       (select count(*)::int from conversations c where tenant_id = $1) as opened,
       (select count(*)::int from conversations c where tenant_id = $1 and status = 'closed') as closed,
       (select count(*)::int from messages where tenant_id = $1 and sender_type = 'user') as "messagesIn",
       (select count(*)::int from messages where tenant_id = $1 and sender_type = 'admin') as "messagesOut",
       (select count(distinct conversation_id)::int from messages where tenant_id = $1 and event = 'reopened') as reopened,
       (select count(*)::int from conversations where tenant_id = $1 and closed_by = 'system') as "autoClosed"`,
    [reports.home.tenant.id],
  );
  const { rows: firsts } = await reports.admin.query<{ secs: number }>(
    `select floor(extract(epoch from a.at - q.at))::int as secs from conversations c
     cross join lateral (select min(created_at) as at from messages m where m.conversation_id = c.id and sender_type = 'user') q
     cross join lateral (select min(created_at) as at from messages m where m.conversation_id = c.id and sender_type = 'admin') a
     where c.tenant_id = $1 and a.at is not null order by 1`,
    [reports.home.tenant.id],
  );
  const overview = await download(`${REPORTS}/export?${EVERYTHING}`);
  const value = (name: string, part: string, statistic: string) =>
    Number(overview.find((row) => row[0] === name && row[1] === part && row[2] === statistic)?.[3]);
  for (const [name, count] of Object.entries(rows[0] ?? {}))
    expect([name, value(name, '', 'count')]).toEqual([name, count]);
  const times = firsts.map(({ secs }) => secs);
  const nth = (share: number) => times[Math.ceil(times.length * share) - 1];
  expect(value('first_time', 'all_hours', 'count')).toBe(times.length);
  expect(value('first_time', 'all_hours', 'median_seconds')).toBe(nth(0.5));
  expect(value('first_time', 'all_hours', 'p90_seconds')).toBe(nth(0.9));
  expect(value('first_time', 'all_hours', 'within_target')).toBe(times.filter((secs) => secs <= 300).length);
  // the series and the hours of the week add up to the number above them
  const sum = (name: string) =>
    overview.filter((row) => row[0]?.startsWith(name)).reduce((total, row) => total + Number(row[3]), 0);
  expect(sum('opened_by_hour_of_week')).toBe(rows[0]?.['opened']);
});

test('the page and its download say the same', async () => {
  const { html } = await lead.get(`${REPORTS}?period=30`);
  const overview = await download(`${REPORTS}/export?period=30`);
  const median = overview.find((row) => row.slice(0, 3).join() === 'response_time,all_hours,median_seconds')?.[3];
  expect(html).toContain(`value="${median}"`);
  const opened = overview.find((row) => row[0] === 'opened')?.[3];
  expect(html).toMatch(new RegExp(`of=opened[^>]*>${opened}<`));
  expect(html).toContain('of Asia/Dhaka');
});

describe('who may not', () => {
  const paths = ['', '/export', '/agents', '/agents/export', '/conversations', '/conversations/export'];
  test.each(['agent', 'viewer'] as const)('%s sees no report', async (handle) => {
    const browser = await plainBrowser(reports.app, reports.home, handle);
    for (const path of paths) expect([path, (await browser.get(REPORTS + path)).status]).toEqual([path, 403]);
    expect((await browser.get('/admin/support-chat')).html).not.toContain(REPORTS);
  });

  test('a lead of another company sees theirs alone', async () => {
    const other = await reports.app.newTenant();
    const theirs = await plainBrowser(reports.app, other, 'lead');
    const shown = await theirs.get(`${REPORTS}/conversations?${EVERYTHING}`);
    expect(totalOf(shown.html)).toBe(0);
    expect((await theirs.get(`${REPORTS}?${EVERYTHING}`)).html).toContain('The numbers are being made');
    const asked = await theirs.get(`${REPORTS}?agent=${reports.home.people.agent.id}`);
    expect(asked.html).not.toContain(reports.home.people.agent.id.slice(0, 30).concat('" selected'));
  });
});

test('a download is audited, and holds no formula and nobody by name', async () => {
  const { html } = await lead.get(`${REPORTS}/conversations/export?${EVERYTHING}`);
  expect(html).toContain("'=cmd()");
  expect(html).not.toMatch(/[,\n]=cmd/);
  expect(html).not.toContain('Somebody');
  const { rows } = await reports.admin.query(
    `select metadata from audit_log where tenant_id = $1 and action = 'SUPPORT_EXPORTED' order by id desc limit 1`,
    [reports.home.tenant.id],
  );
  expect(rows).toEqual([{ metadata: { what: 'report' } }]);
});

test('a range of a century answers at once, and nonsense with a sentence', async () => {
  const began = performance.now();
  expect((await lead.get(`${REPORTS}?period=range&from=1926-01-01&to=9999-12-31`)).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(3_000);
  // in the other order it is the same days
  expect((await lead.get(`${REPORTS}?period=range&from=2026-02-01&to=2026-01-01`)).status).toBe(200);
  for (const wrong of [
    'period=8',
    'from=2026-02-30',
    'agent=me',
    'of=nothing',
    'before=x',
    'slot=168',
    'userType=%00',
  ]) {
    const { status } = await lead.get(`${REPORTS}/conversations?${wrong}`);
    expect([wrong, [400, 422].includes(status)]).toEqual([wrong, true]);
  }
});

test('the form means the days that were typed, and the period where none were', async () => {
  const { html } = await lead.get(`${REPORTS}?period=7`);
  const form = new URLSearchParams(
    Object.entries(formFields(html, REPORTS)).map(([name, value]) => [name, String(value)]),
  );
  form.set('period', '30');
  expect((await lead.get(`${REPORTS}?${form}`)).html).toContain('<option value="30" selected>');
  form.set('from', '2026-01-05');
  const typed = await lead.get(`${REPORTS}?${form}`);
  expect(typed.html).toContain('<option value="range" selected>');
  expect(typed.html).toContain('5 January 2026');
});

test('pages of a long list follow each other without a gap', async () => {
  const seen: string[] = [];
  let path: string | undefined = `${REPORTS}/conversations?${EVERYTHING}&of=messagesIn`;
  while (path) {
    const { html }: { html: string } = await lead.get(path);
    seen.push(...[...html.matchAll(/support-reports\/conversations\/([0-9a-f-]{36})"/g)].map(([, id]) => id ?? ''));
    path = /<a class="button" href="([^"]*before=[^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
  }
  const rows = await download(`${REPORTS}/conversations/export?${EVERYTHING}&of=messagesIn`);
  expect(seen).toEqual(rows.slice(1).map(([id]) => id));
});

test('in Bengali, with Bengali digits', async () => {
  const browser = await plainBrowser(reports.app, reports.home, 'lead', 'bn');
  for (const path of ['', '/agents', '/conversations?of=response&period=90']) {
    const { html } = await browser.get(REPORTS + path);
    expect(html).toContain('রিপোর্ট');
    expect(html).not.toMatch(/reports\.[a-z]+/i);
  }
});
