import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AttachmentApp, messagesPath, startAttachmentApp, uploadPath } from './attachment-app.ts';

/** Bodies that come slowly, or not at all (T-AT8): what goes on lives on, what stands still is cut and leaves nothing. */

/** The server's own times are 30 s, 60 s and 8 KB; these are a fortieth of them. */
const PATIENCE = { bodyMs: 750, windowMs: 1_500, leastBytesAWindow: 8 * 1024 };

let app: AttachmentApp;

beforeAll(async () => {
  app = await startAttachmentApp({}, undefined, { patience: PATIENCE });
});
afterAll(() => app?.stop());

interface Upload {
  readonly line: Socket;
  /** All that was heard. */
  said(): string;
  readonly closed: Promise<void>;
}

/** The head of a form with a file, and its first bytes; the rest is for the test to send. */
function begin(total: number, path = uploadPath(app.conversation)): Upload {
  const line = connect(Number(new URL(app.base).port), '127.0.0.1');
  let text = '';
  line.setEncoding('utf8').on('data', (part) => (text += part));
  line.on('error', () => {});
  const closed = new Promise<void>((resolve) => line.once('close', () => resolve()));
  line.write(
    `POST ${path} HTTP/1.1\r\nHost: ${new URL(app.base).host}\r\nConnection: close\r\n` +
      `Authorization: ${app.who.rahim.bearer.authorization}\r\n` +
      `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: ${total}\r\n\r\n${FORM}`,
  );
  line.write(Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.alloc(20_000, 'x')]));
  return { line, said: () => text, closed };
}

const FORM =
  `--x\r\nContent-Disposition: form-data; name="clientId"\r\n\r\n${randomUUID()}\r\n` +
  '--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n';
const END = '\r\n--x--\r\n';

const rowsOf = async () =>
  Number(
    (await app.admin.query('select count(*) from attachments where tenant_id = $1', [app.home.tenant.id])).rows[0]
      .count,
  );

test('one that stands still is cut off, and its file is gone; a byte now and then is standing still', async () => {
  const [stored, rows] = [app.stored().length, await rowsOf()];
  const silent = begin(1_000_000);
  const dripping = begin(1_000_000);
  const drip = setInterval(() => dripping.line.write('x'), 100);
  await expect.poll(() => app.staged().length, { timeout: 3_000 }).toBe(2);
  const startedAt = performance.now();
  await Promise.all([silent.closed, dripping.closed]);
  clearInterval(drip);
  expect(performance.now() - startedAt).toBeLessThan(PATIENCE.bodyMs + 3 * PATIENCE.windowMs);
  expect(silent.said()).toContain('408 Request Timeout');
  await expect.poll(() => app.staged()).toEqual([]);
  expect([app.stored().length, await rowsOf()]).toEqual([stored, rows]);
});

test('one that goes on is taken, however long it takes', async () => {
  const total = FORM.length + 9 + 20_000 + 80_000 + END.length;
  const { line, said, closed } = begin(total);
  const startedAt = performance.now();
  for (let n = 0; n < 80; n += 1) {
    line.write(Buffer.alloc(1_000, 'y'));
    await sleep(100);
  }
  line.write(END);
  await closed;
  // three windows, of which each would have ended one that stands still
  expect(performance.now() - startedAt).toBeGreaterThan(PATIENCE.bodyMs + 3 * PATIENCE.windowMs);
  expect(said()).toContain('201 Created');
  expect(app.staged()).toEqual([]);
});

test('a message has no such patience', async () => {
  const line = connect(Number(new URL(app.base).port), '127.0.0.1');
  const startedAt = performance.now();
  let text = '';
  line.setEncoding('utf8').on('data', (part) => (text += part));
  line.on('error', () => {});
  line.write(
    `POST ${messagesPath(app.conversation)} HTTP/1.1\r\nHost: ${new URL(app.base).host}\r\n` +
      `Authorization: ${app.who.rahim.bearer.authorization}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{`,
  );
  const drip = setInterval(() => line.write(' '), 50);
  await new Promise<void>((resolve) => line.once('close', () => resolve()));
  clearInterval(drip);
  expect(performance.now() - startedAt).toBeLessThan(PATIENCE.bodyMs + 1_000);
  expect(text).toContain('408 Request Timeout');
});

