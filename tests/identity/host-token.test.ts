import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign as signBytes,
} from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHostKey, createSealer, HostKey } from '../../src/identity/index.ts';
import { newTenant, TEST_ISSUER, TEST_SECRET_KEY, type TestTenant } from '../support/people.ts';
import { type Node, openNode, postSession } from './node.ts';

/** What a host may say, and what nobody may say in its name (T-ID1, T-ID2, T-ID5). */

const SECRET = randomBytes(32).toString('base64url');
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const RSA_PEM = RSA.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const EC_PEM = EC.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const KEYS = [
  { kid: 'hs', alg: 'HS256', key: SECRET, publicText: null },
  { kid: 'rs', alg: 'RS256', key: RSA.privateKey, publicText: RSA_PEM },
  { kid: 'es', alg: 'ES256', key: EC.privateKey, publicText: EC_PEM },
] as const;
type Key = (typeof KEYS)[number];

let node: Node;
let ours: TestTenant;
/** Counts whoever comes; the address that forged headers point to. */
let bait: Server;
let baitUrl: string;
let fetched = 0;

beforeAll(async () => {
  node = await openNode();
  ours = await newTenant(node.database);
  await ours.asPerson('system', async (scope) => {
    const sealer = createSealer(TEST_SECRET_KEY);
    createHostKey(scope, sealer, { kid: 'hs', issuer: TEST_ISSUER, algorithm: 'HS256', secret: SECRET });
    createHostKey(scope, sealer, { kid: 'rs', issuer: TEST_ISSUER, algorithm: 'RS256', publicKey: RSA_PEM });
    createHostKey(scope, sealer, { kid: 'es', issuer: TEST_ISSUER, algorithm: 'ES256', publicKey: EC_PEM });
    await scope.em.flush();
  });
  bait = createServer((_request, response) => {
    fetched += 1;
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(bait, 'listening');
  baitUrl = `http://127.0.0.1:${(bait.address() as AddressInfo).port}/keys.json`;
});
afterAll(async () => {
  bait?.close();
  await node?.close();
});

function claims(changed: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  const all: Record<string, unknown> = {
    iss: TEST_ISSUER,
    aud: 'safego-support',
    sub: 'token-test',
    tenant: ours.tenant.slug,
    user_type: 'driver',
    name: 'Token Test',
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
    ...changed,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Signed by hand: a library would refuse to make most of what is tried here. */
function signed(key: Key, changed: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
  return raw({ alg: key.alg, typ: 'JWT', kid: key.kid, ...header }, claims(changed), (input) =>
    signatureBy(key, input),
  );
}

function signatureBy(key: Key, input: string): Buffer {
  if (key.alg === 'HS256') return hmac(key.key, input);
  const signer = key.alg === 'ES256' ? { key: key.key, dsaEncoding: 'ieee-p1363' as const } : key.key;
  return signBytes('sha256', Buffer.from(input), signer);
}

function raw(header: object, payload: object, signature: (input: string) => Buffer | string): string {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${Buffer.from(signature(input)).toString('base64url')}`;
}

async function outcome(token: unknown): Promise<string> {
  node.faults.length = 0;
  const { status, body } = await postSession(node, { token });
  if (status === 201) return 'accepted';
  expect(status === 401 ? body.error?.code : status).toBeOneOf(['invalid_token', 422]);
  return node.faults.at(-1) ?? String(status);
}

describe.each(KEYS)('$alg', (key) => {
  test('the host signs somebody in', async () => {
    expect(await outcome(signed(key))).toBe('accepted');
  });

  test('no header makes another key or another algorithm of it', async () => {
    const own = { kid: key.kid };
    const publicJwk = createPublicKey(EC_PEM).export({ format: 'jwk' });
    const attacks: Record<string, string> = {
      'alg none': raw({ alg: 'none', ...own }, claims(), () => ''),
      'alg None with a signature': raw({ alg: 'None', ...own }, claims(), () => 'x'),
      'alg missing': raw(own, claims(), () => 'x'),
      'HS256 with the public key as secret': raw({ alg: 'HS256', ...own }, claims(), (input) =>
        hmac(key.publicText ?? RSA_PEM, input),
      ),
      'HS256 with an empty secret': raw({ alg: 'HS256', ...own }, claims(), (input) => hmac('', input)),
      'HS512 with our secret': raw({ alg: 'HS512', ...own }, claims(), (input) =>
        createHmac('sha512', SECRET).update(input).digest(),
      ),
      'PS256 by the RSA key': raw({ alg: 'PS256', ...own }, claims(), (input) =>
        signBytes('sha256', Buffer.from(input), {
          key: RSA.privateKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: 32,
        }),
      ),
      "another key's signature": signed(KEYS.find((one) => one !== key)!, {}, { kid: key.kid }),
      jku: signed(key, {}, { jku: baitUrl }),
      jwk: raw({ alg: 'ES256', ...own, jwk: publicJwk }, claims(), (input) =>
        signBytes('sha256', Buffer.from(input), { key: EC.privateKey, dsaEncoding: 'ieee-p1363' }),
      ),
      x5u: signed(key, {}, { x5u: baitUrl }),
      x5c: signed(key, {}, { x5c: ['MIIB'] }),
      crit: signed(key, {}, { crit: ['exp'] }),
      'kid as a path': signed(key, {}, { kid: '../../dev/null' }),
      'kid as SQL': signed(key, {}, { kid: "' or '1'='1" }),
      'kid of nobody': signed(key, {}, { kid: 'hs2' }),
      'kid missing where there are several keys': raw({ alg: key.alg }, claims(), () => 'x'),
      'kid as an array': raw({ alg: key.alg, kid: [key.kid] }, claims(), () => 'x'),
      'one bit of the payload': flipped(signed(key), 1),
      'one bit of the signature': flipped(signed(key), 2),
      'no signature': `${signed(key).split('.').slice(0, 2).join('.')}.`,
    };
    const answers = await Promise.all(
      Object.keys(attacks).map(async (name) => [name, await refusedOrNot(attacks[name])]),
    );
    expect(answers.filter(([, answer]) => answer === 'accepted')).toEqual([]);
    expect(fetched).toBe(0);
  });
});

/** Without the log of faults, so that many can run at once. */
async function refusedOrNot(token: unknown): Promise<string> {
  return (await postSession(node, { token })).status === 201 ? 'accepted' : 'refused';
}

function hmac(secret: string | Buffer, input: string): Buffer {
  // what jsonwebtoken would refuse to make; forgers do not ask it
  return createHmac('sha256', secret).update(input).digest();
}

function flipped(token: string, part: 1 | 2): string {
  const parts = token.split('.');
  const bytes = Buffer.from(parts[part] ?? '', 'base64url');
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  parts[part] = bytes.toString('base64url');
  return parts.join('.');
}

const NOW = () => Math.floor(Date.now() / 1_000);

describe('claims', () => {
  const hs = KEYS[0];

  test.each([
    ['as it should be', {}],
    ['issued 55 seconds in the future, by a clock that is ahead', () => ({ iat: NOW() + 55, exp: NOW() + 300 })],
    ['expired 55 seconds ago, by a clock that is behind', () => ({ iat: NOW() - 300, exp: NOW() - 55 })],
    ['an nbf of now', () => ({ nbf: NOW() })],
    [
      'optional claims empty or null',
      { email: '', phone: null, country: null, locale: '', profile: null, context: null },
    ],
    ['claims we do not know', { azp: 'host', role: 'owner' }],
  ])('accepted: %s', async (_name, changed) => {
    expect(await outcome(signed(hs, typeof changed === 'function' ? changed() : changed))).toBe('accepted');
  });

  test.each([
    ...['iss', 'aud', 'sub', 'tenant', 'user_type', 'name', 'iat', 'exp', 'jti'].map(
      (name) => [`${name} missing`, { [name]: undefined }, 'claims'] as const,
    ),
    ['aud of somebody else', { aud: 'other' }, 'claims'],
    ['aud as a list', { aud: ['safego-support', 'other'] }, 'claims'],
    ['another issuer', { iss: 'other-host' }, 'key'],
    ['another tenant', { tenant: 'nobody' }, 'tenant'],
    ['ten years', () => ({ exp: NOW() + 315_360_000 }), 'lifetime'],
    ['301 seconds', () => ({ iat: NOW(), exp: NOW() + 301 }), 'lifetime'],
    ['exp before iat', () => ({ iat: NOW(), exp: NOW() - 1 }), 'lifetime'],
    ['a clock ten minutes ahead', () => ({ iat: NOW() + 600, exp: NOW() + 900 }), 'not_yet'],
    ['a clock ten minutes behind', () => ({ iat: NOW() - 900, exp: NOW() - 600 }), 'expired'],
    ['expired 61 seconds ago', () => ({ iat: NOW() - 200, exp: NOW() - 61 }), 'expired'],
    ['nbf in ten minutes', () => ({ nbf: NOW() + 600 }), 'not_yet'],
    ['exp as text', () => ({ exp: String(NOW() + 300) }), 'claims'],
    ['a fraction of a second', () => ({ iat: NOW() + 0.5 }), 'claims'],
    ['a type the tenant does not have', { user_type: 'participant' }, 'user_type'],
    ['an empty sub', { sub: '' }, 'claims'],
    ['sub as a number', { sub: 7 }, 'claims'],
    ['a NUL in the name', { name: 'a\0b' }, 'claims'],
    ['a NUL in the profile', { profile: { a: '\0' } }, 'claims'],
    ['a lone surrogate', { sub: '\ud800' }, 'claims'],
    ['no email', { email: 'not an email' }, 'claims'],
    ['a profile of 9 KB', { profile: { a: 'x'.repeat(9_000) } }, 'claims'],
    ['context with more than it has', { context: { type: 'trip', id: '1', label: 'x', admin: true } }, 'claims'],
  ] as const)('refused: %s', async (_name, changed, fault) => {
    expect(await outcome(signed(hs, typeof changed === 'function' ? changed() : changed))).toBe(fault);
  });

  test('only what is exactly right gets through, whatever a claim is changed to', async () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
      fc.object(),
    );
    const name = fc.constantFrom('iss', 'aud', 'tenant', 'user_type', 'iat', 'exp');
    await fc.assert(
      fc.asyncProperty(name, value, async (claim, changed) => {
        fc.pre(
          claims()[claim] !== changed &&
            !(claim === 'user_type' && ['admin', 'customer', 'restaurant'].includes(String(changed))),
        );
        expect(await refusedOrNot(signed(hs, { [claim]: changed }))).toBe('refused');
      }),
      { numRuns: 200 },
    );
  });

  test.each(['', 'x', 'a.b.c', `${'a'.repeat(20_000)}.b.c`, 'null', '..', 'e30.e30.e30'])(
    'not a token: %s',
    async (text) => {
      expect(await refusedOrNot(text)).toBe('refused');
    },
  );
});

describe('keys (T-ID5)', () => {
  test('a secret under 32 bytes is refused, one of 32 is taken', async () => {
    const sealer = createSealer(TEST_SECRET_KEY);
    const lengths = Array.from({ length: 64 }, (_, at) => at + 1);
    const taken = await ours.asPerson('system', async (scope) =>
      lengths.filter((length) => {
        try {
          createHostKey(scope, sealer, { issuer: 'x', algorithm: 'HS256', secret: 'k'.repeat(length) });
          return true;
        } catch {
          return false;
        }
      }),
    );
    expect(taken).toEqual(lengths.filter((length) => length >= 32));
  });

  test('weak or wrong public keys are refused', async () => {
    const sealer = createSealer(TEST_SECRET_KEY);
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString();
    const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString();
    const privatePem = EC.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await ours.asPerson('system', async (scope) => {
      const add = (algorithm: 'RS256' | 'ES256', publicKey: string) => () =>
        createHostKey(scope, sealer, { issuer: 'x', algorithm, publicKey });
      expect(add('RS256', RSA_PEM)).not.toThrow();
      for (const wrong of [
        add('RS256', weak),
        add('RS256', EC_PEM),
        add('ES256', RSA_PEM),
        add('ES256', otherCurve),
        add('ES256', privatePem),
        add('RS256', 'x'),
      ]) {
        expect(wrong).toThrow();
      }
    });
  });

  test('two keys work side by side; the old one dies at its deadline', async () => {
    const [oldSecret, newSecret] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
    const sealer = createSealer(TEST_SECRET_KEY);
    await ours.asPerson('system', async (scope) => {
      createHostKey(scope, sealer, {
        kid: 'old',
        issuer: TEST_ISSUER,
        algorithm: 'HS256',
        secret: oldSecret,
        expiresAt: new Date(Date.now() + 600_000),
      });
      createHostKey(scope, sealer, { kid: 'new', issuer: TEST_ISSUER, algorithm: 'HS256', secret: newSecret });
      await scope.em.flush();
    });
    const byOld = () => raw({ alg: 'HS256', kid: 'old' }, claims(), (input) => hmac(oldSecret, input));
    expect(await outcome(byOld())).toBe('accepted');
    expect(await outcome(raw({ alg: 'HS256', kid: 'new' }, claims(), (input) => hmac(newSecret, input)))).toBe(
      'accepted',
    );
    await ours.asPerson('system', (scope) =>
      scope.em.nativeUpdate(HostKey, { kid: 'old' }, { expiresAt: new Date(Date.now() - 1) }),
    );
    expect(await outcome(byOld())).toBe('key');
  });

  test('the secret lies sealed, and a copied row does not open', async () => {
    await ours.asPerson('system', async (scope) => {
      const key = await scope.em.findOneOrFail(HostKey, { kid: 'hs' });
      const sealed = Buffer.from(key.sealedSecret!);
      expect(sealed.includes(SECRET)).toBe(false);
      const sealer = createSealer(TEST_SECRET_KEY);
      expect(sealer.open(sealed, key.id)).toBe(SECRET);
      expect(() => sealer.open(sealed, randomUUID())).toThrow();
      expect(() => createSealer(randomBytes(32)).open(sealed, key.id)).toThrow();
    });
  });

  test('kid may be missing while there is one live key', async () => {
    const single = await newTenant(node.database);
    const token = await single.hostToken('rahim');
    const { kid, ...header } = jwt.decode(token, { complete: true })!.header;
    expect(kid).toBe('test-1');
    const secret = await single.asPerson('system', async (scope) => {
      const key = await scope.em.findOneOrFail(HostKey, { kid: 'test-1' });
      return createSealer(TEST_SECRET_KEY).open(key.sealedSecret!, key.id);
    });
    const payload = claims({ tenant: single.tenant.slug });
    expect(await outcome(raw(header, payload, (input) => hmac(secret, input)))).toBe('accepted');
  });
});
