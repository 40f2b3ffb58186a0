import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SmallApp, SOME_ID, startSmallApp } from './small-app.ts';

/** Contexts in which a browser, or something that is none, sends a write with our cookie. */
const FOREIGN: Record<string, Record<string, string>> = {
  'a form of another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  'a form of a sibling sub-domain': { 'sec-fetch-site': 'same-site', origin: 'http://other.127.0.0.1' },
  'a link typed or bookmarked': { 'sec-fetch-site': 'none' },
  'an old browser on another site': { origin: 'https://evil.example' },
  'a sandboxed frame': { origin: 'null' },
  'our name with another port': { origin: 'http://127.0.0.1:1' },
  'our name as a prefix': { origin: 'http://127.0.0.1.evil.example' },
  'nothing that says where it comes from': {},
};

const WRITES: { method: string; path: string; type?: string; body?: string }[] = [
  { method: 'POST', path: '/notes', type: 'application/x-www-form-urlencoded', body: 'body=x' },
  { method: 'POST', path: '/api/notes', type: 'application/json', body: '{"body":"x"}' },
  { method: 'DELETE', path: `/api/notes/${SOME_ID}` },
  { method: 'POST', path: `/api/notes/${SOME_ID}/close` },
];

describe('writes from other places (T-HX1)', () => {
  let app: SmallApp;
  beforeAll(async () => {
    app = await startSmallApp();
  });
  afterAll(() => app.close());
  beforeEach(() => {
    app.effects.length = 0;
  });

  const send = (write: (typeof WRITES)[number], headers: Record<string, string>) =>
    fetch(app.url + write.path, {
      method: write.method,
      headers: { ...(write.type ? { 'content-type': write.type } : {}), ...headers },
      redirect: 'manual',
      ...(write.body === undefined ? {} : { body: write.body }),
    });

  it.each(WRITES)('$method $path can happen from our own pages', async (write) => {
    const site = await send(write, { ...app.cookie, 'sec-fetch-site': 'same-origin' });
    const origin = await send(write, { ...app.cookie, origin: app.url });
    expect([site.status, origin.status].every((status) => status < 400)).toBe(true);
    expect(app.effects).toHaveLength(2);
  });

  it.each(Object.entries(FOREIGN))('refuses %s', async (_name, headers) => {
    for (const write of WRITES) {
      const reply = await send(write, { ...app.cookie, ...headers });
      expect([write.path, reply.status]).toEqual([write.path, 403]);
    }
    expect(app.effects).toEqual([]);
  });

  it('refuses a foreign form in any content type, and any method override', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const reply = await send(
        { method: 'POST', path: '/api/notes', type, body: '{"body":"x"}' },
        {
          ...app.cookie,
          ...FOREIGN['a form of another site'],
        },
      );
      expect(reply.status).toBe(403);
    }
    for (const name of ['x-http-method-override', 'x-method-override']) {
      await fetch(`${app.url}/api/notes/${SOME_ID}`, { headers: { ...app.cookie, [name]: 'DELETE' } });
      await fetch(`${app.url}/api/notes/${SOME_ID}?_method=DELETE`, { headers: app.cookie });
    }
    expect(app.effects).toEqual([]);
  });

  it('lets programs with a bearer token through; no foreign page can make a browser send one', async () => {
    for (const write of WRITES) expect((await send(write, app.bearer)).status).toBeLessThan(400);
    expect(app.effects).toHaveLength(WRITES.length);
  });

  it('does not let a bearer token excuse a cookie', async () => {
    const write = { method: 'POST', path: '/api/notes', type: 'application/json', body: '{"body":"x"}' };
    const reply = await send(write, { ...app.bearer, ...app.cookie, ...FOREIGN['a form of another site'] });
    expect(reply.status).toBe(403);
  });

  it('takes the one form that other sites may post', async () => {
    const write = {
      method: 'POST',
      path: '/sso',
      type: 'application/x-www-form-urlencoded',
      body: 'token=t&to=/driver',
    };
    const reply = await send(write, { ...app.cookie, ...FOREIGN['a form of another site'] });
    expect([reply.status, reply.headers.get('location')]).toEqual([303, '/driver']);
  });

  it('compares with the public address once it is known, not with the Host header', async () => {
    const app = await startSmallApp({ publicUrl: new URL('https://support.example') });
    const write = (origin: string) =>
      app.server && requestWithHost(app.port, { host: 'support.example', origin, cookie: 'session=rahims-token' });
    expect(await write('https://support.example')).toBe(201);
    expect(await write('http://support.example')).toBe(403);
    expect(await write('https://evil.example')).toBe(403);
    await app.close();
  });

  it('sends no CORS header to anybody (T-HX11)', async () => {
    for (const origin of ['https://evil.example', 'null', app.url, 'http://localhost:3000']) {
      for (const method of ['GET', 'OPTIONS', 'POST']) {
        const reply = await fetch(`${app.url}/api/notes`, {
          method,
          headers: { ...app.bearer, origin, 'access-control-request-method': 'POST' },
        });
        const names = [...reply.headers.keys()].filter((name) => name.startsWith('access-control-'));
        expect(names).toEqual([]);
      }
    }
  });
});

/** fetch() does not let a Host header through. */
async function requestWithHost(port: number, headers: Record<string, string>): Promise<number> {
  const { request } = await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request(
    { port, method: 'POST', path: '/api/notes', headers: { ...headers, 'content-type': 'application/json' } },
    (reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    },
  );
  sent.on('error', reject);
  sent.end('{"body":"x"}');
  return promise;
}