test('twenty slow ones do not hold up who writes, and no more may be begun by one person', async () => {
  const say = async () => {
    const startedAt = performance.now();
    const body = { body: 'Not held up', clientId: randomUUID() };
    expect((await app.post(messagesPath(app.conversation), body, app.who.rahim)).status).toBe(201);
    return performance.now() - startedAt;
  };
  await say();
  const slow = Array.from({ length: 24 }, () => begin(1_000_000));
  await expect.poll(() => app.staged().length, { timeout: 3_000 }).toBe(24);
  const taken: number[] = [];
  for (let n = 0; n < 20; n += 1) taken.push(await say());
  const refused = begin(1_000_000);
  await expect.poll(refused.said).toContain('uploads_busy');
  expect(refused.said()).toContain('503 Service Unavailable');
  expect(refused.said().toLowerCase()).toContain('retry-after: 5');
  for (const { line } of [...slow, refused]) line.destroy();
  expect(taken.sort((a, b) => a - b)[10]).toBeLessThan(100);
  await expect.poll(() => app.staged()).toEqual([]);
});

describe('what fails', () => {
  test('leaves nothing behind, 5,000 times (T-AT2)', {
    timeout: 120_000,
  }, async () => {
    const [stored, rows] = [app.stored().length, await rowsOf()];
    const usage = async () =>
      (
        await app.admin.query('select * from attachment_usage where tenant_id = $1 order by owner_id', [
          app.home.tenant.id,
        ])
      ).rows;
    const before = await usage();
    const { port, host } = new URL(app.base);
    let failed = 0;
    const kinds = [
      // of a type that is not taken, without the end of the form, broken off in the file, too large, and unknown here
      (n: number) => ({
        path: uploadPath(app.conversation),
        file: `<svg>${n}</svg>`,
        end: END,
        cut: false,
      }),
      (n: number) => ({
        path: uploadPath(app.conversation),
        file: `%PDF-1.4\n${n}`,
        end: '',
        cut: false,
      }),
      (n: number) => ({
        path: uploadPath(app.conversation),
        file: `%PDF-1.4\n${'x'.repeat(5_000 + n)}`,
        end: END,
        cut: true,
      }),
      (n: number) => ({
        path: uploadPath(randomUUID()),
        file: `%PDF-1.4\n${n}`,
        end: END,
        cut: false,
      }),
      (n: number) => ({
        path: uploadPath(app.conversation),
        file: `%PDF-1.4\n${n}`,
        end: `${END.slice(0, -4)}\r\nContent-Disposition: form-data; name="more"\r\n\r\n1${END}`,
        cut: false,
      }),
    ];
    async function fail(n: number): Promise<void> {
      const kind = kinds[n % kinds.length]?.(n);
      if (!kind) return;
      const { path, file, end, cut } = kind;
      const form = FORM + file + end;
      const line = connect(Number(port), '127.0.0.1');
      let text = '';
      line.setEncoding('utf8').on('data', (part) => (text += part));
      line.on('error', () => {});
      const closed = new Promise<void>((resolve) => line.once('close', () => resolve()));
      line.write(
        `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n` +
          `Authorization: ${app.who.rahim.bearer.authorization}\r\n` +
          `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: ${form.length}\r\n\r\n`,
      );
      line.write(cut ? form.slice(0, form.length - 1_000) : form);
      if (cut) line.end();
      await closed;
      if (!/ 201 /.test(text.slice(0, 20))) failed += 1;
    }
    let next = 0;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        while (next < 5_000) await fail(next++);
      }),
    );
    expect(failed).toBe(5_000);
    await expect.poll(() => app.staged()).toEqual([]);
    expect([app.stored().length, await rowsOf(), await usage()]).toEqual([stored, rows, before]);
  });
});
