import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awkwardStrings } from './strings.ts';
import { type Stage, say, setStage, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.stop());

const TEXTS = awkwardStrings();
const NARROW = { width: 320, height: 568 };

/** What a page shows of each message, by place: the text as typed, and everything about it that should not be. */
function look(page: Page): Promise<{ seq: number; text: string; faults: string[] }[]> {
  return page.locator('#messages > li.message').evaluateAll((items) => {
    const allowed = new Set(['BR', 'A', 'BDI', 'SPAN']);
    const log = document.querySelector('.log')!.getBoundingClientRect();
    return items.map((item) => {
      const body = item.querySelector('.body')!;
      const faults: string[] = [];
      let text = '';
      const walk = document.createTreeWalker(body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const node = walk.currentNode;
        if (!(node instanceof Element)) {
          text += node.textContent;
          continue;
        }
        if (node.tagName === 'BR') text += '\n';
        if (!allowed.has(node.tagName)) faults.push(`<${node.tagName}>`);
        if (node.tagName === 'A' && !/^(https?:|mailto:)/.test(node.getAttribute('href') ?? '')) faults.push('href');
        for (const { name } of node.attributes) if (/^(on|hx-|data-hx|id$|name$|style$)/.test(name)) faults.push(name);
      }
      const box = item.querySelector('.bubble')!.getBoundingClientRect();
      if (box.left < log.left - 1 || box.right > log.right + 1) faults.push('wider than the log');
      if (box.width < 20 || box.height < 20) faults.push('nothing to see');
      // what cannot be broken is cut at the bubble
      if (getComputedStyle(item.querySelector('.bubble')!).overflowX !== 'clip') faults.push('runs out of its bubble');
      return { seq: Number((item as HTMLElement).dataset['seq']), text, faults };
    });
  });
}

/** How far the page, or the log in it, could be pushed aside. */
const sideways = (page: Page) =>
  page.evaluate(() =>
    [document.documentElement, document.querySelector('.log')]
      .map((box) => (box ? box.scrollWidth - box.clientWidth : 0))
      .reduce((most, one) => Math.max(most, one), 0),
  );

describe(`${TEXTS.length} texts known to break software (T-RN7)`, () => {
  let path: string;
  const places = new Map<number, string>();

  it('are stored as typed, and shown live as typed, harmless, inside their bubbles', async () => {
    expect(TEXTS.length).toBeGreaterThanOrEqual(500);
    const { page, context, complaints } = await stage.open('rahim', { viewport: NARROW });
    path = await startConversation(page, stage.app.base, 'Hello');
    const { bearer } = await stage.tenant.signIn('rahim');
    const url = `${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/messages`;
    for (const body of TEXTS) {
      const sent = await fetch(url, {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ body, clientId: crypto.randomUUID() }),
      });
      const { message } = (await sent.json()) as { message: { seq: number; body: string } }; // the contract's answer
      expect([sent.status, message.body]).toEqual([201, body]);
      places.set(message.seq, body);
    }
    const last = Math.max(...places.keys());
    await expect.poll(() => page.locator(`#m${last}`).count(), { timeout: 30_000 }).toBe(1);
    const seen = (await look(page)).filter(({ seq }) => places.has(seq));
    expect(seen.length).toBeGreaterThanOrEqual(290);
    for (const { seq, text, faults } of seen) expect({ text, faults }).toEqual({ text: places.get(seq), faults: [] });
    expect(await sideways(page)).toBe(0);
    expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false);
    expect(complaints).toEqual([]);
    await context.close();
  }, 120_000);

  it('are shown by the page as typed, page after page, and do not break it', async () => {
    const { page, context, complaints } = await stage.open('rahim', { viewport: NARROW });
    let count = 0;
    for (let before = Math.max(...places.keys()) + 1; before > 2; before -= 50) {
      await page.goto(`${stage.app.base}${path}?before=${before}`);
      for (const { seq, text, faults } of await look(page)) {
        if (!places.has(seq)) continue;
        expect({ seq, text, faults }).toEqual({ seq, text: places.get(seq), faults: [] });
        count += 1;
      }
      expect([before, await sideways(page)]).toEqual([before, 0]);
      expect(await page.locator('#composer').count()).toBe(1);
    }
    expect(count).toBe(places.size);
    expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false);
    expect(complaints).toEqual([]);
    // the check would see a fault
    await page.evaluate(() => {
      document.querySelector('#messages > li.message .body')!.innerHTML = '<img src="x" style="width: 900px">';
    });
    expect((await look(page))[0]!.faults).toEqual(expect.arrayContaining(['<IMG>', 'style']));
    await context.close();
  }, 120_000);

  it('go through the field of the page and its outbox as typed; what cannot be stored is kept and says why', async () => {
    const { page, context } = await stage.open('driver-2', { viewport: NARROW });
    await startConversation(page, stage.app.base, 'Hello');
    await page.waitForFunction(() => 'safego' in globalThis);
    // a field holds no lone return, and one of each kind is enough
    const some = TEXTS.filter((text, n) => n % 9 === 0 && !text.includes('\r'));
    for (const text of some) await say(page, text);
    await expect.poll(() => page.locator('#pending > li').count(), { timeout: 60_000 }).toBe(0);
    const seen = (await look(page)).map(({ text }) => text).slice(-some.length);
    expect(seen).toEqual(some);

    await page.locator('#composer textarea').evaluate((field: HTMLTextAreaElement) => {
      field.value = 'half\0way';
    });
    await page.click('#composer button.primary');
    await page.locator('#pending > li[data-state="held"]').waitFor();
    expect(await page.locator('#pending .body').textContent()).toBe('half\0way');
    await context.close();
  }, 120_000);

  it('do not break the list of conversations, where they are previews', async () => {
    const { page, context } = await stage.open('driver-2', { viewport: NARROW });
    const { bearer } = await stage.tenant.signIn('driver-2');
    await page.goto(`${stage.app.base}/driver/support`);
    const href = (await page.getAttribute('main a.primary', 'href')) ?? '';
    const url = `${stage.app.base}/api/support/conversations/${href.split('/').at(-1)}/messages`;
    for (const body of TEXTS.filter((text) => text.length > 1_000 || text.includes('‮')).filter((_, n) => n % 3 === 0)) {
      await fetch(url, {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ body, clientId: crypto.randomUUID() }),
      });
      for (const place of ['/driver/support', '/driver']) {
        await page.goto(stage.app.base + place);
        expect([body.slice(0, 30), await sideways(page)]).toEqual([body.slice(0, 30), 0]);
        const height = await page
          .locator('a.row')
          .first()
          .evaluate((row) => row.getBoundingClientRect().height);
        expect([body.slice(0, 30), height < 160]).toEqual([body.slice(0, 30), true]);
      }
    }
    await context.close();
  }, 120_000);
});
