import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareAttachments } from '../../src/messaging/attachments/check-attachments.task.ts';
import { openFiles } from '../../src/messaging/attachments/files.ts';
import { sweepUploads } from '../../src/messaging/attachments/sweep-attachments.ts';
import { openFaultProxy } from '../faults/lab/proxy.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import type { TestSession } from '../support/people.ts';
import { type AttachmentApp, messagesPath, pdf, startAttachmentApp } from './attachment-app.ts';

/** Files in pieces: a line that drops costs what was under way, and nothing is there twice. */

const MEGABYTE = 1024 * 1024;
const PIECE = 512 * 1024;

let database: FreshDatabase;
let app: AttachmentApp;

beforeAll(async () => {
  database = await freshDatabase();
  app = await startAttachmentApp({}, database);
});
afterAll(async () => {
  await app?.stop();
  await database?.drop();
});

interface Order {
  readonly clientId: string;
  readonly name: string;
  readonly size: number;
  readonly conversation?: string | null;
}

interface Told {
  readonly status: number;
  readonly offset: number | null;
  readonly text: string;
}

const order = (size: number, name = 'licence.pdf'): Order => ({ clientId: randomUUID(), name, size });

function addressOf({ clientId, name, size, conversation = app.conversation }: Order): string {
  const query = new URLSearchParams({ name, size: String(size), ...(conversation ? { conversation } : {}) });
  return `/uploads/${clientId}?${query}`;
}

async function told(answer: Response): Promise<Told> {
  const offset = answer.headers.get('upload-offset');
  return { status: answer.status, offset: offset === null ? null : Number(offset), text: await answer.text() };
}

async function piece(
  to: Order,
  offset: number,
  bytes: Buffer,
  as: TestSession = app.who.rahim,
  base = app.base,
): Promise<Told> {
  const headers = {
    ...as.bearer,
    'hx-request': 'true',
    'content-type': 'application/offset+octet-stream',
    'upload-offset': String(offset),
  };
  return told(await fetch(base + addressOf(to), { method: 'PATCH', headers, body: new Uint8Array(bytes) }));
}

async function offsetOf(of: Order, as: TestSession = app.who.rahim): Promise<Told> {
  const conversation = of.conversation === null ? '' : `?conversation=${of.conversation ?? app.conversation}`;
  const headers = { ...as.bearer, 'hx-request': 'true' };
  return told(await fetch(`${app.base}/uploads/${of.clientId}${conversation}`, { headers }));
}

/** All of it, from where the server says. */
async function sendRest(to: Order, bytes: Buffer): Promise<Told> {
  let answer = await offsetOf(to);
  while (answer.status === 204) {
    const from = answer.offset ?? 0;
    answer = await piece(to, from, bytes.subarray(from, from + PIECE));
  }
  return answer;
}

const idIn = (text: string) => /name="attachmentIds" value="([^"]+)"/.exec(text)?.[1] ?? '';

function largePdf(size: number): Buffer {
  return Buffer.concat([pdf(), randomBytes(size - pdf().length)]);
}

async function usage(): Promise<{ bytes: number; files: number }> {
  const { rows } = await app.admin.query(
    'select bytes::float8 as bytes, files::int as files from attachment_usage where owner_id = $1',
    [app.who.rahim.person.id],
  );
  return rows[0] ?? { bytes: 0, files: 0 };
}

async function counts(): Promise<{ uploads: number; chunks: number; attachments: number }> {
  const { rows } = await app.admin.query(`
    select (select count(*)::int from attachment_uploads) as uploads, (select count(*)::int from attachment_chunks) as chunks,
      (select count(*)::int from attachments) as attachments`);
  return rows[0];
}

