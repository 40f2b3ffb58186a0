import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../live/live-app.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { userWrites } from './desk-browser.ts';

let app: RunningApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.newTenant();
});
afterAll(() => app?.stop());

test('what was said finds its conversation: words in any order, the last one as far as it is typed', async () => {
  const id = await userWrites(app, tenant, 'rahim', 'My Bonus for November was not paid, order #4711 আমার টাকা');
  const other = await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const agent = await tenant.signIn('agent');
  const find = async (q: string, more = '') => {
    const query = `q=${encodeURIComponent(q)}${more}`;
    const found = await call(app, agent, 'GET', `/api/admin/support/conversations?${query}`);
    expect(found.status, q).toBe(200);
    return found.items.map((one: { id: string }) => one.id);
  };
  for (const q of ['bonus', 'BONUS', 'november bonus', 'not paid', 'novem', '4711', 'আমার টাকা', 'টাকা', 'paid, order!']) {
    expect(await find(q), q).toEqual([id]);
  }
  expect(await find('food')).toEqual([other]);
  // the last word is a beginning; another one is whole; nothing is found by an inner part or by mere signs
  for (const q of [
    'bon november',
    'bon',
    'onus',
    '!!!',
    "' or 1=1 --",
    'bonus food',
    '\\',
    '%%%',
    '___',
    ':*',
    '(((',
    '"',
  ]) {
    expect(await find(q), q).toEqual([]);
  }
  // beside names, which are found as before, and with filters
  expect(await find('Rahim')).toEqual([id]);
  expect(await find('bonus', '&status=closed')).toEqual([]);
  expect(await find('bonus', '&userType=driver')).toEqual([id]);

  // what was taken away is not found any more; nor what another tenant was told
  const rahim = await tenant.signIn('rahim');
  const log = await call(app, rahim, 'GET', `/api/support/conversations/${id}/messages`);
  await call(app, rahim, 'DELETE', `/api/support/conversations/${id}/messages/${log.items[0].id}`);
  expect(await find('bonus')).toEqual([]);
  const stranger = await (await app.newTenant()).signIn('agent');
  expect((await call(app, stranger, 'GET', '/api/admin/support/conversations?q=food')).items).toEqual([]);
  // and notes are no messages
  await call(app, agent, 'POST', `/api/admin/support/conversations/${id}/notes`, { body: 'secretword' });
  expect(await find('secretword')).toEqual([]);
});
