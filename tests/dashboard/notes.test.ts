import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, page, program } from '../live/live-app.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

let app: RunningApp;
let browser: Browser;
let tenant: TestTenant;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(), launchBrowser()]);
  tenant = await app.newTenant();
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

const notesOf = (id: string) => `/api/admin/support/conversations/${id}/notes`;

test('a note names a colleague, who sees it at once: in the thread, in the details, by the badge and the filter', async () => {
  const id = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const [agent, lead] = await Promise.all([visit(browser, app, tenant, 'agent'), visit(browser, app, tenant, 'lead')]);
  await lead.page.goto('/admin/support-chat');
  await agent.page.goto(`/admin/support-chat/${id}`);
  await agent.page.locator('#composer').waitFor();

  await agent.page.locator('.log').focus();
  await agent.page.keyboard.press('n');
  await agent.page.keyboard.type('Paid on 3 Nov? @tanv');
  await agent.page.locator('#names').getByRole('option', { name: 'Tanvir Ahmed' }).waitFor();
  await agent.page.keyboard.press('Enter');
  expect(await agent.page.locator('#note').inputValue()).toBe('Paid on 3 Nov? @Tanvir Ahmed ');
  await agent.page.keyboard.type('please look');
  await agent.page.keyboard.press('Enter');
  await agent.page.locator('#messages .note', { hasText: 'Paid on 3 Nov?' }).waitFor();
  await agent.page.locator('#notes').getByText('please look').waitFor();
  expect(await agent.page.locator('#note').inputValue()).toBe('');

  await expect.poll(() => lead.page.locator('#mentions').getAttribute('data-count')).toBe('1');
  await lead.page.getByLabel(/Mentions me/).check();
  await expect.poll(() => lead.page.locator('.item').count()).toBe(1);
  expect(new URL(lead.page.url()).search).toBe('?mentions=me');
  await lead.page.locator('.item-link', { hasText: 'Rahim Uddin' }).click();
  await lead.page.locator('#messages .note', { hasText: 'Tanvir Ahmed' }).waitFor();
  // shown is seen
  await expect.poll(() => lead.page.locator('#mentions').getAttribute('data-count')).toBe('0');
  await agent.page.locator('#looking', { hasText: 'Tanvir Ahmed' }).waitFor();

  // both look at it: the next one is there without a reload, behind the message that came before it
  await userWrites(app, tenant, 'rahim', 'Hello?');
  await lead.page.locator('#messages').getByText('Hello?').waitFor();
  await lead.page.locator('.log').focus();
  await lead.page.keyboard.press('n');
  await lead.page.keyboard.type('Yes, it is paid');
  await lead.page.keyboard.press('Enter');
  await agent.page.locator('#messages .note', { hasText: 'Yes, it is paid' }).waitFor();
  const order = () =>
    agent.page.locator('#messages > :not(.day)').evaluateAll((items) => items.map((one) => (one as { id: string }).id));
  expect(await order()).toEqual(['m1', 'n1', 'm2', 'n2']);
  await agent.page.reload();
  expect(await order()).toEqual(['m1', 'n1', 'm2', 'n2']);
  expect([...agent.complaints, ...lead.complaints]).toEqual([]);
});

