import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFileLinks } from '../../src/messaging/attachments/file-links.ts';
import { contentDisposition, displayName } from '../../src/messaging/attachments/file-name.ts';
import { TEST_SECRET_KEY } from '../support/people.ts';
import { type Answer, type AttachmentApp, messagesPath, pdf, photo, startAttachmentApp } from './attachment-app.ts';

/** Getting files: by a signed address only, by who may, for as long as they may, and never so that something runs. */

let app: AttachmentApp;
let jpeg: Buffer;

beforeAll(async () => {
  app = await startAttachmentApp();
  jpeg = await photo();
});
afterAll(() => app?.stop());

/** What Node does in its own time: a file that nobody closed is then an error that ends the process. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** A file of Rahim's in a message of his. */
async function sent(bytes = jpeg): Promise<{ id: string; url: string; thumbnailUrl: string; messageId: string }> {
  const { attachment } = (await app.upload(app.who.rahim, { bytes, name: 'my file' })).body;
  const body = { clientId: randomUUID(), attachmentIds: [attachment.id] };
  const { message } = (await app.post(messagesPath(app.conversation), body, app.who.rahim)).body;
  return { ...message.attachments[0], messageId: message.id };
}

async function remove(messageId: string): Promise<void> {
  const path = `${messagesPath(app.conversation)}/${messageId}`;
  const gone = await fetch(new URL(path, app.base), { method: 'DELETE', headers: app.who.rahim.bearer });
  expect(gone.status).toBe(200);
}

describe('whoever leaves before a file is there', () => {
  test('leaves no file open, and the server up', async () => {
    const { url } = await sent();
    const faults: unknown[] = [];
    const note = (fault: unknown) => faults.push(fault);
    process.on('uncaughtException', note);
    const serve = app.routes.find(({ name }) => name === 'files.serve')!; // one of the doors
    const ctx = { req: { headers: {} }, res: new PassThrough() };
    const input = { params: { ticket: url.slice('/files/'.length) }, ctx };
    for (let n = 0; n < 5; n++) {
      const reply = await app.home.asPerson('rahim', async (scope) => serve.handle(scope, input as never));
      // gone between the head and the file, which no client can time
      const gone = new PassThrough();
      gone.destroy();
      reply.takeOver!(gone as never);
    }
    for (let n = 0; n < 6; n++) {
      await new Promise((done) => setTimeout(done, 150));
      collectGarbage();
    }
    process.off('uncaughtException', note);
    expect(faults).toEqual([]);
    expect((await app.get(url, app.who.rahim)).status).toBe(200);
  });
});

describe('many who read slowly', () => {
  const READERS = 50;
  const SIZE = 10 * 1024 * 1024 - 1_000;

  /** Reads a file to its end, 64 KB each time, into one buffer; resolves to how much there was. */
  function read(url: string): Promise<number> {
    const { hostname, port } = new URL(app.base);
    let read = 0;
    const line = connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer: Buffer.alloc(64 * 1024),
        callback(bytes) {
          read += bytes;
          setTimeout(() => line.resume(), 10);
          return false;
        },
      },
    });
    line.write(
      `GET ${url} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n` +
        `Authorization: ${app.who.rahim.bearer.authorization}\r\n\r\n`,
    );
    return once(line, 'close').then(() => read);
  }

  test('cost a buffer each, and leave no garbage', async () => {
    const { url } = await sent(pdf(SIZE));
    collectGarbage();
    const buffers = () => process.memoryUsage().arrayBuffers / 1024 / 1024;
    const before = buffers();
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, buffers())), 10);
    const got = await Promise.all(Array.from({ length: READERS }, () => read(url)));
    clearInterval(watch);
    for (const bytes of got) expect(bytes).toBeGreaterThan(SIZE);
    // 64 KB of the server and of the reader each, and what others in this process do meanwhile; by streams it was 72
    expect(most - before).toBeLessThan(30);
  });
});