describe('a file in pieces', () => {
  test('10 MB cut at 60 % cost less than 5 MB again, counted on the wire', async () => {
    const bytes = largePdf(10 * MEGABYTE);
    const to = order(bytes.length);
    const proxy = await openFaultProxy(Number(new URL(app.base).port));
    const through = `http://127.0.0.1:${proxy.port}`;
    proxy.watch((direction) => direction === 'up' && proxy.bytes.up >= 0.6 * bytes.length);
    let offset = 0;
    const broken = await (async () => {
      for (;;) {
        const answer = await piece(to, offset, bytes.subarray(offset, offset + PIECE), app.who.rahim, through);
        offset = answer.offset ?? 0;
      }
    })().catch((error: unknown) => error);
    expect(broken).toBeInstanceOf(Error);
    const before = proxy.bytes.up;
    expect(before).toBeGreaterThan(5 * MEGABYTE);
    proxy.watch(null);

    const headers = { ...app.who.rahim.bearer, 'hx-request': 'true' };
    const ask = async () =>
      told(await fetch(`${through}/uploads/${to.clientId}?conversation=${app.conversation}`, { headers }));
    let answer = await ask();
    // what had come of the piece that was cut may still be on its way to the disk
    for (let known = -1; answer.offset !== known; answer = await ask()) {
      known = answer.offset ?? known;
      await sleep(300);
    }
    expect(answer.offset).toBeGreaterThanOrEqual(5.5 * MEGABYTE);
    while (answer.status === 204) {
      const from = answer.offset ?? 0;
      answer = await piece(to, from, bytes.subarray(from, from + PIECE), app.who.rahim, through);
    }
    const again = proxy.bytes.up - before;
    process.stdout.write(`resume: ${before} bytes before the cut, ${again} after it\n`);
    expect(again).toBeLessThan(5_000_000);
    expect(answer.status).toBe(200);
    const shown = await app.get(`/api/support/attachments/${idIn(answer.text)}`, app.who.rahim);
    expect(shown.body.attachment).toMatchObject({ state: 'ready', size: bytes.length, fileName: 'licence.pdf' });
    const got = await app.get(shown.body.attachment.url, app.who.rahim);
    expect(bytes.equals(got.body)).toBe(true);
    await proxy.close();
  });

  test('what came of a piece before the line dropped stays', async () => {
    const bytes = largePdf(400_000);
    const to = order(bytes.length);
    await new Promise<void>((resolve) => {
      const { hostname, port } = new URL(app.base);
      const call = request({
        hostname,
        port,
        method: 'PATCH',
        path: addressOf(to),
        headers: {
          ...app.who.rahim.bearer,
          'content-type': 'application/offset+octet-stream',
          'content-length': bytes.length,
          'upload-offset': 0,
        },
      });
      call.on('error', () => {});
      call.on('close', () => resolve());
      call.write(bytes.subarray(0, 250_000), () => setTimeout(() => call.destroy(), 100));
    });
    // but for what lay in the buffers, because it was not its turn at the gate yet
    await expect.poll(async () => (await offsetOf(to)).offset).toBeGreaterThanOrEqual(250_000 - 128 * 1024);
    expect((await sendRest(to, bytes)).status).toBe(200);
    expect(app.staged()).toEqual([]);
  });

  test('the same client id never makes two, whatever is sent again', async () => {
    const bytes = largePdf(900_000);
    const to = order(bytes.length);
    const before = await counts();
    const first = bytes.subarray(0, PIECE);
    const twice = await Promise.all([1, 2, 3].map(() => piece(to, 0, first)));
    expect(twice.map((one) => one.status).sort()).toEqual([204, 409, 409]);
    expect(await piece(to, 0, first)).toMatchObject({ status: 409, text: expect.stringContaining('upload_offset') });
    expect((await offsetOf(to)).offset).toBe(PIECE);
    const rest = bytes.subarray(PIECE);
    const ends = await Promise.all([1, 2, 3].map(() => piece(to, PIECE, rest)));
    expect(ends.some((one) => one.status === 200)).toBe(true);
    const end = await offsetOf(to);
    expect(end.status).toBe(200);
    expect(idIn((await piece(to, 0, first)).text)).toBe(idIn(end.text));
    // the same file as a whole form, under the same id
    const whole = await app.upload(app.who.rahim, { bytes, name: to.name, clientId: to.clientId });
    expect([whole.status, whole.body.attachment.id]).toEqual([200, idIn(end.text)]);
    expect(await counts()).toEqual({ ...before, attachments: before.attachments + 1 });
    // another file under it is refused
    expect((await piece({ ...to, name: 'other.pdf' }, 0, first)).status).toBe(409);
  });

  test('counts as used from the first piece on, and no longer once it is cancelled', async () => {
    const before = await usage();
    const to = order(3 * MEGABYTE);
    expect((await piece(to, 0, largePdf(PIECE))).status).toBe(204);
    expect(await usage()).toEqual({ bytes: before.bytes + 3 * MEGABYTE, files: before.files + 1 });
    const files = app.stored().length;
    const gone = await fetch(`${app.base}/uploads/${to.clientId}`, { method: 'DELETE', headers: app.who.rahim.bearer });
    expect(gone.status).toBe(204);
    expect(await usage()).toEqual(before);
    expect(app.stored().length).toBe(files - 1);
    expect((await offsetOf(to)).offset).toBe(0);

    const { id } = app.who.rahim.person;
    await app.admin.query('update attachment_usage set bytes = $2 where owner_id = $1', [id, 1024 ** 3 - MEGABYTE]);
    expect(await piece(order(3 * MEGABYTE), 0, largePdf(PIECE))).toMatchObject({
      status: 413,
      text: expect.stringContaining('attachment_quota'),
    });
    await app.admin.query('update attachment_usage set bytes = $2 where owner_id = $1', [id, before.bytes]);
  });

  test('is refused with its first piece where that tells, and leaves nothing', async () => {
    const [before, files] = [await counts(), app.stored().length];
    const html = Buffer.concat([Buffer.from('<script>alert(1)</script>'), Buffer.alloc(10_000, ' ')]);
    const refused = await piece(order(2 * MEGABYTE), 0, html);
    expect([refused.status, refused.text.includes('attachment_type')]).toEqual([415, true]);
    expect((await piece(order(11 * MEGABYTE), 0, largePdf(1_000))).status).toBe(413);
    const short = order(500);
    expect((await piece(short, 0, Buffer.alloc(500, '<p>'))).status).toBe(415);
    const damaged = order(9_000, 'photo.jpg');
    const jpeg = Buffer.concat([Buffer.from('\xff\xd8\xff\xe0', 'latin1'), randomBytes(8_996)]);
    expect((await piece(damaged, 0, jpeg)).status).toBe(422);
    // more than was announced
    expect((await piece(order(5_000), 0, largePdf(6_000))).status).toBe(400);
    // one that is refused by its first piece may be sent again under the same id, so its row waits for the sweep
    const { uploads, chunks, attachments } = await counts();
    expect([chunks, attachments, uploads - before.uploads]).toEqual([before.chunks, before.attachments, 2]);
    expect([app.stored().length, app.staged()]).toEqual([files, []]);
  });

  test('belongs to who began it, and to who may still write there', async () => {
    const to = order(2 * MEGABYTE);
    const bytes = largePdf(2 * MEGABYTE);
    expect((await piece(to, 0, bytes.subarray(0, PIECE))).status).toBe(204);
    const { agent, viewer, 'driver-2': other } = app.who;
    expect((await offsetOf(to, agent)).offset).toBe(0);
    expect((await piece(to, PIECE, bytes.subarray(PIECE), agent)).status).toBe(409);
    expect((await piece(to, PIECE, bytes.subarray(PIECE), other)).status).toBe(404);
    expect((await piece(to, PIECE, bytes.subarray(PIECE), viewer)).status).toBe(403);
    const nobody = { ...agent, bearer: { authorization: 'Bearer nobody' } };
    expect((await piece(to, PIECE, bytes.subarray(PIECE), nobody)).status).toBe(401);
    await app.setSettings({ enabled: false });
    expect((await piece(to, PIECE, bytes.subarray(PIECE))).status).toBe(403);
    await app.setSettings({});
    expect((await sendRest(to, bytes)).status).toBe(200);
  });

  test('that nobody goes on with is forgotten after a day, its pieces too', async () => {
    const quiet = { info() {}, debug() {}, warn() {}, error() {} };
    const files = await openFiles({ config: app.config, log: quiet, clock: Date.now });
    const deps = { database: app.database, files, log: quiet };
    const before = await usage();
    const stored = app.stored().length;
    const to = order(2 * MEGABYTE);
    expect((await piece(to, 0, largePdf(PIECE))).status).toBe(204);
    // the two-way check knows pieces
    expect(await compareAttachments(deps, new Date(Date.now() + 1_000))).toMatchObject({
      rowsWithoutFile: [],
      filesWithoutRow: [],
    });
    await sweepUploads(deps, new Date(Date.now() + 23 * 3_600_000));
    expect((await offsetOf(to)).offset).toBe(PIECE);
    await sweepUploads(deps, new Date(Date.now() + 25 * 3_600_000));
    expect((await offsetOf(to)).offset).toBe(0);
    expect((await usage()).bytes).toBeLessThanOrEqual(before.bytes);
    expect(app.stored().length).toBe(stored);
    expect((await counts()).chunks).toBe(0);
  });
});

