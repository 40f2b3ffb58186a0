import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CountingProxy, openCountingProxy } from './counting-proxy.ts';
import { type Stage, say, setStage, shown, smallestScript, startConversation } from './windows.ts';

let stage: Stage;
let wire: CountingProxy;
beforeAll(async () => {
  stage = await setStage({}, { compress: true });
  wire = await openCountingProxy(stage.app.base);
  await smallestScript(stage.app.base);
});
afterAll(async () => {
  wire.close();
  await stage.stop();
});

const KB = 1024;

describe('on a slow line', () => {
  it('the first visit is 35 KB, a return visit 4 KB, a live message 600 bytes, an answer 1 KB: from the wire', async () => {
    const first = await stage.open('rahim', { javaScriptEnabled: false });
    const path = await startConversation(first.page, stage.app.base, 'Where is my bonus?');
    await first.context.close();

    const { page, context } = await stage.open('rahim', { serviceWorkers: 'allow' });
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const weigh = async (work: () => Promise<unknown>) => {
      const before = await wire.settled();
      await work();
      const after = await wire.settled();
      return { plain: after.plain - before.plain, socket: after.socket - before.socket };
    };
    const usable = () => page.waitForFunction(() => 'safego' in globalThis);

    const visit = await weigh(async () => {
      await page.goto(wire.base + path);
      await usable();
      // usable after page, style and script; icon, manifest and worker come later and are weighed with it
      expect(asked.filter((one) => one !== '/ws').slice(0, 3)).toEqual([
        path,
        expect.stringMatching(/app\..*css$/),
        expect.stringMatching(/app\..*js$/),
      ]);
    });
    const again = await weigh(async () => {
      await page.goto(wire.base + path);
      await usable();
    });
    const live = await weigh(async () => {
      const agent = await stage.tenant.signIn('agent');
      const answered = await fetch(`${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/messages`, {
        method: 'POST',
        headers: { ...agent.bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ body: 'It was paid yesterday, at noon.', clientId: crypto.randomUUID() }),
      });
      expect(answered.status).toBe(201);
      await expect.poll(async () => (await shown(page)).at(-1)).toContain('paid yesterday');
    });
    const sent = await weigh(async () => {
      await say(page, 'Thank you, I have it. I had waited since Monday.');
      await expect.poll(() => page.locator('#pending > li').count()).toBe(0);
    });
    process.stdout.write(`weight: ${JSON.stringify({ visit, again, live, sent })}\n`);
    expect(visit.plain + visit.socket).toBeLessThanOrEqual(35 * KB);
    expect(again.plain + again.socket).toBeLessThanOrEqual(4 * KB);
    // the answer takes the conversation, so a line that says so came with it
    expect(live.socket).toBeLessThanOrEqual(2 * 600);
    expect(sent.socket).toBeLessThanOrEqual(600);
    expect(sent.plain).toBeLessThanOrEqual(KB);
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
