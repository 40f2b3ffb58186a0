import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compareAttachments } from '../../src/messaging/attachments/check-attachments.task.ts';
import { type Files, openFiles } from '../../src/messaging/attachments/files.ts';
import { removeOrphans, sweepRows } from '../../src/messaging/attachments/sweep-attachments.ts';
import { clamdScanner } from '../../src/messaging/attachments/virus-scanner.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { type AttachmentApp, messagesPath, pdf, photo, startAttachmentApp } from './attachment-app.ts';
import { CLAMD, MALWARE, prepareClamd } from './clamd.ts';

/** What is deleted goes, what is unfinished is finished, what nobody names is found (T-AT11, T-AT12). */

const quiet = { info() {}, debug() {}, warn() {}, error() {} };

let database: FreshDatabase;
let app: AttachmentApp;
let files: Files;
let deps: Parameters<typeof sweepRows>[0];
let jpeg: Buffer;

beforeAll(async () => {
  // a sweep looks at all tenants: those of other tests must not be here
  database = await freshDatabase();
  app = await startAttachmentApp({}, database);
  files = await openFiles({ config: app.config, log: quiet, clock: Date.now });
  deps = { database: app.database, files, log: quiet };
  jpeg = await photo();
});
afterAll(async () => {
  await app?.stop();
  await database?.drop();
});

const later = (ms: number) => new Date(Date.now() + ms);
const DAY = 24 * 3_600_000;

async function upload(bytes = jpeg): Promise<string> {
  return (await app.upload(app.who.rahim, { bytes })).body.attachment.id;
}

async function send(id: string): Promise<string> {
  const body = { clientId: randomUUID(), attachmentIds: [id] };
  return (await app.post(messagesPath(app.conversation), body, app.who.rahim)).body.message.id;
}

async function row(id: string) {
  const { rows } = await app.admin.query('select * from attachments where id = $1', [id]);
  return rows[0];
}

async function used(): Promise<{ bytes: number; files: number }[]> {
  const { rows } = await app.admin.query(
    'select bytes::float8, files::int from attachment_usage where tenant_id = $1 order by owner_id',
    [app.home.tenant.id],
  );
  return rows;
}

describe('the sweep', () => {
  test('removes a deleted message’s files, bytes first, and gives the room back', async () => {
    const kept = await upload();
    await send(kept);
    const before = await used();
    const id = await upload();
    const messageId = await send(id);
    const { secure_storage_path: path, thumbnail_path: small } = await row(id);
    await fetch(new URL(`${messagesPath(app.conversation)}/${messageId}`, app.base), {
      method: 'DELETE',
      headers: app.who.rahim.bearer,
    });
    expect(await files.storage.stat(path)).not.toBeNull();
    await sweepRows(deps, new Date());
    expect([await files.storage.stat(path), await files.storage.stat(small), await row(id)]).toEqual([
      null,
      null,
      undefined,
    ]);
    expect(await used()).toEqual(before);
    expect((await row(kept)).state).toBe('ready');
  });

  test('removes what was never sent after a day, and nothing that was', async () => {
    const [unsent, sent] = [await upload(), await upload()];
    await send(sent);
    await sweepRows(deps, later(DAY - 60_000));
    expect(await row(unsent)).toBeDefined();
    await sweepRows(deps, later(DAY + 60_000));
    expect(await row(unsent)).toBeUndefined();
    expect((await row(sent)).state).toBe('ready');
    const { items } = (await app.get(messagesPath(app.conversation), app.who.agent)).body;
    expect((await app.get(items.at(-1).attachments[0].url, app.who.agent)).status).toBe(200);
  });

  test('removes bytes that no row names, once they are old', async () => {
    const left = await files.storage.put(await files.staging.stage(Readable.from([randomBytes(100)])));
    const mine = await row(await upload());
    await removeOrphans(deps, later(0));
    expect(await files.storage.stat(left)).not.toBeNull();
    await removeOrphans(deps, later(2 * 3_600_000));
    expect(await files.storage.stat(left)).toBeNull();
    expect(await files.storage.stat(mine.secure_storage_path)).not.toBeNull();
  });
});

