import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DESK, type Stage, setStage, startConversation, type Window } from '../chat/windows.ts';
import { openFaultProxy } from '../faults/lab/proxy.ts';
import { turn } from '../support/browser.ts';
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

type Side = 'phone' | 'desk';

/** A conversation as its user's phone has it, or an agent's desk; `base` may be a line in between. */
async function open(side: Side, base: string, options: BrowserContextOptions = {}): Promise<Window> {
  const path = await conversation();
  const isDesk = side === 'desk';
  const window = await stage.open(isDesk ? 'agent' : 'rahim', isDesk ? { viewport: DESK } : options);
  await window.page.goto(base + (isDesk ? `/admin/support-chat/${path.split('/').at(-1)}` : path));
  return window;
}

const own = (side: Side) => `#messages > [data-side=${side === 'desk' ? 'admin' : 'user'}]`;

describe('with script', () => {
  test('files are chosen, sent with a message and seen at once on both sides', async () => {
    const path = await conversation();
    const user = await stage.open('rahim');
    await user.page.goto(stage.app.base + path);
    const agent = await stage.open('agent', { viewport: DESK });
    await agent.page.goto(`${stage.app.base}/admin/support-chat/${path.split('/').at(-1)}`);

    await user.page.setInputFiles('.attach-button input[multiple]', [picture(), licence()]);
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
    await expect.poll(() => user.page.locator('#attached > li').count()).toBe(0);
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

  test.each(['phone', 'desk'] as const)('what is deleted while one looks at it says so: %s', async (side) => {
    const { page, context } = await open(side, stage.app.base);
    await page.setInputFiles('.attach-button input[multiple]', [picture(), licence()]);
    await page.locator('#attached [data-state=ready]').nth(1).waitFor();
    await page.click('#composer .primary');
    await expect.poll(() => page.locator(own(side)).last().locator('.files > a').count()).toBe(2);

    // a page that nobody tells, neither by a line nor by asking
    const [reader, view] = side === 'desk' ? (['rahim', {}] as const) : (['viewer', { viewport: DESK }] as const);
    const other = await stage.open(reader, view);
    await other.context.routeWebSocket(/\/ws/, (line) => line.close());
    await other.context.route(/\/events|\bafter=/, (route) => route.abort());
    const id = /[0-9a-f-]{36}/.exec(page.url())?.[0];
    const path = side === 'desk' ? '/driver/support/conversations' : '/admin/support-chat';
    await other.page.goto(`${stage.app.base}${path}/${id}`);
    const files = other.page.locator('#messages > [data-side]').last().locator('.files');
    const image = files.locator('img');
    await expect.poll(() => image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(480);

    const { bearer } = await stage.tenant.signIn(side === 'desk' ? 'agent' : 'rahim');
    const log = `${stage.app.base}/api/support/conversations/${id}/messages`;
    const message = (await (await fetch(log, { headers: bearer })).json()).items.at(-1);
    expect((await fetch(`${log}/${message.id}`, { method: 'DELETE', headers: bearer })).status).toBe(200);

    // the picture is asked for again, as by somebody who scrolls to it; the document is followed
    await image.evaluate((one: HTMLImageElement) => {
      one.src += '?again';
    });
    const gone = (name: string) => files.locator('.file-gone', { hasText: name }).getByText('is not there any more');
    await gone('bonus.jpg').waitFor();
    await files.locator('a.file').click();
    await gone('licence.pdf').waitFor();
    expect(await files.locator('a').count()).toBe(0);
    await shot(other.page, `gone-${side}`);

    // without script the link leads to a page that says it
    const plain = await stage.open(reader, { javaScriptEnabled: false });
    await plain.page.goto(`${stage.app.base}/attachments/${message.attachments[0].id}/download`);
    expect(await plain.page.getByRole('main').textContent()).toContain('This file is not there any more');
    await shot(plain.page, `gone-plain-${side}`);
    await Promise.all([context, other.context, plain.context].map((one) => one.close()));
  });

  test('what is refused says which limit, and can be taken away again', async () => {
    const path = await conversation();
    const { page, context } = await stage.open('rahim');
    await page.goto(stage.app.base + path);
    const large = join(stage.app.config.dataDir, 'large.pdf');
    writeFileSync(large, Buffer.concat([pdf(), randomBytes(10 * 1024 * 1024)]));
    await page.setInputFiles('.attach-button input[multiple]', large);
    const notice = page.locator('#composer-notice [role=alert]');
    await expect.poll(() => notice.textContent()).toContain('at most 10 MB');
    await page.setInputFiles('.attach-button input[multiple]', {
      name: 'photo.jpg',
      mimeType: 'image/jpeg',
      buffer: Buffer.from('<script>alert(1)</script>'),
    });
    await expect.poll(() => notice.textContent()).toContain('Allowed are: JPEG, PNG, GIF, WEBP, PDF');
    expect(await page.locator('#attached > li').count()).toBe(0);
    await shot(page, 'refused');
    await page.setInputFiles('.attach-button input[multiple]', picture());
    await page.locator('#attached [name=attachmentIds]').waitFor({ state: 'attached' });
    await page.click('#attached [data-drop]');
    expect(await page.locator('#attached > li').count()).toBe(0);
    await context.close();
  });
});

const ready = (page: Page) => page.locator('#attached [data-state=ready] [name=attachmentIds]');

describe.each(['phone', 'desk'] as const)('a line that drops: %s', (side) => {
  test('the file waits, says so, and goes on when the line is back; a reload goes on too', async () => {
    const proxy = await openFaultProxy(Number(new URL(stage.app.base).port));
    const base = `http://127.0.0.1:${proxy.port}`;
    const user = await open(side, base);
    const large = join(stage.app.config.dataDir, 'licence-large.pdf');
    writeFileSync(large, Buffer.concat([pdf(), randomBytes(8 * 1024 * 1024)]));
    proxy.poison('up', { bytesPerSecond: 1_500_000 });
    await user.page.setInputFiles('.attach-button input[multiple]', large);
    const progress = user.page.locator('#attached progress');
    const done = () => progress.evaluate((one: HTMLProgressElement) => one.value);
    await expect.poll(done).toBeGreaterThan(0.3);
    proxy.door = 'refuse';
    proxy.reset();
    await user.page.locator('#attached [data-waits]').waitFor({ state: 'visible' });
    await shot(user.page, `waits-${side}`);
    const atCut = proxy.bytes.up;
    proxy.door = 'pass';
    await expect.poll(done).toBeGreaterThan(0.55);

    const half = await done();
    await user.page.reload();
    await user.page.locator('#attached [data-state=sending]').waitFor();
    await shot(user.page, `after-reload-${side}`);
    await expect.poll(done).toBeGreaterThan(half - 0.1);
    proxy.poison('up', {});
    await ready(user.page).waitFor({ state: 'attached', timeout: 20_000 });
    process.stdout.write(
      `pages (${side}): 8 MB over a cut and a reload took ${proxy.bytes.up} bytes, ${atCut} before the cut\n`,
    );
    expect(proxy.bytes.up).toBeLessThan(11 * 1024 * 1024);
    // and one that is ready survives a reload as well
    await user.page.reload();
    await ready(user.page).waitFor({ state: 'attached' });
    await user.page.click('#composer .primary');
    await user.page
      .locator(`${own(side)} .file`)
      .last()
      .waitFor();
    await expect.poll(() => user.page.locator('#attached > li').count()).toBe(0);
    await user.page.reload();
    await user.page.locator('#messages .file').last().waitFor();
    expect(await user.page.locator('#attached > li').count()).toBe(0);
    await user.context.close();
    await proxy.close();
  });

  test('one that is taken away while it goes is forgotten at once, here and there', async () => {
    const proxy = await openFaultProxy(Number(new URL(stage.app.base).port));
    proxy.poison('up', { bytesPerSecond: 400_000 });
    const user = await open(side, `http://127.0.0.1:${proxy.port}`);
    await user.page.setInputFiles('.attach-button input[multiple]', {
      name: 'wrong.pdf',
      mimeType: 'application/pdf',
      buffer: Buffer.concat([pdf(), randomBytes(3_000_000)]),
    });
    await user.page.locator('#attached [data-state=sending]').waitFor();
    await shot(user.page, `sending-${side}`);
    const progress = user.page.locator('#attached progress');
    await expect.poll(() => progress.evaluate((one: HTMLProgressElement) => one.value)).toBeGreaterThan(0.2);
    await user.page.click('#attached [data-drop]');
    expect(await user.page.locator('#attached > li').count()).toBe(0);
    proxy.poison('up', {});
    await user.page.reload();
    await user.page.waitForTimeout(500);
    expect(await user.page.locator('#attached > li').count()).toBe(0);
    // a message goes without it
    await user.page.fill('#body', 'Not that one');
    await user.page.click('#composer .primary');
    await user.page.locator(own(side), { hasText: 'Not that one' }).waitFor();
    await user.context.close();
    await proxy.close();
  });
});

describe('ways to give a file', () => {
  test.each(['phone', 'desk'] as const)('several at once, pasted, dropped and by camera: %s', async (side) => {
    const isDesk = side === 'desk';
    const user = await open(side, stage.app.base, { hasTouch: true, isMobile: true });
    const { page } = user;
    await page.setInputFiles('.attach-button input[multiple]', [picture(), licence(), { ...picture(), name: 'b.jpg' }]);
    await expect.poll(() => ready(page).count()).toBe(3);
    const transfer = await page.evaluateHandle(
      (bytes) => {
        const made = new DataTransfer();
        made.items.add(new File([new Uint8Array(bytes)], 'given.jpg', { type: 'image/jpeg' }));
        return made;
      },
      [...jpeg],
    );
    await page.locator('#composer textarea').evaluate((field, clipboardData) => {
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, transfer);
    await expect.poll(() => ready(page).count()).toBe(4);
    await page.dispatchEvent('#messages', 'drop', { dataTransfer: transfer });
    await expect.poll(() => ready(page).count()).toBe(5);
    const camera = page.locator('.attach-button input[capture=environment]');
    expect(await camera.locator('..').isVisible()).toBe(!isDesk);
    if (!isDesk) {
      await camera.setInputFiles(picture());
      await expect.poll(() => ready(page).count()).toBe(6);
    }
    await shot(page, `ways-${side}`);
    await page.fill('#composer textarea', '');
    await page.click('#composer .primary');
    const message = page.locator(own(side)).last();
    await expect.poll(() => message.locator('.files > a').count()).toBe(isDesk ? 5 : 6);
    expect(user.complaints).toEqual([]);
    await user.context.close();
  });

  test('a large photo is made smaller before it leaves', async () => {
    const path = await conversation();
    const proxy = await openFaultProxy(Number(new URL(stage.app.base).port));
    const user = await stage.open('rahim');
    await user.page.goto(`http://127.0.0.1:${proxy.port}${path}`);
    const buffer = await photo('jpeg', { width: 4_000, height: 3_000 });
    expect(buffer.length).toBeGreaterThan(3_000_000);
    const before = proxy.bytes.up;
    await user.page.setInputFiles('.attach-button input[multiple]', {
      name: 'big.jpg',
      mimeType: 'image/jpeg',
      buffer,
    });
    await ready(user.page).waitFor({ state: 'attached', timeout: 20_000 });
    const sent = proxy.bytes.up - before;
    process.stdout.write(`pages: a photo of ${buffer.length} bytes left as ${sent}\n`);
    expect(sent).toBeLessThan(buffer.length / 1.5);
    const pictures = user.page.locator('#messages .picture');
    const count = await pictures.count();
    await user.page.click('#composer .primary');
    await expect.poll(() => pictures.count()).toBe(count + 1);
    const link = pictures.last();
    const size = await user.page.request.get(stage.app.base + (await link.getAttribute('href')));
    expect((await sharp(await size.body()).metadata()).width).toBe(2_560);
    await user.context.close();
    await proxy.close();
  });
});

describe('the message that opens a conversation', () => {
  test('takes files along, with script', async () => {
    const user = await stage.open('customer-2');
    await user.page.goto(`${stage.app.base}/customer/support`);
    await user.page.setInputFiles('.attach-button input[multiple]', [picture(), licence()]);
    await expect.poll(() => ready(user.page).count()).toBe(2);
    await shot(user.page, 'start');
    await user.page.fill('#body', 'My food was cold');
    await user.page.click('#start .primary');
    await user.page.waitForURL(/\/conversations\//);
    const message = user.page.locator('#messages > [data-side=user]').first();
    await message.locator('.picture img').waitFor();
    expect(await message.locator('.file bdi').textContent()).toBe('licence.pdf');
    expect(user.complaints).toEqual([]);
    await user.context.close();
  });

  test('takes files along, without script; what is refused gives the text back', async () => {
    const { page, context } = await stage.open('ayesha', { javaScriptEnabled: false });
    await page.goto(`${stage.app.base}/customer/support`);
    await page.fill('#body', 'There is a hair in it');
    await page.setInputFiles('[name=file]', { ...picture(), buffer: Buffer.from('<svg onload="alert(1)"/>') });
    await turn(page, () => page.click('#start .primary'));
    expect(await page.locator('[role=alert]').textContent()).toContain('Allowed are: JPEG');
    expect(await page.locator('#body').inputValue()).toBe('There is a hair in it');
    await shot(page, 'start-refused');
    await page.setInputFiles('[name=file]', [picture(), licence()]);
    await turn(page, () => page.click('#start .primary'));
    await page.waitForURL(/\/conversations\//);
    const message = page.locator('#messages > [data-side=user]').first();
    expect(await message.locator('.body').textContent()).toContain('a hair in it');
    expect(await message.locator('.picture img').count()).toBe(1);
    expect(await message.locator('.file bdi').textContent()).toBe('licence.pdf');
    await context.close();
  });
});

describe('without script', () => {
  test('one form sends text and files, in Bengali too, and the only button is its own', async () => {
    const path = await conversation();
    const { page, context } = await stage.open('rahim', { javaScriptEnabled: false });
    await context.addCookies([{ name: 'lang', value: 'bn', url: stage.app.base }]);
    await page.goto(stage.app.base + path);
    await page.fill('#body', 'দেখুন');
    await page.setInputFiles('[name=file]', [picture(), licence()]);
    expect(await page.locator('.dock button:visible').count()).toBe(1);
    await shot(page, 'no-script');
    await turn(page, () => page.click('#composer .primary'));
    expect(new URL(page.url()).pathname).toBe(path);
    const message = page.locator('#messages > [data-side=user]').last();
    expect(await message.locator('.picture img').count()).toBe(1);
    expect(await message.locator('.file bdi').textContent()).toBe('licence.pdf');
    expect(await message.locator('.body').textContent()).toContain('দেখুন');
    // files alone, and nothing at all
    const files = page.locator('#messages > [data-side=user] .file');
    const before = await files.count();
    await page.setInputFiles('[name=file]', licence());
    await turn(page, () => page.click('#composer .primary'));
    expect(await files.count()).toBe(before + 1);
    await turn(page, () => page.click('#composer .primary'));
    expect(await page.locator('[role=alert]').count()).toBe(1);
    await shot(page, 'no-script-sent');
    await context.close();
  });

  test('an agent sends text and files by one form; what is refused keeps the text', async () => {
    const path = await conversation();
    const { page, context } = await stage.open('agent', { javaScriptEnabled: false, viewport: DESK });
    await page.goto(`${stage.app.base}/admin/support-chat/${path.split('/').at(-1)}`);
    await page.fill('#body', 'This is the map');
    await page.setInputFiles('[name=file]', { ...picture(), buffer: randomBytes(5_000) });
    await turn(page, () => page.click('#composer .primary'));
    expect(await page.locator('#composer-notice [role=alert]').textContent()).toContain('Allowed are');
    expect(await page.locator('#body').inputValue()).toBe('This is the map');
    await page.setInputFiles('[name=file]', picture());
    await turn(page, () => page.click('#composer .primary'));
    const message = page.locator('#messages > [data-side=admin]').last();
    expect(await message.locator('.picture img').count()).toBe(1);
    expect(await message.locator('.body').textContent()).toContain('This is the map');
    await shot(page, 'no-script-desk');
    await context.close();
  });
});
