import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, program } from '../live/live-app.ts';
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

test('a word instead of an answer, from both sides, seen by both at once; and taken back', async () => {
  const id = await userWrites(app, tenant, 'rahim', 'I am at the airport');
  const [agent, driver] = await Promise.all([
    visit(browser, app, tenant, 'agent'),
    visit(browser, app, tenant, 'rahim', { width: 360, height: 640 }),
  ]);
  await driver.page.goto(`/driver/support/conversations/${id}`);
  await agent.page.goto(`/admin/support-chat/${id}`);
  // nothing to react to: one's own message is the last
  await expect.poll(() => driver.page.locator('#react').isVisible()).toBe(false);
  expect(await agent.page.locator('#body').getAttribute('placeholder')).toContain('assigns');
  await agent.page.locator('#body').fill('Somebody comes to you.');
  await agent.page.keyboard.press('Enter');
  const answer = driver.page.locator('#messages [data-side="admin"]').last();
  await driver.page.locator('#react').getByRole('button', { name: 'Got it' }).click();
  await answer.locator('.reactions', { hasText: 'Got it Rahim Uddin' }).waitFor();
  const atDesk = agent.page.locator('#messages [data-side="admin"]').last().locator('.reactions');
  await expect.poll(() => atDesk.textContent()).toBe('Got it Rahim Uddin');
  // another word takes its place; the same again takes it back
  await driver.page.locator('#react').getByRole('button', { name: 'Thanks' }).click();
  await expect.poll(() => atDesk.textContent()).toBe('Thanks Rahim Uddin');
  expect(await driver.page.locator('#react [aria-pressed="true"]').allTextContents()).toEqual(['Thanks']);
  await driver.page.locator('#react').getByRole('button', { name: 'Thanks' }).click();
  await expect.poll(() => atDesk.count()).toBe(0);

  // the first answer assigned it: the field says so no longer
  await expect.poll(() => agent.page.locator('#body').getAttribute('placeholder')).not.toContain('assigns');
  await agent.page.locator('#m1 .line-link').click();
  await agent.page.locator('#tools').getByRole('button', { name: 'Looking into it' }).click();
  await driver.page.locator('#m1 .reactions', { hasText: 'Looking into it Nusrat Jahan' }).waitFor();
  await agent.page.locator('#m1 .reactions').waitFor();
  // after a reload, and without a script
  await agent.page.reload();
  await agent.page.locator('#m1 .reactions', { hasText: 'Looking into it' }).waitFor();
  const plain = await visit(browser, app, tenant, 'rahim', { script: false, language: 'bn' });
  await plain.page.goto(`/driver/support/conversations/${id}`);
  await plain.page.locator('#react').getByRole('button', { name: 'ধন্যবাদ' }).click();
  await plain.page.locator('.reactions', { hasText: 'ধন্যবাদ Rahim Uddin' }).waitFor();
  expect([...agent.complaints, ...driver.complaints]).toEqual([]);
});

