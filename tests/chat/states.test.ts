/**
 * Every state in which a user can meet a page, looked at by axe and for what runs out at the side, in both sizes, themes and
 * languages. `PICTURES=<folder>` keeps a picture of each.
 */
import { mkdirSync } from 'node:fs';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { faultsOf } from '../support/axe.ts';
import { turn } from '../support/browser.ts';
import type { Handle } from '../support/people.ts';
import {
  answer,
  changeSettings,
  closeConversation,
  DESK,
  fillDisk,
  PHONE,
  type Stage,
  say,
  setStage,
  startConversation,
} from './windows.ts';

const PICTURES = process.env['PICTURES'];

let house: Stage;
beforeAll(async () => {
  house = await setStage();
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
});
afterAll(() => house?.stop());

/** Each look has a tenant of its own, whose hours, switch and disk it changes: they wait side by side. */
const it = test.extend('stage', () => house.guest());

const LOOKS = [
  { colorScheme: 'light', lang: 'en', viewport: PHONE, who: 'rahim', role: 'driver' },
  { colorScheme: 'dark', lang: 'bn', viewport: PHONE, who: 'ayesha', role: 'customer' },
  { colorScheme: 'light', lang: 'bn', viewport: DESK, who: 'kacchi-house', role: 'restaurant' },
  { colorScheme: 'dark', lang: 'en', viewport: DESK, who: 'driver-2', role: 'driver' },
] as const;

const ready = (page: Page) => page.waitForFunction(() => 'safego' in globalThis);

