import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIdentity } from '../../src/identity/index.ts';
import { databaseUrl } from '../support/database.ts';
import { newTenant, TEST_SECRET_KEY, type TestTenant } from '../support/people.ts';
import { cookiesOf, get, type Node, openNode, postForm, quiet } from './node.ts';

/** One way in, whatever the door (T-ID9), and a cookie that nobody else can choose (T-ID7). */

let node: Node;
let secure: Node;
let ours: TestTenant;

beforeAll(async () => {
  node = await openNode();
  secure = await openNode({ publicUrl: new URL('https://support.example') });
  ours = await newTenant(node.database);
});
afterAll(async () => {
  await node?.close();
  await secure?.close();
});

describe('doors', () => {
  test('40 bad credentials are refused by page and JSON, header and cookie alike', async () => {
    const { token } = await ours.signIn('rahim');
    for (const door of ['page', 'json']) {
      expect((await get(node, `/probe/${door}`, { authorization: `Bearer ${token}` })).status).toBe(200);
      expect((await get(node, `/probe/${door}`, { cookie: `safego=${token}` })).status).toBe(200);
    }
    const ended = await ours.signIn('rahim');
    await fetch(`${node.url}/api/support/session`, { method: 'DELETE', headers: ended.bearer });
    const hostToken = await ours.hostToken('rahim');
    const bad = [
      '',
      ' ',
      'null',
      'undefined',
      'true',
      '0',
      '[]',
      '{}',
      '*',
      '%',
      "' or 1=1 --",
      'Bearer',
      'Basic YTpi',
      'sgs_',
      'sgp_',
      token.slice(0, -1),
      `${token}x`,
      token.toUpperCase(),
      token.slice(4),
      `sgp_${token.slice(4)}`,
      ` ${token.slice(4)} `,
      `${token.slice(0, 20)}*${token.slice(21)}`,
      `${token},${token}`,
      token.split('').reverse().join(''),
      hostToken,
      ended.token,
      ended.sessionId,
      ours.people.rahim.id,
      'rahim',
      `sgs_${'A'.repeat(43)}`,
      `sgs_${'0'.repeat(43)}`,
      `sgs_${'_'.repeat(43)}`,
      `sgs_${randomBytes(32).toString('base64url')}`,
      `sgs_${randomBytes(64).toString('base64url')}`,
      'x'.repeat(5_000),
      Buffer.from(token).toString('base64'),
      encodeURIComponent(`${token}=`),
      `"${token.slice(1)}"`,
      '../sgs',
      'e30.e30.e30',
    ];
    expect(bad.length).toBe(40);
    for (const credential of bad) {
      for (const door of ['page', 'json']) {
        const statuses = [
          (await get(node, `/probe/${door}`, { authorization: `Bearer ${credential}` })).status,
          (await get(node, `/probe/${door}`, { cookie: `safego=${credential}` })).status,
        ];
        expect([credential, statuses]).toEqual([credential, [401, 401]]);
      }
      expect(await node.identity.authenticate(credential)).toBe(null);
    }
  });

  test('a session of another tenant stays one of another tenant', async () => {
    const other = await newTenant(node.database);
    const person = await node.identity.authenticate((await other.signIn('agent')).token);
    expect(person).toMatchObject({ tenantId: other.tenant.id, tenantSlug: other.tenant.slug });
  });

  test('what leads elsewhere leads home', async () => {
    for (const to of [
      '//evil.example',
      'https://evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
      '/\t/evil.example',
      'x',
    ]) {
      const answer = await postForm(node, '/sso', { token: await ours.hostToken('rahim'), to });
      expect([to, answer.status, answer.headers.get('location')]).toEqual([to, 303, '/driver']);
    }
    const agent = await postForm(node, '/sso', { token: await ours.hostToken('agent'), to: '' });
    expect(agent.headers.get('location')).toBe('/admin/support-chat');
  });
});

