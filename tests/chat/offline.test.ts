import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, say, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
const open: BrowserContext[] = [];
beforeAll(async () => {
  stage = await setStage();
});
afterEach(async () => {
  for (const context of open.splice(0)) await context.close();
});
afterAll(() => stage.stop());

/** What the browser keeps of pages, as paths. */
const kept = (page: Page) =>
  page.evaluate(async () =>
    (await caches.has('pages'))
      ? (await (await caches.open('pages')).keys()).map(({ url }) => new URL(url).pathname).sort()
      : [],
  );

async function keptPage(who: 'rahim' | 'driver-2' | 'ayesha', userType = 'driver') {
  const window = await stage.open(who, { serviceWorkers: 'allow' });
  open.push(window.context);
  const path = await startConversation(window.page, stage.app.base, 'Hello', userType);
  await expect.poll(() => kept(window.page)).toContain(path);
  return { ...window, path };
}

describe('without a line', () => {
  it('a conversation opens with its last messages, and what is written goes out later', async () => {
    const { page, context, path } = await keptPage('rahim');
    await say(page, 'the last thing said');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('the last thing said');
    await expect
      .poll(() => page.evaluate(async () => (await (await caches.match(location.pathname))?.text()) ?? ''))
      .toContain('the last thing said');

    await context.setOffline(true);
    await page.goto(stage.app.base + path);
    expect((await shown(page)).slice(-2)).toEqual(['Hello', 'the last thing said']);
    // with its style, its script and its policy
    expect(await page.locator('#composer button').evaluate((one) => getComputedStyle(one).minHeight)).not.toBe('0px');
    const policy = await page.evaluate(() =>
      fetch(location.href, { method: 'HEAD' }).then(
        () => 'online',
        () => 'offline',
      ),
    );
    expect(policy).toBe('offline');
    await say(page, 'written without a line');
    await page.locator('#pending > li').getByText('Waiting for the connection.').waitFor();
    await page.reload();
    await page.locator('#pending > li').getByText('written without a line').waitFor();

    await context.setOffline(false);
    await expect.poll(async () => (await shown(page)).at(-1), { timeout: 20_000 }).toBe('written without a line');
    await expect.poll(() => page.locator('#pending > li').count()).toBe(0);
    await page.reload();
    expect((await shown(page)).filter((text) => text === 'written without a line')).toHaveLength(1);
  });

  it('what is not kept says so, and leads to what is', async () => {
    const { page, context } = await keptPage('driver-2');
    await context.setOffline(true);
    const answer = await page.goto(`${stage.app.base}/driver/support/conversations/${crypto.randomUUID()}`);
    expect(answer?.status()).toBe(503);
    expect(answer?.headers()['content-security-policy']).toContain("default-src 'none'");
    expect(await page.textContent('h1')).toBe('No connection');
    expect(await page.getAttribute('a', 'href')).toMatch(/^\/driver/);
  });
});

describe('what is kept belongs to one person', () => {
  it('goes with signing out; what is not sent yet stays; Back shows nothing (T-HX12)', async () => {
    const { page, context, path } = await keptPage('ayesha', 'customer');
    await context.route('**/messages', (route) => route.abort());
    await say(page, 'not sent yet');
    await page.locator('#pending > li').getByText('Waiting').waitFor();
    await page.goto(`${stage.app.base}/customer`);
    await expect.poll(() => kept(page)).toContain('/customer');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL((url) => url.pathname !== '/customer');
    await expect.poll(() => kept(page)).toEqual([]);
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain('Hello');
    await page.goBack();
    expect(await page.getByText('Hello,').count()).toBe(0);
    await page.goto(stage.app.base + path).catch(() => {});
    expect(await page.locator('#messages').count()).toBe(0);
    await context.setOffline(true);
    await page.goto(stage.app.base + path).catch(() => {});
    expect(await page.locator('#messages').count()).toBe(0);
    await context.setOffline(false);

    await context.unroute('**/messages');
    const { token } = await stage.tenant.signIn('ayesha', 'browser');
    await context.addCookies([{ name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' }]);
    await page.goto(stage.app.base + path);
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('not sent yet');
  });

  it('makes way for the next one', async () => {
    const { page, context, path } = await keptPage('rahim');
    const { token } = await stage.tenant.signIn('driver-2', 'browser');
    await context.addCookies([{ name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' }]);
    await page.goto(`${stage.app.base}/driver`);
    await expect.poll(() => kept(page)).toEqual(['/driver', '/owner']);
    await context.setOffline(true);
    await page.goto(stage.app.base + path);
    expect(await page.textContent('h1')).toBe('No connection');
  });

  it('no page of a person may be kept by anybody on the way', async () => {
    const { cookie } = await stage.tenant.signIn('rahim', 'browser');
    for (const path of ['/driver', '/driver/support']) {
      const answer = await fetch(stage.app.base + path, { headers: cookie });
      expect([path, answer.status, answer.headers.get('cache-control')]).toEqual([path, 200, 'no-store']);
    }
  });
});

describe('on the home screen', () => {
  it('has a manifest with icons that are there, in the language of the browser', async () => {
    const answer = await fetch(`${stage.app.base}/driver/app.webmanifest`, { headers: { 'accept-language': 'bn' } });
    expect(answer.headers.get('content-type')).toBe('application/manifest+json');
    const manifest = (await answer.json()) as {
      start_url: string;
      lang: string;
      icons: { src: string; sizes: string; type: string }[];
    }; // what it just said it is
    expect(manifest).toMatchObject({
      start_url: '/driver/support',
      scope: '/driver',
      display: 'standalone',
      lang: 'bn',
    });
    for (const { src, type } of manifest.icons) {
      const icon = await fetch(stage.app.base + src);
      expect([src, icon.status, icon.headers.get('content-type')]).toEqual([src, 200, type]);
    }
    expect(manifest.icons.map(({ sizes }) => sizes)).toEqual(expect.arrayContaining(['192x192', '512x512']));
    expect((await fetch(`${stage.app.base}/Driver%22/app.webmanifest`)).status).toBe(404);

    const { page, context } = await stage.open('rahim', { serviceWorkers: 'allow' });
    open.push(context);
    await page.goto(`${stage.app.base}/driver`);
    const session = await context.newCDPSession(page);
    const { errors } = await session.send('Page.getAppManifest');
    expect(errors).toEqual([]);
  });
});
