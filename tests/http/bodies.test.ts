import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES } from '../../src/platform/http/index.ts';
import { type SmallApp, SOME_ID, startSmallApp } from './small-app.ts';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

let app: SmallApp;
beforeAll(async () => {
  app = await startSmallApp();
});
afterAll(() => app.close());
beforeEach(() => {
  app.effects.length = 0;
});

/** Sends bytes as they are, announced as `headers` say. */
function send(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const bytes = Buffer.from(body);
  const sent = request(
    {
      port: app.port,
      method: 'POST',
      path,
      headers: { ...app.bearer, 'content-length': String(bytes.length), ...headers },
    },
    (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk) => (text += chunk));
      reply.on('end', () =>
        resolve({ status: reply.statusCode ?? 0, text, code: /"code":"(\w+)"/.exec(text)?.[1] ?? null }),
      );
    },
  );
  sent.on('error', reject);
  sent.end(bytes);
  return promise;
}
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly code: string | null;
}
const sendJson = (body: string | Buffer, headers = {}) =>
  send('/api/notes', body, { 'content-type': JSON_TYPE, ...headers });
const sendForm = (body: string | Buffer, headers = {}) =>
  send('/notes', body, { 'content-type': FORM_TYPE, ...headers });

describe('what a body may be (T-HX5)', () => {
  it('is what the route declares', async () => {
    expect((await sendJson('{"body":"hello ✓"}')).status).toBe(201);
    expect((await sendJson('{"body":"x"}', { 'content-type': 'application/json; charset=UTF-8' })).status).toBe(201);
    expect((await sendForm('body=hello+%E2%9C%93&tags=a&tags=b')).status).toBe(303);
    expect(app.effects).toEqual([{ body: 'hello ✓' }, { body: 'x' }, { body: 'hello ✓', tags: ['a', 'b'] }]);
  });

  it('is 415 for another content type, another charset, a compressed one', async () => {
    const types = [
      'text/plain',
      FORM_TYPE,
      'multipart/form-data; boundary=x',
      'application/jsonp',
      '*/*',
      '',
      'application/json; charset=utf-16',
    ];
    for (const type of types) {
      expect([type, (await sendJson('{"body":"x"}', { 'content-type': type })).status]).toEqual([type, 415]);
    }
    expect((await sendForm('{"body":"x"}', { 'content-type': JSON_TYPE })).status).toBe(415);
    const bomb = gzipSync(`{"body":"${'x'.repeat(10_000_000)}"}`);
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd']) {
      expect((await sendJson(bomb, { 'content-encoding': encoding })).status).toBe(415);
    }
    expect(app.effects).toEqual([]);
  });

  it('is 413 beyond the limit, whether the length is announced or not', async () => {
    const large = `{"body":"${'x'.repeat(1_048_577)}"}`;
    expect(await sendJson(large).catch(() => ({ status: 413 }))).toMatchObject({ status: 413 });
    expect(await sendForm(`body=${'x'.repeat(MAX_BODY_BYTES)}`)).toMatchObject({ status: 413 });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const chunked = request(
      { port: app.port, method: 'POST', path: '/api/notes', headers: { ...app.bearer, 'content-type': JSON_TYPE } },
      (reply) => {
        reply.resume();
        resolve(reply.statusCode ?? 0);
      },
    );
    chunked.on('error', reject);
    for (let sent = 0; sent <= MAX_BODY_BYTES; sent += 8_192) chunked.write('x'.repeat(8_192));
    chunked.end();
    expect(await promise).toBe(413);
    // and what is long, but allowed, comes in
    expect((await sendJson(JSON.stringify({ body: 'ক'.repeat(4_000) }))).status).toBe(201);
  });

  it('is 400 when it cannot be parsed', async () => {
    const broken = [
      '{',
      '{"body":',
      '{"body":"x"}}',
      "{'body':'x'}",
      'body=x',
      '\ufeff{"body":"x"}',
      'NaN',
      '[1,]',
      '"\u0001"',
    ];
    for (const body of broken) expect([body, (await sendJson(body)).status]).toEqual([body, 400]);
    expect((await sendJson(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).status).toBe(400);
    expect((await sendJson('['.repeat(60_000) + ']'.repeat(60_000))).status).toBe(400);
    for (const body of ['body=%', 'body=%zz', 'body=%ff', '%c0%af=1']) expect((await sendForm(body)).status).toBe(400);
    expect(app.effects).toEqual([]);
  });

  it('is 400 with a field that nobody knows, `__proto__` and `a[b]` included', async () => {
    const traps = [
      '{"body":"x","admin":true}',
      '{"__proto__":{"admin":true},"body":"x"}',
      '{"body":"x","\\u005f_proto__":1}',
    ];
    traps.push('{"body":"x","constructor":{"prototype":{"admin":1}}}', '{"body":"x","tags":[{"__proto__":{}}]}');
    for (const body of traps) {
      expect([body, await sendJson(body)]).toMatchObject([body, { status: 400, code: 'unknown_field' }]);
    }
    for (const body of [
      'body=x&a[b]=1',
      'body=x&body[]=1',
      '__proto__[admin]=1&body=x',
      '__proto__=1&body=x',
      'body=x&=1',
    ]) {
      expect([body, (await sendForm(body)).status]).toEqual([body, 400]);
    }
    expect(app.effects).toEqual([]);
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false);
  });

  it('is 422 with a code per field when it is understood, but not valid', async () => {
    expect(await sendJson('{"body":""}')).toMatchObject({ status: 422 });
    const { error } = JSON.parse((await sendJson('{"body":"","kind":"z"}')).text);
    expect(error).toMatchObject({ code: 'invalid', fields: { body: 'empty_message', kind: 'not_allowed' } });
    const long = JSON.parse((await sendJson(JSON.stringify({ body: 'x'.repeat(4_001), tags: 'a' }))).text);
    expect(long.error.fields).toEqual({ body: 'too_long', tags: 'wrong_type' });
    expect(JSON.parse((await sendJson('{}')).text).error.fields).toEqual({ body: 'required' });
    for (const body of ['null', '[]', '"x"', '1', 'true']) expect((await sendJson(body)).status).toBe(422);
    expect(app.effects).toEqual([]);
  });

  it('may be left out where nothing is needed, and holds nothing where nothing is known', async () => {
    const close = `/api/notes/${SOME_ID}/close`;
    expect((await send(close, '')).status).toBe(200);
    expect((await send(close, '{}', { 'content-type': JSON_TYPE })).status).toBe(200);
    expect((await send(close, '{"x":1}', { 'content-type': JSON_TYPE })).status).toBe(400);
    expect((await send(close, 'x')).status).toBe(415);
  });

  it('never makes a 500, whatever it holds', async () => {
    const anyBody = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.webQueryParameters(),
      fc
        .array(fc.tuple(fc.constantFrom('body', 'tags', 'kind', 'a[b]', '__proto__', 'constructor'), fc.string()), {
          maxLength: 6,
        })
        .map((pairs) => pairs.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`).join('&')),
      fc
        .dictionary(fc.constantFrom('body', 'tags', 'kind', '__proto__', 'x'), fc.jsonValue())
        .map((value) => JSON.stringify(value)),
    );
    const anyType = fc.constantFrom(
      JSON_TYPE,
      FORM_TYPE,
      'text/plain',
      'multipart/form-data; boundary=x',
      ';',
      'application/json;charset',
    );
    const anyPath = fc.constantFrom('/api/notes', '/notes', `/api/notes/${SOME_ID}/close`, '/api/conflict', '/sso');
    await fc.assert(
      fc.asyncProperty(anyPath, anyType, anyBody, async (path, type, body) => {
        const { status } = await send(path, body, { 'content-type': type });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 1_500 },
    );
    expect(app.lines.filter((line) => line.level === 'error')).toEqual([]);
  });
});

describe('queries', () => {
  const ask = async (query: string) => {
    const reply = await fetch(`${app.url}/api/notes?${query}`, { headers: app.bearer });
    return { status: reply.status, answer: await reply.json() };
  };

  it('take only what the enumerations list, and pages of at most 100 (T-HX6)', async () => {
    expect(await ask('order=desc&status=open&limit=100')).toEqual({
      status: 200,
      answer: { order: 'desc', status: 'open', limit: 100 },
    });
    const refused = [
      'order=DESC',
      'order=desc;drop+table+x',
      'order=asc,id',
      'status=open%00',
      "status='+or+1=1--",
      'limit=1e9',
    ];
    refused.push(
      'limit=101',
      'limit=0',
      'limit=-1',
      'limit=1.5',
      'limit=',
      'limit=0x10000',
      'limit=NaN',
      'limit=9999999999999999999',
    );
    for (const query of refused) expect([query, (await ask(query)).status]).toEqual([query, 422]);
    for (const query of ['sort=id', 'order%5B%5D=asc', 'offset=1'])
      expect([query, (await ask(query)).status]).toEqual([query, 400]);
  });

  it('refuse every value outside an enumeration', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('order', 'status'), fc.string({ unit: 'grapheme' }), async (field, value) => {
        fc.pre(!['asc', 'desc', 'open', 'closed'].includes(value) && value.isWellFormed());
        expect((await ask(`${field}=${encodeURIComponent(value)}`)).status).toBe(422);
      }),
      { numRuns: 300 },
    );
  });

  it('take a key once, unless the route takes several (T-HX7)', async () => {
    expect((await ask('room=a&room=b')).answer).toMatchObject({ room: ['a', 'b'] });
    expect((await ask('room=a')).answer).toMatchObject({ room: ['a'] });
    for (const query of [
      'order=asc&order=desc',
      'order=asc&order=asc',
      'limit=1&limit=2',
      'limit=1&%6cimit=2',
      'status=&status=open',
    ]) {
      expect(await ask(query)).toMatchObject({ status: 400, answer: { error: { code: 'duplicate_field' } } });
    }
    expect((await sendForm('body=a&body=b')).status).toBe(400);
    expect((await sendJson('{"body":["a"]}')).status).toBe(422);
    expect((await ask('order=%')).status).toBe(400);
  });

  it('are not taken where none is declared', async () => {
    const reply = await fetch(`${app.url}/api/notes/${SOME_ID}?x=1`, { headers: app.bearer });
    expect(reply.status).toBe(400);
  });
});