async function signInAgain(stage: Stage, context: BrowserContext, who: Handle): Promise<void> {
  const { token } = await stage.tenant.signIn(who, 'browser');
  await context.addCookies([{ name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' }]);
}

describe.concurrent.each(LOOKS)(
  '$colorScheme, $lang, $viewport.width px',
  ({ colorScheme, lang, viewport, who, role }) => {
    it('has no fault in any state', async ({ stage, expect }) => {
      const { page, context } = await stage.open(who, { colorScheme, viewport, serviceWorkers: 'allow' });
      const { base } = stage.app;
      await context.addCookies([{ name: 'lang', value: lang, url: base }]);
      let n = 0;
      const look = async (state: string, on = page) => {
        n += 1;
        expect([state, await faultsOf(on)]).toEqual([state, []]);
        const sideways = await on.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([state, sideways]).toEqual([state, 0]);
        const name = `${viewport.width}-${colorScheme}-${lang}-${String(n).padStart(2, '0')}-${state}`;
        if (PICTURES) await on.screenshot({ path: `${PICTURES}/${name.replaceAll(' ', '-')}.png` });
      };

      const other = await stage.open(null, { colorScheme, viewport });
      await other.context.addCookies([{ name: 'lang', value: lang, url: base }]);
      for (const [state, path] of [
        ['demo', '/'],
        ['nobody', `/${role}`],
        ['enter', `/enter/${'a'.repeat(43)}`],
        ['unsubscribe', '/unsubscribe/none'],
      ] as const) {
        await other.page.goto(base + path);
        await ready(other.page);
        await look(state, other.page);
      }
      await other.context.close();

      await page.goto(`${base}/${role}`);
      await look('home');
      await page.goto(`${base}/${role}/support`);
      await look('start');
      const path = await startConversation(page, base, lang === 'en' ? 'Where is my bonus?' : 'আমার বোনাস কোথায়?', role);
      await ready(page);
      await page.locator('.queue').waitFor();
      await look('waiting');
      await page.goto(`${base}/${role}/support`);
      await look('list with an open one');
      await page.goto(`${base}/${role}/support/notices`);
      await look('notices');
      await page.goto(base + path);
      await ready(page);

      const today = new Date();
      const day = (days: number) => new Date(today.getTime() + days * 86_400_000).toISOString().slice(0, 10);
      const { settings } = await read(stage);
      const businessHours = { ...settings.businessHours, holidays: [day(-1), day(0), day(1)] };
      const open = await changeSettings(stage, {
        businessHours,
        awayMessage: lang === 'en' ? 'We are at the fair today.' : 'আজ আমরা মেলায়।',
      });
      await page.locator('#desk-state .away').waitFor();
      await look('away');
      await page.goto(`${base}/${role}/support`);
      await look('away list');
      await open();
      await page.goto(base + path);
      await ready(page);
      await answer(stage, path, lang === 'en' ? 'It comes tomorrow at noon.' : 'আগামীকাল দুপুরে আসবে।');
      await page.locator('#messages [data-side="admin"]').waitFor();
      await look('answered');
      await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
      await look('right to left');
      await page.evaluate(() => document.documentElement.setAttribute('dir', 'ltr'));
      await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
      await look('twice the size');
      await page.evaluate(() => document.documentElement.style.removeProperty('font-size'));

      // no room on the server's disk
      const clear = await fillDisk(stage);
      try {
        await say(page, lang === 'en' ? 'Is there room?' : 'জায়গা আছে?');
        await page.locator('#pending .again').waitFor();
        await look('full');
      } finally {
        await clear();
      }
      await page.locator('[data-again]').click();
      await expect.poll(() => page.locator('#pending > li').count()).toBe(0);

      const turnOn = await changeSettings(stage, { enabled: false });
      await page.fill('#composer textarea', lang === 'en' ? 'half a sentence' : 'আধা বাক্য');
      await page.locator('#conversation-state[data-can-write="false"]').waitFor();
      await look('off');
      await page.goto(`${base}/${role}/support`);
      await look('off list');
      await page.goto(`${base}/${role}`);
      await look('off home');
      await turnOn();
      await page.goto(base + path);
      await ready(page);
      expect(await page.inputValue('#composer textarea')).toBe(lang === 'en' ? 'half a sentence' : 'আধা বাক্য');

      // no line: from the service worker
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
      await page.waitForTimeout(1_000);
      await context.setOffline(true);
      await page.reload();
      await page.click('#composer button.primary');
      await page.locator('#pending .again').waitFor();
      await look('offline');
      await context.setOffline(false);
      await page.goto(base + path);
      await expect.poll(() => page.locator('#pending > li').count(), { timeout: 20_000 }).toBe(0);

      // the session ends: in the page, and as the page that gives a text back
      await page.fill('#composer textarea', lang === 'en' ? 'Still here' : 'এখনো আছি');
      await context.clearCookies({ name: 'safego' });
      await turn(page, () =>
        page.evaluate(() => void setTimeout(() => document.querySelector<HTMLFormElement>('#composer')?.submit())),
      );
      await page.locator('form textarea').waitFor();
      await look('expired');
      await page.goto(base + path);
      await look('expired page');
      await signInAgain(stage, context, who);
      await page.goto(base + path);
      await ready(page);
      await page.fill('#composer textarea', '');
      await closeConversation(stage, path);
      await page.locator('.rating').waitFor();
      await look('closed');
      await page.locator('.score').nth(3).click();
      await page.locator('.rating textarea').fill('…');
      await look('rating');
      await page.locator('.rating button').click();
      await page.waitForURL(/#conversation-state$/);
      await look('rated');
      await page.goto(`${base}/${role}/support`);
      await look('list with a closed one');
      await page.goto(`${base}/${role}/support/conversations/00000000-0000-7000-8000-000000000000`);
      await look('not found');
      await context.close();
    }, 200_000);
  },
);

async function read(stage: Stage): Promise<{ settings: { businessHours: object } }> {
  const owner = await stage.tenant.signIn('owner');
  const answered = await fetch(`${stage.app.base}/api/admin/support/settings`, { headers: owner.bearer });
  return (await answered.json()) as { settings: { businessHours: object } }; // its answer
}
