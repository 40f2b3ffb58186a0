/**
 * What a screen reader hears of a chat: the log is a live region, so it reads what is put into it and what changes in it, but not
 * what stands in an `aria-live="off"` part. A test cannot hear; it writes down every text that such a region was given.
 */
import type { Page, WebSocketRoute } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answer, type Stage, say, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage?.stop());

/** From now on, what is read aloud. */
async function hear(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const heard: string[] = [];
    Object.assign(globalThis, { heard });
    const isRead = (node: Node) => {
      const element = node instanceof Element ? node : node.parentElement;
      const region = element?.closest('[role="log"], [role="status"], [role="alert"], [aria-live]');
      if (!region || region.getAttribute('aria-live') === 'off') return false;
      return element?.checkVisibility({ visibilityProperty: true }) ?? false;
    };
    new MutationObserver((records) => {
      for (const { type, addedNodes, target, oldValue } of records) {
        const added = type === 'childList' ? [...addedNodes] : target.textContent === oldValue ? [] : [target];
        for (const node of added) {
          const text = node.textContent?.trim();
          if (text && node.isConnected && isRead(node)) heard.push(text);
        }
      }
    }).observe(document.body, { childList: true, subtree: true, characterData: true, characterDataOldValue: true });
  });
  return () => page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
}

const times = (heard: readonly string[], text: string) => heard.filter((one) => one.includes(text)).length;

async function seenByDesk(path: string, seq: number): Promise<void> {
  const agent = await stage.tenant.signIn('agent');
  const url = `${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/read`;
  const read = await fetch(url, {
    method: 'POST',
    headers: { ...agent.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ seq }),
  });
  expect(read.status).toBeLessThan(300);
}

describe('a screen reader', () => {
  it('hears each message once: own and others, over a line that drops, and when the log is loaded again', async () => {
    const { page, context } = await stage.open('rahim');
    const sockets: WebSocketRoute[] = [];
    let isUp = true;
    let asReset = false;
    await context.routeWebSocket(/\/ws\?/, async (socket) => {
      if (!isUp) return socket.close({ code: 1012 });
      sockets.push(socket);
      const server = socket.connectToServer();
      // as after a restored backup: the page's cursor means nothing any more, and it loads its log again
      server.onMessage((text) =>
        socket.send(asReset ? String(text).replace('status="resumed"', 'status="reset"') : text),
      );
    });
    await context.route('**/events?*', (route) => (isUp ? route.continue() : route.abort()));
    const path = await startConversation(page, stage.app.base, 'Hello');
    await expect.poll(() => sockets.length).toBe(1);
    // the queue says its own when it begins
    await page.waitForTimeout(2_500);
    const heard = await hear(page);

    await say(page, 'Words of mine');
    await expect.poll(() => shown(page)).toContain('Words of mine');
    await expect.poll(() => page.locator('#pending > li').count()).toBe(0);
    await answer(stage, path, 'An answer to you');
    await expect.poll(() => shown(page)).toContain('An answer to you');
    await page.waitForTimeout(1_000);
    expect(times(await heard(), 'Words of mine')).toBe(1);
    expect(times(await heard(), 'An answer to you')).toBe(1);
    expect(times(await heard(), 'is looking after this conversation')).toBe(1);

    // the mark says "Seen" to eyes and to whoever reads on; nobody is read the message a second time
    await seenByDesk(path, 2);
    await expect.poll(() => page.locator('#messages [data-read]').count()).toBeGreaterThan(0);
    expect(times(await heard(), 'Words of mine')).toBe(1);

    isUp = false;
    await sockets[0]?.close({ code: 1012 });
    await answer(stage, path, 'While you were away');
    await say(page, 'Into the void');
    await page.getByText(/Connection lost/).waitFor();
    isUp = true;
    await expect.poll(() => shown(page)).toContain('While you were away');
    await expect.poll(() => shown(page)).toContain('Into the void');
    await page.waitForTimeout(1_000);
    for (const text of ['Words of mine', 'An answer to you', 'While you were away', 'Into the void']) {
      expect([text, times(await heard(), text)]).toEqual([text, 1]);
    }

    asReset = true;
    const connections = sockets.length;
    await sockets.at(-1)?.close({ code: 1012 });
    await expect.poll(() => sockets.length).toBeGreaterThan(connections);
    await page.waitForTimeout(2_000);
    await answer(stage, path, 'After all of it');
    await expect.poll(() => shown(page)).toContain('After all of it');
    await page.waitForTimeout(1_000);
    for (const text of [
      'Words of mine',
      'An answer to you',
      'While you were away',
      'Into the void',
      'After all of it',
    ]) {
      expect([text, times(await heard(), text)]).toEqual([text, 1]);
    }
    await context.close();
  }, 90_000);

  it('would be heard twice by this test if it was put there twice', async () => {
    const { page, context } = await stage.open('driver-2');
    await startConversation(page, stage.app.base, 'Hello');
    const heard = await hear(page);
    await page.evaluate(() => {
      const item = document.createElement('li');
      item.textContent = 'Twice';
      document.querySelector('#messages')?.append(item.cloneNode(true), item);
      document.querySelector('#pending')?.append(item.cloneNode(true));
    });
    await expect.poll(async () => times(await heard(), 'Twice')).toBe(2);
    await context.close();
  });
});
