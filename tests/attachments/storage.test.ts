import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EMPTY_HASH, signedHeaders } from '../../src/platform/storage/aws-signature.ts';
import {
  createStaging,
  openStorage,
  type Staging,
  type Storage,
  StorageFull,
} from '../../src/platform/storage/index.ts';

/** The storage port, on the local disk and on an S3 server: what was put is there, whole, and nowhere else. */

let folder: string;
let s3: InstanceType<typeof S3rver>;
const stores = {} as Record<'disk' | 's3', { storage: Storage; staging: Staging; folder: string }>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'storage-'));
  s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 'bucket'),
    configureBuckets: [{ name: 'support', configs: [] }],
  });
  const { port } = await s3.run();
  const access = { bucket: 'support', region: 'us-east-1', accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
  stores.disk = { ...(await openStorage({ dataDir: join(folder, 'a') })), folder: join(folder, 'a') };
  stores.s3 = {
    ...(await openStorage({
      dataDir: join(folder, 'b'),
      s3: { ...access, endpoint: new URL(`http://127.0.0.1:${port}`) },
    })),
    folder: join(folder, 'b'),
  };
});

afterAll(async () => {
  await s3?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function paths(storage: Storage): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of storage.list()) found.push(path);
  return found;
}

describe.each(['disk', 's3'] as const)('on %s', (kind) => {
  test('what was put can be read again, whole and in parts, until it is removed', async () => {
    const { storage, staging } = stores[kind];
    const bytes = randomBytes(3_000_000);
    const staged = await staging.stage(Readable.from([bytes.subarray(0, 1_000_001), bytes.subarray(1_000_001)]));
    expect(staged.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(staged.size).toBe(bytes.length);
    const path = await storage.put(staged);
    expect(readdirSync(join(stores[kind].folder, 'files', 'staging'))).toEqual([]);

    expect((await buffer(await storage.open(path))).equals(bytes)).toBe(true);
    const part = await buffer(await storage.open(path, { from: 1_000, to: 1_999 }));
    expect(part.equals(bytes.subarray(1_000, 2_000))).toBe(true);
    expect(await storage.stat(path)).toMatchObject({ path, size: bytes.length });
    expect(await paths(storage)).toEqual([path]);

    await storage.remove(path);
    await storage.remove(path);
    expect(await storage.stat(path)).toBeNull();
    await expect(storage.open(path)).rejects.toThrow();
    expect(await paths(storage)).toEqual([]);
  });

  test('nothing but a path of ours reaches the store', async () => {
    const { storage } = stores[kind];
    for (const path of [
      '../../etc/passwd',
      '/etc/passwd',
      'aa/..',
      '',
      `aa/${'b'.repeat(62)}/c`,
      `aa/${'B'.repeat(62)}`,
    ]) {
      await expect(storage.open(path)).rejects.toThrow('not a storage path');
      await expect(storage.remove(path)).rejects.toThrow('not a storage path');
    }
  });

  test('a source that breaks off leaves nothing behind (T-AT2, F25)', async () => {
    const { storage, staging } = stores[kind];
    async function* broken() {
      yield randomBytes(100_000);
      throw new Error('the line dropped');
    }
    await expect(staging.stage(Readable.from(broken()))).rejects.toThrow('the line dropped');
    await expect(
      staging.stage(Readable.from([randomBytes(10), randomBytes(10)]), (_, before) => {
        if (before > 0) throw new Error('too much');
      }),
    ).rejects.toThrow('too much');
    expect(readdirSync(join(stores[kind].folder, 'files', 'staging'))).toEqual([]);
    expect(await paths(storage)).toEqual([]);
  });
});

// s3rver does not compare V4 signatures of headers, so the signature itself is held against Amazon's own examples:
// docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
test.each([
  [{ 'max-keys': '2', prefix: 'J' }, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  [{ lifecycle: '' }, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
])('a request is signed as Amazon does it: %o', (query, signature) => {
  const signed = signedHeaders(
    { method: 'GET', host: 'examplebucket.s3.amazonaws.com', path: '/', query, bodyHash: EMPTY_HASH },
    {
      region: 'us-east-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    new Date('2013-05-24T00:00:00Z'),
  );
  expect(signed['authorization']).toContain(`Signature=${signature}`);
});

test('a store that is not there is 503, not a hang', async () => {
  const access = { bucket: 'support', region: 'us-east-1', accessKeyId: 'a', secretAccessKey: 'b' };
  const { storage } = await openStorage({
    dataDir: join(folder, 'd'),
    s3: { ...access, endpoint: new URL('http://127.0.0.1:1') },
  });
  await expect(storage.stat(`aa/${'b'.repeat(62)}`)).rejects.toMatchObject({ status: 503 });
});

test('what a killed process left in the staging goes at the next start, what a living one writes stays', async () => {
  const dataDir = join(folder, 'e');
  const place = join(dataDir, 'files', 'staging');
  mkdirSync(place, { recursive: true });
  const living = spawn('sleep', ['30']);
  await once(living, 'spawn');
  const dead = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
  writeFileSync(join(place, `${dead}-aa-1`), 'half');
  writeFileSync(join(place, `${living.pid}-aa-1`), 'half');
  expect(readdirSync(place)).toHaveLength(2);
  await openStorage({ dataDir });
  expect(readdirSync(place)).toEqual([`${living.pid}-aa-1`]);
  living.kill();
});

test('a disk without room is 507 before anything is written (T-AT7, F24)', async () => {
  const place = join(folder, 'full');
  const staging = await createStaging(place, { minFreeBytes: Number.MAX_SAFE_INTEGER });
  await expect(staging.stage(Readable.from([randomBytes(10)]))).rejects.toThrow(StorageFull);
  expect(readdirSync(place)).toEqual([]);
});
