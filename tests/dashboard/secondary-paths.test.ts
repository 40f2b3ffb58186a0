import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPABILITIES } from '../../src/identity/index.ts';
import { call, page, program } from '../live/live-app.ts';
import { giveOwnRole } from '../support/own-role.ts';
import type { TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { sendPhoto, userWrites } from './desk-browser.ts';

/**
 * Whoever may not see a conversation does not reach it from the side either (T-RB2). The outsider is an admin with every
 * right but the one to see conversations, and with MANAGE_PRIVACY left out, which is the right to everything that is kept
 * of a person. Not here, because the product has none: merging, hover cards, teams and departments, following, tags.
 */

const SECRET = 'Zanzibar parcel never arrived';
const USER = 'Rahim Uddin';

let app: RunningApp;
let tenant: TestTenant;
let id: string;
let messageId: string;
let attachmentId: string;
let outsider: TestSession;
let outsidersBrowser: TestSession;
let lead: TestSession;
let leadsBrowser: TestSession;
let rahim: TestSession;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.newTenant();
  await giveOwnRole(
    tenant,
    'agent-2',
    CAPABILITIES.filter((one) => one !== 'VIEW_SUPPORT_CHAT_LIST' && one !== 'MANAGE_PRIVACY'),
  );
  id = await userWrites(app, tenant, 'rahim', SECRET);
  [outsider, outsidersBrowser, lead, leadsBrowser, rahim] = await Promise.all([
    tenant.signIn('agent-2'),
    tenant.signIn('agent-2', 'browser'),
    tenant.signIn('lead'),
    tenant.signIn('lead', 'browser'),
    tenant.signIn('rahim'),
  ]);
  const { items } = await call(app, rahim, 'GET', `/api/support/conversations/${id}/messages`);
  messageId = items.find((one: { body: string | null }) => one.body === SECRET).id;
  attachmentId = await sendPhoto(app, rahim, id, { name: 'zanzibar.png', body: SECRET });
});
afterAll(() => app?.stop());

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One request, by a program or by a page's form; `target` asks for a fragment as htmx does. */
async function ask(
  who: { program: TestSession; browser: TestSession },
  method: string,
  path: string,
  body?: Record<string, unknown>,
  target?: string,
): Promise<Answer> {
  const isJson = path.startsWith('/api/');
  const answer = await fetch(app.base + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(isJson ? who.program.bearer : who.browser.cookie),
      'sec-fetch-site': 'same-origin',
      ...(target && { 'hx-request': 'true', 'hx-target': target }),
      ...(body && { 'content-type': isJson ? 'application/json' : 'application/x-www-form-urlencoded' }),
    },
    ...(body && { body: isJson ? JSON.stringify(body) : new URLSearchParams(body as Record<string, string>) }),
  });
  return { status: answer.status, text: await answer.text() };
}

const API = '/api/admin/support/conversations';
const DESK = '/admin/support-chat';

