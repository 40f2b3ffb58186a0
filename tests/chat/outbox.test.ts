import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page, Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchProfile } from '../support/browser.ts';
import type { Handle } from '../support/people.ts';
import { type Stage, say, setStage, shown, startConversation, type Window } from './windows.ts';

let stage: Stage;
const open: BrowserContext[] = [];
beforeAll(async () => {
  stage = await setStage();
});
afterEach(async () => {
  for (const context of open.splice(0)) await context.close();
});
afterAll(() => stage.stop());

/** Somebody's window on a conversation of theirs, ready to write in. */
async function talking(who: Handle, userType = 'driver'): Promise<Window & { path: string }> {
  const window = await stage.open(who);
  open.push(window.context);
  const path = await startConversation(window.page, stage.app.base, 'Hello', userType);
  await ready(window.page);
  await expect.poll(() => waiting(window.page).count()).toBe(0);
  return { ...window, path };
}

const ready = (page: Page) => page.waitForFunction(() => 'safego' in globalThis);
const waiting = (page: Page) => page.locator('#pending > li');

/** Every attempt to send, by id. */
function attempts(context: BrowserContext): string[] {
  const made: string[] = [];
  context.on('request', (request: Request) => {
    const id = request.method() === 'POST' && new URLSearchParams(request.postData() ?? '').get('clientId');
    if (id) made.push(id);
  });
  return made;
}

/** What the server has, by its own list. */
async function stored(who: Handle, path: string): Promise<string[]> {
  const { bearer } = await stage.tenant.signIn(who);
  const url = `${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/messages?limit=100`;
  const { items } = (await (await fetch(url, { headers: bearer })).json()) as {
    items: { body: string | null; senderType: string }[];
  }; // the contract's list
  return items.filter(({ senderType }) => senderType === 'user').map(({ body }) => body ?? '');
}

describe('what is written without a line', () => {
  it('waits where the first message is written, and leads to its conversation', async () => {
    const { page, context } = await stage.open('ayesha');
    open.push(context);
    await page.goto(`${stage.app.base}/customer/support`);
    await ready(page);
    let isUp = false;
    await context.route('**/customer/support', (route) =>
      isUp || route.request().method() === 'GET' ? route.continue() : route.abort(),
    );
    await page.fill('#body', 'My food is cold');
    await page.click('#new button.primary');
    await waiting(page).getByText('Waiting').waitFor();
    await page.reload();
    await waiting(page).getByText('My food is cold').waitFor();
    isUp = true;
    await page.waitForURL(/\/conversations\//, { timeout: 20_000 });
    expect(await shown(page)).toContain('My food is cold');
  });

  it('is shown as waiting, survives a reload and a closed tab, and goes out in order, once', async () => {
    const { page, context, path } = await talking('rahim');
    const before = (await stored('rahim', path)).length;
    // a tab that is closed lets go of what `route` holds, so the line is cut in the page
    await context.addInitScript(() => {
      const send = globalThis.fetch;
      globalThis.fetch = (to, options) =>
        options?.method === 'POST' && localStorage.getItem('down')
          ? Promise.reject(new TypeError('no line'))
          : send(to, options);
    });
    await page.reload();
    await ready(page);
    await page.evaluate(() => localStorage.setItem('down', '1'));
    for (const text of ['one', 'two', 'three']) await say(page, text);
    await page.getByText('Waiting for the connection.').first().waitFor();
    expect(await stored('rahim', path)).toHaveLength(before);
    await page.reload();
    await expect.poll(() => waiting(page).locator('.body').allTextContents()).toEqual(['one', 'two', 'three']);

    await page.close();
    const next = await context.newPage();
    // any page of theirs will do, and another tab sees it as well
    const beside = await context.newPage();
    await beside.goto(stage.app.base + path);
    await expect.poll(() => waiting(beside).count()).toBe(3);
    await beside.evaluate(() => localStorage.removeItem('down'));
    const made = attempts(context);
    await next.goto(`${stage.app.base}/driver`);
    await expect.poll(async () => (await stored('rahim', path)).slice(before)).toEqual(['one', 'two', 'three']);
    await expect.poll(() => waiting(beside).count()).toBe(0);
    await expect.poll(async () => (await shown(beside)).slice(-3)).toEqual(['one', 'two', 'three']);
    expect(new Set(made).size).toBe(made.length);
  });

  it('is one message when the plug is pulled after the server has stored it', async () => {
    const { page, context, path } = await talking('driver-2');
    // nothing comes in by the live channel either: only the outbox can find out
    await context.routeWebSocket(/\/ws\?/, (socket) => socket.close({ code: 1012 }));
    await context.route('**/events?*', (route) => route.abort());
    await page.reload();
    await ready(page);
    const made = attempts(context);
    let lost = 0;
    await context.route('**/messages', async (route) => {
      if (lost === 2) return route.continue();
      lost += 1;
      await route.fetch();
      await route.abort('connectionreset');
    });
    await say(page, 'Did you get this?');
    await say(page, 'And this?');
    await expect
      .poll(async () => (await shown(page)).slice(-2), { timeout: 20_000 })
      .toEqual(['Did you get this?', 'And this?']);
    await expect.poll(() => waiting(page).count()).toBe(0);
    expect(made.length).toBeGreaterThanOrEqual(4);
    expect(new Set(made).size).toBe(2);
    expect((await stored('driver-2', path)).filter((text) => text.endsWith('this?'))).toEqual([
      'Did you get this?',
      'And this?',
    ]);
  });

  it('is still there when the browser was killed, and comes out in order (F3)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'profile-'));
    const { token } = await stage.tenant.signIn('kacchi-house', 'browser');
    const cookie = { name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' as const };
    const texts = Array.from({ length: 50 }, (_, n) => `line ${n + 1}`);
    try {
      const first = await launchProfile(folder);
      await first.addCookies([cookie]);
      const page = first.pages()[0] ?? (await first.newPage());
      const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
      await ready(page);
      await first.setOffline(true);
      for (const text of texts) {
        await page.fill('#composer textarea', text);
        await page.press('#composer textarea', 'Enter');
      }
      await expect.poll(() => waiting(page).count()).toBe(50);
      await expect.poll(() => kept(page)).toBe(50);
      // no farewell: nothing on the page can do anything about it
      kill(folder);
      await first.close().catch(() => {});

      const second = await launchProfile(folder);
      open.push(second);
      await second.addCookies([cookie]);
      const again = await second.newPage();
      await again.goto(stage.app.base + path);
      await expect.poll(async () => (await stored('kacchi-house', path)).slice(1), { timeout: 20_000 }).toEqual(texts);
      await expect.poll(() => waiting(again).count()).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }, 90_000);
});

/** Messages in the outbox. */
const kept = (page: Page) =>
  page.evaluate(async () => {
    const { safego } = globalThis as unknown as { safego: { outbox: { all(): Promise<unknown[]> } } }; // public/js
    return (await safego.outbox.all()).length;
  });

/** Ends the browser of one profile, as the phone's system does with an app. */
function kill(folder: string): void {
  const ids = execFileSync('pgrep', ['-f', '--', `--user-data-dir=${folder}`], { encoding: 'utf8' });
  for (const id of ids.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(id), 'SIGKILL');
    } catch {
      // gone with its parent
    }
  }
}

