import type { WebSocketRoute } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answer, refuseSockets, type Stage, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.stop());

/** The agent answers from elsewhere. */
const mean = (page: { locator(selector: string): { getAttribute(name: string): Promise<string | null> } }) =>
  page.locator('#live').getAttribute('data-mean');

describe('the live connection', () => {
  it('comes back with its cursor, says meanwhile that it is lost, and misses nothing', async () => {
    const { page, context } = await stage.open('rahim');
    const sockets: WebSocketRoute[] = [];
    const urls: string[] = [];
    let isUp = true;
    await context.routeWebSocket(/\/ws\?/, async (socket) => {
      urls.push(socket.url());
      if (!isUp) return socket.close({ code: 1012 });
      sockets.push(socket);
      socket.connectToServer();
    });
    await context.route('**/events?*', (route) => (isUp ? route.continue() : route.abort()));
    const path = await startConversation(page, stage.app.base, 'Hello');
    await expect.poll(() => sockets.length).toBe(1);
    await answer(stage, path, 'first');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('first');

    isUp = false;
    // as an abruptly ended line: the browser was not asked
    await sockets[0]!.close({ code: 1012 });
    await answer(stage, path, 'while it was down');
    await page.getByText(/^Connection lost, \d+ s\. Trying again\.$/).waitFor();
    isUp = true;
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('while it was down');
    await expect.poll(() => page.locator('#connection').isVisible()).toBe(false);
    // it asked for what came after "first": version 3 of the log (text, "assigned", answer)
    expect(new URL(urls.at(-1)!).searchParams.get('after')).toMatch(/^\w+:3$/);
    expect((await shown(page)).filter((text) => text === 'first')).toHaveLength(1);
    await context.close();
  });

  it('goes over to the event stream where no socket passes, and to polling where no stream does', async () => {
    const { page, context } = await stage.open('driver-2');
    let streams = true;
    await context.route('**/events?*', (route) => (streams ? route.continue() : route.abort()));
    await refuseSockets(context);
    const path = await startConversation(page, stage.app.base, 'Hello');
    expect(await page.locator('#mean').isVisible()).toBe(false);
    await expect.poll(() => mean(page)).toBe('sse');
    await page.getByRole('img', { name: 'New messages come by an event stream' }).waitFor();
    await answer(stage, path, 'by stream');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('by stream');

    streams = false;
    await page.reload();
    await expect.poll(() => mean(page), { timeout: 25_000 }).toBe('poll');
    await page.getByRole('img', { name: 'The page asks for new messages every 10 seconds' }).waitFor();
    await answer(stage, path, 'by asking');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('by asking');
    await context.close();
  });

  it('ends when somebody signs out elsewhere, says so, and keeps what was typed', async () => {
    const { page, context } = await stage.open('ayesha');
    let connections = 0;
    page.on('websocket', () => {
      connections += 1;
    });
    await startConversation(page, stage.app.base, 'Hello', 'customer');
    await expect.poll(() => connections).toBe(1);
    await page.fill('#composer textarea', 'half a sentence');
    const cookie = (await context.cookies()).find(({ name }) => name === 'safego');
    const signedOut = await fetch(`${stage.app.base}/api/support/session`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${cookie?.value}` },
    });
    expect(signedOut.status).toBeLessThan(300);
    await page.getByText(/^You have been signed out\./).waitFor();
    expect(await page.locator('#composer textarea').inputValue()).toBe('half a sentence');
    await page.waitForTimeout(1_500);
    expect(connections).toBe(1);
    await context.close();
  });

  it('counts on the home page, without a socket', async () => {
    const { page, context } = await stage.open('kacchi-house');
    let sockets = 0;
    page.on('websocket', () => {
      sockets += 1;
    });
    const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
    await page.goto(`${stage.app.base}/restaurant`);
    sockets = 0;
    expect(await page.locator('#unread-badge').isVisible()).toBe(false);
    await expect.poll(() => mean(page)).toBe('sse');
    await page.waitForTimeout(300);
    await answer(stage, path, 'Hello');
    await expect.poll(() => page.locator('#unread-badge').getAttribute('data-count')).toBe('1');
    await expect.poll(() => page.title()).toMatch(/^\(1\) /);
    expect(sockets).toBe(0);
    await context.close();
  });
});

describe('the list of messages', () => {
  /** Puts fragments into the page as the live channel does. */
  const put = (page: import('playwright-core').Page, items: { seq: number; version: number; body: string }[]) =>
    page.evaluate(async (list) => {
      const { htmx } = globalThis as never as { htmx: { swap(ctx: object): Promise<void> } };
      const html = list.map(
        ({ seq, version, body }) =>
          `<li id="m${seq}" class="message" data-seq="${seq}" data-version="${version}" data-side="admin"><div class="bubble"><p class="body">${body}</p><input></div><time datetime="2026-11-21T10:00:00Z"></time></li>`,
      );
      const text = `<hx-upsert hx-target="#messages">${html.join('')}</hx-upsert>`;
      const started = performance.now();
      await htmx.swap({ text, swap: 'none', target: document.body, sourceElement: document.body });
      return performance.now() - started;
    }, items);

  it('places by number, drops what is not newer, keeps the focus, and holds 300 at most', async () => {
    const { page, context } = await stage.open('restaurant-2');
    await startConversation(page, stage.app.base, 'one', 'restaurant');
    await page.waitForFunction(() => 'safego' in globalThis);
    await put(page, [
      { seq: 30, version: 30, body: 'thirty' },
      { seq: 4, version: 4, body: 'four' },
      { seq: 200, version: 200, body: 'two hundred' },
      { seq: 30, version: 31, body: 'thirty, edited' },
    ]);
    expect((await shown(page)).filter((text) => !text.startsWith('['))).toEqual([
      'one',
      'four',
      'thirty, edited',
      'two hundred',
    ]);
    // a late answer to the first send does not overwrite the edit
    await put(page, [{ seq: 30, version: 30, body: 'thirty' }]);
    expect(await page.locator('#m30 .body').textContent()).toBe('thirty, edited');

    await page.locator('#m30 input').fill('typed');
    await put(page, [{ seq: 30, version: 40, body: 'edited again' }]);
    expect(await page.locator('#m30 .body').textContent()).toBe('edited again');
    expect(await page.evaluate(() => document.activeElement?.closest('li')?.id)).toBe('m30');

    const many = Array.from({ length: 400 }, (_, n) => ({ seq: 1_000 + n, version: 1_000 + n, body: `line ${n}` }));
    const ms = await put(page, many);
    expect(await page.locator('#messages > li').count()).toBe(300);
    expect((await shown(page)).at(-1)).toBe('line 399');
    expect(ms).toBeLessThan(2_000);
    await context.close();
  });

  it('stays where the reader is, and offers the way to what is new', async () => {
    const { page, context } = await stage.open('customer-2');
    const path = await startConversation(page, stage.app.base, 'start', 'customer');
    await page.waitForFunction(() => 'safego' in globalThis);
    await put(
      page,
      Array.from({ length: 40 }, (_, n) => ({ seq: n + 2, version: n + 2, body: `line ${n}` })),
    );
    const log = page.locator('.log');
    await expect.poll(() => log.evaluate((box) => Math.round(box.scrollTop))).toBe(0);
    await log.evaluate((box) => box.scrollTo(0, -400));
    await expect.poll(() => page.locator('#latest').isVisible()).toBe(true);
    const before = await page.locator('#m20').boundingBox();
    await put(page, [{ seq: 60, version: 60, body: 'new below' }]);
    expect((await page.locator('#m20').boundingBox())?.y).toBeCloseTo(before?.y ?? 0, 0);
    expect(await page.locator('#latest').textContent()).toBe('New messages');
    expect(await page.locator('#m60').getAttribute('data-new')).toBe('New messages');
    await page.click('#latest');
    await expect.poll(() => log.evaluate((box) => Math.round(box.scrollTop))).toBe(0);
    expect(path).toContain('/customer/');
    await context.close();
  });
});

describe('a region that loads itself again', () => {
  it('holds what is stored, leaves alone what is being written, and doubles nothing', async () => {
    const { page, context } = await stage.open('rahim');
    const path = await startConversation(page, stage.app.base, 'Hello again');
    await expect.poll(() => shown(page)).toContain('Hello again');
    // the page's cursor is of another history, as after a restored backup
    const html = await page.content();
    expect(html).toMatch(/@\w+:\d+/);
    await context.route(`**${path}`, async (route) => {
      const isFirst = !route.request().headers()['hx-request'];
      const response = await route.fetch();
      const body = await response.text();
      await route.fulfill({ response, body: isFirst ? body.replace(/@\w+:\d+/, '@other:1') : body });
    });
    const reloaded = page.waitForResponse(
      (response) => response.request().headers()['hx-request'] === 'true' && response.url().endsWith(path),
    );
    await page.goto(stage.app.base + path);
    await page.fill('#composer textarea', 'half a sentence');
    await reloaded;
    await expect.poll(async () => (await shown(page)).filter((text) => text === 'Hello again').length).toBe(1);
    expect(await page.locator('#composer textarea').inputValue()).toBe('half a sentence');
    await answer(stage, path, 'still live');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('still live');
    await context.close();
  });
});
