/** What an open chat is told while it is open: its place, the hours, the switch. Nothing is loaded again for it by hand. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeSettings, refuseSockets, type Stage, setStage, startConversation, type Window } from './windows.ts';

let house: Stage;
beforeAll(async () => {
  house = await setStage();
});
afterAll(() => house?.stop());

/** Each case has a tenant of its own, because they change its hours and its switch, and wait side by side. */
const it = test.extend('stage', () => house.guest());

/** Frames that a page got over its socket or its event stream. */
async function listen({ page, context }: Window, mean: 'ws' | 'sse'): Promise<string[]> {
  const frames: string[] = [];
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      frames.push(String(payload));
    }),
  );
  if (mean === 'ws') return frames;
  await refuseSockets(context);
  await context.addInitScript(() => {
    const Source = globalThis.EventSource;
    const heard: string[] = [];
    Object.assign(globalThis, { heard });
    globalThis.EventSource = class extends Source {
      constructor(url: string | URL) {
        super(url);
        this.addEventListener('message', ({ data }) => heard.push(data));
      }
    };
  });
  return frames;
}

const heardOf = async (page: Page, frames: string[]) => [
  ...frames,
  ...(await page.evaluate(() => (globalThis as { heard?: string[] }).heard ?? [])),
];

async function take(stage: Stage, path: string): Promise<void> {
  const agent = await stage.tenant.signIn('agent');
  const taken = await fetch(`${stage.app.base}/api/admin/support/conversations/${path.split('/').at(-1)}/assign`, {
    method: 'POST',
    headers: { ...agent.bearer, 'content-type': 'application/json' },
    body: '{}',
  });
  expect(taken.status).toBe(200);
}

const mean = (page: Page) => page.locator('#live').getAttribute('data-mean');
const queue = (page: Page) =>
  page
    .locator('.queue')
    .textContent({ timeout: 1_000 })
    .catch(() => null);

/** Marks the page, so that one that was loaded again can be told. */
const mark = (page: Page) => page.evaluate(() => void Object.assign(globalThis, { isSame: true }));
const isSame = (page: Page) => page.evaluate(() => 'isSame' in globalThis);

describe.concurrent('an open chat', () => {
  it('that only asks every ten seconds is told too: its place, the switch off and on', async ({ stage, expect }) => {
    const first = await stage.open('rahim', { javaScriptEnabled: false });
    const before = await startConversation(first.page, stage.app.base, 'I was here before');
    await first.context.close();
    const { page, context } = await stage.open('restaurant-2');
    await context.routeWebSocket(/\/ws\?/, (socket) => void socket.close({ code: 1006 }));
    await context.route('**/events?*', (route) => route.abort());
    await startConversation(page, stage.app.base, 'And I behind', 'restaurant');
    await expect.poll(() => mean(page), { timeout: 40_000 }).toBe('poll');
    await mark(page);
    await page.fill('#composer textarea', 'half a sentence');
    const behind = await queue(page);
    expect(behind).toMatch(/You are number \d+ in the queue/);
    await take(stage, before);
    await expect.poll(() => queue(page), { timeout: 25_000 }).not.toBe(behind);
    const turnOn = await changeSettings(stage, { enabled: false });
    await page.getByText('Support chat is switched off at the moment.').waitFor({ timeout: 25_000 });
    await turnOn();
    await page.locator('.queue').waitFor({ timeout: 25_000 });
    expect(await page.inputValue('#composer textarea')).toBe('half a sentence');
    expect(await isSame(page)).toBe(true);
    await context.close();
  }, 120_000);

  it('is told when support closes for the day and when it opens, and goes on being written in', async ({
    stage,
    expect,
  }) => {
    const { page, context } = await stage.open('rahim');
    await startConversation(page, stage.app.base, 'Is anybody there?');
    await expect.poll(() => mean(page)).toBe('ws');
    await mark(page);
    // so that the hours of before have been looked at
    await page.waitForTimeout(3_000);
    await page.fill('#composer textarea', 'half a sentence');
    const today = new Date().toISOString().slice(0, 10);
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const { settings } = await read(stage);
    const businessHours = { ...settings.businessHours, holidays: [yesterday, today, tomorrow] };
    const open = await changeSettings(stage, { businessHours, awayMessage: 'We sleep <b>now</b>.' });
    await expect
      .poll(() =>
        page
          .locator('#desk-state .away')
          .textContent({ timeout: 500 })
          .catch(() => ''),
      )
      .toMatch(/We sleep <b>now<\/b>\..*We are back on/);
    expect(await page.locator('.queue').count()).toBe(0);
    await open();
    await expect.poll(() => page.locator('.away').count()).toBe(0);
    await expect.poll(() => queue(page)).toMatch(/You are next/);

    // the switch, in mid-sentence: what is typed stays in sight, and the page says why it cannot go out
    const turnOn = await changeSettings(stage, { enabled: false });
    await page.getByText('Support chat is switched off at the moment.').waitFor();
    expect(await page.locator('#composer textarea').isVisible()).toBe(true);
    expect(await page.inputValue('#composer textarea')).toBe('half a sentence');
    await page.fill('#composer textarea', '');
    await expect.poll(() => page.locator('#composer textarea').isVisible()).toBe(false);
    await turnOn();
    await expect.poll(() => page.locator('#composer textarea').isVisible()).toBe(true);
    expect(await isSame(page)).toBe(true);
    await context.close();
  });

  it('that begins to listen only after the change is told all the same', async ({ stage, expect }) => {
    const { page, context } = await stage.open('restaurant-2');
    const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
    await expect.poll(() => mean(page)).toBe('ws');
    await page.waitForTimeout(2_500);
    // the page is there, its socket is slow
    let isUp = false;
    await context.routeWebSocket(/\/ws\?/, (socket) => {
      if (isUp) socket.connectToServer();
      else void socket.close({ code: 1012 });
    });
    await context.route('**/events?*', (route) => (isUp ? route.continue() : route.abort()));
    await page.goto(stage.app.base + path);
    const { settings } = await read(stage);
    const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    const businessHours = { ...settings.businessHours, holidays: [day(-1), day(0), day(1)] };
    const open = await changeSettings(stage, { businessHours });
    await page.waitForTimeout(3_000);
    expect(await page.locator('.away').count()).toBe(0);
    isUp = true;
    await expect.poll(() => page.locator('.away').count()).toBe(1);
    await open();
    await context.close();
  });

  it('of staff, and a program, hear nothing of it', async ({ stage, expect }) => {
    const agent = await stage.open('agent');
    const frames = await listen(agent, 'ws');
    const { page } = await stage.open('restaurant-2');
    const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
    await agent.page.goto(`${stage.app.base}/admin/support-chat/${path.split('/').at(-1)}`);
    await expect.poll(() => frames.length).toBeGreaterThan(0);
    await expect.poll(() => queue(page)).toMatch(/You are/);
    await page.waitForTimeout(4_500);
    expect(frames.filter((frame) => frame.includes('desk-state'))).toEqual([]);
    await agent.context.close();
  });
});