describe('two tabs', () => {
  it.each(['a lock', 'a lease'])('with %s, one of them sends', async (means) => {
    const { page, context, path } = await talking('ayesha', 'customer');
    const before = (await stored('ayesha', path)).length;
    if (means === 'a lease') {
      await context.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
      await page.reload();
      await ready(page);
    }
    const other = await context.newPage();
    await other.goto(stage.app.base + path);
    await ready(other);
    let isUp = false;
    await context.route('**/messages', async (route) => {
      if (!isUp) return route.abort('internetdisconnected');
      // slow enough that the other tab would have had its turn
      await new Promise((done) => setTimeout(done, 150));
      await route.continue();
    });
    for (const [tab, text] of [
      [page, 'a1'],
      [other, 'b1'],
      [page, 'a2'],
      [other, 'b2'],
    ] as const) {
      await say(tab, text);
      await expect.poll(() => waiting(page).filter({ hasText: text }).count()).toBe(1);
      await expect.poll(() => waiting(other).filter({ hasText: text }).count()).toBe(1);
    }
    isUp = true;
    const made = attempts(context);
    for (const tab of [page, other]) await tab.evaluate(() => dispatchEvent(new Event('online')));
    await expect
      .poll(async () => (await stored('ayesha', path)).slice(before), { timeout: 20_000 })
      .toEqual(['a1', 'b1', 'a2', 'b2']);
    for (const tab of [page, other]) await expect.poll(() => waiting(tab).count()).toBe(0);
    expect(new Set(made).size).toBe(made.length);
  });
});