test('notes are written and read by form and REST, once each, by those who may, and audited', async () => {
  const id = await userWrites(app, tenant, 'kacchi-house', 'The tablet is silent');
  const [agent, viewer, rahim] = await Promise.all([
    tenant.signIn('agent'),
    tenant.signIn('viewer'),
    tenant.signIn('rahim'),
  ]);
  const clientId = randomUUID();
  const first = await call(app, agent, 'POST', notesOf(id), { body: 'Known problem\r\n@Grace Lopez', clientId });
  expect(first).toMatchObject({ status: 201, note: { version: 1, body: 'Known problem\n@Grace Lopez' } });
  expect(first.note.mentions).toEqual([{ id: viewer.person.id, name: 'Grace Lopez' }]);
  const again = await call(app, agent, 'POST', notesOf(id), { body: 'Known problem\r\n@Grace Lopez', clientId });
  expect(again).toMatchObject({ status: 200, note: { id: first.note.id } });
  expect(await call(app, agent, 'POST', notesOf(id), { body: 'Other', clientId })).toMatchObject({ status: 409 });
  for (const body of ['', '  ', '\0', 'x'.repeat(8_001)]) {
    expect((await call(app, agent, 'POST', notesOf(id), { body })).status, JSON.stringify(body)).toBe(422);
  }
  expect((await call(app, viewer, 'POST', notesOf(id), { body: 'I may not' })).status).toBe(403);
  expect((await call(app, rahim, 'POST', notesOf(id), { body: 'I may not' })).status).toBe(403);
  expect((await call(app, rahim, 'GET', notesOf(id))).status).toBe(403);
  const read = await call(app, viewer, 'GET', notesOf(id));
  expect(read.items.map((one: { body: string }) => one.body)).toEqual(['Known problem\n@Grace Lopez']);

  // closed for the user is not closed for notes; and a plain form leads back to the note
  await call(app, agent, 'POST', `/api/admin/support/conversations/${id}/close`);
  const form = await postForm(app, tenant, 'agent', `/admin/support-chat/${id}/notes`, { body: 'by form' });
  expect([form.status, form.headers.get('location')]).toEqual([303, `/admin/support-chat/${id}#n2`]);
  const pages = await call(app, viewer, 'GET', `${notesOf(id)}?limit=1`);
  expect(pages).toMatchObject({ nextCursor: '1' });
  expect((await call(app, viewer, 'GET', `${notesOf(id)}?limit=1&cursor=1`)).items[0].body).toBe('by form');

  const audit = await tenant.asPerson('system', (scope) =>
    scope.em
      .getConnection()
      .execute(`select action, entity_type, metadata from audit_log where tenant_id = ? and entity_id = ?`, [
        tenant.tenant.id,
        first.note.id,
      ]),
  );
  expect(audit).toEqual([
    { action: 'SUPPORT_NOTE_ADDED', entity_type: 'support_note', metadata: { conversationId: id } },
  ]);
});

test('a conversation is handed over with a note that reaches the colleague, once, or not at all', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Hello');
  const colleague = await visit(browser, app, other, 'agent-2');
  await colleague.page.goto('/admin/support-chat');
  const { page, complaints } = await visit(browser, app, other, 'agent');
  await page.goto(`/admin/support-chat/${id}`);
  await page.getByLabel('Hand over to').selectOption('Daniel Kim');
  await page.getByLabel('Note for them').fill('He drives in Sylhet, you know the city');
  // somebody takes it meanwhile: the head says so, and what is being written is still there
  expect((await postForm(app, other, 'lead', `/admin/support-chat/${id}/assign`, {})).status).toBe(303);
  await page.locator('#conversation-state').getByText('With Tanvir Ahmed').waitFor();
  await page.locator('.why').waitFor();
  expect(await page.getByLabel('Note for them').inputValue()).toBe('He drives in Sylhet, you know the city');
  expect(await page.evaluate('document.activeElement.id')).toBe('assign-note');
  await page.getByRole('button', { name: 'Hand over' }).click();
  await page.locator('#conversation-state').getByText('With Daniel Kim').waitFor();
  await page.locator('#messages .note', { hasText: '@Daniel Kim He drives in Sylhet' }).waitFor();
  await colleague.page.locator('#mentions[data-count="1"]').waitFor();
  await colleague.page.goto(`/admin/support-chat/${id}`);
  await colleague.page.locator('#messages .note', { hasText: 'He drives in Sylhet' }).waitFor();
  expect([...complaints, ...colleague.complaints]).toEqual([]);

  // the same form twice is one note; one that may not be written hands nothing over
  const form = { adminId: other.people.lead.id, note: 'For the lead', noteId: randomUUID() };
  const assign = (handle: 'agent' | 'agent-2', fields: Record<string, string>) =>
    postForm(app, other, handle, `/admin/support-chat/${id}/assign`, fields);
  expect([(await assign('agent', form)).status, (await assign('agent', form)).status]).toEqual([303, 303]);
  const agent = await other.signIn('agent');
  const notes = await call(app, agent, 'GET', notesOf(id));
  expect(notes.items.map((one: { body: string }) => one.body)).toEqual([
    '@Daniel Kim He drives in Sylhet, you know the city',
    '@Tanvir Ahmed For the lead',
  ]);
  const tooLong = { adminId: other.people.agent.id, note: 'x'.repeat(8_001), noteId: randomUUID() };
  expect((await assign('agent', tooLong)).status).toBe(422);
  const list = await call(app, agent, 'GET', '/api/admin/support/conversations');
  expect(list.items[0].assignedAdminId).toBe(other.people.lead.id);
});

