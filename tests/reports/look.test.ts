import { writeFileSync } from 'node:fs';
import { PDFiumLibrary } from '@hyzyla/pdfium';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { visit } from '../dashboard/desk-browser.ts';
import { type Looks, openLooks } from '../dashboard/looks.ts';
import { launchBrowser } from '../support/browser.ts';
import { type ReportsApp, startReportsApp } from './reports-app.ts';

/** The reports: in both sizes, themes and languages nothing overflows, and axe finds nothing; on paper all is there. */

const PAGES = [
  '/admin/support-reports?period=30',
  '/admin/support-reports?period=range&from=1990-01-01&to=1990-02-01',
  '/admin/support-reports/agents?period=90',
  '/admin/support-reports/conversations?period=90&of=response&side=out&clock=open',
  '/admin/support-reports/conversations?period=today&of=rated&score=2',
  '/admin/support-reports/live',
  '/admin/support-reports/views?report=overview&query=period%3D30#keep',
  '/admin/support-reports/conversations/the-longest',
];
/** What else there is to see: of a company that has just begun, of somebody who may not, of an address that is wrong. */
const STATES: [who: 'lead' | 'viewer', path: string][] = [
  ['lead', '/admin/support-reports'],
  ['lead', '/admin/support-reports/agents'],
  ['lead', '/admin/support-reports/conversations'],
  ['lead', '/admin/support-reports/live'],
  ['lead', '/admin/support-reports/views'],
  ['viewer', '/admin/support-reports'],
  ['lead', '/admin/support-reports?period=8'],
  ['lead', '/admin/support-reports/conversations/00000000-0000-7000-8000-000000000000'],
];
const shots = process.env['PAGES_SHOTS'];
let reports: ReportsApp;
let browser: Browser;
let looks: Looks;

beforeAll(async () => {
  [reports, browser] = await Promise.all([startReportsApp(), launchBrowser()]);
  await reports.fold();
  looks = await openLooks(browser, reports.app, reports.home, 'lead');
});
afterAll(async () => {
  await browser?.close();
  await reports?.stop();
});

test.for(PAGES)('%s', { timeout: 90_000 }, async (page) => {
  await looks.expectFine(page.replace('the-longest', await longest()));
});

test('a company without numbers, somebody who may not, an address that is wrong', { timeout: 180_000 }, async () => {
  const empty = await reports.app.newTenant();
  const eyes = {
    lead: await openLooks(browser, reports.app, empty, 'lead'),
    viewer: await openLooks(browser, reports.app, empty, 'viewer'),
  };
  for (const [who, path] of STATES) await eyes[who].expectFine(path, `empty-${who}`);
  // made, and nothing in them
  await empty.asPerson('system', async (scope) => {
    const tenant = { ...scope.tenant };
    await scope.em.execute('insert into report_states (tenant_id, as_of) values (?, now())', [tenant.id]);
  });
  for (const path of ['', '/agents']) await eyes.lead.expectFine(`/admin/support-reports${path}`, 'nothing');
  await Promise.all(Object.values(eyes).map((looks) => looks.close()));
});

async function longest(): Promise<string> {
  const { rows } = await reports.admin.query<{ id: string }>(
    `select id from conversations where tenant_id = $1 and status = 'closed' order by last_seq desc, id limit 1`,
    [reports.home.tenant.id],
  );
  return rows[0]?.id ?? '';
}

test('on paper: the report with its headings and what its numbers mean, and nothing to click', {
  timeout: 90_000,
}, async () => {
  const library = await PDFiumLibrary.init();
  const papers: [name: string, path: string, says: string[]][] = [
    ['overview', '/admin/support-reports?period=30', ['Response time', 'Every answer of an agent', 'Busiest hours']],
    ['agents', '/admin/support-reports/agents?period=90&userType=driver', ['Nusrat Jahan', 'Only User type: Driver']],
    ['list', '/admin/support-reports/conversations?period=90&of=response', ['Every answer of an agent']],
    [
      'conversation',
      `/admin/support-reports/conversations/${await longest()}`,
      ['First answer after', 'Messages of the team'],
    ],
  ];
  for (const language of ['en', 'bn'] as const) {
    const { page, context } = await visit(browser, reports.app, reports.home, 'lead', { language });
    for (const [name, path, says] of papers) {
      await page.goto(path);
      const file = await page.pdf({ format: 'A4', printBackground: true });
      if (shots) writeFileSync(`${shots}/paper-${name}-${language}.pdf`, file);
      const document = await library.loadDocument(file);
      const text = Array.from(document.pages(), (one) => one.getText())
        .join('\n')
        .replaceAll(/\s+/g, ' ');
      document.destroy();
      if (language === 'bn') continue;
      for (const words of says) expect([name, text.includes(words)]).toEqual([name, true]);
      for (const words of ['Download', 'All user types', 'Keep this', 'Skip to', 'Sign out', 'Older']) {
        expect([name, words, text.includes(words)]).toEqual([name, words, false]);
      }
    }
    await context.close();
  }
  library.destroy();
});
