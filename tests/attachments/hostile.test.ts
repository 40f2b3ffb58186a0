import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bestOfThree } from '../support/best-of-three.ts';
import { type Answer, type AttachmentApp, pdf, photo, startAttachmentApp } from './attachment-app.ts';
import { chunk, gif, inflated, largeJpeg, largeWebp, png, SCRIPT, withComment } from './hostile-files.ts';

/** Files that mean harm: pictures that are more than they seem, and files that are two things at once (T-AT4, T-AT5). */

const REFUSED_WITHIN_MS = 2_000;
const MAX_GROWTH_BYTES = 150 * 1024 * 1024;

let app: AttachmentApp;
beforeAll(async () => {
  app = await startAttachmentApp();
  await app.setSettings({ maxAttachmentSizeMb: 50 });
  // the first child of a process takes longest
  await app.upload(app.who.rahim, { bytes: await photo() });
});
afterAll(() => app?.stop());

interface Timed extends Answer {
  readonly ms: number;
  readonly growth: number;
}

/** Sends it, and looks at how long it takes and how much the server grows. */
function timed(bytes: Buffer, name = 'bomb'): Promise<Timed> {
  return bestOfThree(
    () => once(bytes, name),
    ({ ms }) => ms < REFUSED_WITHIN_MS,
  );
}

async function once(bytes: Buffer, name: string): Promise<Timed> {
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 10);
  const start = performance.now();
  const answer = await app.upload(app.who.rahim, { bytes, name });
  clearInterval(watch);
  return { ...answer, ms: performance.now() - start, growth: most - before };
}

const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const pixel = Buffer.from([0, 0]);

describe('bombs', () => {
  test.each<[string, () => Buffer | Promise<Buffer>]>([
    ['a PNG of 64k × 64k', () => png(65_535, 65_535, pixel)],
    ['a PNG of 2 gigapixels a side', () => png(2_147_483_647, 2_147_483_647, pixel)],
    ['a PNG of 8,000 × 8,000, all there', () => png(8_000, 8_000, Buffer.alloc(8_000 * 1_001))],
    ['a PNG without rows', () => png(4_000, 4_000, pixel)],
    ['a PNG of no size', () => png(0, 0, pixel)],
    ['a JPEG of 65k × 65k', largeJpeg],
    ['a GIF of 10,000 frames', () => gif(10_000)],
    ['a GIF of 400 frames of 1,000 × 1,000', () => gif(400, 1_000, 1_000)],
    ['a WebP of 16k × 16k', largeWebp],
    ['a PNG that breaks off', async () => (await photo('png')).subarray(0, 5_000)],
    ['a JPEG that breaks off', async () => (await photo('jpeg')).subarray(0, 900)],
    ['a GIF that is a script', () => Buffer.from(`GIF89a/*${'x'.repeat(50)}*/=1;alert(1)`)],
    ['a JPEG that is a page', () => Buffer.from(`\xff\xd8\xff\xe0${SCRIPT}`, 'latin1')],
    ['a PNG that is a page', () => Buffer.concat([PNG, Buffer.from(SCRIPT)])],
    ['a WebP that is a page', () => Buffer.from(`RIFF\x10\0\0\0WEBPVP8 ${SCRIPT}`, 'latin1')],
    [
      'an SVG that calls itself PNG',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    ],
    ['a BMP', () => Buffer.from(`BM${'\0'.repeat(100)}`, 'latin1')],
    ['a TIFF of 4 gigapixels', () => Buffer.from('II*\0\x08\0\0\0\x02\0\0\x01\x04\0\x01\0\0\0\xff\xff\0\0', 'latin1')],
    ['an EPS', () => Buffer.from('%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (w) file')],
    ['a Java archive behind a GIF', () => Buffer.concat([Buffer.from('GIF89a'), Buffer.from('PK\x03\x04')])],
  ])('%s is refused, soon and cheaply', async (_, make) => {
    const files = app.stored().length;
    const { status, ms, growth } = await timed(await make());
    expect([415, 422]).toContain(status);
    expect(ms).toBeLessThan(REFUSED_WITHIN_MS);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    expect([app.stored().length, app.staged()]).toEqual([files, []]);
  });

  test.each<[string, () => Buffer]>([
    // its frames are what is drawn
    ['a GIF that says it is 65k × 65k', () => gif(1, 65_535, 65_535)],
    ['a PNG with colours of a gigabyte', () => png(8, 8, Buffer.alloc(16), inflated('iCCP'))],
    ['a PNG with words of a gigabyte', () => png(8, 8, Buffer.alloc(16), inflated('zTXt'))],
  ])('%s costs no more than a picture', async (_, make) => {
    const { status, ms, growth, body } = await timed(make());
    expect([201, 422]).toContain(status);
    if (status === 201) expect(body.attachment.size).toBeLessThan(10_000);
    expect(ms).toBeLessThan(REFUSED_WITHIN_MS);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test('the largest picture that is taken is taken within the limits, too', async () => {
    const { status, growth, body } = await timed(png(6_300, 6_300, Buffer.alloc(6_300 * 789)), 'large.png');
    expect(status).toBe(201);
    expect(Math.max(body.attachment.width, body.attachment.height)).toBe(4_096);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });
});

describe('two things at once', () => {
  test.each<[string, () => Promise<Buffer>]>([
    ['a page behind a JPEG', async () => Buffer.concat([await photo(), Buffer.from(SCRIPT)])],
    ['a page in a JPEG’s comment', async () => withComment(await photo())],
    [
      'a page in a PNG’s words',
      async () => png(8, 8, Buffer.alloc(16), chunk('tEXt', Buffer.from(`Comment\0${SCRIPT}`))),
    ],
    [
      'an archive behind a PNG',
      async () => Buffer.concat([await photo('png'), Buffer.from('PK\x03\x04'), Buffer.from(SCRIPT)]),
    ],
    ['a page behind a GIF', async () => Buffer.concat([await photo('gif'), Buffer.from(SCRIPT)])],
    ['a page behind a WebP', async () => Buffer.concat([await photo('webp'), Buffer.from(SCRIPT)])],
  ])('%s: the picture stays, the other goes', async (_, make) => {
    const bytes = await make();
    expect(bytes.includes('<script>')).toBe(true);
    const { status, body } = await timed(bytes);
    expect(status).toBe(201);
    for (const url of [body.attachment.url, body.attachment.thumbnailUrl]) {
      const shown = await app.get(url, app.who.rahim);
      expect(shown.status).toBe(200);
      for (const word of ['<script', '<?php', 'PK\x03\x04'])
        expect([word, shown.body.includes(word)]).toEqual([word, false]);
      expect((await sharp(shown.body).metadata()).format).toBeDefined();
    }
  });

  test('a PDF with a script in it is only ever saved', async () => {
    const { body } = await timed(Buffer.concat([pdf(), Buffer.from(SCRIPT)]), 'a.html');
    expect(body.attachment).toMatchObject({ mediaType: 'application/pdf', fileName: 'a.html.pdf' });
    const { headers } = await app.get(body.attachment.url, app.who.rahim);
    expect([headers.get('content-type'), headers.get('content-disposition')?.split(';')[0]]).toEqual([
      'application/pdf',
      'attachment',
    ]);
    expect(headers.get('content-security-policy')).toMatch(/^sandbox;/);
  });
});