describe('a signed address (T-AT1)', () => {
  test('is good for who may read the conversation, and for nobody else', async () => {
    const { url } = await sent();
    for (const who of ['rahim', 'agent', 'viewer'] as const) {
      expect([who, (await app.get(url, app.who[who])).status]).toEqual([who, 200]);
    }
    expect((await app.get(url, app.who['driver-2'])).status).toBe(404);
    expect((await app.get(url)).status).toBe(401);
    const other = await app.newTenant();
    for (const who of ['agent', 'rahim'] as const) {
      expect((await app.get(url, await other.signIn(who))).status).toBe(404);
    }
  });

  test('is nothing once a bit of it is changed', async () => {
    const { url } = await sent();
    const ticket = url.slice('/files/'.length);
    const bytes = Buffer.from(ticket, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      if (bit % 23 === 0) {
        const answer = await app.get(`/files/${changed.toString('base64url')}`, app.who.rahim);
        expect([bit, answer.status, answer.body.error.code]).toEqual([bit, 404, 'link_expired']);
      }
    }
    for (const text of [`${ticket}A`, ticket.slice(1), `${ticket}=`, ticket.replace(/.$/, '*'), `${ticket}%00`]) {
      expect((await app.get(`/files/${text}`, app.who.rahim)).status).toBe(404);
    }
    expect((await app.get(url, app.who.rahim)).status).toBe(200);
  });

  test('is nothing with any byte of it changed, late, or made out for another room', async () => {
    const { url, id } = await sent();
    const ticket = url.slice('/files/'.length);
    const bytes = Buffer.from(ticket, 'base64url');
    const changed = [
      ...[...bytes].flatMap((byte, at) =>
        [byte ^ 1, byte ^ 0x80, byte ^ 0xff].map((other) => {
          const copy = Buffer.from(bytes);
          copy[at] = other;
          return copy.toString('base64url');
        }),
      ),
      ...[...ticket].map((sign, at) => ticket.slice(0, at) + (sign === 'A' ? 'B' : 'A') + ticket.slice(at + 1)),
    ];
    for (const text of changed) expect((await app.get(`/files/${text}`, app.who.rahim)).status).toBe(404);
    process.stdout.write(`signed addresses: ${changed.length} changed ones, none served\n`);

    const key = { secretKey: app.config.secretKey };
    const own = {
      tenantId: app.home.tenant.id,
      conversationId: app.conversation,
      attachmentId: id,
      form: 'view',
    } as const;
    const now = createFileLinks({ ...key, clock: () => Date.now() });
    expect((await app.get(now.url(own), app.who.rahim)).status).toBe(200);
    const early = createFileLinks({ ...key, clock: () => Date.now() - 6 * 60_000 });
    expect((await app.get(early.url(own), app.who.rahim)).status).toBe(404);
    const other = await app.post(
      '/api/support/conversations',
      { message: { body: 'mine', clientId: randomUUID() } },
      app.who['driver-2'],
    );
    for (const conversationId of [other.body.conversation.id, null]) {
      for (const who of ['driver-2', 'agent', 'rahim'] as const) {
        expect((await app.get(now.url({ ...own, conversationId }), app.who[who])).status).toBe(404);
      }
    }
    const foreign = { ...own, tenantId: (await app.newTenant()).tenant.id };
    expect((await app.get(now.url(foreign), app.who.rahim)).status).toBe(404);
  });

  test('stops with the message, and with the right to read it', async () => {
    const file = await sent();
    expect((await app.get(file.url, app.who.agent)).status).toBe(200);
    await remove(file.messageId);
    expect((await app.get(file.url, app.who.agent)).status).toBe(404);
    expect((await app.get(file.thumbnailUrl, app.who.rahim)).status).toBe(404);
    const { items } = (await app.get(messagesPath(app.conversation), app.who.agent)).body;
    expect(items.at(-1)).toMatchObject({ attachments: [], body: null });
    const { rows } = await app.admin.query('select data from messages where id = $1', [file.messageId]);
    expect(rows).toEqual([{ data: null }]);

    const { url } = await sent();
    const agent = await app.home.signIn('agent-2');
    expect((await app.get(url, agent)).status).toBe(200);
    await app.admin.query('delete from role_assignments where user_id = $1', [agent.person.id]);
    await app.admin.query('update users set access_version = access_version + 1 where id = $1', [agent.person.id]);
    await app.admin.query('insert into access_changes (tenant_id, user_id) values ($1, $2)', [
      app.home.tenant.id,
      agent.person.id,
    ]);
    await expect.poll(async () => (await app.get(url, agent)).status, { timeout: 3_000 }).toBe(404);
  });

  test('a file that was not sent yet is its sender’s alone', async () => {
    const { attachment } = (await app.upload(app.who.rahim, { bytes: jpeg })).body;
    expect((await app.get(attachment.url, app.who.rahim)).status).toBe(200);
    expect((await app.get(attachment.url, app.who.agent)).status).toBe(404);
    expect((await app.get(`/api/support/attachments/${attachment.id}`, app.who.agent)).status).toBe(404);
    expect((await app.get(`/api/support/attachments/${attachment.id}`, app.who.rahim)).body.attachment.state).toBe(
      'ready',
    );
  });

  test('pages link to a door that signs at the click, for who may', async () => {
    const { id } = await sent();
    const signed = await app.get(`/attachments/${id}/view`, app.who.agent);
    expect([signed.status, signed.headers.get('location')]).toEqual([
      303,
      expect.stringMatching(/^\/files\/[\w-]{116}$/),
    ]);
    expect((await app.get(signed.headers.get('location') ?? '', app.who.agent)).status).toBe(200);
    expect((await app.get(`/attachments/${id}/view`, app.who['driver-2'])).status).toBe(404);
    expect((await app.get(`/attachments/${id}/other`, app.who.agent)).status).toBe(404);
  });
});

