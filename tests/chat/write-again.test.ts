import pg from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { visit } from '../dashboard/desk-browser.ts';
import { type LiveNode, program, startNode } from '../live/live-app.ts';
import { launchBrowser } from '../support/browser.ts';
import { adminUrl } from '../support/database.ts';
import type { TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

/** A user writes into a conversation that was closed: refused, or it opens again, by setting; the same at every door. */

let app: RunningApp;
let node: LiveNode;
let browser: Browser;
let admin: pg.Pool;
beforeAll(async () => {
  [app, node, browser] = await Promise.all([startApp(), startNode(), launchBrowser()]);
  admin = new pg.Pool({ connectionString: adminUrl(), max: 2 });
});
afterAll(async () => {
  await browser?.close();
  await node?.stop();
  await app?.stop();
  await admin?.end();
});

interface Answer {
  readonly status: number;
  readonly body: {
    conversation: { id: string; status: string };
    message: { seq: number };
    error: { code: string; conversationId?: string };
    items: { event: string | null; body: string | null }[];
  }; // one of them
}

async function ask(who: TestSession, method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${app.base}/api/support/conversations${path}`, {
    method,
    headers: { ...who.bearer, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const says = (body: string) => ({ body, clientId: crypto.randomUUID() });

/** A conversation of Rahim that was closed so many hours ago. */
async function closed(tenant: TestTenant, rahim: TestSession, hoursAgo: number): Promise<string> {
  const { id } = (await ask(rahim, 'POST', '', { message: says('first') })).body.conversation;
  const agent = await tenant.signIn('agent');
  await fetch(`${app.base}/api/admin/support/conversations/${id}/close`, { method: 'POST', headers: agent.bearer });
  await admin.query(`update conversations set closed_at = now() - make_interval(hours => $2) where id = $1`, [
    id,
    hoursAgo,
  ]);
  return id;
}

/** Saves settings; both nodes know them within a second. */
async function set(tenant: TestTenant, settings: object): Promise<void> {
  await admin.query(
    `insert into settings as s (tenant_id, section, data, updated_at, updated_by) values ($1, 'support', $2, now(), 'system')
     on conflict (tenant_id, section) do update set data = s.data || excluded.data, version = s.version + 1`,
    [tenant.tenant.id, settings],
  );
  await new Promise((done) => setTimeout(done, 1_500));
}

test('JSON: refused without the setting; with it opened again in one step, within the time', async () => {
  const tenant = await app.newTenant();
  const rahim = await tenant.signIn('rahim');
  const id = await closed(tenant, rahim, 1);
  const late = says('am I heard?');
  expect((await ask(rahim, 'POST', `/${id}/messages`, late)).body.error.code).toBe('conversation_closed');
  await set(tenant, { reopenOnMessage: true });
  const sent = await ask(rahim, 'POST', `/${id}/messages`, late);
  expect([sent.status, sent.body.message.seq]).toEqual([201, 4]);
  const log = (await ask(rahim, 'GET', `/${id}/messages`)).body.items.map((one) => one.event ?? one.body);
  expect(log).toEqual(['first', 'closed', 'reopened', 'am I heard?']);
  // a repeat is a repeat, whatever the state is by then
  const agent = await tenant.signIn('agent');
  await fetch(`${app.base}/api/admin/support/conversations/${id}/close`, { method: 'POST', headers: agent.bearer });
  expect((await ask(rahim, 'POST', `/${id}/messages`, late)).status).toBe(200);
  expect((await ask(rahim, 'GET', `/${id}`)).body.conversation.status).toBe('closed');
  // what is refused opens nothing; nor does what comes too late, or staff
  expect((await ask(rahim, 'POST', `/${id}/messages`, says('x'.repeat(5_000)))).status).toBe(422);
  expect((await ask(rahim, 'GET', `/${id}`)).body.conversation.status).toBe('closed');
  expect((await ask(agent, 'POST', `/${id}/messages`, says('hello?'))).body.error.code).toBe('conversation_closed');
  await admin.query(`update conversations set closed_at = now() - interval '73 hours' where id = $1`, [id]);
  expect((await ask(rahim, 'POST', `/${id}/messages`, says('too late'))).body.error.code).toBe('conversation_closed');
  // and where another one is open, that one is named
  await admin.query(`update conversations set closed_at = now() where id = $1`, [id]);
  const other = (await ask(rahim, 'POST', '', { message: says('something else') })).body.conversation.id;
  expect(other).not.toBe(id);
  expect((await ask(rahim, 'POST', `/${id}/messages`, says('the old one'))).body.error).toMatchObject({
    code: 'another_open',
  });
  const { rows } = await admin.query(
    `select count(*)::int as count from audit_log where entity_id = $1 and action = 'SUPPORT_CONVERSATION_REOPENED'`,
    [id],
  );
  expect(rows).toEqual([{ count: 1 }]);
});

test('the socket, on another node, does the same; two messages at once open it once', async () => {
  const tenant = await app.newTenant();
  const rahim = await tenant.signIn('rahim');
  const id = await closed(tenant, rahim, 71);
  await set(tenant, { reopenOnMessage: true });
  const socket = await program(node, rahim);
  const answers = await Promise.all([
    ...['one', 'two'].map((body) => {
      const message = says(body);
      socket.send({ type: 'message:send', conversationId: id, ref: body, ...message });
      return socket.next((frame) => frame['ref'] === body);
    }),
    ask(rahim, 'POST', `/${id}/messages`, says('three')),
  ]);
  expect(answers.slice(0, 2)).toMatchObject([{ type: 'message:ack' }, { type: 'message:ack' }]);
  const log = (await ask(rahim, 'GET', `/${id}/messages`)).body.items.map((one) => one.event ?? one.body);
  expect(log.slice(0, 3)).toEqual(['first', 'closed', 'reopened']);
  expect(log.slice(3).sort()).toEqual(['one', 'three', 'two']);
  await socket.close();
});

test('the page says what will happen, with and without a script', async () => {
  const tenant = await app.newTenant();
  const rahim = await tenant.signIn('rahim');
  const id = await closed(tenant, rahim, 1);
  const path = `/driver/support/conversations/${id}`;
  const plain = await visit(browser, app, tenant, 'rahim', { script: false, width: 360, height: 640 });
  await plain.page.goto(path);
  expect(await plain.page.locator('#conversation-state').textContent()).toContain(
    'This conversation is closed. You can still read it.',
  );
  expect(await plain.page.locator('#body').isVisible()).toBe(false);

  await set(tenant, { reopenOnMessage: true });
  await plain.page.reload();
  expect(await plain.page.locator('#conversation-state').textContent()).toMatch(
    /What you write here opens it again, until \d+ \w+ 2026/,
  );
  if (process.env['PAGES_SHOTS'])
    await plain.page.screenshot({ path: `${process.env['PAGES_SHOTS']}/write-again.png` });
  await plain.page.locator('#body').fill('it is still broken');
  await plain.page.locator('#composer button.primary').click();
  await plain.page.waitForURL(/conversations/);
  await expect.poll(() => plain.page.locator('#messages').textContent()).toContain('it is still broken');
  expect((await ask(rahim, 'GET', `/${id}`)).body.conversation.status).toBe('open');

  const other = await app.newTenant();
  const second = await other.signIn('rahim');
  const closedOne = await closed(other, second, 1);
  await set(other, { reopenOnMessage: true });
  const { page, complaints } = await visit(browser, app, other, 'rahim', { language: 'bn', dark: true });
  await page.goto(`/driver/support/conversations/${closedOne}`);
  expect(await page.locator('#conversation-state').textContent()).toContain('এখানে কিছু লিখলে এটি আবার খুলবে');
  await page.locator('#body').fill('আবার লিখছি');
  await page.locator('#body').press('Control+Enter');
  if (await page.locator('#body').inputValue()) await page.locator('#composer button.primary').click();
  await expect.poll(() => page.locator('#messages').textContent()).toContain('আবার লিখছি');
  await expect.poll(() => page.locator('#conversation-state').getAttribute('data-status')).toBe('open');
  expect(complaints).toEqual([]);
});
