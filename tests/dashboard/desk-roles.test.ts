import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../live/live-app.ts';
import { launchBrowser } from '../support/browser.ts';
import { giveOwnRole } from '../support/own-role.ts';
import type { Handle, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { userWrites, visit } from './desk-browser.ts';

/** Every control of the desk and the door behind it, for every role and one of our own making (T-RB1, T-RB2, T-RB7). */

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

function post(headers: Record<string, string>, path: string, fields: Record<string, string>): Promise<Response> {
  return fetch(app.base + path, {
    method: 'POST',
    headers: { ...headers, origin: app.base, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
    redirect: 'manual',
  });
}

/** What each may do, written by hand: the page offers it, and the door answers. */
const MAY: Record<string, readonly string[]> = {
  viewer: [],
  agent: ['answer', 'note', 'assign', 'close', 'react'],
  lead: ['answer', 'note', 'assign', 'close', 'react', 'contacts', 'replies'],
  owner: ['answer', 'note', 'assign', 'close', 'react', 'contacts', 'replies', 'settings', 'roles'],
  dispatcher: ['assign', 'close'],
};

test('what a person may not do is not there, and the server refuses it too', { timeout: 120_000 }, async () => {
  await giveOwnRole(tenant, 'agent-2', [
    'SUPPORT_CHAT',
    'VIEW_SUPPORT_CHAT_LIST',
    'ASSIGN_SUPPORT_CHAT',
    'CLOSE_SUPPORT_CHAT',
  ]);
  const roles: [string, Handle][] = [
    ['viewer', 'viewer'],
    ['agent', 'agent'],
    ['lead', 'lead'],
    ['owner', 'owner'],
    ['dispatcher', 'agent-2'],
  ];
  const system = await tenant.signIn('owner');
  for (const [role, handle] of roles) {
    const may = new Set(MAY[role]);
    const id = await userWrites(app, tenant, 'rahim', `For the ${role}`);
    await call(app, system, 'POST', `/api/admin/support/conversations/${id}/assign`, {
      adminId: may.has('answer') ? tenant.people[handle].id : null,
    });
    const at = `/admin/support-chat/${id}`;
    const { page, context } = await visit(browser, app, tenant, handle);
    await page.goto(`${at}?line=1`);
    const offers = async (selector: string) => (await page.locator(selector).count()) > 0;
    const offered = {
      answer: await offers('#composer'),
      note: await offers('#note'),
      close: await offers('form[action*="/close"]'),
      react: await offers('#tools form[action*="/reactions"]'),
      replies: await offers('a[href="/admin/saved-replies"]'),
      settings: await offers('a[href^="/admin/settings"]'),
      roles: await offers('a[href="/admin/roles"]'),
    };
    const contact = (await page.locator('#details').textContent()) ?? '';
    await context.close();

    const { cookie } = await tenant.signIn(handle, 'browser');
    const api = await tenant.signIn(handle);
    const door = async (path: string, fields: Record<string, string>) =>
      (await post(cookie, path, fields)).status !== 403;
    const get = async (path: string) => (await fetch(app.base + path, { headers: cookie })).status === 200;
    const opened = {
      answer: await door(`${at}/messages`, { body: 'Hello', clientId: randomUUID() }),
      note: await door(`${at}/notes`, { body: 'A note' }),
      react: await door(`${at}/reactions`, { seq: '1', reaction: 'got_it' }),
      assign: await door(`${at}/assign`, { adminId: 'none' }),
      close: await door(`${at}/close`, {}),
      replies: await door('/admin/saved-replies', { shortcut: `s-${role}`, title: 'Title', body: 'Body' }),
      settings: await get('/admin/settings/support'),
      roles: await get('/admin/roles'),
    };
    for (const [what, is] of Object.entries(opened)) expect([role, what, is]).toEqual([role, what, may.has(what)]);
    for (const what of ['answer', 'note', 'close', 'react', 'settings', 'roles'] as const) {
      expect([role, what, offered[what]]).toEqual([role, what, may.has(what)]);
    }
    // field level: the same conversation, with and without contacts, on the page and in JSON
    const email = tenant.people.rahim.email;
    expect([role, contact.includes(email)]).toEqual([role, may.has('contacts')]);
    const json = JSON.stringify(await call(app, api, 'GET', `/api/admin/support/conversations?q=Rahim`));
    expect([role, json.includes(email)]).toEqual([role, false]);
    await call(app, system, 'POST', `/api/admin/support/conversations/${id}/close`);
  }
});
