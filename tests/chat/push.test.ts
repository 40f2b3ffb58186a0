import { mkdirSync } from 'node:fs';
import type { Page, Worker } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PushService, startPushService } from '../reach/push-service.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { answer, PHONE, type Stage, say, setStage, startConversation } from './windows.ts';

/** Where to put pictures, for looking at them; none by default. */
const PICTURES = process.env['PICTURES'];

let stage: Stage;
let database: FreshDatabase;
let service: PushService;
beforeAll(async () => {
  service = await startPushService();
  // alone: what is queued in a shared one is sent by whichever node takes it, and the others know no such push service
  database = await freshDatabase();
  stage = await setStage({ DATABASE_URL: database.url, PUSH_TEST_ORIGIN: service.origin });
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
});
afterAll(async () => {
  await stage?.stop();
  await database?.drop();
  await service.close();
});

const picture = async (page: Page, name: string) => {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
};

/**
 * Chromium in a test has no push service of its own to subscribe at, so that is played: the keys are real ones, and the
 * question of the browser is answered as `answer` says. Everything else is the page's own.
 */
async function phone(who: 'rahim' | 'ayesha' | 'driver-2', answer: 'granted' | 'denied', look: object = {}) {
  const window = await stage.open(who, { serviceWorkers: 'allow', ...look });
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

// each case is somebody else's: they wait side by side
describe.concurrent('the offer', () => {
  it('comes after the first message, in the page; yes subscribes, and the page of notices switches it off again', async ({
    expect,
  }) => {
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
  });

  it('is not repeated after a no, in Bengali and dark', async ({ expect }) => {
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
  });
});

interface Shown {
  title: string;
  body: string;
  tag: string;
  data: { id: string; url: string };
  close(): void;
}
/** What of a service worker's scope the test looks at; our sources know no DOM of workers. */
interface WorkerScope {
  registration: {
    getNotifications(filter?: { tag?: string }): Promise<Shown[]>;
    showNotification(title: string, options: Omit<Shown, 'title' | 'close'>): Promise<void>;
  };
  clients: { openWindow(url: string): Promise<null> };
  WindowClient: { prototype: { url: string; focus(): Promise<unknown> } };
}

/**
 * Chromium without a screen lets nobody show notices, whoever grants it: the board on which a phone shows them is played there,
 * with one place for each tag. Everything that the worker does with it is its own.
 */
function playBoard(): void {
  if (Notification.permission === 'granted') return;
  const { registration } = globalThis as unknown as WorkerScope;
  const board = new Map<string, Shown>();
  Object.assign(registration, {
    async showNotification(title: string, options: Omit<Shown, 'title' | 'close'>) {
      board.set(options.tag, { title, ...options, close: () => board.delete(options.tag) });
    },
    async getNotifications({ tag }: { tag?: string } = {}) {
      return [...board.values()].filter((one) => tag === undefined || one.tag === tag);
    },
  });
}

/** A browser whose push service is ours: what the server sends is decrypted there and handed to the service worker as Chromium does. */
async function told(who: 'driver-2' | 'customer-2', userType: string) {
  const { page, context } = await stage.open(who, { serviceWorkers: 'allow' });
  await context.grantPermissions(['notifications'], { origin: stage.app.base });
  const path = await startConversation(page, stage.app.base, 'Hello', userType);
  const cdp = await context.newCDPSession(page);
  const registered = new Promise<string>((done) => {
    cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      if (registrations[0]) done(registrations[0].registrationId);
    });
  });
  await cdp.send('ServiceWorker.enable');
  const registrationId = await registered;
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  const [worker] = context.serviceWorkers() as [Worker];
  await worker.evaluate(playBoard);
  const subscription = service.newBrowser();
  const kept = await page.evaluate(
    async (form) => (await fetch('/notices/device', { method: 'POST', body: new URLSearchParams(form) })).status,
    { endpoint: subscription.endpoint, ...subscription.keys },
  );
  expect(kept).toBe(204);
  return {
    page,
    context,
    path,
    taken: () => subscription.taken.map(({ notice }) => notice),
    deliver: (notice: object) =>
      cdp.send('ServiceWorker.deliverPushMessage', {
        origin: stage.app.base,
        registrationId,
        data: JSON.stringify(notice),
      }),
    notices: () =>
      worker.evaluate(async () => {
        const { registration } = globalThis as unknown as WorkerScope;
        return (await registration.getNotifications()).map(({ title, body, data }) => ({ title, body, url: data.url }));
      }),
    /** A finger on the notice that stands there. What the worker asks the browser for, and what is left. */
    tap: () =>
      worker.evaluate(async () => {
        const self = globalThis as unknown as WorkerScope;
        const asked: string[] = [];
        // both need a real finger, which a test has not
        self.clients.openWindow = async (url) => {
          asked.push(`open ${url}`);
          return null;
        };
        self.WindowClient.prototype.focus = async function () {
          asked.push(`focus ${new URL(this.url).pathname}`);
          return this;
        };
        const [notification] = await self.registration.getNotifications();
        const click = Object.defineProperties(new Event('notificationclick'), {
          notification: { value: notification },
          waitUntil: { value: () => {} },
        });
        dispatchEvent(click);
        await new Promise((done) => setTimeout(done, 500));
        return { asked, left: (await self.registration.getNotifications()).length };
      }),
  };
}

