/**
 * One conversation as a lead reads, prints and keeps it: what the page says, and that the PDF's text, taken out again, is
 * the transcript, Bengali included.
 */
import { randomUUID } from 'node:crypto';
import { PDFiumLibrary } from '@hyzyla/pdfium';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { foldTenant } from '../../src/reports/index.ts';
import { openTenancy } from '../../src/tenancy/index.ts';
import { userWrites } from '../dashboard/desk-browser.ts';
import { type PlainBrowser, plainBrowser } from '../dashboard-admin/admin-pages.ts';
import { adminUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

const BENGALI = 'আমার অর্ডার এখনো আসেনি। কোথায় আছে? ক্ষমা করবেন, শ্রীপুর থেকে কিন্তু ৳৫০০ নিয়েছে।';
const LONG = `${'এই বাক্যটি অনেক লম্বা এবং কয়েক লাইনে ভাঙতে হবে। '.repeat(12)}${'w'.repeat(400)}`;
const quiet = { info() {}, debug() {}, warn() {}, error() {} };

let app: RunningApp;
let admin: pg.Pool;
let tenant: TestTenant;
let lead: PlainBrowser;
let id: string;

const reportOf = (conversation: string) => `/admin/support-reports/conversations/${conversation}`;

beforeAll(async () => {
  app = await startApp();
  admin = new pg.Pool({ connectionString: adminUrl(), max: 2 });
  tenant = await app.newTenant();
  lead = await plainBrowser(app, tenant, 'lead');
  id = await userWrites(app, tenant, 'rahim', BENGALI);
  const rahim = await tenant.signIn('rahim');
  const agent = await tenant.signIn('agent');
  const say = async (who: { bearer: { authorization: string } }, body: string) => {
    const answer = await fetch(`${app.base}/api/support/conversations/${id}/messages`, {
      method: 'POST',
      headers: { ...who.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ body, clientId: randomUUID() }),
    });
    expect(answer.status).toBe(201);
  };
  await say(agent, 'One moment, I look it up.');
  await say(rahim, `${LONG}\n<b>not bold</b>`);
  await say(rahim, 'শেষ কথা');
  await say(agent, 'Solved.');
  await admin.query(
    `update messages set created_at = created_at + make_interval(secs => case when seq = 1 then 0 else 200 end
      + case when sender_type = 'admin' and seq > 3 then 3700 else 0 end) where conversation_id = $1`,
    [id],
  );
  await fold();
});
afterAll(async () => {
  await admin?.end();
  await app?.stop();
});

async function fold(): Promise<void> {
  const tenancy = await openTenancy({ database: app.database, log: quiet });
  const info = (await tenancy.byId(tenant.tenant.id))!; // it was just made
  await tenant.asPerson('system', (scope) => foldTenant(scope, info, { batches: 100, everything: true }));
  await tenancy.close();
}

describe('the page', () => {
  test('tells who, when, how long each answer took, and what was said', async () => {
    const { status, html } = await lead.get(reportOf(id));
    expect(status).toBe(200);
    const text = html.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain(`Conversation ${id.slice(-8).toUpperCase()}`);
    expect(text).toContain('Rahim Uddin (Driver)');
    expect(text).toContain('First answer after 3 minutes, 20 seconds');
    expect(text).toContain('Answer after 1 hour, 1 minute');
    expect(text).toContain('Nusrat Jahan is looking after this conversation');
    expect(html).toContain('&lt;b&gt;not bold&lt;/b&gt;');
    expect(text).toMatch(/Messages of the user 3 .*Messages of the team 2 .*First answer 3 minutes, 20 seconds/);
  });

  test('says what is not counted yet', async () => {
    const fresh = await userWrites(app, tenant, 'ayesha', 'just now');
    const { html } = await lead.get(reportOf(fresh));
    expect(html).toContain('Not counted yet');
    await fold();
    expect((await lead.get(reportOf(fresh))).html).not.toContain('not counted yet');
  });

  test('is for whoever may view reports, of their tenant', async () => {
    for (const handle of ['agent', 'viewer'] as const) {
      const browser = await plainBrowser(app, tenant, handle);
      expect((await browser.get(reportOf(id))).status).toBe(403);
      expect((await browser.get(`${reportOf(id)}/pdf`)).status).toBe(403);
    }
    const elsewhere = await app.newTenant();
    const stranger = await plainBrowser(app, elsewhere, 'owner');
    expect((await stranger.get(reportOf(id))).status).toBe(404);
    expect((await stranger.get(`${reportOf(id)}/pdf`)).status).toBe(404);
    expect((await lead.get(reportOf(randomUUID()))).status).toBe(404);
  });
});

describe('the PDF', () => {
  test('holds the transcript: its text, taken out again, is what was said', async () => {
    const said = (await textOf(await pdfOf(id))).replaceAll(/\s/g, '');
    const { rows } = await admin.query<{ body: string }>(
      'select body from messages where conversation_id = $1 and body is not null order by seq',
      [id],
    );
    expect(rows).toHaveLength(5);
    let from = 0;
    for (const { body } of rows) {
      const at = said.indexOf(body.replaceAll(/\s/g, ''), from);
      expect(at, body).toBeGreaterThanOrEqual(from);
      from = at + 1;
    }
    // and nothing in place of something else: the control is a text that nobody wrote
    expect(said).not.toContain('আমারঅর্ডারএসেছে');
    expect(said).toContain('Firstanswerafter3minutes,20seconds');
  });

  test('is audited, without a word of what is in it', async () => {
    const count = async () => {
      const { rows } = await admin.query(
        `select metadata from audit_log where tenant_id = $1 and action = 'SUPPORT_EXPORTED' and entity_id = $2`,
        [tenant.tenant.id, id],
      );
      return rows;
    };
    const before = (await count()).length;
    await pdfOf(id);
    const after = await count();
    expect(after).toHaveLength(before + 1);
    expect(after.at(-1)?.metadata).toEqual({ what: 'conversation_report', conversationId: id });
  });

  test('breaks pages, and draws what no font of ours has as boxes, without failing', async () => {
    const busy = await userWrites(app, tenant, 'driver-2', 'مرحبا 你好 😀👍🏽 \u0007 ä \u202Eabc\u202C');
    const driver = await tenant.signIn('driver-2');
    for (let n = 0; n < 60; n++) {
      await fetch(`${app.base}/api/support/conversations/${busy}/messages`, {
        method: 'POST',
        headers: { ...driver.bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ body: `line ${n} ${BENGALI}`, clientId: randomUUID() }),
      });
    }
    const text = await textOf(await pdfOf(busy));
    expect(text).toContain('Page 2 of');
    for (let n = 0; n < 60; n++) expect(text).toContain(`line ${n} আমার`);
  });
});

async function pdfOf(conversation: string): Promise<Buffer> {
  const session = await tenant.signIn('lead', 'browser');
  const answer = await fetch(`${app.base}${reportOf(conversation)}/pdf`, { headers: session.cookie });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/pdf');
  expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="conversation-[0-9a-f]{8}\.pdf"$/);
  return Buffer.from(await answer.arrayBuffer());
}

/** The text as a reader of PDFs gives it to whoever copies it. */
async function textOf(file: Buffer): Promise<string> {
  const library = await PDFiumLibrary.init();
  const document = await library.loadDocument(file);
  try {
    return Array.from(document.pages(), (one) => one.getText()).join('\n');
  } finally {
    document.destroy();
    library.destroy();
  }
}
