import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, say, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.stop());

interface Load {
  readonly url: string;
  /** As it came over the wire, heads included. */
  readonly bytes: number;
}

/** Counts what comes over the wire, as the browser's own network sees it. */
async function weigh(page: Page): Promise<{ loads: Load[]; frames: number[]; session: CDPSession }> {
  const session = await page.context().newCDPSession(page);
  const urls = new Map<string, string>();
  const loads: Load[] = [];
  const frames: number[] = [];
  session.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const url = urls.get(requestId);
    // what comes from the cache has no length
    if (url && encodedDataLength > 0) loads.push({ url, bytes: encodedDataLength });
  });
  session.on('Network.webSocketFrameReceived', ({ response }) => {
    if (response.payloadData.includes('hx-upsert')) frames.push(Buffer.byteLength(response.payloadData) + 4);
  });
  await session.send('Network.enable');
  return { loads, frames, session };
}

const total = (loads: readonly Load[]) => loads.reduce((sum, { bytes }) => sum + bytes, 0);

describe('on a slow line', () => {
  it('the first visit is three requests and 35 KB, a return visit 4 KB, a message 600 bytes', async () => {
    const first = await stage.open('rahim', { javaScriptEnabled: false });
    const path = await startConversation(first.page, stage.app.base, 'Where is my bonus?');
    await first.context.close();

    const { page, context } = await stage.open('rahim');
    const { loads, frames } = await weigh(page);
    await page.goto(stage.app.base + path);
    await page.waitForFunction(() => 'safego' in globalThis);
    await expect.poll(() => loads.length).toBeGreaterThanOrEqual(3);
    const visit = loads.splice(0);
    expect(visit.length).toBeLessThanOrEqual(3);
    expect(total(visit)).toBeLessThanOrEqual(35 * 1024);

    await page.goto(stage.app.base + path);
    await page.waitForFunction(() => 'safego' in globalThis);
    expect(total(loads.splice(0))).toBeLessThanOrEqual(4 * 1024);

    await say(page, 'Are you there? I have been waiting since Monday.');
    await expect.poll(async () => (await shown(page)).at(-1)).toContain('Are you there?');
    await expect.poll(() => loads.length).toBe(1);
    await expect.poll(() => frames.length).toBe(1);
    expect(frames[0]).toBeLessThanOrEqual(600);
    // body and head of the answer to the form
    expect(loads[0]?.bytes).toBeLessThanOrEqual(2 * 1024);
    process.stdout.write(
      `weight: first visit ${total(visit)} bytes, message ${frames[0]}, answer ${loads[0]?.bytes}\n${visit.map(({ url, bytes }) => `${bytes} ${new URL(url).pathname}`).join('\n')}\n`,
    );
    await context.close();
  });

  it('a page holds one style sheet and one script, kept for good and compressed', async () => {
    const html = await (await fetch(stage.app.base)).text();
    const assets = [...html.matchAll(/(?:href|src)="(\/assets\/app[^"]+)"/g)].map(([, url]) => url);
    expect(assets).toHaveLength(2);
    for (const url of assets) {
      const asset = await fetch(stage.app.base + url, { headers: { 'accept-encoding': 'br' } });
      expect(asset.headers.get('cache-control')).toContain('immutable');
      expect(asset.headers.get('content-encoding')).toBe('br');
    }
  });
});
