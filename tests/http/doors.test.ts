import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createRouteTable, json, loggedFault, type Policy, type Route, route } from '../../src/platform/http/index.ts';
import { jsonOf, type SmallApp, SOME_ID, startSmallApp } from './small-app.ts';

const open: Policy = { name: 'open', needsSession: false, check: () => 'ok' };
const base = { method: 'GET', policy: open, face: 'json', handle: () => json({}) } as const;

describe('the registry of doors', () => {
  it('starts with well declared routes', () => {
    const table = createRouteTable([
      route({ ...base, name: 'a', path: '/a' }),
      route({ ...base, name: 'b', path: '/b' }),
    ]);
    expect(table.routes).toHaveLength(2);
  });

  it('does not start with a route that has no policy', () => {
    const { policy: _, ...guardless } = { ...base, name: 'a', path: '/a' };
    // what the type checker refuses is what a careless cast would bring
    expect(() => createRouteTable([guardless as unknown as Route])).toThrow(/a has no policy/);
  });

  it('does not start with two routes of one name, or one path', () => {
    expect(() =>
      createRouteTable([route({ ...base, name: 'a', path: '/a' }), route({ ...base, name: 'a', path: '/b' })]),
    ).toThrow(/Two routes are named a/);
    const twins = [
      route({ ...base, name: 'a', path: '/x/:id', params: z.strictObject({ id: z.string() }) }),
      route({ ...base, name: 'b', path: '/x/:name', params: z.strictObject({ name: z.string() }) }),
    ];
    expect(() => createRouteTable(twins)).toThrow(/a and b share GET/);
  });

  it('does not start with a path parameter that nobody checks', () => {
    expect(() => createRouteTable([route({ ...base, name: 'a', path: '/a/:id' })])).toThrow(/without a schema/);
  });

  it('prefers the literal path, whatever the order', () => {
    const named = route({ ...base, name: 'named', path: '/:type', params: z.strictObject({ type: z.string() }) });
    const literal = route({ ...base, name: 'literal', path: '/healthz' });
    for (const routes of [
      [named, literal],
      [literal, named],
    ]) {
      const found = createRouteTable(routes).find('GET', '/healthz');
      expect(found).toMatchObject({ kind: 'door', door: { route: { name: 'literal' } } });
      expect(createRouteTable(routes).find('POST', '/healthz')).toEqual({ kind: 'wrong_method', allow: 'GET, HEAD' });
    }
  });
});