/** The side paths: what each is, and the request of it. The last ones change something. */
const PATHS: readonly (readonly [
  name: string,
  method: string,
  path: () => string,
  body?: () => Record<string, unknown>,
])[] = [
  ['the address of it', 'GET', () => `/api/support/conversations/${id}`],
  ['the address of its messages', 'GET', () => `/api/support/conversations/${id}/messages`],
  ['the address of it at the desk', 'GET', () => `${DESK}/${id}`],
  ['the list', 'GET', () => API],
  ['search by number', 'GET', () => `${API}?q=${id}`],
  ['search by words', 'GET', () => `${API}?q=Zanzibar`],
  ['search by name at the desk', 'GET', () => `${DESK}?q=Rahim`],
  ['search by number at the desk', 'GET', () => `${DESK}?q=${id}`],
  ['rows that changed', 'GET', () => `${DESK}/rows?ids=${id}&newest=1`],
  ['the filter "late" and what is due', 'GET', () => '/api/admin/support/due'],
  ['the filter "mentions me"', 'GET', () => `${DESK}?mentions=me`],
  ['the person: profile in place of a hover card', 'GET', () => `/admin/drivers/${rahim.person.id}`],
  ['why this agent', 'GET', () => `${API}/${id}/decisions`],
  ['private notes', 'GET', () => `${API}/${id}/notes`],
  ['the place in the queue', 'GET', () => `/api/support/conversations/${id}/queue`],
  ['a saved reply filled in for it', 'GET', () => `${DESK}/${id}/saved-replies`],
  ['its report', 'GET', () => `/admin/support-reports/conversations/${id}`],
  ['its report as PDF', 'GET', () => `/admin/support-reports/conversations/${id}/pdf`],
  ['a file of it', 'GET', () => `/api/support/attachments/${attachmentId}`],
  ['a file of it as the page has it', 'GET', () => `/attachments/${attachmentId}/download`],
  ['notification: a mention that is marked as seen', 'POST', () => `${DESK}/${id}/mentions`, () => ({})],
  ['the mark of having read', 'POST', () => `/api/support/conversations/${id}/read`, () => ({ seq: 1 })],
  ['the mark of having read, at the desk', 'POST', () => `${DESK}/${id}/read`, () => ({ seq: '1' })],
  ['note with a mention', 'POST', () => `${API}/${id}/notes`, () => ({ body: '@Tanvir Ahmed look' })],
  ['note with a mention, at the desk', 'POST', () => `${DESK}/${id}/notes`, () => ({ body: '@Tanvir Ahmed look' })],
  ['assign to oneself', 'POST', () => `${API}/${id}/assign`, () => ({})],
  [
    'reaction',
    'PUT',
    () => `/api/support/conversations/${id}/messages/${messageId}/reaction`,
    () => ({ reaction: 'got_it' }),
  ],
  ['assign to oneself, at the desk', 'POST', () => `${DESK}/${id}/assign`, () => ({ adminId: outsider.person.id })],
  ['transfer to a colleague', 'POST', () => `${API}/${id}/assign`, () => ({ adminId: lead.person.id })],
  [
    'transfer with a note, at the desk',
    'POST',
    () => `${DESK}/${id}/assign`,
    () => ({ adminId: lead.person.id, note: 'yours', noteId: randomUUID() }),
  ],
  [
    'answer, taking it over',
    'POST',
    () => `/api/support/conversations/${id}/messages`,
    () => ({ body: 'Hello', clientId: randomUUID(), takeOver: true }),
  ],
  ['answer at the desk', 'POST', () => `${DESK}/${id}/messages`, () => ({ body: 'Hello', clientId: randomUUID() })],
  ['close', 'POST', () => `${API}/${id}/close`, () => ({})],
  ['reopen', 'POST', () => `${API}/${id}/reopen`, () => ({})],
];

const NAMED = PATHS.map(([name, method, path, body]) => ({ name, method, path, body }));

/** What only whoever sees the conversation may be told. */
const tells = (text: string) => text.includes(SECRET) || text.includes(USER);