describe('the signature itself', () => {
  const id = '0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000';
  const file = {
    tenantId: id,
    conversationId: id.replace('0199', '0198'),
    attachmentId: randomUUID(),
    form: 'view',
  } as const;

  test('holds five minutes at most, and is the same within a minute', () => {
    let now = Date.parse('2026-11-21T10:00:59Z');
    const links = createFileLinks({ secretKey: TEST_SECRET_KEY, clock: () => now });
    const url = links.url(file);
    const ticket = url.slice('/files/'.length);
    now -= 58_000;
    expect(links.url(file)).toBe(url);
    expect(links.read(ticket)).toEqual(file);
    now = Date.parse('2026-11-21T10:04:59Z');
    expect(links.read(ticket)).toEqual(file);
    now = Date.parse('2026-11-21T10:05:00Z');
    expect(links.read(ticket)).toBeNull();
    // and none that somebody with an odd clock made for later
    now = Date.parse('2026-11-21T09:59:00Z');
    expect(links.read(ticket)).toBeNull();
  });

  test('every bit counts, and so does the key', () => {
    const links = createFileLinks({ secretKey: TEST_SECRET_KEY, clock: () => 1_000_000 });
    const other = createFileLinks({ secretKey: Buffer.alloc(32, 1), clock: () => 1_000_000 });
    const ticket = links.url(file).slice('/files/'.length);
    expect(other.read(ticket)).toBeNull();
    let tried = 0;
    for (let at = 0; at < ticket.length; at += 1) {
      for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
        if (sign === ticket[at]) continue;
        tried += 1;
        expect(links.read(ticket.slice(0, at) + sign + ticket.slice(at + 1))).toBeNull();
      }
    }
    expect(tried).toBe(116 * 63);
  });
});

describe('headers', () => {
  test('nothing of a file runs, leaks or stays in a cache (T-AT4, T-AT10)', async () => {
    const file = await sent();
    const shown = await app.get(file.url, app.who.rahim);
    const careful = {
      'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
      'cache-control': 'private, no-store',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    };
    for (const { headers } of [shown, await app.get((await sent(pdf())).url, app.who.rahim)]) {
      for (const [name, value] of Object.entries(careful)) expect([name, headers.get(name)]).toEqual([name, value]);
    }
    expect(shown.headers.get('content-disposition')).toBe(
      `inline; filename="my file.jpg"; filename*=UTF-8''my%20file.jpg`,
    );
    const signed = await app.get(`/attachments/${file.id}/download`, app.who.rahim);
    const saved = await app.get(signed.headers.get('location') ?? '', app.who.rahim);
    expect(saved.headers.get('content-disposition')).toMatch(/^attachment; /);
    // a PDF is never shown, whatever is asked for
    const { id } = await sent(pdf());
    for (const form of ['view', 'thumbnail']) {
      const door = await app.get(`/attachments/${id}/${form}`, app.who.rahim);
      expect((await app.get(door.headers.get('location') ?? '', app.who.rahim)).status).toBe(404);
    }
  });
});

