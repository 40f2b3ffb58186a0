import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bestOfThree } from '../support/best-of-three.ts';
import { launchBrowser } from '../support/browser.ts';
import { type AttachmentApp, messagesPath, photo, startAttachmentApp } from './attachment-app.ts';
import { HOSTILE_FILES } from './hostile-files.ts';

/**
 * Every hostile file of ours through the whole server and into a real Chromium: refused or made harmless soon and cheaply,
 * no script of it runs with a signed-in session beside it, nothing is left over (T-AT3 to T-AT5).
 */

const WITHIN_MS = 2_000;
const MAX_GROWTH_BYTES = 150 * 1024 * 1024;
const EVERYTHING = [
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'application/pdf',
  'text/plain',
  'audio/mpeg',
  'audio/mp4',
  'audio/ogg',
  'audio/webm',
  'video/mp4',
  'video/webm',
];

let app: AttachmentApp;
let browser: Browser;
let context: BrowserContext;
/** What the browser asked for that only a script of a file would ask for. */
const ran: string[] = [];

beforeAll(async () => {
  [app, browser] = await Promise.all([startAttachmentApp(), launchBrowser()]);
  context = await browser.newContext({ acceptDownloads: true });
  const { token } = await app.home.signIn('rahim', 'browser');
  await context.addCookies([{ name: 'safego', value: token, url: app.base, httpOnly: true, sameSite: 'Lax' }]);
  context.on('request', (request) => {
    if (new URL(request.url()).pathname === '/pwned') ran.push(request.frame().url());
  });
  context.on('dialog', (dialog) => {
    ran.push(dialog.message());
    void dialog.dismiss();
  });
  // the first child of a process takes longest
  await app.upload(app.who.rahim, { bytes: await photo() });
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

/** Resident bytes of the server and of the processes that look into its pictures. */
function memory(): number {
  // looking through all processes of the machine every 15 ms would take the server's time
  const started = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').split(' ');
  const children = started.filter((pid) => {
    try {
      return pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('clean-image.child');
    } catch {
      return false;
    }
  });
  const of = (pid: string) => {
    try {
      return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096;
    } catch {
      return 0;
    }
  };
  return process.memoryUsage().rss + children.reduce((sum, pid) => sum + of(pid), 0);
}

/** Sends it, and looks at how long it takes and how much the server and its children grow. */
async function timed(file: { bytes: Buffer; name: string; type: string }) {
  const before = memory();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, memory());
  }, 15);
  const start = performance.now();
  const answer = await app.upload(app.who.rahim, file);
  clearInterval(watch);
  return { ...answer, ms: performance.now() - start, growth: most - before };
}

/** Opens it as a person might, and gives its scripts a moment. */
async function open(url: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(url, { waitUntil: 'load' }).catch(() => {});
  await page.waitForTimeout(60);
  await page.close();
}

/** As a document of a frame, a picture and a script of our own page, where the policy and the headers both stand. */
async function embed(url: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(`${app.base}/driver`);
  await page.evaluate(async (src) => {
    for (const tag of ['iframe', 'object', 'embed', 'script', 'img']) {
      const element = document.createElement(tag);
      element.setAttribute(tag === 'object' ? 'data' : 'src', src);
      document.body.append(element);
    }
    await new Promise((done) => setTimeout(done, 60));
  }, url);
  expect(await page.evaluate(() => 'pwned' in globalThis)).toBe(false);
  await page.close();
}

test('a careless server would run them: so would be seen', async () => {
  const [first] = HOSTILE_FILES;
  const bytes = await first?.make();
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  server.close();
  expect(ran.length).toBeGreaterThan(0);
  ran.length = 0;
});

describe.each([
  ['with the types of a new tenant', undefined],
  ['with every type that may be chosen', EVERYTHING],
])('%s', (_, allowedAttachmentTypes) => {
  test('each is refused or made harmless within 2 s and 150 MB, and none runs', { timeout: 300_000 }, async () => {
    await app.setSettings({ maxAttachmentSizeMb: 50, ...(allowedAttachmentTypes ? { allowedAttachmentTypes } : {}) });
    expect(HOSTILE_FILES.length).toBeGreaterThanOrEqual(60);
    const slowest = { what: '', ms: 0 };
    const largest = { what: '', growth: 0 };
    const taken: { what: string; id: string; url: string; thumbnailUrl: string | null }[] = [];
    let refused = 0;
    for (const { what, name, type, make } of HOSTILE_FILES) {
      const bytes = await make();
      const files = app.stored().length;
      const { status, body, ms, growth } = await bestOfThree(
        () => timed({ bytes, name, type }),
        (taken) => taken.ms < WITHIN_MS,
      );
      if (ms > slowest.ms) Object.assign(slowest, { what, ms });
      if (growth > largest.growth) Object.assign(largest, { what, growth });
      expect([what, [201, 415, 422].includes(status)]).toEqual([what, true]);
      expect(app.staged()).toEqual([]);
      if (status === 201) {
        taken.push({ what, ...body.attachment });
        expect(body.attachment.fileName).not.toMatch(/[\p{Cc}\p{Cf}\\/<>"]/u);
      } else {
        refused += 1;
        expect([what, app.stored().length]).toEqual([what, files]);
      }
    }
    for (const { id, url, thumbnailUrl } of taken) {
      const addresses = [url, thumbnailUrl, `/attachments/${id}/view`, `/attachments/${id}/download`];
      const opened = addresses.map((address) => (address ? open(app.base + address) : undefined));
      await Promise.all([...opened, embed(url)]);
    }
    // and in a message, with its name
    for (let at = 0; at < taken.length; at += 10) {
      const attachmentIds = taken.slice(at, at + 10).map(({ id }) => id);
      const body = { clientId: randomUUID(), attachmentIds };
      expect((await app.post(messagesPath(app.conversation), body, app.who.rahim)).status).toBe(201);
    }
    await open(`${app.base}/driver/support/conversations/${app.conversation}`);
    expect(ran).toEqual([]);
    const megabytes = Math.round(largest.growth / 1024 / 1024);
    process.stdout.write(
      `hostile: ${HOSTILE_FILES.length} files, ${refused} refused, ${taken.length} harmless; ` +
        `slowest ${Math.round(slowest.ms)} ms (${slowest.what}), most ${megabytes} MB (${largest.what})\n`,
    );
    expect(slowest.ms).toBeLessThan(WITHIN_MS);
    expect(largest.growth).toBeLessThan(MAX_GROWTH_BYTES);
  });
});
