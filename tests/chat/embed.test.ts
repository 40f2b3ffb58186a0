/**
 * The entry from host apps, in a real browser with sites of different origins: T-ID14 (what the frame and the page around
 * it tell each other) and the frames of T-DP1 (who may frame, and who may not).
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeAllOf } from '../../src/identity/index.ts';
import { allowFrames, entryTag, type HostSite, openHostSite } from './host-page.ts';
import { type Stage, setStage } from './windows.ts';

let stage: Stage;
let host: HostSite;
let evil: HostSite;
/** Who is signed in to the host app. */
let user: 'rahim' | 'ayesha' = 'rahim';

beforeAll(async () => {
  stage = await setStage({}, { compress: true });
  const { base } = stage.app;
  const slug = stage.tenant.tenant.slug;
  host = await openHostSite({
    chat: base,
    token: () => stage.tenant.hostToken(user),
    page(path) {
      if (path === '/tab') return entryTag(base, slug, user, 'data-open="tab"');
      if (path === '/menu')
        return `<a href="/help" data-safego-open>Support</a>${entryTag(base, slug, user, 'data-button="none"')}`;
      if (path === '/framing') return `${entryTag(base, slug, user)}<iframe id="ad" src="${evil.origin}/ad"></iframe>`;
      return `<h1>The app of a host</h1>${entryTag(base, slug, user)}`;
    },
  });
  evil = await openHostSite({
    chat: base,
    token: () => stage.tenant.hostToken(user),
    page(path) {
      if (path === '/ad') return 'An advertisement';
      if (path === '/door') return `<iframe src="${base}/embed/${slug}"></iframe>`;
      if (path === '/chat') return `<iframe src="${base}/driver/support"></iframe>`;
      if (path === '/desk') return `<iframe src="${base}/admin/login"></iframe>`;
      return entryTag(base, slug, user);
    },
  });
  await allowFrames(stage.app, stage.tenant, [host.origin]);
});
afterAll(async () => {
  host?.stop();
  evil?.stop();
  await stage?.stop();
});

/** Goes elsewhere after the answer to whoever asked for it: with the page its answer would be gone. */
const leave = (to: string) => void setTimeout(() => location.assign(to));

/** The button that the script has put there. */
const launcher = (page: Page) => page.getByRole('button', { name: /^Support/ });

/** The chat in the frame, once it shows a page of the user's. */
async function chatIn(page: Page): Promise<Frame> {
  const find = () => page.frames().find((frame) => frame.url().includes('/driver/support'));
  await expect.poll(() => find()?.url() ?? '').toContain('/driver/support');
  const frame = find()!; // just found
  await frame.waitForFunction(() => 'safego' in globalThis);
  return frame;
}

async function answer(text: string): Promise<void> {
  const rahim = await stage.tenant.signIn('rahim');
  const agent = await stage.tenant.signIn('agent');
  const mine = await fetch(`${stage.app.base}/api/support/conversations/me`, { headers: rahim.bearer });
  const { items } = (await mine.json()) as { items: { id: string }[] }; // contract.md, REST
  const sent = await fetch(`${stage.app.base}/api/support/conversations/${items[0]?.id}/messages`, {
    method: 'POST',
    headers: { ...agent.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ body: text, clientId: crypto.randomUUID() }),
  });
  expect(sent.status).toBe(201);
}

function signOutEverywhere(): Promise<number> {
  return stage.tenant.asPerson('system', (scope) => revokeAllOf(scope, stage.tenant.people.rahim.id));
}