describe('ranges and HEAD (T-AT9)', () => {
  test('one range, or the whole, or 416', async () => {
    const { url } = await sent(pdf(5_000));
    const whole: Buffer = (await app.get(url, app.who.rahim)).body;
    const size = whole.length;
    const range = (value: string, extra = {}): Promise<Answer> =>
      app.get(url, app.who.rahim, { range: value, ...extra });
    for (const [asked, from, to] of [
      ['bytes=0-0', 0, 0],
      ['bytes=10-99', 10, 99],
      ['bytes=100-', 100, size - 1],
      ['bytes=-5', size - 5, size - 1],
      ['bytes=0-999999999', 0, size - 1],
      ['bytes=-999999999', 0, size - 1],
    ] as const) {
      const { status, headers, body } = await range(asked);
      expect([asked, status, headers.get('content-range')]).toEqual([asked, 206, `bytes ${from}-${to}/${size}`]);
      expect(body.equals(whole.subarray(from, to + 1))).toBe(true);
    }
    const refused = [
      'bytes=0-1,2-3',
      'bytes=5-1',
      `bytes=${size}-`,
      'bytes=-',
      'bytes=a-b',
      'bytes=-0',
      `bytes=${'9'.repeat(40)}-`,
    ];
    for (const asked of refused) expect([asked, (await range(asked)).status]).toEqual([asked, 416]);
    expect((await range('lines=1-2')).status).toBe(200);
    expect((await range('bytes=0-1', { 'if-range': '"x"' })).status).toBe(200);
    const head = await fetch(new URL(url, app.base), { method: 'HEAD', headers: app.who.rahim.bearer });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, String(size), '']);
  });
});

describe('names (T-AT3)', () => {
  test.each([
    ['../../etc/passwd', 'image/jpeg', 'passwd.jpg'],
    ['C:\\Windows\\evil.exe', 'image/png', 'evil.exe.png'],
    ['CON', 'application/pdf', 'file-CON.pdf'],
    ['nul.pdf', 'application/pdf', 'file-nul.pdf'],
    ['photo\u202egnp.exe', 'image/png', 'photognp.exe.png'],
    ['a\0b\r\nSet-Cookie: x.jpg', 'image/jpeg', 'abSet-Cookie_ x.jpg'],
    ['<img src=x onerror=alert(1)>.png', 'image/png', '_img src=x onerror=alert(1)_.png'],
    ['', 'image/webp', 'file.webp'],
    ['...', 'image/gif', 'file.gif'],
    ['রাইড বিল.PDF', 'application/pdf', 'রাইড বিল.PDF'],
    [`${'x'.repeat(4_096)}.jpg`, 'image/jpeg', `${'x'.repeat(100)}.jpg`],
    ['\ud800lone.jpg', 'image/jpeg', '\ufffdlone.jpg'],
  ])('%j of %s is shown as %j', (given, type, shown) => {
    expect(displayName(given, type)).toBe(shown);
  });

  test('whatever somebody calls a file, the header is one line and gives the name back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (given) => {
        const name = displayName(given, 'image/jpeg');
        expect(name).toMatch(/^[^\\/:*?"<>|\p{Cc}\p{Cf}\p{Cs}]{1,110}\.(jpe?g|jpe)$/iu);
        const header = contentDisposition('attachment', name);
        expect(header).toMatch(/^attachment; filename="[\x20-\x7e]*"; filename\*=UTF-8''[\w.!~%-]+$/);
        expect(decodeURIComponent(header.split("''")[1] ?? '')).toBe(name);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('with FILES_URL', () => {
  let files: AttachmentApp;
  beforeAll(async () => {
    files = await startAttachmentApp({ FILES_URL: 'http://files.example' });
  });
  afterAll(() => files?.stop());

  function ask(
    host: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: object }> {
    const { hostname, port } = new URL(files.base);
    return new Promise((resolve, reject) => {
      const call = request({ hostname, port, path, headers: { ...headers, host } }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers }));
      });
      call.on('error', reject);
      call.end();
    });
  }

  test('files come from there without a cookie, and nothing else does', async () => {
    const { attachment } = (await files.upload(files.who.rahim, { bytes: jpeg })).body;
    expect(attachment.url).toMatch(/^http:\/\/files\.example\/files\/[\w-]{116}$/);
    const path = new URL(attachment.url).pathname;
    const here = await ask('files.example', path);
    expect(here).toMatchObject({ status: 200, headers: { 'cross-origin-resource-policy': 'same-site' } });
    expect(here.headers).not.toHaveProperty('set-cookie');
    const own = new URL(files.base).host;
    expect((await ask(own, path, files.who.rahim.cookie)).status).toBe(404);
    expect((await ask(own, '/admin/login')).status).toBe(200);
    for (const page of ['/', '/admin/login', '/api/openapi.json', '/healthz', `/attachments/${attachment.id}/view`]) {
      expect([page, (await ask('files.example', page, files.who.rahim.cookie)).status]).toEqual([page, 404]);
    }
    await files.admin.query(`update attachments set state = 'deleted' where id = $1`, [attachment.id]);
    expect((await ask('files.example', path)).status).toBe(404);
  });
});
