/**
 * `node tests/bench/uploads.load.ts <base> documents|photos`: the process that uploads; places come as JSON on stdin. Ends with 1
 * when one of them was not taken.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import sharp from 'sharp';

const SIZE = 10 * 1024 * 1024;

/** Where somebody's files go. */
export interface Place {
  readonly token: string;
  readonly conversation: string;
}

await load();

/** All files at once, each a whole form. */
async function load(): Promise<void> {
  const base = new URL(process.argv[2] ?? '');
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8') as AsyncIterable<string>) text += part;
  const places = JSON.parse(text) as Place[]; // our own process wrote it
  const file =
    process.argv[3] === 'photos' ? await photo() : Buffer.concat([Buffer.from('%PDF-1.4\n'), randomBytes(SIZE - 9)]);
  const statuses = await Promise.all(places.map((place) => upload(base, place, file)));
  const failed = statuses.filter((status) => status !== 201);
  if (failed.length > 0) process.stderr.write(`not taken: ${failed.join(' ')}\n`);
  process.exit(failed.length > 0 ? 1 : 0);
}

function upload(base: URL, { token, conversation }: Place, file: Buffer): Promise<number> {
  const part = (head: string) => `--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const start = Buffer.from(`${part('name="clientId"')}${randomUUID()}\r\n${part('name="file"; filename="a.pdf"')}`);
  const end = Buffer.from('\r\n--x--\r\n');
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname: base.hostname,
        port: base.port,
        method: 'POST',
        agent: false,
        path: `/api/support/conversations/${conversation}/attachments`,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'multipart/form-data; boundary=x',
          'content-length': start.length + file.length + end.length,
        },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on('error', reject);
    sent.write(start);
    sent.write(file);
    sent.end(end);
  });
}

/** A photo of 12 million pixels with so much in it that it has the size. */
async function photo(): Promise<Buffer> {
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 30 };
  const picture = sharp({
    create: {
      width: 4_000,
      height: 3_000,
      channels: 3,
      background: '#3366aa',
      noise,
    },
  });
  const bytes = await picture.jpeg({ quality: 90 }).toBuffer();
  // what a camera adds behind its picture
  return bytes.length < SIZE ? Buffer.concat([bytes, Buffer.alloc(SIZE - bytes.length)]) : bytes;
}