describe('the cookie', () => {
  test('has its attributes at every door that sets it', async () => {
    for (const [app, name, tail] of [
      [node, 'safego', ''],
      [secure, '__Host-safego', '; Secure'],
    ] as const) {
      const host = app === secure ? { host: 'support.example' } : {};
      const { request } = await import('node:http');
      const lines = await new Promise<string[]>((resolve, reject) => {
        void ours.hostToken('rahim').then((token) => {
          const body = new URLSearchParams({ token }).toString();
          // fetch() would not let us choose the Host
          request(`${app.url}/sso`, {
            method: 'POST',
            headers: { ...host, 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length },
          })
            .on('response', (response) => resolve(response.resume().headers['set-cookie'] ?? []))
            .on('error', reject)
            .end(body);
        });
      });
      expect(lines.length).toBe(2);
      for (const line of lines) {
        expect(line).toMatch(
          new RegExp(`^${name}(-next)?=[\\w-]*; Expires=[^;]+ GMT; Path=/; HttpOnly; SameSite=Lax${tail}$`),
        );
      }
    }
  });

  test('is a new one after signing in; one that was chosen before is worth nothing', async () => {
    const chosen = `sgs_${randomBytes(32).toString('base64url')}`;
    const answer = await postForm(
      node,
      '/sso',
      { token: await ours.hostToken('rahim'), to: '/' },
      { cookie: `safego=${chosen}` },
    );
    const given = cookiesOf(answer)['safego'];
    expect(given).toMatch(/^sgs_[\w-]{43}$/);
    expect(given).not.toBe(chosen);
    expect((await get(node, '/probe/json', { cookie: `safego=${chosen}` })).status).toBe(401);
    expect((await get(node, '/probe/json', { cookie: `safego=${given}` })).status).toBe(200);
  });

  test('is rotated when the same person signs in again, and the old one is dead', async () => {
    const before = await ours.signIn('rahim', 'browser');
    const answer = await postForm(node, '/sso', { token: await ours.hostToken('rahim'), to: '/' }, before.cookie);
    expect(cookiesOf(answer)['safego']).not.toBe(before.token);
    expect((await get(node, '/probe/json', before.cookie)).status).toBe(401);
  });

  test('given twice, by us and by a neighbour, is believed neither way', async () => {
    const [mine, other] = [await ours.signIn('rahim'), await ours.signIn('ayesha')];
    expect((await get(node, '/probe/json', { cookie: `safego=${mine.token}; safego=${mine.token}` })).status).toBe(200);
    expect((await get(node, '/probe/json', { cookie: `safego=${mine.token}; safego=${other.token}` })).status).toBe(
      401,
    );
  });

  test('only a hash of the token is stored', async () => {
    const { token, sessionId } = await ours.signIn('rahim');
    const stored = await ours.asPerson('system', (scope) =>
      scope.em.execute<{ row: string }[]>(
        'select to_jsonb(s)::text as row from sessions s where s.tenant_id = ? and s.id = ?',
        [ours.tenant.id, sessionId],
      ),
    );
    expect(stored[0]?.row).toContain(sessionId);
    expect(stored[0]?.row).not.toContain(token.slice(4, 20));
  });
});

