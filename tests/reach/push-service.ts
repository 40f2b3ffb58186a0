import {
  createDecipheriv,
  createECDH,
  createPublicKey,
  type ECDH,
  hkdfSync,
  randomBytes,
  randomUUID,
  verify,
} from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A notice as the service took it, and as its browser reads it. */
export interface TakenPush {
  readonly headers: IncomingHttpHeaders;
  /** Claims of the VAPID token, whose signature was right. */
  readonly vapid: { readonly aud: string; readonly exp: number; readonly sub: string };
  /** Decrypted with the browser's keys (RFC 8291). */
  readonly notice: {
    readonly id: string;
    readonly tag: string;
    readonly title: string;
    readonly body: string;
    readonly url: string;
    readonly lang: string;
    readonly dir: string;
  };
  /** The encrypted bytes. */
  readonly raw: Buffer;
}

/** What the service does with the next notices; `null` takes them. */
export type PushMood =
  | null
  | { readonly answer: number; readonly headers?: Record<string, string> }
  /** Says nothing. */
  | { readonly hang: true }
  /** Takes the notice, and says so never. */
  | { readonly takeAndHang: true };

/** A browser with a subscription at the service. */
export interface TestBrowser {
  readonly endpoint: string;
  /** As a page posts it. */
  readonly keys: { readonly p256dh: string; readonly auth: string };
  readonly taken: TakenPush[];
}

/** A push service of the test's own that believes nothing: it checks the token, and the browser decrypts. */
export interface PushService {
  readonly origin: string;
  mood: PushMood;
  /** Requests so far, taken or not. */
  readonly tries: number;
  /** When they came, milliseconds since 1970. */
  readonly triedAt: number[];
  /** What was wrong with requests, in words. Empty is good. */
  readonly complaints: string[];
  /** Told before anything is answered. */
  onPush: ((stage: 'asked' | 'taken') => void) | null;
  newBrowser(): TestBrowser;
  close(): Promise<void>;
}

interface Keys {
  readonly ecdh: ECDH;
  readonly auth: Buffer;
}

export async function startPushService(): Promise<PushService> {
  const browsers = new Map<string, { browser: TestBrowser; keys: Keys }>();
  const service = {
    origin: '',
    mood: null as PushMood,
    tries: 0,
    triedAt: [] as number[],
    complaints: [] as string[],
    onPush: null as PushService['onPush'],
    newBrowser(): TestBrowser {
      const keys = { ecdh: createECDH('prime256v1'), auth: randomBytes(16) };
      keys.ecdh.generateKeys();
      const path = `/send/${randomUUID()}`;
      const browser = {
        endpoint: service.origin + path,
        keys: { p256dh: keys.ecdh.getPublicKey('base64url'), auth: keys.auth.toString('base64url') },
        taken: [] as TakenPush[],
      };
      browsers.set(path, { browser, keys });
      return browser;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  const server = createServer(async (request, response) => {
    service.tries += 1;
    service.triedAt.push(Date.now());
    service.onPush?.('asked');
    const { mood } = service;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (mood && 'answer' in mood) {
      response.writeHead(mood.answer, mood.headers ?? {}).end('no');
      return;
    }
    if (mood && 'hang' in mood) return;
    const known = browsers.get(request.url ?? '');
    try {
      if (!known) throw new Error(`nobody has ${request.url}`);
      const raw = Buffer.concat(chunks);
      known.browser.taken.push({
        headers: request.headers,
        vapid: checkedToken(request.headers.authorization ?? '', service.origin),
        notice: JSON.parse(decrypted(raw, request.headers, known.keys)),
        raw,
      });
    } catch (error) {
      service.complaints.push(String(error));
      response.writeHead(400).end();
      return;
    }
    service.onPush?.('taken');
    if (mood && 'takeAndHang' in mood) return;
    response.writeHead(201, { Location: `${service.origin}/receipt/1` }).end();
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  service.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on TCP.
  return service;
}

/** RFC 8292: `vapid t=<JWT>, k=<key>`; ES256 by that key, for this service, for a day at most, with a contact. */
function checkedToken(authorization: string, origin: string): TakenPush['vapid'] {
  const [, token = '', key = ''] = /^vapid t=([\w.-]+), ?k=([\w-]+)$/.exec(authorization) ?? [];
  const [head = '', claims = '', signature = ''] = token.split('.');
  const point = Buffer.from(key, 'base64url');
  if (point.length !== 65) throw new Error('the key is no point');
  const publicKey = createPublicKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
  });
  const isSigned = verify(
    'sha256',
    Buffer.from(`${head}.${claims}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  if (!isSigned) throw new Error('the token is not signed by its key');
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString());
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as TakenPush['vapid'];
  const now = Date.now() / 1_000;
  if (alg !== 'ES256') throw new Error(`alg ${alg}`);
  if (said.aud !== origin) throw new Error(`aud ${said.aud}`);
  if (!(said.exp > now && said.exp <= now + 86_400)) throw new Error(`exp ${said.exp}`);
  if (!/^(mailto:|https:)/.test(said.sub)) throw new Error(`sub ${said.sub}`);
  return said;
}

/** RFC 8188 with one record, keyed by RFC 8291. */
function decrypted(body: Buffer, headers: IncomingHttpHeaders, { ecdh, auth }: Keys): string {
  if (headers['content-encoding'] !== 'aes128gcm') throw new Error(`encoding ${headers['content-encoding']}`);
  if (!/^\d+$/.test(headers['ttl']?.toString() ?? '')) throw new Error('no TTL');
  const salt = body.subarray(0, 16);
  const recordSize = body.readUInt32BE(16);
  const keyLength = body.readUInt8(20);
  const theirs = body.subarray(21, 21 + keyLength);
  const record = body.subarray(21 + keyLength);
  if (record.length > recordSize) throw new Error('more than one record');
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), ecdh.getPublicKey(), theirs]);
  const secret = Buffer.from(hkdfSync('sha256', ecdh.computeSecret(theirs), auth, info, 32));
  const key = Buffer.from(hkdfSync('sha256', secret, salt, 'Content-Encoding: aes128gcm\0', 16));
  const nonce = Buffer.from(hkdfSync('sha256', secret, salt, 'Content-Encoding: nonce\0', 12));
  const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(record.subarray(-16));
  const plain = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
  const end = plain.lastIndexOf(2);
  if (end < 0 || plain.subarray(end + 1).some((byte) => byte !== 0)) throw new Error('no end of the record');
  return plain.subarray(0, end).toString('utf8');
}