test('nothing that a user can ask for or hear ever holds a note', async () => {
  const canary = `canary${randomUUID().replaceAll('-', '')}`;
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Hello');
  const [rahim, agent, rahimsBrowser, agentsBrowser] = await Promise.all([
    other.signIn('rahim'),
    other.signIn('agent'),
    other.signIn('rahim', 'browser'),
    other.signIn('agent', 'browser'),
  ]);
  const rooms = [`conversation_${id}`, `conversation_${id}_staff`];
  const listeners = async (api: typeof rahim, cookie: typeof rahim, own: readonly string[]) => {
    const socket = await program(app, api);
    for (const room of [...own, `user_${api.person.id}`]) await socket.join(room, 0);
    const window = await page(app, cookie, own.map((room) => `room=${room}&after=`).join('&'));
    return { socket, window };
  };
  const user = await listeners(rahim, rahimsBrowser, rooms.slice(0, 1));
  const staff = await listeners(agent, agentsBrowser, rooms);
  // the room itself is closed to the user, by frame and by address
  expect(await user.socket.join(rooms[1] ?? '', 0)).toMatchObject({ type: 'error', code: 'not_found' });
  const refused = await page(app, rahimsBrowser, `room=${rooms[1]}&after=`);
  expect(await refused.closed).toBe(4403);

  const [userStream, staffStream] = await Promise.all([
    follow(rahimsBrowser.cookie, rooms.slice(0, 1)),
    follow(agentsBrowser.cookie, rooms),
  ]);
  expect((await call(app, agent, 'POST', notesOf(id), { body: `${canary} @Nusrat Jahan` })).status).toBe(201);
  await call(app, agent, 'POST', `/api/support/conversations/${id}/messages`, { body: 'Hi', clientId: randomUUID() });
  await call(app, agent, 'POST', `/api/admin/support/conversations/${id}/close`);
  const saw = async (one: typeof user, room: string) => {
    await one.socket.next((frame) => frame.type === 'conversation:close' && frame.room === room);
    await expect.poll(() => one.window.frames.join().includes('Hi')).toBe(true);
    return JSON.stringify(one.socket.frames) + one.window.frames.join();
  };
  // both heard the rest of the conversation; the note is in one of them only
  expect(await saw(staff, `conversation_${id}`)).toContain(canary);
  expect(await saw(user, `conversation_${id}`)).not.toContain(canary);

  // the same over the event stream
  await expect.poll(() => userStream.heard().includes('Hi')).toBe(true);
  await expect.poll(() => staffStream.heard().includes(canary)).toBe(true);
  expect(userStream.heard()).not.toContain(canary);

  const pagesOf = (userType: string) => [
    `/${userType}`,
    `/${userType}/support`,
    `/${userType}/support/conversations/${id}`,
    `/${userType}/support/conversations/${id}/transcript`,
    `/${userType}/support/conversations/${id}?part=state`,
    `/${userType}/support/conversations/${id}?after=0`,
    `/${userType}/support/conversations/${id}?before=99`,
  ];
  const answers = [
    '/api/support/conversations/me',
    `/api/support/conversations/${id}`,
    `/api/support/conversations/${id}/messages`,
    `/api/support/conversations/${id}/messages?changedAfter=0`,
    `/api/support/conversations/${id}/messages?after=0`,
  ];
  const text = async (path: string, headers: Record<string, string>) =>
    (await fetch(app.base + path, { headers })).text();
  for (const path of pagesOf('driver')) expect(await text(path, rahimsBrowser.cookie), path).not.toContain(canary);
  for (const path of answers) expect(await text(path, rahim.bearer), path).not.toContain(canary);
  // also where the desk's own pages and routes are asked by a user
  const staffOnly = [`/admin/support-chat/${id}`, notesOf(id)];
  for (const path of staffOnly) {
    expect(await text(path, path.startsWith('/api') ? rahim.bearer : rahimsBrowser.cookie), path).not.toContain(canary);
    expect(await text(path, path.startsWith('/api') ? agent.bearer : agentsBrowser.cookie), path).toContain(canary);
  }
  // and staff do not get it through the users' doors by mistake either
  for (const path of answers.slice(1)) expect(await text(path, agent.bearer), path).not.toContain(canary);
  for (const stream of [userStream, staffStream]) stream.stop();
  await Promise.all([user, staff].flatMap(({ socket, window }) => [socket.close(), window.close()]));
});

