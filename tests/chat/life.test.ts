import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { turn } from '../support/browser.ts';
import { type Stage, say, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.stop());

const idOf = (path: string) => path.split('/').at(-1) ?? '';

async function close(path: string): Promise<void> {
  const lead = await stage.tenant.signIn('lead');
  const closed = await fetch(`${stage.app.base}/api/admin/support/conversations/${idOf(path)}/close`, {
    method: 'POST',
    headers: { ...lead.bearer, 'content-type': 'application/json' },
    body: '{}',
  });
  expect(closed.status).toBe(200);
}

/** Changes the tenant's settings for as long as `work` takes. */
async function withSettings(change: object, work: () => Promise<void>): Promise<void> {
  const owner = await stage.tenant.signIn('owner');
  const url = `${stage.app.base}/api/admin/support/settings`;
  const read = async () =>
    (await (await fetch(url, { headers: owner.bearer })).json()) as { version: number; settings: object }; // its answer
  const save = async (settings: object) => {
    const { version } = await read();
    const headers = { ...owner.bearer, 'content-type': 'application/json' };
    const saved = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ version, settings }) });
    expect([saved.status, await saved.text()]).toEqual([200, expect.anything()]);
  };
  const before = (await read()).settings;
  await save({ ...before, ...change });
  try {
    await work();
  } finally {
    await save(before);
  }
}

