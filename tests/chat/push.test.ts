import { mkdirSync } from 'node:fs';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PHONE, type Stage, say, setStage, startConversation } from './windows.ts';

/** Where to put pictures, for looking at them; none by default. */
const PICTURES = process.env['PICTURES'];

let stage: Stage;
const open: BrowserContext[] = [];
beforeAll(async () => {
  stage = await setStage();
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
});
afterEach(async () => {
  for (const context of open.splice(0)) await context.close();
});
afterAll(() => stage.stop());

const picture = async (page: Page, name: string) => {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
};

/**
 * Chromium in a test has no push service of its own to subscribe at, so that is played: the keys are real ones, and the
 * question of the browser is answered as `answer` says. Everything else is the page's own.
 */
async function phone(who: 'rahim' | 'ayesha' | 'driver-2', answer: 'granted' | 'denied', look: object = {}) {
  const window = await stage.open(who, { serviceWorkers: 'allow', ...look });
  open.push(window.context);
  await window.context.addInitScript((permission) => {
    let state = localStorage.getItem('test-permission') ?? 'default';
    Object.defineProperty(Notification, 'permission', { get: () => state });
    Notification.requestPermission = async () => {
      state = permission as NotificationPermission;
      localStorage.setItem('test-permission', state);
      return state as NotificationPermission;
    };
    const kept = () => JSON.parse(localStorage.getItem('test-subscription') ?? 'null');
    const made = (given: { endpoint: string; keys: object; key: number[] }) => ({
      options: { applicationServerKey: Uint8Array.from(given.key).buffer },
      toJSON: () => ({ endpoint: given.endpoint, keys: given.keys }),
      endpoint: given.endpoint,
      unsubscribe: async () => localStorage.removeItem('test-subscription') === undefined,
    });
    Object.assign(PushManager.prototype, {
      getSubscription: async () => kept() && made(kept()),
      async subscribe({ applicationServerKey }: { applicationServerKey: Uint8Array }) {
        const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
        const point = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
        const text = (bytes: Uint8Array) =>
          btoa(String.fromCharCode(...bytes))
            .replaceAll('+', '-')
            .replaceAll('/', '_')
            .replaceAll('=', '');
        const given = {
          endpoint: `https://fcm.googleapis.com/fcm/send/${crypto.randomUUID()}`,
          keys: { p256dh: text(point), auth: text(crypto.getRandomValues(new Uint8Array(16))) },
          key: [...applicationServerKey],
        };
        localStorage.setItem('test-subscription', JSON.stringify(given));
        return made(given);
      },
    });
  }, answer);
  return window;
}

const devices = (handle: 'rahim' | 'ayesha' | 'driver-2') =>
  stage.tenant.asPerson('system', (scope) =>
    scope.em.execute<{ language: string }[]>(
      'select language from push_subscriptions where tenant_id = ? and user_id = ?',
      [stage.tenant.tenant.id, stage.tenant.people[handle].id],
    ),
  );

describe('the offer', () => {
  it('comes after the first message, in the page; yes subscribes, and the page of notices switches it off again', async () => {
    const { page, complaints } = await phone('rahim', 'granted');
    await page.goto(`${stage.app.base}/driver/support`);
    expect(await page.locator('#push').count()).toBe(0);
    await startConversation(page, stage.app.base, 'Where is my bonus?');
    await page.getByText('Shall we tell you on this device').waitFor();
    await picture(page, 'offer-light-en');
    await page.getByRole('button', { name: 'Yes, tell me' }).click();
    await page.getByText('You will be told here').waitFor();
    expect(await devices('rahim')).toEqual([{ language: 'en' }]);
    await page.reload();
    await page.waitForTimeout(4_000);
    expect(await page.getByText('Shall we tell you').isVisible()).toBe(false);

    await page.goto(`${stage.app.base}/driver/support`);
    await page.getByRole('link', { name: 'How you are told of answers' }).click();
    await page.getByText('This device is told when we answer.').waitFor();
    await picture(page, 'notices-on-light-en');
    await page.getByRole('button', { name: 'Switch off on this device' }).click();
    await page.getByText('This device is not told of answers.').waitFor();
    expect(await devices('rahim')).toEqual([]);
    expect(complaints).toEqual([]);
  }, 60_000);

  it('is not repeated after a no, in Bengali and dark', async () => {
    const { page } = await phone('ayesha', 'granted', { locale: 'bn-BD', colorScheme: 'dark', viewport: PHONE });
    await page.context().addCookies([{ name: 'lang', value: 'bn', url: stage.app.base }]);
    await startConversation(page, stage.app.base, 'আমার অর্ডার কোথায়?', 'customer');
    await page.getByText('আমরা উত্তর দিলে এই ডিভাইসে জানাব?').waitFor();
    await picture(page, 'offer-dark-bn');
    await page.getByRole('button', { name: 'না, ধন্যবাদ' }).click();
    await say(page, 'আরেকটি বার্তা');
    await page.waitForTimeout(4_000);
    expect(await page.getByText('এই ডিভাইসে জানাব?').isVisible()).toBe(false);
    // the browser has forgotten it, and the server has not
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await say(page, 'এবং আরেকটি');
    await page.waitForTimeout(4_000);
    expect(await page.getByText('এই ডিভাইসে জানাব?').isVisible()).toBe(false);
    expect(await devices('ayesha')).toEqual([]);
    await page.goto(`${stage.app.base}/customer/support/notices`);
    await page.getByText('এই ডিভাইসে উত্তরের খবর জানানো হয় না।').waitFor();
    await picture(page, 'notices-off-dark-bn');
  }, 60_000);
});
