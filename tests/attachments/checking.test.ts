import { mkdirSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFiles } from '../../src/messaging/attachments/files.ts';
import { sweepRows } from '../../src/messaging/attachments/sweep-attachments.ts';
import { DESK, type Stage, setStage, startConversation } from '../chat/windows.ts';
import { turn } from '../support/browser.ts';
import { collectedLog } from '../support/collected-log.ts';
import { pdf, photo } from './attachment-app.ts';
import { CLAMD, MALWARE, prepareClamd } from './clamd.ts';

/** A real scanner, seen from both sides in a browser: what is being checked, what is refused, and what nobody is served (T-AT11). */

const SHOTS = process.env['SCREENSHOTS'];

describe.skipIf(!CLAMD)('with clamd', () => {
  const clamd = prepareClamd();
  let stage: Stage;
  let path: string;

  beforeAll(async () => {
    if (SHOTS) mkdirSync(SHOTS, { recursive: true });
    await clamd.start();
    stage = await setStage({ CLAMD_URL: clamd.url });
    const { page, context } = await stage.open('rahim', { javaScriptEnabled: false });
    path = await startConversation(page, stage.app.base, 'Where is my bonus?');
    await context.close();
  });
  afterAll(async () => {
    await stage?.stop();
    await clamd.close();
  });

  /** The timed work of the leading node, at a time when it is due. */
  async function sweep(): Promise<void> {
    const log = collectedLog();
    const files = await openFiles({ config: stage.app.config, log, clock: Date.now });
    await sweepRows({ database: stage.app.database, files, log }, new Date(Date.now() + 60_000));
  }

  async function shot(page: Page, name: string): Promise<void> {
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png` });
  }

  const ill = {
    name: 'ill.pdf',
    mimeType: 'application/pdf',
    buffer: Buffer.concat([pdf(9_000), Buffer.from(MALWARE)]),
  };
  const well = async () => ({ name: 'well.jpg', mimeType: 'image/jpeg', buffer: await photo() });

  describe.each(['user', 'desk'] as const)('on the page of the %s', (side) => {
    const isDesk = side === 'desk';
    const open = async () => {
      // a browser in Bengali: what is refused is said in the language of the page all the same, which is the person's
      const locale = 'bn-BD';
      const window = isDesk
        ? await stage.open('agent', { viewport: DESK, locale })
        : await stage.open('rahim', { locale });
      await window.page.goto(stage.app.base + (isDesk ? `/admin/support-chat/${path.split('/').at(-1)}` : path));
      return window;
    };
    const chosen = (page: Page, state: string) => page.locator(`#attached [data-state=${state}]`);

    test('malware is refused at once, in a sentence, and a harmless file goes', async () => {
      const { page, context } = await open();
      await page.setInputFiles('.attach-button input[multiple]', ill);
      const notice = page.locator('#composer-notice [role=alert]');
      await expect.poll(() => notice.textContent()).toContain('holds malware');
      expect(await page.locator('#attached > li').count()).toBe(0);
      await shot(page, `malware-${side}`);
      await page.setInputFiles('.attach-button input[multiple]', await well());
      await chosen(page, 'ready').waitFor();
      await page.click('#attached [data-drop]');
      await context.close();
    });

    test('while it is stopped files are being checked and served to nobody; then they turn ready or refused by themselves', async () => {
      await clamd.stop();
      const { page, context } = await open();
      const other = isDesk ? await stage.open('rahim') : await stage.open('agent', { viewport: DESK });
      if (isDesk) await other.context.addCookies([{ name: 'lang', value: 'bn', url: stage.app.base }]);
      await other.page.goto(stage.app.base + (isDesk ? path : `/admin/support-chat/${path.split('/').at(-1)}`));
      const before = await other.page.locator('#messages .files > a').count();
      const line = other.page.locator('#typing');
      expect(await line.textContent()).toBe('');
      await page.setInputFiles('.attach-button input[multiple]', [await well(), ill]);
      await expect.poll(() => chosen(page, 'processing').count()).toBe(2);
      expect(await chosen(page, 'processing').first().textContent()).toContain('is being checked');
      await shot(page, `checking-${side}`);
      const words = isDesk ? 'Nusrat Jahan-এর একটি ফাইল যাচাই হচ্ছে' : 'A file from Rahim Uddin is being checked';
      await expect.poll(() => line.textContent()).toBe(words);
      await shot(other.page, `checking-other-${side}`);
      // their own page has its own words for it
      expect(await page.locator('#typing').textContent()).toBe('');
      const ids = await chosen(page, 'processing').evaluateAll((items) => items.map((item) => item.id.slice(5)));
      for (const id of ids) {
        for (const form of ['view', 'thumbnail', 'download']) {
          expect((await page.request.get(`${stage.app.base}/attachments/${id}/${form}`)).status()).toBe(404);
        }
      }
      // who comes later sees it with the page, before anybody says it again; and with a script it goes by itself
      const later = isDesk ? await stage.open('rahim') : await stage.open('viewer', { viewport: DESK });
      if (isDesk) await later.context.addCookies([{ name: 'lang', value: 'bn', url: stage.app.base }]);
      await later.context.route(/\/events\b/, (route) => route.abort());
      await later.context.routeWebSocket(/\/ws/, (socket) => socket.close());
      expect(await (await later.page.request.get(other.page.url())).text()).toContain(words);
      await later.page.goto(other.page.url());
      expect(await later.page.locator('#typing').textContent()).toBe(words);
      await expect.poll(() => later.page.locator('#typing').textContent(), { timeout: 12_000 }).toBe('');
      await later.context.close();
      // asked for: it goes when what it takes along is there
      await page.fill('#composer textarea', `checked, ${side}`);
      await page.click('#composer .primary');
      await sweep();
      expect(await chosen(page, 'processing').count()).toBe(2);
      // it stays as long as they wait, longer than a typing line would
      await page.waitForTimeout(6_500);
      expect(await line.textContent()).toBe(words);
      expect(await other.page.locator('#messages', { hasText: `checked, ${side}` }).count()).toBe(0);

      await clamd.start();
      await sweep();
      await expect.poll(() => chosen(page, 'refused').count(), { timeout: 12_000 }).toBe(1);
      await chosen(page, 'ready').waitFor();
      expect(await chosen(page, 'refused').textContent()).toContain('was refused');
      await expect.poll(() => line.textContent(), { timeout: 2_000 }).toBe('');
      await shot(page, `refused-later-${side}`);
      // nothing goes behind somebody's back without what was refused: they take it away and send
      expect(await other.page.locator('#messages', { hasText: `checked, ${side}` }).count()).toBe(0);
      await chosen(page, 'refused').locator('[data-drop]').click();
      await page.click('#composer .primary');
      await expect.poll(() => other.page.locator('#messages .files > a').count()).toBe(before + 1);
      expect(await other.page.locator('#messages', { hasText: `checked, ${side}` }).count()).toBe(1);
      await shot(other.page, `checked-other-${side}`);
      await Promise.all([context.close(), other.context.close()]);
    });

    test('one that is asked for and found harmless goes by itself', async () => {
      await clamd.stop();
      const { page, context } = await open();
      const files = page.locator('#messages .files > a');
      const before = await files.count();
      await page.setInputFiles('.attach-button input[multiple]', await well());
      await chosen(page, 'processing').waitFor();
      await page.fill('#composer textarea', 'Goes by itself');
      await page.click('#composer .primary');
      await clamd.start();
      await sweep();
      await expect.poll(() => files.count(), { timeout: 12_000 }).toBe(before + 1);
      expect(await page.locator('#attached > li').count()).toBe(0);
      await context.close();
    });
  });

  test('without script the form says what is being checked, and keeps text and file', async () => {
    await clamd.stop();
    const { page, context } = await stage.open('rahim', { javaScriptEnabled: false });
    await page.goto(stage.app.base + path);
    await page.fill('#body', 'With a file');
    await page.setInputFiles('[name=file]', await well());
    await turn(page, () => page.click('#composer .primary'));
    expect(await page.locator('[role=alert]').first().textContent()).toContain('still being checked');
    expect(await page.locator('#body').inputValue()).toBe('With a file');
    expect(await page.locator('#attached [data-state=processing]').count()).toBe(1);
    await shot(page, 'checking-no-script');
    await clamd.start();
    await sweep();
    await turn(page, () => page.click('#composer .primary'));
    const message = page.locator('#messages > [data-side=user]').last();
    expect(await message.locator('.body').textContent()).toContain('With a file');
    expect(await message.locator('.picture').count()).toBe(1);
    await context.close();
  });
});