test('the check finds a file without a row and a row without a file', async () => {
  const other = await startAttachmentApp({}, database);
  try {
    const here = await openFiles({ config: other.config, log: quiet, clock: Date.now });
    const own = { database: other.database, files: here, log: quiet };
    const { attachment } = (await other.upload(other.who.rahim, { bytes: jpeg })).body;
    // other rows of this database have their bytes elsewhere
    const mine = async () => {
      const found = await compareAttachments(own, later(0));
      return [found.rowsWithoutFile.includes(attachment.id), found.filesWithoutRow];
    };
    expect(await mine()).toEqual([false, []]);
    const left = await here.storage.put(await here.staging.stage(Readable.from([randomBytes(10)])));
    const { rows } = await other.admin.query('select thumbnail_path from attachments where id = $1', [attachment.id]);
    await here.storage.remove(rows[0].thumbnail_path);
    expect(await mine()).toEqual([true, [left]]);
  } finally {
    await other.stop();
  }
});

describe('a scanner that does not answer', () => {
  let scanned: AttachmentApp;
  let answer: 'clean' | 'infected' | 'unknown';
  beforeAll(async () => {
    // nobody listens there
    scanned = await startAttachmentApp({ CLAMD_URL: 'tcp://127.0.0.1:1' }, database);
  });
  beforeEach(() => {
    answer = 'unknown';
  });
  afterAll(() => scanned?.stop());

  test.each([
    ['clean', 'ready', 200],
    ['infected', 'refused', 404],
  ] as const)('leaves a file waiting, served to nobody, until it is found %s', async (verdict, state, status) => {
    const { attachment } = (await scanned.upload(scanned.who.rahim, { bytes: jpeg })).body;
    expect(attachment).toMatchObject({ state: 'processing', url: null, thumbnailUrl: null });
    const show = async () =>
      (await scanned.get(`/api/support/attachments/${attachment.id}`, scanned.who.rahim)).body.attachment;
    const post = () =>
      scanned.post(
        messagesPath(scanned.conversation),
        { clientId: randomUUID(), attachmentIds: [attachment.id] },
        scanned.who.rahim,
      );
    expect((await post()).body.error.code).toBe('attachment_not_ready');
    expect((await scanned.get(`/attachments/${attachment.id}/view`, scanned.who.rahim)).status).toBe(404);

    const inside = await openFiles({
      config: scanned.config,
      log: quiet,
      clock: Date.now,
      scanner: { scan: async () => answer },
    });
    const own = { database: scanned.database, files: inside, log: quiet };
    await sweepRows(own, later(120_000));
    expect((await show()).state).toBe('processing');
    answer = verdict;
    await sweepRows(own, later(240_000));
    expect((await show()).state).toBe(state);
    const sent = await post();
    expect(sent.status).toBe(state === 'ready' ? 201 : 422);
    const door = await scanned.get(`/attachments/${attachment.id}/view`, scanned.who.rahim);
    expect((await scanned.get(door.headers.get('location') ?? '/nothing', scanned.who.rahim)).status).toBe(status);
  });
});

// The protocol against something that only speaks it would show nothing, so without the real daemon this is skipped.
describe.skipIf(!CLAMD)('the real clamd', () => {
  const clamd = prepareClamd();
  beforeAll(() => clamd.start());
  afterAll(() => clamd.close());

  test('tells malware from what is none; stopped, it tells nothing (T-AT11)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scanned-'));
    const scanner = clamdScanner(clamd.url);
    const file = join(folder, 'file');
    writeFileSync(file, Buffer.concat([randomBytes(3_000_000), Buffer.from('harmless')]));
    expect(await scanner.scan(file)).toBe('clean');
    writeFileSync(file, Buffer.concat([pdf(200_000), Buffer.from(MALWARE)]));
    expect(await scanner.scan(file)).toBe('infected');
    await clamd.stop();
    expect(await scanner.scan(file)).toBe('unknown');
    rmSync(folder, { recursive: true });
  });
});
