import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultsOf } from '../support/axe.ts';
import { DESK, PHONE, type Stage, setStage } from './windows.ts';

/** Where to put pictures of every page, for looking at them; none by default. */
const PICTURES = process.env['PICTURES'];

let stage: Stage;
let conversation: string;
let closed: string;

beforeAll(async () => {
  stage = await setStage();
  conversation = await converse('rahim');
  closed = await converse('driver-2');
  const lead = await stage.tenant.signIn('lead');
  await fetch(`${stage.app.base}/api/admin/support/conversations/${closed}/close`, {
    method: 'POST',
    headers: { ...lead.bearer, 'content-type': 'application/json' },
    body: '{}',
  });
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
});
afterAll(() => stage.stop());

const TEXTS = [
  'Where is my bonus? I drove 42 trips last week and the app still says "pending".',
  'https://example.com/a/very/long/address/that/does/not/end/where/one/would/like?and=goes&on=and&on=and&on=and&on',
  'আমার বোনাস এখনো আসেনি। অনুগ্রহ করে একটু দেখবেন? আমি গত সপ্তাহে ৪২টি ট্রিপ করেছি।',
  'Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'مرحبا، أين مكافأتي؟',
  'Thank you',
];

/** A conversation with an answer in it. */
async function converse(handle: 'rahim' | 'driver-2'): Promise<string> {
  const user = await stage.tenant.signIn(handle);
  const agent = await stage.tenant.signIn('agent');
  const api = `${stage.app.base}/api/support/conversations`;
  const post = async (bearer: { authorization: string }, url: string, body: object) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as { conversation: { id: string } }; // the contract's answer
  };
  const { conversation: started } = await post(user.bearer, api, {});
  for (const body of TEXTS) {
    await post(user.bearer, `${api}/${started.id}/messages`, { body, clientId: crypto.randomUUID() });
  }
  const answer = { body: 'Hello, let me look.', clientId: crypto.randomUUID() };
  await post(agent.bearer, `${api}/${started.id}/messages`, answer);
  return started.id;
}

/** Every page of the user's side and the states it can be in. */
const PAGES: [name: string, who: 'rahim' | 'driver-2' | 'ayesha' | 'kacchi-house' | null, path: () => string][] = [
  ['home of a driver', 'rahim', () => '/driver'],
  ['home of a restaurant', 'kacchi-house', () => '/restaurant'],
  ['list with an open conversation', 'rahim', () => '/driver/support'],
  ['list with the start of a first one', 'ayesha', () => '/customer/support'],
  ['conversation', 'rahim', () => `/driver/support/conversations/${conversation}`],
  ['closed conversation', 'driver-2', () => `/driver/support/conversations/${closed}`],
  ['demo', null, () => '/'],
  ['not found', 'rahim', () => '/driver/support/conversations/00000000-0000-7000-8000-000000000000'],
  ['not signed in', null, () => '/driver'],
];

/** Axe is slow; each theme, language and size meets it once. */
const LOOKS = [
  { colorScheme: 'light', locale: 'en-US', viewport: PHONE, withAxe: true },
  { colorScheme: 'dark', locale: 'bn-BD', viewport: PHONE, withAxe: false },
  { colorScheme: 'light', locale: 'bn-BD', viewport: DESK, withAxe: false },
  { colorScheme: 'dark', locale: 'en-US', viewport: DESK, withAxe: true },
] as const;

describe.each(LOOKS)('$colorScheme, $locale, $viewport.width px', ({ withAxe, ...look }) => {
  it('every page: no fault for axe, nothing sideways, no complaint of the browser', async () => {
    for (const [name, who, path] of PAGES) {
      const { page, context, complaints } = await stage.open(who, look);
      // the language that somebody has chosen here wins over the one of their profile
      const lang = look.locale.slice(0, 2);
      await context.addCookies([{ name: 'lang', value: lang, url: stage.app.base }]);
      await page.goto(stage.app.base + path());
      await page.waitForFunction(() => 'safego' in globalThis);
      expect([name, await page.locator('html').getAttribute('lang')]).toEqual([name, lang]);

      if (withAxe) expect([name, await faultsOf(page)]).toEqual([name, []]);
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect([name, sideways]).toEqual([name, 0]);
      const expected = /status of 40[14]/; // the page itself, which is an error here
      expect([name, complaints.filter((complaint) => !expected.test(complaint))]).toEqual([name, []]);
      if (PICTURES) {
        const file = `${name}-${look.viewport.width}-${look.colorScheme}-${lang}.png`.replaceAll(' ', '-');
        await page.screenshot({ path: `${PICTURES}/${file}` });
      }
      await context.close();
    }
  });
});

