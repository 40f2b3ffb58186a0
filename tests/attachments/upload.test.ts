import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Answer,
  type AttachmentApp,
  messagesPath,
  pdf,
  photo,
  startAttachmentApp,
  uploadPath,
} from './attachment-app.ts';

/** Sending files: who may, what, how much, and what becomes of them. */

let app: AttachmentApp;
let jpeg: Buffer;

beforeAll(async () => {
  app = await startAttachmentApp();
  jpeg = await photo();
});
afterAll(() => app?.stop());
beforeEach(() => app.setSettings({}));

function told(answer: Answer): [number, string | undefined] {
  return [answer.status, answer.body.error?.code];
}

async function rowCount(): Promise<number> {
  const { rows } = await app.admin.query('select count(*)::int as n from attachments where tenant_id = $1', [
    app.home.tenant.id,
  ]);
  return rows[0].n;
}

describe('a photo', () => {
  test('is written anew, gets a small picture, and comes back as it is shown', async () => {
    const { status, body } = await app.upload(app.who.rahim, { bytes: jpeg, name: 'Bonus screen.JPG' });
    expect([status, body.attachment]).toEqual([
      201,
      {
        id: expect.any(String),
        fileName: 'Bonus screen.JPG',
        mediaType: 'image/jpeg',
        size: expect.any(Number),
        state: 'ready',
        url: expect.stringMatching(/^\/files\/[\w-]{116}$/),
        thumbnailUrl: expect.stringMatching(/^\/files\//),
        width: 320,
        height: 200,
      },
    ]);
    const shown = await app.get(body.attachment.url, app.who.rahim);
    expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    expect(shown.body.length).toBe(body.attachment.size);
    expect(await sharp(shown.body).metadata()).toMatchObject({ format: 'jpeg', width: 320, height: 200 });
    const small = await app.get(body.attachment.thumbnailUrl, app.who.rahim);
    expect(await sharp(small.body).metadata()).toMatchObject({ format: 'webp', width: 320 });
    expect(app.staged()).toEqual([]);
  });

  test('loses where it was taken, and stands upright (T-AT5)', async () => {
    const told = {
      IFD0: { Make: 'SpyCam', Orientation: '6' },
      IFD3: { GPSLatitude: '23/1 48/1 0/1', GPSLatitudeRef: 'N' },
    };
    const source = await sharp(jpeg).withExif(told).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    // the thing that must not get through is there
    expect(source.includes('SpyCam')).toBe(true);
    expect((await sharp(source).metadata()).exif).toBeDefined();
    const { attachment } = (await app.upload(app.who.rahim, { bytes: source })).body;
    expect([attachment.width, attachment.height]).toEqual([200, 320]);
    for (const url of [attachment.url, attachment.thumbnailUrl]) {
      const { body } = await app.get(url, app.who.rahim);
      expect(body.includes('SpyCam')).toBe(false);
      const metadata = await sharp(body).metadata();
      expect([metadata.exif, metadata.xmp, metadata.iptc, metadata.orientation]).toEqual([
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
    }
  });

  test.each(['png', 'gif', 'webp'] as const)('may be %s', async (format) => {
    const { body } = await app.upload(app.who.rahim, { bytes: await photo(format), name: `a.${format}` });
    expect([body.attachment.state, body.attachment.mediaType]).toEqual(['ready', `image/${format}`]);
  });
});

test('a PDF is kept as it came, and only saved, never shown', async () => {
  const { attachment } = (await app.upload(app.who.rahim, { bytes: pdf(), name: 'licence.pdf' })).body;
  expect(attachment).toMatchObject({ mediaType: 'application/pdf', state: 'ready', thumbnailUrl: null, width: null });
  const got = await app.get(attachment.url, app.who.rahim);
  expect(got.body.equals(pdf())).toBe(true);
  expect(got.headers.get('content-disposition')).toMatch(/^attachment; filename="licence.pdf"/);
});

describe('the same client id', () => {
  test('never makes two, however often and however much at once', async () => {
    const before = await rowCount();
    const files = app.stored().length;
    const clientId = randomUUID();
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => app.upload(app.who.rahim, { bytes: jpeg, clientId })));
    answers.push(await app.upload(app.who.rahim, { bytes: jpeg, clientId }));
    expect(new Set(answers.map((one) => one.body.attachment.id)).size).toBe(1);
    expect(answers.map((one) => one.status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    expect(await rowCount()).toBe(before + 1);
    expect(app.stored().length).toBe(files + 2);
    expect(told(await app.upload(app.who.rahim, { bytes: pdf(), clientId }))).toEqual([409, 'client_id_reused']);
    expect(app.stored().length).toBe(files + 2);
  });
});

describe('who may not (T-AT2)', () => {
  test('is refused before a byte is kept', async () => {
    expect((await app.upload(app.who.rahim, { bytes: jpeg })).status).toBe(201);
    const files = app.stored().length;
    const nobody = { ...app.who.rahim, bearer: { authorization: 'Bearer nobody' } };
    expect(told(await app.upload(nobody, { bytes: jpeg }))).toEqual([401, 'not_signed_in']);
    expect(told(await app.upload(app.who['driver-2'], { bytes: jpeg }))).toEqual([404, 'not_found']);
    expect(told(await app.upload(app.who.rahim, { bytes: jpeg }, randomUUID()))).toEqual([404, 'not_found']);
    expect(told(await app.upload(app.who.viewer, { bytes: jpeg }))).toEqual([403, 'forbidden']);
    await app.setSettings({ enabled: false });
    expect(told(await app.upload(app.who.rahim, { bytes: jpeg }))).toEqual([403, 'support_disabled']);
    expect((await app.upload(app.who.agent, { bytes: jpeg })).status).toBe(201);
    expect(app.stored().length).toBe(files + 2);
    expect(app.staged()).toEqual([]);
  });

  test('beyond the quota, in count and in bytes, is told so (T-AT7)', async () => {
    const { id } = app.who.rahim.person;
    const quota = (bytes: number, files: number) =>
      app.admin.query('update attachment_usage set bytes = $2, files = $3 where owner_id = $1', [id, bytes, files]);
    const { rows } = await app.admin.query(
      'select bytes::float8, files::int from attachment_usage where owner_id = $1',
      [id],
    );
    expect(rows[0].files).toBeGreaterThan(0);
    await quota(0, 1_999);
    expect((await app.upload(app.who.rahim, { bytes: jpeg })).status).toBe(201);
    const refused = await app.upload(app.who.rahim, { bytes: jpeg });
    expect(told(refused)).toEqual([413, 'attachment_quota']);
    expect(refused.body.error.message).toBe('Your files have reached the limit of 1024 MB and 2000 files.');
    const files = app.stored().length;
    await quota(1024 ** 3 - 10, 1);
    // there is room when it begins and none when it is there
    expect(told(await app.upload(app.who.rahim, { bytes: jpeg }))).toEqual([413, 'attachment_quota']);
    expect(app.stored().length).toBe(files);
    await quota(rows[0].bytes, rows[0].files);
  });
});

describe('the limits of the tenant', () => {
  test('size: what is over is cut off while it comes, and the sentence says the limit', async () => {
    await app.setSettings({ maxAttachmentSizeMb: 1 });
    const megabyte = 1024 * 1024;
    const exact = Buffer.concat([pdf(), Buffer.alloc(megabyte - pdf().length, 'x')]);
    expect((await app.upload(app.who.rahim, { bytes: exact })).status).toBe(201);
    const over = await app.upload(app.who.rahim, { bytes: Buffer.concat([exact, Buffer.from('x')]) });
    expect(told(over)).toEqual([413, 'attachment_too_large']);
    expect(over.body.error).toMatchObject({ message: 'A file may have at most 1 MB.', maxSizeMb: 1 });
    expect(app.staged()).toEqual([]);
  });

  test('types: by the bytes alone, whatever name and sender say (T-AT4)', async () => {
    const [png, files] = [await photo('png'), app.stored().length];
    expect(
      (await app.upload(app.who.rahim, { bytes: png, name: 'evil.exe', type: 'application/x-msdownload' })).body
        .attachment,
    ).toMatchObject({
      fileName: 'evil.exe.png',
      mediaType: 'image/png',
    });
    const hostile: Record<string, string | Buffer> = {
      html: '<!doctype html><script>alert(1)</script>',
      svg: '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
      xml: '<?xml version="1.0"?><x/>',
      exe: Buffer.concat([Buffer.from('MZ\x90\0'), Buffer.alloc(200)]),
      elf: Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01'), Buffer.alloc(200)]),
      zip: Buffer.from('PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'),
      script: '#!/bin/sh\nrm -rf /',
      text: 'just words',
    };
    for (const [kind, bytes] of Object.entries(hostile)) {
      const answer = await app.upload(app.who.rahim, { bytes: Buffer.from(bytes), name: 'photo.jpg' });
      expect([kind, ...told(answer)]).toEqual([kind, 415, 'attachment_type']);
      expect(answer.body.error.message).toContain('Allowed are: image/jpeg');
    }
    await app.setSettings({ allowedAttachmentTypes: ['application/pdf', 'text/plain'] });
    expect(told(await app.upload(app.who.rahim, { bytes: png }))).toEqual([415, 'attachment_type']);
    expect((await app.upload(app.who.rahim, { bytes: Buffer.from('just words'), name: 'a.txt' })).status).toBe(201);
    expect(told(await app.upload(app.who.rahim, { bytes: Buffer.from(hostile['script']!) }))).toEqual([
      415,
      'attachment_type',
    ]);
    const late = Buffer.concat([Buffer.alloc(200_000, 'a'), Buffer.from([0])]);
    expect(told(await app.upload(app.who.rahim, { bytes: late }))).toEqual([415, 'attachment_type']);
    expect(app.stored().length).toBe(files + 3);
    expect(app.staged()).toEqual([]);
  });

  test('a HEIC photo is told what to do, because nobody here can open it', async () => {
    const heic = Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from('ftypheic\0\0\0\0mif1heic'),
      Buffer.alloc(5_000),
    ]);
    const answer = await app.upload(app.who.rahim, { bytes: heic, name: 'IMG_0001.HEIC', type: 'image/heic' });
    expect(told(answer)).toEqual([415, 'attachment_heic']);
    expect(answer.body.error.message).toContain('Save the photo as JPEG');
  });
});

test('an archive is bytes: nothing of ours opens one (T-AT6)', () => {
  const root = new URL('../../', import.meta.url);
  const opens = /\b(unzip|gunzip|inflate|brotliDecompress|createUnzip|unzipper|yauzl|adm-zip|jszip|node-tar|tar-fs)/i;
  const folders = ['src/messaging/attachments', 'src/platform/storage'];
  const sources = folders.flatMap((folder) =>
    readdirSync(new URL(folder, root)).map((name) => readFileSync(new URL(`${folder}/${name}`, root), 'utf8')),
  );
  expect(sources.length).toBeGreaterThan(20);
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  for (const text of [...sources, ...Object.keys(dependencies)]) expect(opens.exec(text)).toBeNull();
});

describe('what is no proper form', () => {
  async function raw(body: string, type = 'multipart/form-data; boundary=x'): Promise<Answer> {
    const response = await fetch(new URL(uploadPath(app.conversation), app.base), {
      method: 'POST',
      headers: { ...app.who.rahim.bearer, 'content-type': type },
      body,
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
  const part = (name: string, value: string, file = '') =>
    `--x\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`;
  const file = part('file', pdf().toString(), '; filename="a.pdf"');
  const id = part('clientId', randomUUID());

  test('is refused, and leaves nothing', async () => {
    expect((await raw(`${file}${id}--x--\r\n`)).status).toBe(201);
    const files = app.stored().length;
    expect(told(await raw('{}', 'application/json'))).toEqual([415, 'unsupported_type']);
    expect(told(await raw('', 'multipart/form-data'))).toEqual([400, 'not_parseable']);
    expect(told(await raw('--x\r\nnonsense'))).toEqual([400, 'not_parseable']);
    expect(told(await raw(`${id}${file}`.slice(0, -20)))).toEqual([400, 'not_parseable']);
    expect(told(await raw(`${id}--x--\r\n`))).toEqual([422, 'invalid']);
    expect(told(await raw(`${file}--x--\r\n`))).toEqual([422, 'invalid']);
    expect(told(await raw(`${part('clientId', 'x')}${file}--x--\r\n`))).toEqual([422, 'invalid']);
    expect(told(await raw(`${id}${part('admin', '1')}${file}--x--\r\n`))).toEqual([400, 'unknown_field']);
    expect(told(await raw(`${id}${id}${file}--x--\r\n`))).toEqual([400, 'not_parseable']);
    expect(told(await raw(`${id}${file}${file}--x--\r\n`))).toEqual([400, 'too_many_fields']);
    expect(told(await raw(`${id}${part('file', '', '; filename="a.pdf"')}--x--\r\n`))).toEqual([
      422,
      'attachment_empty',
    ]);
    expect([app.stored().length, app.staged()]).toEqual([files, []]);
  });

  test('cut off at any place leaves nothing (F25)', async () => {
    const whole = Buffer.from(`${id}${file}--x--\r\n`);
    const files = app.stored().length;
    for (let cut = 10; cut < whole.length; cut += 40) {
      await new Promise<void>((resolve) => {
        const { hostname, port } = new URL(app.base);
        const call = request({
          hostname,
          port,
          method: 'POST',
          path: uploadPath(app.conversation),
          headers: {
            ...app.who.rahim.bearer,
            'content-type': 'multipart/form-data; boundary=x',
            'content-length': whole.length,
          },
        });
        call.on('error', () => {});
        call.on('close', () => resolve());
        call.write(whole.subarray(0, cut), () => setTimeout(() => call.destroy(), 2));
      });
    }
    await expect.poll(() => app.staged()).toEqual([]);
    expect(app.stored().length).toBe(files);
  });
});

test('the audit log tells of it without its name (contract, Audit)', async () => {
  const { attachment } = (await app.upload(app.who.rahim, { bytes: jpeg, name: 'secret-name.jpg' })).body;
  const { rows } = await app.admin.query(
    `select entity_type, actor_id, metadata from audit_log where action = 'SUPPORT_ATTACHMENT_UPLOADED' and entity_id = $1`,
    [attachment.id],
  );
  expect(rows).toEqual([
    {
      entity_type: 'support_attachment',
      actor_id: app.who.rahim.person.id,
      metadata: { conversationId: app.conversation, mediaType: 'image/jpeg', size: attachment.size },
    },
  ]);
});

describe('a message with files', () => {
  const send = (as: 'rahim' | 'agent' | 'driver-2', body: object, to = app.conversation) =>
    app.post(messagesPath(to), { clientId: randomUUID(), ...body }, app.who[as]);
  const uploaded = async (as: 'rahim' | 'agent' = 'rahim', bytes = jpeg): Promise<string> =>
    (await app.upload(app.who[as], { bytes })).body.attachment.id;

  test('needs no text, and tells its kind', async () => {
    const [first, second, third] = [await uploaded(), await uploaded(), await uploaded('rahim', pdf())];
    const image = (await send('rahim', { attachmentIds: [first] })).body.message;
    expect(image).toMatchObject({
      messageType: 'image',
      body: null,
      data: null,
      attachments: [{ id: first, state: 'ready' }],
    });
    const { message: text } = (await send('rahim', { body: 'both', attachmentIds: [second, third] })).body;
    expect([text.messageType, text.body, text.attachments.map((one: { id: string }) => one.id)]).toEqual([
      'text',
      'both',
      [second, third],
    ]);
    const file = (await send('rahim', { attachmentIds: [await uploaded('rahim', pdf())] })).body.message;
    expect(file.messageType).toBe('file');
    const { items } = (await app.get(messagesPath(app.conversation), app.who.agent)).body;
    expect(items.at(-2).attachments[0]).toMatchObject({ id: second, mediaType: 'image/jpeg' });
    const got = await app.get(items.at(-2).attachments[0].url, app.who.agent);
    expect(got.status).toBe(200);
    expect(told(await send('rahim', {}))).toEqual([422, 'invalid']);
    expect(told(await send('rahim', { body: ' ', attachmentIds: [] }))).toEqual([422, 'invalid']);
  });

  test('is sent once: a repeat is the same message, other files are a conflict', async () => {
    const [file, other] = [await uploaded(), await uploaded()];
    const clientId = randomUUID();
    const first = await send('rahim', { clientId, attachmentIds: [file] });
    const again = await send('rahim', { clientId, attachmentIds: [file] });
    expect([first.status, again.status, again.body.message.id]).toEqual([201, 200, first.body.message.id]);
    expect(again.body.message.attachments[0].id).toBe(file);
    expect(told(await send('rahim', { clientId, attachmentIds: [other] }))).toEqual([409, 'client_id_reused']);
    expect(told(await send('rahim', { clientId, body: 'text' }))).toEqual([409, 'client_id_reused']);
    // the other one is still free
    expect((await send('rahim', { attachmentIds: [other] })).status).toBe(201);
  });

  test("never takes what is used, missing, somebody else's or of another conversation", async () => {
    const file = await uploaded();
    expect((await send('rahim', { attachmentIds: [file] })).status).toBe(201);
    const elsewhere = (
      await app.post(
        '/api/support/conversations',
        { message: { body: 'me too', clientId: randomUUID() } },
        app.who['driver-2'],
      )
    ).body.conversation.id;
    const refused = [
      await send('rahim', { attachmentIds: [file] }),
      await send('rahim', { attachmentIds: [randomUUID()] }),
      await send('agent', { attachmentIds: [await uploaded()] }),
      await send('driver-2', { attachmentIds: [await uploaded()] }, elsewhere),
    ];
    for (const answer of refused) {
      expect([answer.status, answer.body.error.fields]).toEqual([422, { attachmentIds: 'unknown' }]);
    }
    const twice = await uploaded();
    expect((await send('rahim', { attachmentIds: [twice, twice] })).status).toBe(422);
    const race = await uploaded();
    const answers = await Promise.all([1, 2, 3, 4].map(() => send('rahim', { attachmentIds: [race] })));
    expect(answers.map((one) => one.status).sort()).toEqual([201, 422, 422, 422]);
  });

  test('claims a conversation, as an answer does', async () => {
    const answer = await send('agent', { attachmentIds: [await uploaded('agent')] });
    expect(answer.status).toBe(201);
    const { conversation } = (await app.get(`/api/support/conversations/${app.conversation}`, app.who.lead)).body;
    expect(conversation.assignedAdminId).toBe(app.who.agent.person.id);
  });
});
