import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DESK, type Stage, setStage, startConversation } from '../chat/windows.ts';
import { pdf, photo } from './attachment-app.ts';

/** Files in a real browser: chosen, pasted, dropped, sent and seen, with script and without. */

let stage: Stage;
let jpeg: Buffer;
const SHOTS = process.env['SCREENSHOTS'];

beforeAll(async () => {
  stage = await setStage();
  jpeg = await photo('jpeg', { width: 1_200, height: 800 });
  if (SHOTS) mkdirSync(SHOTS, { recursive: true });
});
afterAll(() => stage?.stop());

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

const picture = () => ({ name: 'bonus.jpg', mimeType: 'image/jpeg', buffer: jpeg });
const licence = () => ({ name: 'licence.pdf', mimeType: 'application/pdf', buffer: pdf(2_000) });

/** Opens Rahim's conversation, made without script. */
async function conversation(): Promise<string> {
  const { page, context } = await stage.open('rahim', { javaScriptEnabled: false });
  const path = await startConversation(page, stage.app.base, 'Where is my bonus?');
  await context.close();
  return path;
}

describe('with script', () => {
  test('files are chosen, sent with a message and seen at once on both sides', async () => {
    const path = await conversation();
    const user = await stage.open('rahim');
    await user.page.goto(stage.app.base + path);
    const agent = await stage.open('agent', { viewport: DESK });
    await agent.page.goto(`${stage.app.base}/admin/support-chat/${path.split('/').at(-1)}`);

    await user.page.setInputFiles('.attach-button input', [picture(), licence()]);
    await user.page.locator('#attached [name=attachmentIds]').nth(1).waitFor({ state: 'attached' });
    await shot(user.page, 'chosen');
    await user.page.fill('#body', 'Here they are');
    await user.page.click('#composer .primary');
    for (const { page } of [user, agent]) {
      const message = page.locator('#messages > [data-side=user]').last();
      await message.locator('.file').waitFor();
      expect(await message.locator('.file bdi').textContent()).toBe('licence.pdf');
      const image = message.locator('.picture img');
      await image.scrollIntoViewIfNeeded();
      await expect.poll(() => image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(480);
      expect(await message.locator('.body').textContent()).toContain('Here they are');
    }
    expect(await user.page.locator('#attached > li').count()).toBe(0);
    await shot(user.page, 'sent-phone');
    await shot(agent.page, 'seen-desk');

    const [download] = await Promise.all([
      agent.page.waitForEvent('download'),
      agent.page.locator('#messages .file').last().click(),
    ]);
    expect(download.suggestedFilename()).toBe('licence.pdf');

    // an answer that is a picture alone, dropped
    const data = await agent.page.evaluateHandle(
      (bytes) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], 'map.jpg', { type: 'image/jpeg' }));
        return transfer;
      },
      [...jpeg],
    );
    await agent.page.dispatchEvent('#messages', 'drop', { dataTransfer: data });
    await agent.page.click('#composer .primary');
    const answer = user.page.locator('#messages > [data-side=admin]').last();
    await answer.locator('.picture').waitFor();
    expect(await answer.locator('.body').isVisible()).toBe(false);
    expect([...user.complaints, ...agent.complaints]).toEqual([]);
    await Promise.all([user.context.close(), agent.context.close()]);
  });

  test('what is refused says which limit, and can be taken away again', async () => {
    const path = await conversation();
    const { page, context } = await stage.open('rahim');
    await page.goto(stage.app.base + path);
    const large = join(stage.app.config.dataDir, 'large.jpg');
    writeFileSync(large, Buffer.concat([jpeg, randomBytes(10 * 1024 * 1024)]));
    await page.setInputFiles('.attach-button input', large);
    const notice = page.locator('#composer-notice [role=alert]');
    await expect.poll(() => notice.textContent()).toContain('at most 10 MB');
    await page.setInputFiles('.attach-button input', {
      name: 'photo.jpg',
      mimeType: 'image/jpeg',
      buffer: Buffer.from('<script>alert(1)</script>'),
    });
    await expect.poll(() => notice.textContent()).toContain('Allowed are: JPEG, PNG, GIF, WEBP, PDF');
    expect(await page.locator('#attached > li').count()).toBe(0);
    await shot(page, 'refused');
    await page.setInputFiles('.attach-button input', picture());
    await page.locator('#attached [name=attachmentIds]').waitFor({ state: 'attached' });
    await page.click('#attached [data-drop]');
    expect(await page.locator('#attached > li').count()).toBe(0);
    await context.close();
  });
});

test('without script a form sends files, in Bengali too', async () => {
  const path = await conversation();
  const { page, context } = await stage.open('rahim', { javaScriptEnabled: false });
  await context.addCookies([{ name: 'lang', value: 'bn', url: stage.app.base }]);
  await page.goto(stage.app.base + path);
  await page.setInputFiles('#file', [picture(), licence()]);
  expect(await page.locator('.attach-form button').textContent()).toBe('ফাইলগুলো পাঠান');
  await shot(page, 'no-script');
  await page.click('.attach-form button');
  expect(new URL(page.url()).pathname).toBe(path);
  const message = page.locator('#messages > [data-side=user]').last();
  expect(await message.locator('.picture img').count()).toBe(1);
  expect(await message.locator('.file bdi').textContent()).toBe('licence.pdf');
  await shot(page, 'no-script-sent');
  await context.close();
});
