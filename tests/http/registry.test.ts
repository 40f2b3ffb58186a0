/**
 * What must hold at every door of the house, made from the registry: a new route is in here by itself.
 * T-HX1 (writes from other places), T-HX5 to T-HX7 (bodies and queries), T-HX9 (methods), T-DP1 and T-DP2 (headers).
 */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Route } from '../../src/platform/http/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import { adminUrl } from '../support/database.ts';
import type { TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type Prepared, prepare, slotsOf } from '../tenancy/slots.ts';

let app: RunningApp;
let admin: pg.Client;
let tenant: TestTenant;
let rahim: TestSession;
let owner: TestSession;
let ids: Record<string, string>;

beforeAll(async () => {
  app = await startApp({ DEMO: '1' });
  admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  tenant = await app.newTenant();
  [rahim, owner] = await Promise.all([tenant.signIn('rahim', 'browser'), tenant.signIn('owner', 'browser')]);
  const started = await fetch(`${app.base}/api/support/conversations`, {
    method: 'POST',
    headers: { ...(await tenant.signIn('rahim')).bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ message: { body: 'Where is my bonus?', clientId: newId() } }),
  });
  // contract.md, REST
  const { conversation, message } = (await started.json()) as Record<string, { id: string }>;
  ids = {
    conversation: conversation!.id,
    message: message!.id,
    note: newId(),
    admin: tenant.people.agent.id,
    driver: tenant.people.rahim.id,
    customer: tenant.people.ayesha.id,
    restaurant: tenant.people['kacchi-house'].id,
  };
});
afterAll(async () => {
  await admin?.end();
  await app?.stop();
});

/** Signing out and in changes who asks: these doors end or open sessions. */
function isSignIn(route: Route): boolean {
  return /session|sign|sso|password|demo/.test(route.name);
}

function whoMay(route: Route): TestSession {
  return route.policy.name.startsWith('admin') || route.path.startsWith('/admin') || route.path.startsWith('/api/admin')
    ? owner
    : rahim;
}

function rightRequest(route: Route): Prepared {
  const { slots } = slotsOf(route);
  return prepare(
    route,
    Object.fromEntries(slots.map((slot) => [`${slot.where}.${slot.name}`, ids[slot.thing] ?? newId()])),
  );
}

const TYPES = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  multipart: 'multipart/form-data; boundary=x',
  bytes: 'application/offset+octet-stream',
};

/** Forms that may come with files. */
function takesFiles(route: Route, type: string): boolean {
  return route.takesFiles === true && type === TYPES.multipart;
}

interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer<ArrayBuffer>;
  readonly query?: string;
  readonly method?: string;
}

/** Sends a route's own request, changed where the test says so, in the browser session of somebody who may. */
async function send(route: Route, { headers = {}, body, query, method }: Sent = {}): Promise<Response> {
  const request = rightRequest(route);
  const right =
    request.kind === 'form' ? new URLSearchParams(asStrings(request.body)).toString() : JSON.stringify(request.body);
  const sent = method ?? request.method;
  const hasBody = sent !== 'GET' && sent !== 'HEAD' && request.kind !== 'none';
  return fetch(app.base + (query === undefined ? request.path : `${request.path.split('?')[0]}?${query}`), {
    method: sent,
    redirect: 'manual',
    signal: AbortSignal.timeout(10_000),
    headers: {
      ...whoMay(route).cookie,
      ...(hasBody ? { 'content-type': TYPES[request.kind] } : {}),
      ...headers,
    },
    ...(hasBody ? { body: body ?? right } : {}),
  });
}

function asStrings(body: Record<string, unknown> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(body ?? {}).map(([name, value]) => [name, String(value)]));
}

const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };

/** All rows that a write could change, as one text; refusals are audited and sessions are used, so those stay out. */
async function stateOf(tenantId: string): Promise<string> {
  const tables = [
    'conversations',
    'conversation_participants',
    'messages',
    'settings',
    'users',
    'role_assignments',
    'sessions',
  ];
  const hashes: (string | undefined)[] = [];
  for (const table of tables) {
    const { rows } = await admin.query<{ hash: string | null }>(
      `select md5(string_agg(t::text, '' order by t)) as hash
        from (select to_jsonb(one) - 'last_seen_at' - 'last_used_at' as t from ${table} one where tenant_id = $1) as t`,
      [tenantId],
    );
    hashes.push(rows[0]?.hash ?? 'empty');
  }
  return hashes.join(' ');
}

const writes = () => app.routes.filter((route) => route.method !== 'GET');
const reads = () => app.routes.filter((route) => route.method === 'GET');