test('the log carries it: REST, sockets and catching up; who may not, may not', async () => {
  const id = await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const [ayesha, agent, other, viewer] = await Promise.all([
    tenant.signIn('ayesha'),
    tenant.signIn('agent'),
    tenant.signIn('agent-2'),
    tenant.signIn('viewer'),
  ]);
  const messages = `/api/support/conversations/${id}/messages`;
  const asked = (await call(app, ayesha, 'GET', messages)).items[0];
  const react = (who: typeof agent, message: { id: string }, reaction: string) =>
    call(app, who, 'PUT', `${messages}/${message.id}/reaction`, { reaction });
  // nobody holds it yet, and then a colleague does; viewers only read; nobody nods to themselves
  expect(await react(agent, asked, 'got_it')).toMatchObject({ status: 409, error: { code: 'unassigned' } });
  const answered = await call(app, agent, 'POST', messages, { body: 'I look', clientId: randomUUID() });
  expect(await react(other, asked, 'got_it')).toMatchObject({ status: 409, error: { code: 'assigned_to_other' } });
  expect((await react(viewer, asked, 'got_it')).status).toBe(403);
  expect(await react(ayesha, asked, 'thanks')).toMatchObject({ status: 403, error: { code: 'own_message' } });
  expect(await react(agent, answered.message, 'thanks')).toMatchObject({ status: 403, error: { code: 'own_message' } });
  expect((await react(ayesha, answered.message, 'like')).status).toBe(422);
  expect((await react(await tenant.signIn('rahim'), answered.message, 'thanks')).status).toBe(404);
  const system = (await call(app, ayesha, 'GET', messages)).items.find((one: { event: string }) => one.event);
  expect((await react(ayesha, system, 'thanks')).status).toBe(403);

  const listener = await program(app, agent);
  const { version } = await listener.join(`conversation_${id}`);
  const given = await react(ayesha, answered.message, 'thanks');
  expect(given).toMatchObject({ status: 200, message: { version: version + 1, seq: answered.message.seq } });
  const word = {
    reaction: 'thanks',
    participant: { id: ayesha.person.id, senderType: 'user', name: ayesha.person.name },
  };
  expect(given.message.reactions).toEqual([word]);
  const heard = await listener.next((frame) => frame.type === 'message:changed');
  expect(heard.message).toMatchObject({ version: version + 1, body: 'I look', reactions: [word] });
  expect(JSON.stringify(heard).length).toBeLessThan(1_024);
  // the same again is no change
  expect((await react(ayesha, answered.message, 'thanks')).message.version).toBe(version + 1);
  const missed = await call(app, agent, 'GET', `${messages}?changedAfter=${version}`);
  expect(missed.items.map((one: { reactions: unknown }) => one.reactions)).toEqual([[word]]);

  // users know staff by name, also here
  await react(agent, asked, 'got_it');
  const seen = (await call(app, ayesha, 'GET', messages)).items[0].reactions;
  expect(seen).toEqual([
    { reaction: 'got_it', participant: { id: null, senderType: 'admin', name: agent.person.name } },
  ]);
  // nothing is unread by it, and the row stays where it was
  const row = (await call(app, agent, 'GET', `/api/support/conversations/${id}`)).conversation;
  expect(row.lastMessageAt).toBe(answered.message.createdAt);
  // an edit keeps it, the deletion takes it along
  const edited = await call(app, agent, 'PATCH', `${messages}/${answered.message.id}`, { body: 'I look into it' });
  expect(edited.message.reactions).toEqual([word]);
  await call(app, agent, 'POST', `/api/admin/support/conversations/${id}/close`);
  expect((await call(app, ayesha, 'DELETE', `${messages}/${answered.message.id}/reaction`)).message.reactions).toEqual(
    [],
  );
  expect((await react(ayesha, answered.message, 'thanks')).status).toBe(200);
  const gone = await call(app, agent, 'DELETE', `${messages}/${answered.message.id}`);
  expect(gone.message.reactions).toEqual([]);
  expect(await react(ayesha, answered.message, 'thanks')).toMatchObject({ status: 409 });
  // by form: a place that is not there, a word that is none
  const form = (fields: Record<string, string>) =>
    postForm(app, tenant, 'ayesha', `/customer/support/conversations/${id}/reactions`, fields);
  expect((await form({ seq: '99', reaction: 'thanks' })).status).toBe(404);
  expect((await form({ seq: '1', reaction: 'boo' })).status).toBe(422);
  await listener.close();
});

test('files stay when the text beside them is put in other words', async () => {
  const id = await userWrites(app, tenant, 'kacchi-house', 'The menu is wrong');
  const agent = await tenant.signIn('agent');
  const upload = new FormData();
  upload.set('clientId', randomUUID());
  upload.set(
    'file',
    new Blob(['%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n'], { type: 'application/pdf' }),
    'menu.pdf',
  );
  const kept = await fetch(`${app.base}/api/support/conversations/${id}/attachments`, {
    method: 'POST',
    headers: agent.bearer,
    body: upload,
  });
  expect(kept.status).toBe(201);
  const { attachment } = (await kept.json()) as { attachment: { id: string } }; // The contract's shape.
  const messages = `/api/support/conversations/${id}/messages`;
  const sent = await call(app, agent, 'POST', messages, {
    body: 'Here it si',
    clientId: randomUUID(),
    attachmentIds: [attachment.id],
  });
  expect(sent.message.attachments).toHaveLength(1);
  const edited = await call(app, agent, 'PATCH', `${messages}/${sent.message.id}`, { body: 'Here it is' });
  expect(edited.message).toMatchObject({ body: 'Here it is', attachments: [{ id: attachment.id }] });
  const { page } = await visit(browser, app, tenant, 'agent');
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#messages [data-side="admin"] .line-link').last().click();
  await page.locator('#tools').getByRole('link', { name: 'Edit' }).click();
  await page.locator('#edit-body').fill('Here it is, at last');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('#messages [data-side="admin"]', { hasText: 'at last' }).last().waitFor();
  expect(await page.locator('#messages [data-side="admin"]').last().textContent()).toContain('menu.pdf');
});