describe('from the host app while somebody else is signed in', () => {
  const crossSite = { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' };

  test('the browser is asked first: going on', async () => {
    const before = await ours.signIn('rahim', 'browser');
    // the browser keeps the Lax cookie back on this one
    const posted = await postForm(
      node,
      '/sso',
      { token: await ours.hostToken('ayesha'), to: '/customer/support' },
      crossSite,
    );
    expect([posted.status, posted.headers.get('location')]).toEqual([303, '/sso?to=%2Fcustomer%2Fsupport']);
    expect(cookiesOf(posted)['safego']).toBe(undefined);
    const cookie = `${before.cookie.cookie}; safego-next=${cookiesOf(posted)['safego-next']}`;
    const asked = await get(node, '/sso?to=%2Fcustomer%2Fsupport', { cookie });
    const text = await asked.text();
    expect([asked.status, asked.headers.getSetCookie()]).toEqual([200, []]);
    expect(text).toContain('Ayesha Siddika');
    expect(text).toContain('Rahim Uddin');
    const own = { cookie, 'sec-fetch-site': 'same-origin' };
    const answered = await postForm(node, '/sso/switch', { answer: 'switch', to: '/customer/support' }, own);
    expect(answered.headers.get('location')).toBe('/customer/support');
    const now = { cookie: `safego=${cookiesOf(answered)['safego']}` };
    expect(await (await get(node, '/probe/json', now)).json()).toEqual({ id: ours.people.ayesha.id });
    expect((await get(node, '/probe/json', before.cookie)).status).toBe(401);
  });

  test('the browser is asked first: staying', async () => {
    const before = await ours.signIn('rahim', 'browser');
    const posted = await postForm(node, '/sso', { token: await ours.hostToken('ayesha'), to: '' }, before.cookie);
    const next = cookiesOf(posted)['safego-next'];
    expect([posted.status, cookiesOf(posted)['safego']]).toEqual([303, undefined]);
    const cookie = `${before.cookie.cookie}; safego-next=${next}`;
    const answered = await postForm(
      node,
      '/sso/switch',
      { answer: 'stay', to: '' },
      { cookie, 'sec-fetch-site': 'same-origin' },
    );
    expect([answered.headers.get('location'), cookiesOf(answered)]).toEqual(['/driver', { 'safego-next': '' }]);
    expect((await get(node, '/probe/json', before.cookie)).status).toBe(200);
    expect((await get(node, '/probe/json', { cookie: `safego=${next}` })).status).toBe(401);
  });

  test('nobody is asked when nobody, or the same person, is signed in', async () => {
    for (const before of [null, await ours.signIn('ayesha', 'browser')]) {
      const posted = await postForm(node, '/sso', { token: await ours.hostToken('ayesha'), to: '' }, crossSite);
      const cookie = [before?.cookie.cookie, `safego-next=${cookiesOf(posted)['safego-next']}`]
        .filter(Boolean)
        .join('; ');
      const entered = await get(node, '/sso?to=', { cookie });
      expect([entered.status, entered.headers.get('location')]).toEqual([303, '/customer']);
      expect(cookiesOf(entered)['safego']).toMatch(/^sgs_/);
    }
  });

  test('another site cannot answer the question', async () => {
    const before = await ours.signIn('rahim', 'browser');
    const posted = await postForm(node, '/sso', { token: await ours.hostToken('ayesha'), to: '' }, before.cookie);
    const cookie = `${before.cookie.cookie}; safego-next=${cookiesOf(posted)['safego-next']}`;
    const answered = await postForm(node, '/sso/switch', { answer: 'switch', to: '' }, { cookie, ...crossSite });
    expect(answered.status).toBe(403);
  });
});

test('signing out forgets the cookie and ends the session', async () => {
  const session = await ours.signIn('agent', 'browser');
  const answer = await postForm(node, '/sign-out', {}, { ...session.cookie, 'sec-fetch-site': 'same-origin' });
  expect([answer.status, answer.headers.get('location'), cookiesOf(answer)['safego']]).toEqual([
    303,
    '/sign-out?side=admin',
    '',
  ]);
  expect((await get(node, '/probe/json', session.cookie)).status).toBe(401);
  expect(await (await get(node, '/sign-out?side=admin')).text()).toContain('/admin/login');
});

test('no database, no way in: an error, never a person', async () => {
  const lame = await openNode({ database: databaseUrl() });
  const { token } = await ours.signIn('rahim');
  lame.database.systemPool.query = (() => Promise.reject(new Error('gone'))) as typeof lame.database.systemPool.query;
  await expect(lame.identity.authenticate(token)).rejects.toThrow('gone');
  await expect(
    openIdentity({
      database: lame.database,
      tenancy: lame.tenancy,
      log: quiet,
      config: { secretKey: TEST_SECRET_KEY, limits: true, demo: false },
    }),
  ).rejects.toThrow('gone');
  await lame.close();
});