describe('every door', () => {
  it('is here, and says who may use it', () => {
    expect(app.routes.length).toBeGreaterThan(25);
    for (const route of app.routes)
      expect([route.name, route.policy.name]).toEqual([route.name, expect.stringMatching(/./)]);
  });

  it('sends the same careful headers (T-DP1, T-DP2)', async () => {
    const pagePolicies = new Set<string | null>();
    const dataPolicies = new Set<string | null>();
    const others = new Set<string>();
    for (const route of app.routes) {
      if (isSignIn(route) && route.method !== 'GET') continue;
      // a page of the demo that stands for another site, under that site's own policy
      if (route.name === 'demo.host.page') continue;
      const reply = await send(route, { headers: OWN_PAGE, ...(route.method === 'GET' ? {} : { body: '' }) });
      await reply.body?.cancel();
      expect([route.name, reply.status < 500]).toEqual([route.name, true]);
      (route.face === 'page' ? pagePolicies : dataPolicies).add(reply.headers.get('content-security-policy'));
      const shown = [
        'x-content-type-options',
        'referrer-policy',
        'cross-origin-opener-policy',
        'cross-origin-resource-policy',
        'x-frame-options',
        'permissions-policy',
      ];
      const said = shown.map((name) => `${name}: ${reply.headers.get(name)}`).join('\n');
      // an address that is a secret itself stays out of our own requests' headers too
      const isSecret = /^\/(enter|unsubscribe)\//.test(route.path);
      others.add(isSecret ? said.replace('referrer-policy: strict-origin', 'referrer-policy: same-origin') : said);
      expect([route.name, reply.headers.has('server'), reply.headers.has('x-powered-by')]).toEqual([
        route.name,
        false,
        false,
      ]);
      expect([route.name, reply.headers.get('x-request-id')]).toEqual([route.name, expect.stringMatching(/^[\w-]+$/)]);
      const cached = reply.headers.get('cache-control') ?? '';
      expect([route.name, cached]).toEqual([route.name, expect.stringMatching(/^no-store/)]);
    }
    for (const policy of [...pagePolicies, ...dataPolicies]) {
      expect(policy).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/);
      expect(policy).not.toMatch(/unsafe|nonce|sha256|\*|http:|data:/);
    }
    expect([...pagePolicies]).toHaveLength(1);
    expect([...dataPolicies]).toHaveLength(1);
    expect([...others]).toMatchInlineSnapshot(`
      [
        "x-content-type-options: nosniff
      referrer-policy: same-origin
      cross-origin-opener-policy: same-origin
      cross-origin-resource-policy: same-origin
      x-frame-options: DENY
      permissions-policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()",
      ]
    `);
  });

  it('shows pages without anything inline', async () => {
    let seen = 0;
    for (const route of reads().filter((one) => one.face === 'page' && one.name !== 'live.events')) {
      const reply = await send(route);
      if (!reply.headers.get('content-type')?.startsWith('text/html')) {
        await reply.body?.cancel();
        continue;
      }
      const html = await reply.text();
      seen += 1;
      expect([route.name, /<[^>]+\son\w+\s*=|<[^>]+\sstyle\s*=|<style|javascript:/i.exec(html)?.[0]]).toEqual([
        route.name,
        undefined,
      ]);
      for (const [script] of html.matchAll(/<script\b[^>]*>/g))
        expect([route.name, script]).toEqual([route.name, expect.stringContaining('src="/assets/')]);
    }
    expect(seen).toBeGreaterThan(5);
  });

  it('knows its methods, and answers 405 to all others (T-HX9)', async () => {
    for (const path of new Set(app.routes.map((route) => rightRequest(route).path.split('?')[0] ?? ''))) {
      for (const method of ['PROPFIND', 'OPTIONS', 'MOVE', 'QUERY']) {
        const reply = await fetch(app.base + path, { method, headers: owner.cookie });
        expect([method, path, reply.status, reply.headers.has('allow')]).toEqual([method, path, 405, true]);
      }
    }
  });
});

