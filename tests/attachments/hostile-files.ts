import { deflateSync } from 'node:zlib';
import { pdf, photo } from './attachment-app.ts';

/** Files that mean harm, made here: pictures that are more than they seem, and files that are two things at once. */

/** Says that it ran: by a request that no test expects, and in the window. */
export const SCRIPT = "<script>fetch('/pwned');parent.pwned=window.pwned=1</script><?php system($_GET[0]); ?>";
const CALL = "fetch('/pwned');window.pwned=1";
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="${CALL}"><script>${CALL}</script></svg>`;
const HTML = `<!doctype html><html><body onload="${CALL}"><img src=x onerror="${CALL}">${SCRIPT}</body></html>`;

const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const pixel = Buffer.from([0, 0]);
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** A chunk of a PNG, with its sum. */
export function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A PNG that says it is this large, over whatever data. */
export function png(width: number, height: number, data: Buffer, ...extra: Buffer[]): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([1, 0, 0, 0, 0], 8);
  const data2 = chunk('IDAT', deflateSync(data));
  return Buffer.concat([PNG, chunk('IHDR', head), ...extra, data2, chunk('IEND', Buffer.alloc(0))]);
}

/** A GIF of tiny frames. */
export function gif(frames: number, width = 1, height = 1): Buffer {
  const head = bytes('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff');
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  const frame = bytes('\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0');
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), Buffer.from([0x3b])]);
}

/** The size in the header of a real JPEG, changed. */
export async function largeJpeg(): Promise<Buffer> {
  const picture = await photo('jpeg', { width: 64, height: 64 });
  const at = picture.indexOf(Buffer.from([0xff, 0xc0]));
  picture.writeUInt16BE(65_500, at + 5);
  picture.writeUInt16BE(65_500, at + 7);
  return picture;
}

export async function largeWebp(): Promise<Buffer> {
  const extended = Buffer.alloc(18);
  extended.write('VP8X', 0, 'latin1');
  extended.writeUInt32LE(10, 4);
  extended.writeUIntLE(16_383, 12, 3);
  extended.writeUIntLE(16_383, 15, 3);
  const picture = (await photo('webp')).subarray(12);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(4 + extended.length + picture.length);
  return Buffer.concat([Buffer.from('RIFF'), size, Buffer.from('WEBP'), extended, picture]);
}

/** A chunk of text or colours that is a gigabyte once it is unpacked. */
export function inflated(type: 'iCCP' | 'zTXt'): Buffer {
  const packed = deflateSync(Buffer.alloc(64 * 1024 * 1024));
  return chunk(type, Buffer.concat([bytes('x\0\0'), ...Array.from({ length: 16 }, () => packed)]));
}

export function withComment(jpeg: Buffer, text = SCRIPT): Buffer {
  const comment = Buffer.alloc(4 + text.length);
  comment.set([0xff, 0xfe]);
  comment.writeUInt16BE(2 + text.length, 2);
  comment.write(text, 4);
  return Buffer.concat([jpeg.subarray(0, 2), comment, jpeg.subarray(2)]);
}

/** What somebody calls it, beside what it is. */
export interface HostileFile {
  readonly what: string;
  readonly name: string;
  /** What the sender says it is. */
  readonly type: string;
  readonly make: () => Buffer | Promise<Buffer>;
}

const hostile = (what: string, name: string, type: string, make: HostileFile['make']): HostileFile => ({
  what,
  name,
  type,
  make,
});

const after = (format: 'jpeg' | 'png' | 'gif' | 'webp', tail: string) => async () =>
  Buffer.concat([await photo(format), bytes(tail)]);
const picture = () => photo('jpeg', { width: 40, height: 30 });

/** The whole set. */
export const HOSTILE_FILES: readonly HostileFile[] = [
  hostile('a page', 'page.html', 'text/html', () => bytes(HTML)),
  hostile('a page that calls itself a picture', 'photo.jpg', 'image/jpeg', () => bytes(HTML)),
  hostile('a page that calls itself a PDF', 'a.pdf', 'application/pdf', () => bytes(HTML)),
  hostile('a page that calls itself text', 'notes.txt', 'text/plain', () => bytes(HTML)),
  hostile('a page with a byte order mark', 'a.txt', 'text/plain', () => Buffer.from(`\ufeff${HTML}`)),
  hostile('a page in UTF-16', 'a.txt', 'text/plain', () => Buffer.from(`\ufeff${HTML}`, 'utf16le')),
  hostile('a page in UTF-7', 'a.txt', 'text/plain', () =>
    bytes('+ADw-script+AD4-fetch(+ACc-/pwned+ACc-)+ADw-/script+AD4-'),
  ),
  hostile('a page behind a kilobyte of spaces', 'a.txt', 'text/plain', () => bytes(' '.repeat(5_000) + HTML)),
  hostile('XHTML', 'a.xhtml', 'application/xhtml+xml', () =>
    bytes(`<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">${SCRIPT}</html>`),
  ),
  hostile('XML with a style sheet', 'a.xml', 'text/xml', () =>
    bytes('<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#x"?><x/>'),
  ),
  hostile('XML with an outside entity', 'a.xml', 'text/xml', () =>
    bytes('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
  ),
  hostile('XML of a billion laughs', 'a.xml', 'text/xml', () =>
    bytes(
      `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">${'bcdefghij'
        .split('')
        .map((name, at) => `<!ENTITY ${name} "${`&${'abcdefghi'[at]};`.repeat(10)}">`)
        .join('')}]><l>&j;</l>`,
    ),
  ),
  hostile('an SVG', 'a.svg', 'image/svg+xml', () => bytes(SVG)),
  hostile('an SVG that calls itself PNG', 'a.png', 'image/png', () => bytes(SVG)),
  hostile('an SVG that calls itself text', 'a.txt', 'text/plain', () => bytes(SVG)),
  hostile('an SVG with a picture from elsewhere', 'a.svg', 'image/svg+xml', () =>
    bytes('<svg xmlns="http://www.w3.org/2000/svg"><image href="/pwned"/></svg>'),
  ),
  hostile('MHTML', 'a.mht', 'multipart/related', () =>
    bytes(
      `MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n--x\nContent-Type: text/html\n\n${HTML}\n--x--`,
    ),
  ),
  hostile('a script', 'a.js', 'text/javascript', () => bytes(CALL)),
  hostile('a shell script', 'a.txt', 'text/plain', () => bytes('#!/bin/sh\nrm -rf /')),
  hostile('an HTA', 'a.hta', 'application/hta', () =>
    bytes('<hta:application><script language="VBScript">MsgBox 1</script>'),
  ),
  hostile('a Windows program', 'photo.jpg.exe', 'image/jpeg', () =>
    Buffer.concat([bytes('MZ\x90\0'), Buffer.alloc(300)]),
  ),
  hostile('a Linux program', 'photo.jpg', 'image/jpeg', () =>
    Buffer.concat([bytes('\x7fELF\x02\x01\x01'), Buffer.alloc(300)]),
  ),
  hostile('a Java class', 'a.class', 'image/gif', () =>
    Buffer.concat([bytes('\xca\xfe\xba\xbe\0\0\0\x34'), Buffer.alloc(100)]),
  ),
  hostile('a Flash film', 'a.swf', 'image/gif', () => Buffer.concat([bytes('FWS\x09'), Buffer.alloc(100)])),
  hostile('an archive that climbs', 'a.zip', 'application/zip', () =>
    Buffer.concat([bytes('PK\x03\x04\x14\0\0\0\0\0'), Buffer.alloc(16), bytes('\x10\0\0\0../../etc/passwd')]),
  ),
  hostile('an archive that is a page', 'a.zip', 'application/zip', () =>
    Buffer.concat([bytes('PK\x03\x04'), bytes(HTML)]),
  ),
  hostile('a gzip bomb', 'a.gz', 'image/png', () =>
    Buffer.concat([bytes('\x1f\x8b\x08\0\0\0\0\0\0\x03'), deflateSync(Buffer.alloc(20_000_000))]),
  ),
  hostile('a Word file', 'a.docx', 'application/pdf', () =>
    bytes(`PK\x03\x04\x14\0\x06\0${'\0'.repeat(18)}[Content_Types].xml`),
  ),
  hostile('an old Word file', 'a.doc', 'application/pdf', () =>
    Buffer.concat([bytes('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'), Buffer.alloc(600)]),
  ),
  hostile('an EPS', 'a.eps', 'image/png', () => bytes('%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (w) file')),
  hostile('a BMP', 'a.bmp', 'image/png', () => bytes(`BM${'\0'.repeat(100)}`)),
  hostile('a TIFF of 4 gigapixels', 'a.tif', 'image/png', () =>
    bytes('II*\0\x08\0\0\0\x02\0\0\x01\x04\0\x01\0\0\0\xff\xff\0\0'),
  ),
  hostile('an ICO that is a page', 'a.ico', 'image/x-icon', () =>
    Buffer.concat([bytes('\0\0\x01\0\x01\0'), bytes(HTML)]),
  ),
  hostile('a HEIC', 'a.heic', 'image/heic', () =>
    Buffer.concat([bytes('\0\0\0\x18ftypheic\0\0\0\0heicmif1'), Buffer.alloc(100)]),
  ),
  hostile('an AVIF', 'a.avif', 'image/avif', () =>
    Buffer.concat([bytes('\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf'), Buffer.alloc(100)]),
  ),
  hostile('a PNG of 64k × 64k', 'a.png', 'image/png', () => png(65_535, 65_535, pixel)),
  hostile('a PNG of 2 gigapixels a side', 'a.png', 'image/png', () => png(2_147_483_647, 2_147_483_647, pixel)),
  hostile('a PNG of 8,000 × 8,000, all there', 'a.png', 'image/png', () =>
    png(8_000, 8_000, Buffer.alloc(8_000 * 1_001)),
  ),
  hostile('a PNG without rows', 'a.png', 'image/png', () => png(4_000, 4_000, pixel)),
  hostile('a PNG of no size', 'a.png', 'image/png', () => png(0, 0, pixel)),
  hostile('a PNG with colours of a gigabyte', 'a.png', 'image/png', () =>
    png(8, 8, Buffer.alloc(16), inflated('iCCP')),
  ),
  hostile('a PNG with words of a gigabyte', 'a.png', 'image/png', () => png(8, 8, Buffer.alloc(16), inflated('zTXt'))),
  hostile('a PNG with a page in its words', 'a.png', 'image/png', () =>
    png(8, 8, Buffer.alloc(16), chunk('tEXt', bytes(`Comment\0${SCRIPT}`))),
  ),
  hostile('a PNG that is a page', 'a.png', 'text/html', () => Buffer.concat([PNG, bytes(HTML)])),
  hostile('a PNG that breaks off', 'a.png', 'image/png', async () => (await photo('png')).subarray(0, 5_000)),
  hostile('a page behind a PNG', 'a.html', 'text/html', after('png', HTML)),
  hostile('an archive behind a PNG', 'a.jar', 'application/java-archive', after('png', `PK\x03\x04${SCRIPT}`)),
  hostile('a JPEG of 65k × 65k', 'a.jpg', 'image/jpeg', largeJpeg),
  hostile('a JPEG that breaks off', 'a.jpg', 'image/jpeg', async () => (await photo('jpeg')).subarray(0, 900)),
  hostile('a JPEG that is a page', 'a.html', 'text/html', () => bytes(`\xff\xd8\xff\xe0${HTML}`)),
  hostile('a page behind a JPEG', 'a.html', 'text/html', after('jpeg', HTML)),
  hostile('a page in a JPEG’s comment', 'a.jpg', 'text/html', async () => withComment(await photo())),
  hostile('a JPEG that is a script', 'a.js', 'text/javascript', async () =>
    withComment(await photo(), `*/=1;${CALL};/*`),
  ),
  hostile('a GIF of 10,000 frames', 'a.gif', 'image/gif', () => gif(10_000)),
  hostile('a GIF of 400 frames of 1,000 × 1,000', 'a.gif', 'image/gif', () => gif(400, 1_000, 1_000)),
  hostile('a GIF that says it is 65k × 65k', 'a.gif', 'image/gif', () => gif(1, 65_535, 65_535)),
  hostile('a GIF that is a script', 'a.js', 'text/javascript', () => bytes(`GIF89a/*${'x'.repeat(50)}*/=1;${CALL}`)),
  hostile('a page behind a GIF', 'a.html', 'text/html', after('gif', HTML)),
  hostile('a Java archive behind a GIF', 'a.gif', 'image/gif', () => bytes('GIF89aPK\x03\x04')),
  hostile('a WebP of 16k × 16k', 'a.webp', 'image/webp', largeWebp),
  hostile('a WebP that is a page', 'a.html', 'text/html', () => bytes(`RIFF\x10\0\0\0WEBPVP8 ${HTML}`)),
  hostile('a page behind a WebP', 'a.html', 'text/html', after('webp', HTML)),
  hostile('a PDF with a script', 'a.pdf', 'application/pdf', () => pdf()),
  hostile('a PDF with a page behind it', 'a.html', 'text/html', () => Buffer.concat([pdf(), bytes(HTML)])),
  hostile('a PDF behind a page', 'a.html', 'text/html', () => Buffer.concat([bytes(HTML), pdf()])),
  hostile('a sound that is a page', 'a.mp3', 'audio/mpeg', () =>
    Buffer.concat([bytes('ID3\x03\0\0\0\0\0\0'), bytes(HTML)]),
  ),
  hostile('a film that is a page', 'a.mp4', 'video/mp4', () =>
    Buffer.concat([bytes('\0\0\0\x18ftypmp42\0\0\0\0mp42isom'), bytes(HTML)]),
  ),
  hostile('a picture from the parent folder', '../../../../etc/cron.d/x.jpg', 'image/jpeg', picture),
  hostile('a picture with a name of another direction', 'photo\u202egnp.exe', 'image/jpeg', picture),
  hostile(
    'a picture whose name is a header',
    'a.jpg"\r\nContent-Type: text/html\r\n\r\n<script>',
    'image/jpeg',
    picture,
  ),
  hostile('a picture whose name is a page', `<img src=x onerror=${CALL}>.jpg`, 'image/jpeg', picture),
  hostile('a picture with a device’s name', 'CON', 'image/jpeg', picture),
  hostile('a picture with a name of 4 KB', `${'\u0301'.repeat(4_000)}.jpg`, 'image/jpeg', picture),
];