describe('what the server says', () => {
  it('"slower" is waited out, as long as it says', async () => {
    const { page, context, path } = await talking('customer-2', 'customer');
    const times: number[] = [];
    await context.route('**/messages', async (route) => {
      times.push(Date.now());
      if (times.length > 1) return route.continue();
      await route.fulfill({ status: 429, headers: { 'retry-after': '2' }, body: '' });
    });
    await say(page, 'first');
    await say(page, 'second');
    await waiting(page).getByText('Waiting').first().waitFor();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect.poll(async () => (await stored('customer-2', path)).slice(-2)).toEqual(['first', 'second']);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1_950);
  });

  it('"closed" keeps the text, which can go into a new conversation', async () => {
    const { page, path } = await talking('restaurant-2', 'restaurant');
    const lead = await stage.tenant.signIn('lead');
    const id = path.split('/').at(-1);
    await page.evaluate(() => {
      document.querySelector<HTMLTextAreaElement>('#composer textarea')!.value = 'too late';
    });
    const closed = await fetch(`${stage.app.base}/api/admin/support/conversations/${id}/close`, {
      method: 'POST',
      headers: { ...lead.bearer, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(closed.status).toBe(200);
    await page.evaluate(() => document.querySelector<HTMLFormElement>('#composer')!.requestSubmit());
    await page.getByText('Your text is kept').waitFor();
    await page.reload();
    await page.getByText('Your text is kept').waitFor();
    await page.getByRole('button', { name: 'Send in a new conversation' }).click();
    await page.waitForURL((url) => url.pathname.includes('/conversations/') && url.pathname !== path);
    await expect.poll(() => shown(page)).toContain('too late');
    expect(await stored('restaurant-2', path)).not.toContain('too late');
  });

  it('"with other words" offers to send it as a new message', async () => {
    const { page, context, path } = await talking('driver-2');
    let isLost = true;
    await context.route('**/messages', async (route) => {
      if (!isLost) return route.continue();
      await route.fetch();
      await route.abort('connectionreset');
    });
    // its answer is lost, and before it arrives another way it is taken back and changed
    await page.evaluate(() => document.querySelector('#messages')!.remove());
    await say(page, 'five o clock');
    await page.click('[data-edit]');
    await expect.poll(() => page.locator('#composer textarea').inputValue()).toBe('five o clock');
    isLost = false;
    await say(page, 'six o clock');
    await page.getByText('You have already sent this message with other words.').waitFor();
    await page.getByRole('button', { name: 'Send as a new message' }).click();
    await expect.poll(async () => (await stored('driver-2', path)).slice(-2)).toEqual(['five o clock', 'six o clock']);
  });

  it('"signed out" keeps it until the same person is back, and nobody else sends it', async () => {
    const { page, context, path } = await talking('rahim');
    const cookie = (await context.cookies()).find(({ name }) => name === 'safego');
    await fetch(`${stage.app.base}/api/support/session`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${cookie?.value}` },
    });
    await say(page, 'written while signed out');
    await waiting(page).getByText('Sign in again and it goes out.').waitFor();
    const signIn = async (who: Handle) => {
      const { token } = await stage.tenant.signIn(who, 'browser');
      await context.addCookies([
        { name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' },
      ]);
    };
    await signIn('driver-2');
    const made = attempts(context);
    await startConversation(page, stage.app.base, 'mine');
    await expect.poll(() => made.length).toBe(1);
    expect(await waiting(page).getByText('written while signed out').count()).toBe(0);

    await signIn('rahim');
    await page.goto(stage.app.base + path);
    await expect.poll(async () => (await stored('rahim', path)).at(-1)).toBe('written while signed out');
    await expect.poll(() => waiting(page).count()).toBe(0);
  });

  it('a page from somebody else on the way is not taken for an answer', async () => {
    const { page, context, path } = await talking('rahim');
    let isCaptive = true;
    await context.route('**/messages', async (route) => {
      if (isCaptive)
        await route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Welcome to our hotel</h1>' });
      else await route.continue();
    });
    await say(page, 'from the lobby');
    await waiting(page).getByText('Waiting').waitFor();
    isCaptive = false;
    await expect.poll(async () => (await stored('rahim', path)).at(-1), { timeout: 20_000 }).toBe('from the lobby');
  });
});

describe('without a database in the browser', () => {
  it('sends with its id, and tries again as long as the page lives', async () => {
    const { page, context, path } = await talking('customer-2', 'customer');
    await context.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    await page.reload();
    await ready(page);
    let isUp = false;
    await context.route('**/messages', (route) => (isUp ? route.continue() : route.abort()));
    const made = attempts(context);
    await say(page, 'kept by the page');
    await waiting(page).getByText('Waiting').waitFor();
    isUp = true;
    await expect
      .poll(async () => (await stored('customer-2', path)).at(-1), { timeout: 20_000 })
      .toBe('kept by the page');
    expect(new Set(made).size).toBe(1);
  });
});