describe('whatever the window', () => {
  it('axe would see a fault if there was one, and so would the policy', async () => {
    const { page, context, complaints } = await stage.open('ayesha');
    await page.goto(`${stage.app.base}/customer`);
    await page.evaluate(() => document.querySelector('main')?.append(document.createElement('textarea')));
    expect(await faultsOf(page)).toEqual([expect.stringMatching(/^label: <textarea>/)]);
    expect(complaints).toEqual([]);
    await page.evaluate(() => document.body.setAttribute('onclick', 'document.title = "run"'));
    await page.click('h1');
    expect(complaints).toEqual([expect.stringContaining('Content Security Policy')]);
    expect(await page.title()).not.toBe('run');
    await context.close();
  });

  it('the newest message and the field are in sight from 320 px on, at twice the text size, and in landscape', async () => {
    for (const viewport of [
      { width: 320, height: 480 },
      { width: 640, height: 320 },
    ]) {
      const { page, context } = await stage.open('rahim', { viewport });
      await page.goto(`${stage.app.base}/driver/support/conversations/${conversation}`);
      for (const size of ['100%', '200%']) {
        await page.evaluate((to) => document.documentElement.style.setProperty('font-size', to), size);
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([viewport.width, size, sideways]).toEqual([viewport.width, size, 0]);
        const last = await page.locator('#messages > li').last().boundingBox();
        const field = await page.locator('#composer textarea').boundingBox();
        expect(last && field && last.y + last.height <= field.y).toBe(true);
        expect(field && field.y + field.height <= viewport.height).toBe(true);
        expect(field && field.height >= 44).toBe(true);
      }
      await context.close();
    }
  });

  it('read from right to left, everything stands on the other side, and nothing runs out at 320 px or at twice the size', async () => {
    const { page, context } = await stage.open('rahim', { viewport: { width: 320, height: 568 } });
    const sideOf = async (selector: string) => {
      const box = await page.locator(selector).first().boundingBox();
      return box && box.x + box.width / 2 < 160 ? 'left' : 'right';
    };
    const pages = ['/driver', '/driver/support', `/driver/support/conversations/${conversation}`];
    for (const path of pages) {
      await page.goto(stage.app.base + path);
      await page.waitForFunction(() => 'safego' in globalThis);
      const isChat = path.includes('conversations');
      if (isChat) {
        const own = '#messages > [data-side="user"] .bubble';
        expect([await sideOf(own), await sideOf('.top-back'), await sideOf('#composer button.primary')]).toEqual([
          'right',
          'left',
          'right',
        ]);
      }
      // as a language that is written so would say it: every page takes its direction from its texts
      await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
      for (const size of ['100%', '200%']) {
        await page.evaluate((to) => document.documentElement.style.setProperty('font-size', to), size);
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([path, size, sideways]).toEqual([path, size, 0]);
        if (PICTURES)
          await page.screenshot({ path: `${PICTURES}/rtl-${path.split('/').slice(1, 4).join('-')}-${size}.png` });
      }
      await page.evaluate(() => document.documentElement.style.removeProperty('font-size'));
      if (!isChat) continue;
      expect([
        await sideOf('#messages > [data-side="user"] .bubble'),
        await sideOf('.top-back'),
        await sideOf('#composer button.primary'),
      ]).toEqual(['left', 'right', 'left']);
      // what people wrote goes its own way on either page
      const ways = await page
        .locator('#messages .body')
        .evaluateAll((bodies) => bodies.map((body) => getComputedStyle(body).unicodeBidi));
      expect(new Set(ways)).toEqual(new Set(['plaintext']));
      expect(await page.getAttribute('#composer textarea', 'dir')).toBe('auto');
    }
    await context.close();
  });

  it('nothing moves for who wants no motion', async () => {
    for (const reducedMotion of ['no-preference', 'reduce'] as const) {
      const { page, context } = await stage.open('rahim', { reducedMotion });
      await page.goto(`${stage.app.base}/driver/support/conversations/${conversation}`);
      await page.waitForFunction(() => 'safego' in globalThis);
      const moving = await page.evaluate(() => {
        const lasts = (text: string) => text.split(',').some((one) => Number.parseFloat(one) > 0.01);
        return [...document.querySelectorAll('*')].filter((element) => {
          const style = getComputedStyle(element);
          const isAnimated = style.animationName !== 'none' && lasts(style.animationDuration);
          return lasts(style.transitionDuration) || isAnimated || style.scrollBehavior === 'smooth';
        }).length;
      });
      expect([reducedMotion, moving > 0]).toEqual([reducedMotion, reducedMotion === 'no-preference']);
      await context.close();
    }
  });

  it('inputs have 16 px or more, so that no phone zooms into them', async () => {
    const { page, context } = await stage.open('ayesha');
    await page.goto(`${stage.app.base}/customer/support`);
    const size = await page.locator('#body').evaluate((field) => Number.parseFloat(getComputedStyle(field).fontSize));
    expect(size).toBeGreaterThanOrEqual(16);
    await context.close();
  });
});