describe.concurrent.each([
  ['ws', 'driver-2', 'ayesha', 'en'],
  ['sse', 'customer-2', 'kacchi-house', 'bn'],
] as const)('by %s', (way, ahead, who, language) => {
  it('a chat that waits is told when it comes nearer, by less than 600 bytes', async ({ stage, expect }) => {
    const types = { 'driver-2': 'driver', ayesha: 'customer', 'customer-2': 'customer', 'kacchi-house': 'restaurant' };
    const first = await stage.open(ahead, { javaScriptEnabled: false });
    const before = await startConversation(first.page, stage.app.base, 'I was here before', types[ahead]);
    await first.context.close();
    const window = await stage.open(who);
    const { page, context } = window;
    await context.addCookies([{ name: 'lang', value: language, url: stage.app.base }]);
    const frames = await listen(window, way);
    await startConversation(page, stage.app.base, 'And I behind', types[who]);
    await expect.poll(() => mean(page)).toBe(way);
    await mark(page);
    const words =
      language === 'en'
        ? { behind: /You are number 2 in the queue/, next: /You are next/ }
        : { behind: /সারিতে আপনার অবস্থান ২/, next: /এরপর আপনার পালা/ };
    await expect.poll(() => queue(page)).toMatch(words.behind);
    await page.fill('#composer textarea', 'half a sentence');
    await take(stage, before);
    await expect.poll(() => queue(page)).toMatch(words.next);
    expect(await page.inputValue('#composer textarea')).toBe('half a sentence');
    expect(await isSame(page)).toBe(true);
    const told = (await heardOf(page, frames)).filter((frame) => frame.includes('desk-state'));
    const bytes = told.map((frame) => Buffer.byteLength(frame));
    process.stdout.write(`queue: by ${way} ${JSON.stringify(bytes)} bytes\n`);
    expect(bytes.length).toBeGreaterThan(0);
    expect(Math.max(...bytes)).toBeLessThan(600);
    await take(stage, new URL(page.url()).pathname);
    await expect.poll(() => queue(page)).toBe(null);
    await context.close();
  });
});

async function read(stage: Stage): Promise<{ settings: { businessHours: object } }> {
  const owner = await stage.tenant.signIn('owner');
  const answer = await fetch(`${stage.app.base}/api/admin/support/settings`, { headers: owner.bearer });
  return (await answer.json()) as { settings: { businessHours: object } }; // its answer
}