describe('a request at a door', () => {
  let app: SmallApp;
  beforeAll(async () => {
    app = await startSmallApp();
  });
  afterAll(() => app.close());

  it('is answered 405 with Allow for methods that the path has not, never 501 (T-HX9)', async () => {
    const paths = ['/api/notes', `/api/notes/${SOME_ID}`, '/notes', '/notes/list', '/healthz', '/nothing/at/all'];
    for (const path of paths) {
      for (const method of ['PROPFIND', 'OPTIONS', 'MKCOL', 'PATCH', 'PUT', 'QUERY', 'REPORT', 'LINK', 'PURGE']) {
        const reply = await fetch(app.url + path, { method, headers: app.bearer });
        const isOurs = path === '/nothing/at/all' && (method === 'PATCH' || method === 'PUT');
        expect([method, path, reply.status]).toEqual([method, path, isOurs ? 404 : 405]);
        if (!isOurs) expect(reply.headers.get('allow')).toMatch(/GET|POST/);
      }
    }
    expect(app.effects).toEqual([]);
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const path of ['/api/notes', `/api/notes/${SOME_ID}`, '/notes/list', '/healthz', '/icon.svg']) {
      const get = await fetch(app.url + path, { headers: { ...app.bearer, 'accept-encoding': 'identity' } });
      const head = await fetch(app.url + path, {
        method: 'HEAD',
        headers: { ...app.bearer, 'accept-encoding': 'identity' },
      });
      expect([path, head.status]).toEqual([path, get.status]);
      expect(await head.text()).toBe('');
      expect(head.headers.get('content-length')).toBe(String((await get.text()).length));
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    }
  });

  it('gives a wrong id the same 404 as one that does not exist', async () => {
    const ask = async (id: string) => {
      const reply = await fetch(`${app.url}/api/notes/${id}`, { headers: app.bearer });
      const { error } = await jsonOf(reply);
      return [reply.status, error];
    };
    expect(await ask(SOME_ID)).toEqual([200, undefined]);
    const absent = await ask('01a1fd19-ed55-7256-8a7e-d392a71636c9');
    expect(absent[0]).toBe(404);
    for (const id of [
      '1',
      'x'.repeat(5_000),
      '%00',
      '%ff',
      '%',
      "'%20or%201=1--",
      `${SOME_ID}%00`,
      '..%2f..%2fetc',
      SOME_ID.slice(1),
    ]) {
      expect(await ask(id)).toEqual(absent);
    }
  });

  it('says who is missing: nobody signed in 401, a capability 403, not yours 404', async () => {
    const anonymous = await fetch(`${app.url}/api/agents`);
    expect(anonymous.status).toBe(401);
    expect(await anonymous.json()).toMatchObject({ error: { code: 'not_signed_in' }, requestId: expect.any(String) });
    const rahim = await fetch(`${app.url}/api/agents`, { headers: app.bearer });
    expect(rahim.status).toBe(403);
    expect(await rahim.json()).toMatchObject({ error: { code: 'forbidden', capability: 'REPLY_SUPPORT_CHAT' } });
    expect((await fetch(`${app.url}/api/hidden`, { headers: app.bearer })).status).toBe(404);
    expect((await fetch(`${app.url}/api/agents`, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
  });

  it('sends admins who are not signed in to their sign-in page, htmx included', async () => {
    const whole = await fetch(`${app.url}/admin/desk`, { redirect: 'manual' });
    expect([whole.status, whole.headers.get('location')]).toEqual([303, '/admin/login']);
    const piece = await fetch(`${app.url}/admin/desk`, { headers: { 'hx-request': 'true' } });
    expect([piece.status, piece.headers.get('hx-redirect')]).toEqual([401, '/admin/login']);
    expect((await fetch(`${app.url}/notes/list`)).status).toBe(401);
  });

  it('turns a redirect into a navigation for htmx, which would swap the page that fetch follows to', async () => {
    const form = { method: 'POST', body: new URLSearchParams({ body: 'x' }), redirect: 'manual' } as const;
    const plain = await fetch(`${app.url}/notes`, { ...form, headers: app.bearer });
    expect([plain.status, plain.headers.get('location')]).toEqual([303, '/notes/done']);
    const boosted = await fetch(`${app.url}/sso`, {
      ...form,
      body: new URLSearchParams({ token: 'x', to: '/driver' }),
      headers: { 'hx-request': 'true' },
    });
    expect([boosted.status, boosted.headers.get('hx-redirect')]).toEqual([200, '/driver']);
  });

  it('hides our insides: 500 and 503 say no more than that', async () => {
    for (const path of ['/broken', '/api/broken']) {
      const reply = await fetch(app.url + path);
      expect(reply.status).toBe(500);
      expect(await reply.text()).not.toMatch(/secret|password|select|at \//);
    }
    expect(app.lines.filter((line) => line.level === 'error').map((line) => line.fields['fault'])).toContainEqual(
      expect.objectContaining({ name: 'Error', message: 'select secret from inside where password = 1' }),
    );
    const away = await fetch(`${app.url}/api/notes/away`, { method: 'POST', headers: app.bearer });
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await away.text()).not.toMatch(/10\.0\.0\.7|ECONN|5432/);
  });

  it('adds what a client needs to go on to the error', async () => {
    const reply = await fetch(`${app.url}/api/conflict`, { method: 'POST' });
    expect(reply.status).toBe(409);
    expect((await jsonOf(reply)).error).toEqual({
      code: 'another_open',
      message: 'Another one is open.',
      conversationId: SOME_ID,
    });
  });

  it('leaves one line in the log: name, status, time, id; nothing of the request', async () => {
    app.lines.length = 0;
    const reply = await fetch(`${app.url}/notes/word?q=my+secret+question`, { headers: app.bearer });
    await reply.text();
    expect(app.lines).toEqual([
      {
        level: 'debug',
        message: 'request',
        fields: {
          requestId: reply.headers.get('x-request-id'),
          route: 'notes.page',
          status: 200,
          ms: expect.any(Number),
        },
      },
    ]);
  });

  it('logs where the database failed, never what it was given', () => {
    const failed = Object.assign(new Error('insert into users … values (rahim@example.com): duplicate key'), {
      name: 'UniqueConstraintViolationException',
      code: '23505',
      constraint: 'users_email_key',
    });
    const logged = loggedFault(failed);
    expect(logged).toMatchObject({
      name: 'UniqueConstraintViolationException',
      code: '23505',
      constraint: 'users_email_key',
    });
    expect(logged.at?.[0]).toMatch(/^at /);
    expect(JSON.stringify(logged)).not.toContain('rahim@');
  });

  it('chooses the language by cookie, then by browser', async () => {
    const language = async (headers: Record<string, string>) => {
      const reply = await fetch(`${app.url}/api/who`, { headers });
      return (await jsonOf(reply)).language;
    };
    expect(await language({ 'accept-language': 'fr' })).toBe('en');
    expect(await language({ 'accept-language': 'fr, en;q=0.5, bn-BD;q=0.8' })).toBe('bn');
    expect(await language({ 'accept-language': 'bn', cookie: 'lang=en' })).toBe('en');
    expect(await language({ 'accept-language': 'bn', cookie: 'lang=<script>' })).toBe('bn');
  });
});

describe('health', () => {
  it('says whether it lives, whether it can serve and why not, and counts for those with the token', async () => {
    let alive = true;
    const app = await startSmallApp({ metricsToken: 'a-long-metrics-token' }, () => alive);
    try {
      const ask = async (path: string, headers: Record<string, string> = {}) => {
        const reply = await fetch(app.url + path, { headers });
        return [reply.status, await reply.text()] as const;
      };
      expect((await ask('/readyz'))[0]).toBe(200);
      app.readiness.set('stopping');
      expect(await ask('/readyz')).toEqual([503, '{"status":"not_ready","reason":"stopping"}']);
      expect((await ask('/healthz'))[0]).toBe(200);
      app.readiness.set(null);
      alive = false;
      await expect.poll(() => ask('/readyz').then(([status]) => status), { timeout: 4_000 }).toBe(503);
      expect((await ask('/healthz'))[0]).toBe(200);

      expect((await ask('/metrics'))[0]).toBe(401);
      expect((await ask('/metrics', { authorization: 'Bearer another-metrics-token' }))[0]).toBe(401);
      const [status, text] = await ask('/metrics', { authorization: 'Bearer a-long-metrics-token' });
      expect(status).toBe(200);
      expect(text).toContain('http_request_duration_seconds_count{route="health.live",method="GET",status="200"}');
    } finally {
      await app.close();
    }
  });

  it('has no metrics without a token', async () => {
    const app = await startSmallApp();
    expect((await fetch(`${app.url}/metrics`, { headers: { authorization: 'Bearer ' } })).status).toBe(404);
    await app.close();
  });
});