describe.each([
  ['with', true],
  ['without', false],
] as const)('%s script', (_, javaScriptEnabled) => {
  it('a conversation has a topic, and a rating with a comment once it is closed, which can be changed', async () => {
    const { page, context } = await stage.open(javaScriptEnabled ? 'rahim' : 'driver-2', { javaScriptEnabled });
    await page.goto(`${stage.app.base}/driver/support`);
    await page.getByLabel('What is it about?').selectOption({ label: 'Earnings and bonus' });
    await page.fill('#body', 'Where is my bonus?');
    await page.click('#new button.primary');
    await page.waitForURL(/\/conversations\//);
    expect(await page.locator('.top-title').textContent()).toContain('Earnings and bonus');
    expect(await page.locator('.rating').count()).toBe(0);
    const path = new URL(page.url()).pathname;
    await close(path);
    await page.goto(stage.app.base + path);
    await page.getByLabel('All right').check();
    await page.getByLabel('What could be better?').fill('Faster, please <b>');
    await page.locator('.rating button').click();
    await page.getByText('You said: All right. Thank you.').click();
    expect(await page.getByLabel('What could be better?').inputValue()).toBe('Faster, please <b>');
    await page.getByLabel('Very good').check();
    await page.locator('.rating button').click();
    await page.getByText('You said: Very good.').waitFor();

    await page.goto(`${stage.app.base}/driver/support`);
    expect(await page.locator('.rows').textContent()).toContain('Earnings and bonus');
    await context.close();
  });

  it('the language is chosen on the page, and stays', async () => {
    const { page, context } = await stage.open('ayesha', { javaScriptEnabled });
    await page.goto(`${stage.app.base}/customer`);
    expect(await page.getAttribute('html', 'lang')).toBe('en');
    await page.getByRole('button', { name: 'বাংলা' }).click();
    await page.waitForFunction(() => document.documentElement.lang === 'bn');
    expect(new URL(page.url()).pathname).toBe('/customer');
    await page.goto(`${stage.app.base}/customer/support`);
    expect(await page.getAttribute('html', 'lang')).toBe('bn');
    await page.getByRole('button', { name: 'English' }).click();
    await page.waitForFunction(() => document.documentElement.lang === 'en');
    await context.close();
  });
});

describe('the other side', () => {
  it('says where one stands in the queue, and no longer once somebody has taken it', async () => {
    const first = await stage.open('customer-2');
    await startConversation(first.page, stage.app.base, 'I was here first', 'customer');
    const { page, context } = await stage.open('kacchi-house');
    const path = await startConversation(page, stage.app.base, 'The order is wrong', 'restaurant');
    await page.reload();
    expect(await page.locator('.queue').textContent()).toMatch(/^You are number \d+ in the queue\./);
    const agent = await stage.tenant.signIn('agent');
    const taken = await fetch(`${stage.app.base}/api/admin/support/conversations/${idOf(path)}/assign`, {
      method: 'POST',
      headers: { ...agent.bearer, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(taken.status).toBe(200);
    await expect.poll(() => page.locator('.queue').count()).toBe(0);
    await first.context.close();
    await context.close();
  });

  it('outside of the hours says so in the words of the tenant, and when it opens', async () => {
    const { page, context } = await stage.open('restaurant-2');
    const always = await stage.tenant.signIn('owner');
    const url = `${stage.app.base}/api/admin/support/settings`;
    const { settings } = (await (await fetch(url, { headers: always.bearer })).json()) as {
      settings: { businessHours: object };
    }; // its answer
    const never = Object.fromEntries(
      ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'].map((day) => [day, []]),
    );
    // one hour a week, on the day that is three days away: nobody is here now
    const day = Object.keys(never)[(new Date(Date.now() + 3 * 86_400_000).getUTCDay() + 6) % 7] ?? 'monday';
    const weekly = { ...never, [day]: [{ from: '10:00', to: '11:00' }] };
    const businessHours = { ...settings.businessHours, weekly };
    await withSettings({ businessHours, awayMessage: 'We sleep <now>.' }, async () => {
      await page.goto(`${stage.app.base}/restaurant/support`);
      expect(await page.locator('.away').textContent()).toMatch(/We sleep <now>\..*We are back on .+ at 10:00\./);
      // writing goes on
      const path = await startConversation(page, stage.app.base, 'For the morning', 'restaurant');
      await page.goto(stage.app.base + path);
      expect(await page.locator('.away').count()).toBe(1);
      await say(page, 'And this');
      await expect.poll(async () => (await shown(page)).at(-1)).toBe('And this');
    });
    await page.goto(`${stage.app.base}/restaurant/support`);
    expect(await page.locator('.away').count()).toBe(0);
    await context.close();
  });
});

describe('the transcript', () => {
  const read = async (page: Page): Promise<string> => {
    const waits = page.waitForEvent('download');
    await page.getByRole('link', { name: /Save as text|লেখা হিসেবে রাখুন/ }).click();
    return readFile(await (await waits).path(), 'utf8');
  };

  it('is a text in the language of the reader, without ids of staff, and nobody else can have it', async () => {
    const { page, context } = await stage.open('restaurant-2');
    const path = await startConversation(
      page,
      stage.app.base,
      'Hello\n[21 November 2026, 14:02] Boss: fake',
      'restaurant',
    );
    const agent = await stage.tenant.signIn('agent');
    const answered = await fetch(`${stage.app.base}/api/support/conversations/${idOf(path)}/messages`, {
      method: 'POST',
      headers: { ...agent.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ body: 'Let me look.', clientId: crypto.randomUUID() }),
    });
    expect(answered.status).toBe(201);
    await page.reload();
    const text = await read(page);
    expect(text).toContain('    Hello\n    [21 November 2026, 14:02] Boss: fake\n');
    expect(text).toMatch(/\] Nusrat Jahan is looking after this conversation\n/);
    expect(text).toMatch(/\] Nusrat Jahan:\n {4}Let me look\.\n/);
    expect(text).not.toContain(agent.person.id);
    expect(text).not.toContain('@');

    await context.addCookies([{ name: 'lang', value: 'bn', url: stage.app.base }]);
    await page.reload();
    expect(await read(page)).toContain('কথোপকথন');

    const get = async (who: 'rahim' | 'kacchi-house') =>
      (
        await fetch(`${stage.app.base}${path}/transcript`, {
          headers: (await stage.tenant.signIn(who, 'browser')).cookie,
        })
      ).status;
    expect([await get('rahim'), await get('kacchi-house')]).toEqual([404, 404]);
    await context.close();
  });
});

describe('a page that asks again by itself, without script', () => {
  it('has no field that it could empty, shows what is new, and leads back to writing', async () => {
    const { page, context } = await stage.open('kacchi-house', { javaScriptEnabled: false });
    const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
    await page.goto(stage.app.base + path);
    expect(await page.locator('meta[http-equiv="refresh"]').count()).toBe(0);
    await turn(page, () => page.getByRole('link', { name: 'Keep checking by itself' }).click());
    expect(await page.locator('#composer').count()).toBe(0);
    expect(await page.locator('meta[http-equiv="refresh"]').getAttribute('content')).toBe('15');
    await turn(page, () => page.getByRole('link', { name: 'Write a message' }).click());
    expect(await page.locator('#composer').isVisible()).toBe(true);
    await context.close();
  });
});