describe('every door that writes', () => {
  const foreign: Record<string, Record<string, string>> = {
    'another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    'a sibling sub-domain': { 'sec-fetch-site': 'same-site', origin: 'https://other.example' },
    'the address bar': { 'sec-fetch-site': 'none' },
    'an old browser elsewhere': { origin: 'https://evil.example' },
    'a sandboxed frame': { origin: 'null' },
    'another port': { origin: 'http://127.0.0.1:1' },
    nowhere: {},
    'htmx elsewhere': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example', 'hx-request': 'true' },
  };

  it('refuses what comes from other places (T-HX1)', async () => {
    const before = await stateOf(tenant.tenant.id);
    for (const route of writes().filter((one) => !one.crossSite)) {
      for (const [place, headers] of Object.entries(foreign)) {
        const reply = await send(route, { headers });
        await reply.body?.cancel();
        expect([route.name, place, reply.status]).toEqual([route.name, place, 403]);
      }
    }
    expect(await stateOf(tenant.tenant.id)).toBe(before);
    expect(
      writes()
        .filter((one) => one.crossSite)
        .map((one) => one.path),
    ).toEqual(['/sso']);
  });

  it('never answers 5xx to a body, whatever it holds, and takes only its own kind (T-HX5)', async () => {
    const doors = writes().filter((route) => !isSignIn(route) || route.name.includes('sso'));
    const anyBody = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.webQueryParameters(),
      fc
        .dictionary(
          fc.constantFrom('body', 'clientId', 'seq', 'message', 'adminId', 'takeOver', 'context', '__proto__', 'x'),
          fc.jsonValue(),
        )
        .map((value) => JSON.stringify(value)),
    );
    const anyType = fc.constantFrom(TYPES.json, TYPES.form, TYPES.multipart, 'text/plain');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...doors), anyType, anyBody, async (route, type, body) => {
        const reply = await send(route, { headers: { ...OWN_PAGE, 'content-type': type }, body });
        await reply.body?.cancel();
        expect([route.name, reply.status < 500]).toEqual([route.name, true]);
        const { kind } = rightRequest(route);
        const isOwnKind =
          kind === 'multipart' ||
          kind === 'none' ||
          type === TYPES[kind as keyof typeof TYPES] ||
          takesFiles(route, type);
        if (!isOwnKind && Buffer.from(body).length > 0) expect([400, 401, 403, 404, 415]).toContain(reply.status);
      }),
      { numRuns: 600 },
    );
  });

  it('refuses a field that it does not know, `__proto__`, and a form field given twice (T-HX5, T-HX7)', async () => {
    for (const route of writes()) {
      const { kind, body } = rightRequest(route);
      if (kind === 'multipart' || kind === 'bytes' || kind === 'none') continue;
      const traps =
        kind === 'json'
          ? [
              JSON.stringify({ ...body, isAdmin: true }),
              `{"__proto__":{"isAdmin":true}${JSON.stringify(body ?? {})
                .slice(1)
                .replace(/^(?=")/, ',')}`,
            ]
          : ['isAdmin=1', '__proto__=1', 'a[b]=1', 'clientId=1&clientId=2', 'body=a&body=b', 'to=/a&to=/b'].map(
              (extra) => `${new URLSearchParams(asStrings(body))}&${extra}`,
            );
      for (const trap of traps) {
        const reply = await send(route, { headers: OWN_PAGE, body: trap });
        await reply.body?.cancel();
        expect([route.name, trap, reply.status]).toEqual([route.name, trap, 400]);
      }
    }
  });
});

describe('every door that reads', () => {
  it('takes a query key once, and only keys and values that it knows (T-HX6, T-HX7)', async () => {
    const strange = ["' or 1=1--", 'desc;drop table users', '1e9', '-1', '\0', '../..', '9'.repeat(30), '<script>', ''];
    for (const route of reads().filter((one) => one.query && one.readsSession !== false)) {
      const unknown = await send(route, { query: 'isAdmin=1' });
      await unknown.body?.cancel();
      // a page may be reached by links that carry more than it asks for
      if (route.face === 'json') expect([route.name, unknown.status]).toEqual([route.name, 400]);
      else expect([route.name, unknown.status < 500]).toEqual([route.name, true]);
      // zod publishes the shape of an object schema
      const names = Object.keys((route.query as unknown as { shape?: object }).shape ?? {});
      for (const name of names) {
        for (const value of strange) {
          const reply = await send(route, { query: `${name}=${encodeURIComponent(value)}` });
          await reply.body?.cancel();
          expect([route.name, name, value, reply.status < 500]).toEqual([route.name, name, value, true]);
        }
        const twice = await send(route, { query: `${name}=1&${name}=2` });
        await twice.body?.cancel();
        expect([route.name, name, [400, 422].includes(twice.status)]).toEqual([route.name, name, true]);
      }
    }
  });

  it('shows at most 100 of a list', async () => {
    for (const route of reads().filter(
      (one) => one.query && Object.hasOwn((one.query as unknown as { shape?: object }).shape ?? {}, 'limit'),
    )) {
      for (const limit of ['101', '1e9', '0', '-1', '1.5', 'all']) {
        const reply = await send(route, { query: `limit=${limit}` });
        await reply.body?.cancel();
        expect([route.name, limit, reply.status]).toEqual([route.name, limit, 422]);
      }
      expect((await send(route, { query: 'limit=100' })).status).toBe(200);
    }
  });

  it('changes nothing', async () => {
    const before = await stateOf(tenant.tenant.id);
    for (const route of reads()) {
      for (const method of ['GET', 'HEAD']) await (await send(route, { method })).body?.cancel();
    }
    expect(await stateOf(tenant.tenant.id)).toBe(before);
  });
});