/** A page's event stream, where a WebSocket cannot pass. */
async function follow(headers: Record<string, string>, rooms: readonly string[]) {
  const stopping = new AbortController();
  const query = rooms.map((room) => `room=${room}&after=`).join('&');
  const answer = await fetch(`${app.base}/events?${query}`, { headers, signal: stopping.signal });
  expect(answer.status).toBe(200);
  let heard = '';
  const reading = (async () => {
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) heard += chunk;
  })();
  reading.catch(() => {});
  return { heard: () => heard, stop: () => stopping.abort() };
}

test('who was away has every note after the gap, in order, and only those', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Hello');
  const agent = await other.signIn('agent');
  for (const body of ['one', 'two', 'three']) await call(app, agent, 'POST', notesOf(id), { body });
  const socket = await program(app, agent);
  expect(await socket.join(`conversation_${id}_staff`, 1)).toMatchObject({ status: 'resumed', version: 3 });
  const two = await socket.next((frame) => frame.type === 'note:new');
  const three = await socket.next((frame) => frame.type === 'note:new');
  expect([two.note.body, three.note.body]).toEqual(['two', 'three']);
  await call(app, agent, 'POST', notesOf(id), { body: 'four' });
  expect((await socket.next((frame) => frame.type === 'note:new')).note).toMatchObject({ body: 'four', version: 4 });
  await socket.close();
});

test('notes work without JavaScript, and what could not be kept is shown again', async () => {
  const id = await userWrites(app, tenant, 'driver-2', 'Airport fares are wrong');
  const { page: plain } = await visit(browser, app, tenant, 'agent', { script: false });
  await plain.goto(`/admin/support-chat/${id}`);
  await plain.getByRole('radio', { name: 'Private note' }).check();
  await plain.locator('#note').fill('Ask @Daniel Kim');
  await plain.getByRole('button', { name: 'Add note' }).click();
  await plain.locator('#messages .note').getByText('Ask @Daniel Kim').waitFor();

  const { page: named } = await visit(browser, app, tenant, 'agent-2', { script: false });
  await named.goto(`/admin/support-chat/${id}`);
  await named.getByRole('button', { name: 'Mark as seen' }).click();
  await named.locator('#messages .note').waitFor();
  expect(await named.locator('#mentions').getAttribute('data-count')).toBe('0');
  const nothing = await postForm(app, tenant, 'agent', `/admin/support-chat/${id}/notes`, { body: '\u0000lost?' });
  expect(nothing.status).toBe(422);
});