describe('for the message that opens a conversation', () => {
  test('files come first, by form or in pieces, and are bound to it by the start', async () => {
    const fresh = await app.home.signIn('customer-2');
    const bytes = largePdf(700_000);
    const to = { ...order(bytes.length), conversation: null };
    expect((await piece(to, 0, bytes.subarray(0, PIECE), fresh)).status).toBe(204);
    const end = await piece(to, PIECE, bytes.subarray(PIECE), fresh);
    expect(end.status).toBe(200);
    const form = new FormData();
    form.set('clientId', randomUUID());
    form.set('file', new File([new Uint8Array(pdf())], 'second.pdf'));
    const path = `${app.base}/api/support/attachments`;
    const second = await (await fetch(path, { method: 'POST', headers: fresh.bearer, body: form })).json();
    const ids = [idIn(end.text), second.attachment.id];
    // signed for nobody else, and gone for nobody until it is sent
    expect((await app.get(second.attachment.url, fresh)).status).toBe(200);
    expect((await app.get(second.attachment.url, app.who.agent)).status).toBe(404);
    const stolen = { message: { body: 'mine', clientId: randomUUID(), attachmentIds: ids } };
    expect((await app.post('/api/support/conversations', stolen, app.who['driver-2'])).status).toBe(422);

    const start = { message: { body: '', clientId: randomUUID(), attachmentIds: ids } };
    const started = await app.post('/api/support/conversations', start, fresh);
    expect([started.status, started.body.message.messageType]).toEqual([201, 'file']);
    expect(started.body.message.attachments.map((one: { id: string }) => one.id)).toEqual(ids);
    const again = await app.post('/api/support/conversations', start, fresh);
    expect([again.status, again.body.message.id]).toEqual([200, started.body.message.id]);
    const { items } = (await app.get(messagesPath(started.body.conversation.id), app.who.agent)).body;
    expect((await app.get(items[0].attachments[0].url, app.who.agent)).status).toBe(200);
    // the address of before is no longer that of this file
    expect((await app.get(second.attachment.url, fresh)).status).toBe(404);
    // and the id brings it again, not a second one
    expect((await piece(to, 0, bytes.subarray(0, PIECE), fresh)).status).toBe(200);
  });
});