describe('an admin who may not see conversations', () => {
  test.each(NAMED)('does not get there by $name', async ({ method, path, body }) => {
    const { status, text } = await ask({ program: outsider, browser: outsidersBrowser }, method, path(), body?.());
    expect([403, 404]).toContain(status);
    expect(tells(text)).toBe(false);
  });

  test.each([
    'list',
    'more',
    'thread',
    'details',
    'notes-region',
    'tools',
    'answer',
    'earlier',
    'live',
    'conversation-state',
    'thread-due',
  ])('gets no fragment of it: %s', async (target) => {
    for (const path of [`${DESK}/${id}`, `${DESK}?q=Rahim`]) {
      const { status, text } = await ask(
        { program: outsider, browser: outsidersBrowser },
        'GET',
        path,
        undefined,
        target,
      );
      expect([403, 404]).toContain(status);
      expect(tells(text)).toBe(false);
    }
  });

  test('hears nothing by its rooms, and by their own not what happens in it: assignment, mention, message', async () => {
    const rooms = [`conversation_${id}`, `conversation_${id}_staff`, 'admin_support', `user_${rahim.person.id}`];
    const socket = await program(app, outsider);
    for (const room of rooms) expect([room, (await socket.join(room)).type]).toEqual([room, 'error']);
    expect((await socket.join(`user_${outsider.person.id}`)).type).toBe('subscribed');
    const browser = await page(app, outsidersBrowser, `room=user_${outsider.person.id}`);
    const insider = await program(app, lead);
    for (const room of rooms.slice(0, 3)) expect([room, (await insider.join(room)).type]).toEqual([room, 'subscribed']);

    await call(app, lead, 'POST', `${API}/${id}/assign`, { adminId: outsider.person.id });
    await call(app, lead, 'POST', `${API}/${id}/notes`, { body: `@${outsider.person.name} ${SECRET}` });
    await call(app, rahim, 'POST', `/api/support/conversations/${id}/messages`, {
      body: SECRET,
      clientId: randomUUID(),
    });
    await insider.next((frame) => frame.message?.body === SECRET);
    await socket.during(500);
    for (const frame of [...socket.frames, ...browser.frames]) expect(tells(JSON.stringify(frame))).toBe(false);
    await Promise.all([socket.close(), browser.close(), insider.close()]);

    // given it by a colleague and named in a note: it is still not theirs to see
    for (const path of [
      `/api/support/conversations/${id}`,
      `${API}/${id}/notes`,
      `${DESK}/${id}`,
      `${DESK}?mentions=me`,
    ]) {
      const { status, text } = await ask({ program: outsider, browser: outsidersBrowser }, 'GET', path);
      expect([path, [403, 404].includes(status), tells(text)]).toEqual([path, true, false]);
    }
    const named = await call(app, lead, 'GET', `${API}/${id}/notes`);
    expect(named.items.flatMap((one: { mentions: { name: string }[] }) => one.mentions)).toEqual([]);
  });

  test('reads numbers in reports and deeds in the audit log, and no name of a user or word of theirs', async () => {
    for (const path of [
      '/admin/support-reports',
      '/admin/support-reports/agents',
      '/admin/support-reports/conversations',
      '/admin/support-reports/live',
      '/admin/audit-log',
      '/admin/saved-replies',
      '/admin/roles',
    ]) {
      const { status, text } = await ask({ program: outsider, browser: outsidersBrowser }, 'GET', path);
      expect([path, status, tells(text)]).toEqual([path, 200, false]);
    }
  });
});

describe('the same paths lead there for whoever may see it', () => {
  // what the colleague could not use is free again
  beforeAll(() => call(app, lead, 'POST', `${API}/${id}/assign`, { adminId: null }));

  test.each(NAMED)('$name', async ({ method, path, body }) => {
    const { status } = await ask({ program: lead, browser: leadsBrowser }, method, path(), body?.());
    expect(status).toBeLessThan(400);
  });
});

describe('another user of the app', () => {
  test('gets to it by no path of their own side', async () => {
    const other = { program: await tenant.signIn('driver-2'), browser: await tenant.signIn('driver-2', 'browser') };
    const own = await userWrites(app, tenant, 'driver-2', 'My own question');
    const paths: [string, string, Record<string, unknown>?][] = [
      ['GET', `/api/support/conversations/${id}`],
      ['GET', `/api/support/conversations/${id}/messages`],
      ['GET', `/api/support/conversations/${id}/queue`],
      ['POST', `/api/support/conversations/${id}/read`, { seq: 1 }],
      ['POST', `/api/support/conversations/${id}/reopen`, {}],
      ['POST', `/api/support/conversations/${id}/messages`, { body: 'Hello', clientId: randomUUID() }],
      ['GET', `/api/support/attachments/${attachmentId}`],
      ['GET', `/attachments/${attachmentId}/download`],
      ['GET', `/driver/support/conversations/${id}`],
      ['GET', `/driver/support/conversations/${id}/transcript`],
      ['POST', `/driver/support/conversations/${id}/rating`, { score: '5' }],
      ['GET', `${DESK}/${id}`],
      ['GET', `${API}?q=${id}`],
    ];
    for (const [method, path, body] of paths) {
      const { status, text } = await ask(other, method, path, body);
      expect([path, [403, 404].includes(status), tells(text)]).toEqual([path, true, false]);
    }
    // quoting what stands in another conversation, or carrying its file over
    for (const more of [{ replyToId: messageId }, { attachmentIds: [attachmentId] }]) {
      const answer = await ask(other, 'POST', `/api/support/conversations/${own}/messages`, {
        body: 'Look at this',
        clientId: randomUUID(),
        ...more,
      });
      expect([Object.keys(more)[0], answer.status >= 400, tells(answer.text)]).toEqual([
        Object.keys(more)[0],
        true,
        false,
      ]);
    }
    const mine = await ask(other, 'GET', '/api/support/conversations/me');
    expect([mine.status, mine.text.includes(own), mine.text.includes(id)]).toEqual([200, true, false]);
  });
});
