import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf, type SmallApp, SOME_ID, startSmallApp } from './small-app.ts';

let app: SmallApp;
beforeAll(async () => {
  app = await startSmallApp();
});
afterAll(() => app.close());

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'x-frame-options': 'DENY',
};
const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; " +
  "media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; frame-src 'none'; form-action 'self'; base-uri 'none'; " +
  "object-src 'none'; frame-ancestors 'none'";

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(app.url + path, { headers: { ...app.bearer, ...headers }, redirect: 'manual' });

describe('headers of every answer (T-DP1, T-DP2)', () => {
  const answers: [kind: 'page' | 'json' | 'asset', path: string, status: number][] = [
    ['page', '/notes/list', 200],
    ['page', '/nothing', 404],
    ['page', '/broken', 500],
    ['json', '/api/notes', 200],
    ['json', '/api/nothing', 404],
    ['json', '/api/notes?x=1', 400],
    ['json', '/api/broken', 500],
    ['json', '/healthz', 200],
    ['asset', '/icon.svg', 200],
    ['page', '/assets/nothing.css', 404],
  ];
  it.each(answers)('%s %s %i', async (kind, path, status) => {
    const reply = await get(path);
    await reply.arrayBuffer();
    const headers = Object.fromEntries(reply.headers);
    expect(reply.status).toBe(status);
    expect(headers).toMatchObject(ALWAYS);
    expect(headers['content-security-policy']).toBe(kind === 'page' ? PAGE_POLICY : DATA_POLICY);
    expect(headers['cache-control']).toBe(kind === 'asset' ? 'public, max-age=3600' : 'no-store');
    expect(headers['x-request-id']).toMatch(/^[\w-]+$/);
    expect(Object.keys(headers).filter((name) => /server|powered|sourcemap/.test(name))).toEqual([]);
  });

  it('ask browsers for https only where there is https', async () => {
    expect((await get('/healthz')).headers.has('strict-transport-security')).toBe(false);
    const secure = await startSmallApp({ publicUrl: new URL('https://127.0.0.1') });
    const reply = await fetch(`${secure.url}/healthz`, { headers: { host: '127.0.0.1' } });
    // fetch sends the port with the host, so this is the 421; its headers are the same
    expect(reply.headers.get('strict-transport-security')).toBe('max-age=63072000; includeSubDomains');
    await secure.close();
  });

  it('keep a fragment apart from its page (T-HX2)', async () => {
    const whole = await get('/notes/list');
    const piece = await get('/notes/list', { 'hx-request': 'true', 'hx-request-type': 'partial' });
    for (const reply of [whole, piece]) {
      expect(reply.headers.get('vary')).toContain('HX-Request, HX-Request-Type');
      expect(reply.headers.get('cache-control')).toBe('no-store');
      expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
      expect(reply.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    }
    // should it ever be opened as a document, it may do nothing
    expect(piece.headers.get('content-security-policy')).toBe(DATA_POLICY);
    // the same rights: who may not see the page may not see its piece
    expect((await fetch(`${app.url}/notes/list`, { headers: { 'hx-request': 'true' } })).status).toBe(401);
  });
});

describe('assets', () => {
  it('never change under their hashed name, and come compressed as the browser likes', async () => {
    const { openAssets } = await import('../../src/platform/views/index.ts');
    const assets = await openAssets({ folder: 'public', quality: 1 });
    const css = assets.find(assets.bundle('css', 'shared'));
    const js = assets.find(assets.bundle('js', 'shared'));
    expect(assets.bundle('js', 'shared')).toMatch(/^\/assets\/app\.[\w-]{12}\.js$/);
    expect(css?.immutable && js?.immutable).toBe(true);
    expect(js?.body.toString()).toContain('htmx');
    expect(js?.body.toString()).not.toContain('sourceMappingURL');
    expect(Object.keys(js?.encoded ?? {}).sort()).toEqual(['br', 'gzip', 'zstd']);

    for (const [accepted, encoding] of [
      ['gzip, deflate, br, zstd', 'br'],
      ['gzip, zstd', 'zstd'],
      ['gzip', 'gzip'],
      ['br;q=0, gzip', 'gzip'],
      ['identity', null],
    ] as const) {
      const reply = await get('/icon.svg', { 'accept-encoding': accepted });
      expect([accepted, reply.headers.get('content-encoding')]).toEqual([accepted, encoding]);
      expect(reply.headers.get('vary')).toBe('Accept-Encoding');
      expect(reply.headers.get('content-type')).toBe('image/svg+xml');
    }
    const first = await get('/favicon.ico');
    const again = await get('/favicon.ico', { 'if-none-match': first.headers.get('etag') ?? '' });
    expect([first.status, again.status]).toEqual([200, 304]);
  });

  it('are what lies in public/ and nothing else', async () => {
    const paths = [
      '/assets/../package.json',
      '/assets/%2e%2e/package.json',
      '/assets/..%2fpackage.json',
      '/assets/',
      '/assets/icon',
    ];
    paths.push(
      '/icon.svg/',
      '/.git/config',
      '/assets/.gitignore',
      '/assets/icon.svg%00',
      '/views/shared/error.eta',
      '/src/app.ts',
    );
    for (const path of paths) expect([path, (await get(path)).status]).toEqual([path, 404]);
    expect((await fetch(`${app.url}/icon.svg`, { method: 'POST' })).status).toBe(405);
  });

  it('pages are compressed beyond a kilobyte', async () => {
    const reply = await get('/notes/list', { 'accept-encoding': 'gzip, br' });
    expect(reply.headers.get('content-encoding')).toBe('br');
    expect(await reply.text()).toContain('<b>x</b>');
  });
});

describe('what a request says does not come back (T-HX3, T-HX4)', () => {
  const MARK = 'canary7';
  const corpus = [
    `<img src=x onerror=alert(${MARK})>`,
    `"><script>${MARK}</script>`,
    `'-alert(${MARK})-'`,
    `${MARK}\r\nSet-Cookie: a=b`,
    `${MARK}\r\n\r\n<script>`,
    `{{${MARK}}}`,
    `<%= ${MARK} %>`,
    `javascript:${MARK}`,
    `#x" hx-get="/${MARK}`,
  ];
  /** Every way into an error. */
  const ways: [name: string, send: (text: string) => Promise<Response>][] = [
    ['path', (text) => get(`/notes/${encodeURIComponent(text)}/x`)],
    ['id', (text) => get(`/api/notes/${encodeURIComponent(text)}`)],
    ['asset', (text) => get(`/assets/${encodeURIComponent(text)}`)],
    ['query value', (text) => get(`/api/notes?order=${encodeURIComponent(text)}`)],
    ['page query', (text) => get(`/notes/list?q=1&q=${encodeURIComponent(text)}`)],
    ['cookie', (text) => get('/nothing', { cookie: `lang=${encodeURIComponent(text)}` })],
    ['language', (text) => get('/nothing', { 'accept-language': encodeURIComponent(text) })],
    ['request id', (text) => get('/nothing', { 'x-request-id': encodeURIComponent(text) })],
    ['htmx target', (text) => get('/nothing', { 'hx-request': 'true', 'hx-target': encodeURIComponent(text) })],
    ['token', (text) => get('/notes/list', { authorization: `Bearer ${encodeURIComponent(text)}` })],
    [
      'form value',
      (text) =>
        fetch(`${app.url}/refuse`, {
          method: 'POST',
          body: new URLSearchParams({ status: text }),
          headers: app.bearer,
        }),
    ],
    [
      'json value',
      (text) =>
        fetch(`${app.url}/api/notes`, {
          method: 'POST',
          body: JSON.stringify({ body: 'x', kind: text }),
          headers: { ...app.bearer, 'content-type': 'application/json' },
        }),
    ],
  ];

  it('though a page can show it, escaped', async () => {
    const shown = await (await get(`/notes/list?q=${encodeURIComponent(corpus[0] ?? '')}`)).text();
    expect(shown).toContain(`&lt;img src=x onerror=alert(${MARK})&gt;`);
    expect(shown).not.toContain('<img');
  });

  it.each(ways)('by %s', async (_name, send) => {
    for (const text of corpus) {
      const reply = await send(text);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(reply.status).toBeLessThan(500);
      expect(await reply.text()).not.toContain(MARK);
      for (const [name, value] of reply.headers) expect([name, value.includes(MARK)]).toEqual([name, false]);
    }
  });

  it('though an unknown field is named, in JSON, where no page runs it', async () => {
    const reply = await fetch(`${app.url}/api/notes`, {
      method: 'POST',
      body: JSON.stringify({ body: 'x', [`<script>${MARK}`]: 1 }),
      headers: { ...app.bearer, 'content-type': 'application/json' },
    });
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect((await jsonOf(reply)).error).toMatchObject({
      code: 'unknown_field',
      fields: { [`<script>${MARK}`]: 'unknown_field' },
    });
  });

  it('HX headers of errors are constants', async () => {
    for (const text of corpus) {
      const reply = await get(`/api-${encodeURIComponent(text)}`, {
        'hx-request': 'true',
        'hx-current-url': encodeURIComponent(text),
      });
      const own = [...reply.headers].filter(([name]) => name.startsWith('hx-'));
      expect(Object.fromEntries(own)).toEqual({
        'hx-retarget': '#notice',
        'hx-reswap': 'innerHTML',
        'hx-reselect': '[role="alert"]',
      });
    }
  });

  it('HX-Redirect is a path of ours', async () => {
    for (const to of ['//evil.example', '/a\r\nX: y', 'https://evil.example', `/notes/${SOME_ID}`]) {
      const reply = await fetch(`${app.url}/sso`, {
        method: 'POST',
        body: new URLSearchParams({ token: 't', to }),
        headers: { 'hx-request': 'true' },
      });
      expect(reply.headers.get('hx-redirect')).toBe(to.startsWith('/notes') ? to : '/');
    }
  });
});