describe('on the page of a host app', () => {
  it('a button opens the chat in a frame, counts what waits, and no address ever holds the token', async () => {
    const { page, context, complaints } = await stage.open(null);
    const addresses: string[] = [];
    context.on('request', (request) => addresses.push(request.url(), request.headers()['referer'] ?? ''));
    await page.goto(host.origin);
    await launcher(page).click();
    const chat = await chatIn(page);
    await chat.fill('#body', 'Where is my bonus?');
    await chat.click('#new button:not([type="button"])');
    await chat.waitForURL(/\/conversations\//);
    await expect.poll(() => chat.locator('#messages .body').allTextContents()).toContain('Where is my bonus?');
    // the way out of the frame leads to the app, not to a home page of ours
    await chat.click('.top-back');
    await chat.waitForURL(/\/driver\/support$/);
    expect(await chat.locator('.top-back').count()).toBe(0);

    // closed, it counts; and counts again by itself
    await page.getByRole('button', { name: 'Close' }).click();
    await answer('It was paid yesterday.');
    await expect.poll(() => launcher(page).textContent()).toBe('Support1');
    await answer('At noon.');
    await expect.poll(() => launcher(page).textContent()).toBe('Support2');
    expect(await launcher(page).getAttribute('aria-label')).toBe('Support: 2 unread messages');

    // it opens where it was, live
    await launcher(page).click();
    const again = await chatIn(page);
    await again.click('main a.primary');
    await again.waitForURL(/\/conversations\//);
    await expect.poll(() => again.locator('#messages .body').allTextContents()).toContain('At noon.');
    await answer('Anything else?');
    await expect.poll(() => again.locator('#messages .body').allTextContents()).toContain('Anything else?');

    expect(host.tokens.asked).toBe(1);
    const [token = ''] = host.tokens.given;
    expect(
      addresses.filter((address) => address.includes(token) || address.includes(token.split('.')[2] ?? '')),
    ).toEqual([]);
    // whoever leaves a page while it asks for something breaks that off
    expect(complaints.filter((one) => !/favicon|htmx:error: Failed to fetch/.test(one))).toEqual([]);

    // another page of the host: still signed in, no token needed
    await page.goto(`${host.origin}/menu`);
    await page.click('[data-safego-open]');
    await chatIn(page);
    expect(host.tokens.asked).toBe(1);
    await context.close();
  });

  it('the session is kept for this site alone: not in a window of ours, not on another site', async () => {
    const { page, context } = await stage.open(null);
    await page.goto(host.origin);
    await launcher(page).click();
    await chatIn(page);
    const [cookie] = (await context.cookies()).filter(({ name }) => name.startsWith('safego'));
    expect(cookie).toMatchObject({ name: 'safego-frame', httpOnly: true, secure: true, sameSite: 'None', path: '/' });
    expect(cookie).toHaveProperty('partitionKey', expect.stringContaining('localhost'));
    const own = await page.goto(`${stage.app.base}/driver/support`);
    expect(own?.status()).toBe(401);
    await context.close();
  });

  it('a session that ends while somebody writes: the host vouches again, and the text is there', async () => {
    const { page, context } = await stage.open(null);
    await page.goto(host.origin);
    await launcher(page).click();
    const chat = await chatIn(page);
    await chat.click('main a.primary');
    await chat.waitForURL(/\/conversations\//);
    await chat.fill('#composer textarea', 'I was about to say');
    const before = host.tokens.asked;
    await signOutEverywhere();
    await expect.poll(() => host.tokens.asked).toBeGreaterThan(before);
    await expect
      .poll(async () => (await chatIn(page)).inputValue('#composer textarea').catch(() => ''))
      .toBe('I was about to say');
    await (await chatIn(page)).click('#composer button:not([type="button"])');
    await expect
      .poll(async () => (await chatIn(page)).locator('#messages .body').allTextContents())
      .toContain('I was about to say');
    await context.close();
  });

  it('a page that says no in the frame is a page there, and leads back by itself', async () => {
    const { page, context } = await stage.open(null);
    await page.goto(host.origin);
    await launcher(page).click();
    const chat = await chatIn(page);
    const nowhere = '/driver/support/conversations/00000000-0000-7000-8000-000000000000';
    await chat.evaluate(leave, nowhere);
    await chat.waitForURL(/00000000/);
    await expect.poll(() => chat.locator('h1').textContent()).toMatch(/found|there/i);
    // signed out: the host vouches again, and the chat is there again
    const before = host.tokens.asked;
    await signOutEverywhere();
    await chat.evaluate(leave, '/driver/support?now');
    // once for the line that was cut and once for the page, when both come at the same time
    await expect.poll(() => host.tokens.asked).toBeGreaterThan(before);
    await chatIn(page);
    const then = host.tokens.asked;
    // what knows nobody any more may not be shown in a frame: the button notices
    await context.clearCookies();
    await (await chatIn(page)).evaluate(leave, '/driver/support?again');
    await expect.poll(() => host.tokens.asked).toBeGreaterThan(then);
    await chatIn(page);
    await context.close();
  });

  it('somebody else at the same machine gets their own chat, not that of the one before', async () => {
    const { page, context } = await stage.open(null);
    await page.goto(host.origin);
    await launcher(page).click();
    await chatIn(page);
    user = 'ayesha';
    try {
      await page.goto(host.origin);
      await launcher(page).click();
      await expect
        .poll(() => page.frames().map((frame) => new URL(frame.url()).pathname))
        .toContain('/customer/support');
    } finally {
      user = 'rahim';
    }
    await context.close();
  });

  it('opens a tab where that is wanted, with the token in a form', async () => {
    const { page, context } = await stage.open(null);
    const addresses: string[] = [];
    context.on('request', (request) => addresses.push(request.url()));
    await page.goto(`${host.origin}/tab`);
    const [tab] = await Promise.all([context.waitForEvent('page'), launcher(page).click()]);
    await tab.waitForURL(/\/driver\/support$/);
    expect(addresses.some((address) => address.includes(host.tokens.given.at(-1) ?? ''))).toBe(false);
    // another site cannot reach into it
    expect(await tab.evaluate(() => window.opener === null)).toBe(true);
    await context.close();
  });

  it('where a browser keeps cookies from frames, the button opens a tab', async () => {
    const { page, context } = await stage.open(null);
    await context.route(/\/embed\/t-/, (route) =>
      route.request().method() === 'POST' ? route.fulfill({ status: 204 }) : route.continue(),
    );
    const before = host.tokens.asked;
    await page.goto(host.origin);
    await expect.poll(() => host.tokens.asked).toBe(before + 1);
    await page.waitForTimeout(1_000);
    const [tab] = await Promise.all([context.waitForEvent('page'), launcher(page).click()]);
    await tab.waitForURL(/\/driver\/support$/);
    await context.close();
  });
});

describe('other sites', () => {
  it('cannot frame the door, the chat or the desk', async () => {
    const { page, context } = await stage.open('rahim');
    const seen = async (path: string) => {
      await page.goto(evil.origin + path);
      await page.waitForTimeout(700);
      return Promise.all(
        page
          .frames()
          .slice(1)
          .map((frame) => frame.evaluate(() => document.body.children.length).catch(() => 0)),
      );
    };
    expect(await seen('/door')).toEqual([0]);
    expect(await seen('/chat')).toEqual([0]);
    expect(await seen('/desk')).toEqual([0]);
    // with the door open to it, it could: the policy is what stops it
    await allowFrames(stage.app, stage.tenant, [host.origin, evil.origin]);
    await page.goto(`${evil.origin}/door`);
    await expect.poll(() => page.frames()[1]?.evaluate(() => document.body.dataset['origins'] ?? '')).toContain('http');
    await allowFrames(stage.app, stage.tenant, [host.origin]);
    const policies = await Promise.all(
      ['/driver', '/admin/login', '/sso', '/', '/embed/nobody'].map(async (path) => {
        const { headers } = await fetch(stage.app.base + path);
        return [
          headers.get('x-frame-options'),
          /frame-ancestors 'none'/.test(headers.get('content-security-policy') ?? ''),
        ];
      }),
    );
    for (const policy of policies) expect(policy).toEqual(['DENY', true]);
    await context.close();
  });

  it('fifty hostile messages from three origins change nothing (T-ID14)', async () => {
    const { page, context } = await stage.open(null);
    await page.goto(`${host.origin}/framing`);
    await expect.poll(() => page.frames().filter((frame) => frame.url().includes('/embed/')).length).toBe(1);
    await page.waitForTimeout(1_000);
    const label = await launcher(page).getAttribute('aria-label');
    const asked = host.tokens.asked;
    const theirs = await stage.tenant.hostToken('ayesha');
    const hostile: unknown[] = [
      { safego: 1, type: 'token', token: theirs },
      { safego: 1, type: 'hello', user: '' },
      { safego: 1, type: 'open', to: '/admin/login' },
      { safego: 1, type: 'count', count: 99 },
      { safego: 1, type: 'count', count: '<b>9</b>', words: { open: '<img src=x onerror=alert(1)>' } },
      { safego: 1, type: 'out' },
      { safego: 1, type: 'tab' },
      { safego: 1, type: 'here', at: 'chat', place: 'javascript:alert(1)' },
      { safego: 1, type: '__proto__' },
      { safego: 1, type: 'constructor' },
      { safego: 2, type: 'token', token: theirs },
      { type: 'token', token: theirs },
      'token',
      null,
      42,
      [],
      { safego: 1 },
    ];
    const ad = page.frames().find((frame) => frame.url().endsWith('/ad'))!; // the page has it
    // from the advertisement to the page around it and to the chat's frame beside it: 34
    await ad.evaluate((messages) => {
      for (const message of messages) {
        parent.postMessage(message, '*');
        for (let n = 0; n < parent.frames.length; n++)
          if (parent.frames[n] !== window) parent.frames[n]!.postMessage(message, '*');
      }
    }, hostile);
    // from a window of a third origin that the page has opened, which has a handle on both: 17 more
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      page.evaluate((to) => void window.open(to, 'third'), `http://127.0.0.1:${new URL(evil.origin).port}/ad`),
    ]);
    await popup.waitForLoadState();
    await popup.evaluate((messages) => {
      for (const message of messages)
        for (let n = 0; n < opener.frames.length; n++) opener.frames[n].postMessage(message, '*');
    }, hostile);
    await page.waitForTimeout(1_000);
    expect(await launcher(page).getAttribute('aria-label')).toBe(label);
    expect(host.tokens.asked).toBe(asked);
    expect(
      page
        .frames()
        .map((frame) => frame.url())
        .filter((url) => url.includes('/admin')),
    ).toEqual([]);
    // Ayesha's token was not spent, and what the host itself says without a schema is not taken either
    await page.evaluate((messages) => {
      for (const message of messages) for (let n = 0; n < frames.length; n++) frames[n]!.postMessage(message, '*');
    }, hostile.slice(10));
    await page.waitForTimeout(500);
    const spent = await fetch(`${stage.app.base}/api/support/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: theirs }),
    });
    expect(spent.status).toBe(201);
    // the same words from the right mouth do work
    await launcher(page).click();
    await chatIn(page);
    await context.close();
  });

  it('cannot sign anybody in through the door: neither by a form nor with tokens of admins or of another tenant', async () => {
    const door = `${stage.app.base}/embed/${stage.tenant.tenant.slug}`;
    const post = (token: string, headers: Record<string, string> = { 'sec-fetch-site': 'same-origin' }) =>
      fetch(door, { method: 'POST', headers, body: new URLSearchParams({ token, site: 'other' }), redirect: 'manual' });
    const rahim = await stage.tenant.hostToken('rahim');
    expect((await post(rahim, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post(rahim, { origin: host.origin })).status).toBe(403);
    const admin = await stage.tenant.hostToken({ sub: 'boss', userType: 'admin', name: 'Boss' });
    expect((await post(admin)).status).toBe(401);
    const other = await stage.app.newTenant();
    expect((await post(await other.hostToken('rahim'))).status).toBe(401);
    // and it could happen
    const right = await post(rahim);
    expect([right.status, right.headers.get('set-cookie')]).toEqual([
      204,
      expect.stringMatching(/^safego-frame=.*; HttpOnly; SameSite=None; Secure; Partitioned$/),
    ]);
  });
});

describe('its weight', () => {
  it('the script is 3 KB at most, and the way to the number 6 KB', async () => {
    const headers = { 'accept-encoding': 'br' };
    const size = async (path: string) => {
      const answer = await fetch(stage.app.base + path, { headers: { ...headers }, method: 'HEAD' });
      expect(answer.headers.get('content-encoding')).toBe('br');
      return Number(answer.headers.get('content-length'));
    };
    const html = await (await fetch(`${stage.app.base}/embed/${stage.tenant.tenant.slug}`)).text();
    const door = /src="(\/assets\/later\/door[^"]+)"/.exec(html)?.[1] ?? '';
    const weight = { script: await size('/embed.js'), door: await size(door), page: html.length };
    process.stdout.write(`entry: ${JSON.stringify(weight)}\n`);
    expect(weight.script).toBeLessThanOrEqual(3 * 1024);
    expect(weight.script + weight.door + weight.page).toBeLessThanOrEqual(6 * 1024);
    const script = await fetch(`${stage.app.base}/embed.js`);
    expect(script.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  });
});