describe.concurrent('an answer', () => {
  it('reaches the phone where the chat is closed, is shown once, and leads to the chat; where it is open, nothing', async ({
    expect,
  }) => {
    const { page, context, path, taken, deliver, notices, tap } = await told('driver-2', 'driver');
    const shown = { title: `Test ${stage.tenant.tenant.slug}`, body: 'You have a new answer', url: path };

    // in front of its reader: the server sends nothing, and the worker would show nothing
    await expect.poll(() => page.locator('#live').getAttribute('data-mean')).toBe('ws');
    await answer(stage, path, 'Let me look.');
    await page.getByText('Let me look.').waitFor();
    await page.waitForTimeout(5_000);
    expect(taken()).toEqual([]);
    await deliver({ id: 'a', tag: 't', title: 'SafeGo', body: 'New', url: path, lang: 'en', dir: 'ltr' });
    await page.waitForTimeout(500);
    expect(await notices()).toEqual([]);

    // the chat is closed: another page of the same browser
    await page.goto(`${stage.app.base}/driver`);
    await answer(stage, path, 'It comes tomorrow.');
    await expect.poll(taken, { timeout: 20_000 }).toHaveLength(1);
    expect(JSON.stringify(taken())).not.toContain('tomorrow');
    await deliver(taken()[0] ?? {});
    await expect.poll(notices).toEqual([shown]);
    // a service that sends twice, and a later answer: one notice for a conversation
    await deliver(taken()[0] ?? {});
    await deliver({ ...taken()[0], id: crypto.randomUUID() });
    await page.waitForTimeout(500);
    expect(await notices()).toEqual([shown]);

    expect(await tap()).toEqual({ asked: [`open ${path}`], left: 0 });
    await deliver({ ...taken()[0], id: crypto.randomUUID() });
    await expect.poll(notices).toEqual([shown]);
    // the chat is open meanwhile: that window comes to the front, no second one
    const chat = await context.newPage();
    await chat.goto(stage.app.base + path);
    expect(await tap()).toEqual({ asked: [`focus ${path}`], left: 0 });
  }, 90_000);

  it('is told no longer where somebody has signed out', async ({ expect }) => {
    const { page, taken, deliver, notices } = await told('customer-2', 'customer');
    await page.goto(`${stage.app.base}/customer`);
    await deliver({ id: 'a', tag: 't', title: 'SafeGo', body: 'New', url: '/x', lang: 'en', dir: 'ltr' });
    await expect.poll(notices).toHaveLength(1);
    await page.evaluate(() => fetch('/sign-out', { method: 'POST' }).then(() => true));
    await expect.poll(notices).toEqual([]);
    expect(taken()).toEqual([]);
  });
});
