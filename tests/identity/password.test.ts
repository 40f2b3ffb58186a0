import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPasswordLink, PasswordLink } from '../../src/identity/index.ts';
import { createPasswords } from '../../src/identity/passwords/passwords.ts';
import { bestOfThree } from '../support/best-of-three.ts';
import { adminUrl } from '../support/database.ts';
import { type Handle, newTenant, type TestTenant } from '../support/people.ts';
import { cookiesOf, get, type Node, openNode, postForm, postSession } from './node.ts';

/** Admins with a password, and what guessing tells (T-ID6): nothing. */

const PASSWORD = 'four words in a row';
let node: Node;
let strict: Node;
let ours: TestTenant;

beforeAll(async () => {
  node = await openNode();
  strict = await openNode({ limits: true });
  ours = await newTenant(node.database);
  for (const handle of ['agent', 'owner'] as const) {
    await node.identity.setPasswordByLink(await newLink(handle), PASSWORD);
  }
});
afterAll(async () => {
  await node?.close();
  await strict?.close();
});

function newLink(handle: Handle): Promise<string> {
  return ours.asPerson('system', async (scope) => {
    const token = createPasswordLink(scope, ours.people[handle].id);
    await scope.em.flush();
    return token;
  });
}

function typed(changed: Record<string, string> = {}) {
  return { tenant: ours.tenant.slug, email: ours.people.agent.email, password: PASSWORD, ...changed };
}

describe('signing in', () => {
  test('works by REST and by form, however the email is written', async () => {
    const { status, body } = await postSession(node, typed({ email: ` ${ours.people.agent.email.toUpperCase()} ` }));
    expect([status, body.user.id]).toEqual([201, ours.people.agent.id]);
    const lifetime = Date.parse(body.expiresAt) - Date.now();
    expect(Math.abs(lifetime - 12 * 3_600_000)).toBeLessThan(60_000);
    const form = await postForm(node, '/admin/login', { ...typed(), to: '/admin/support-chat?status=open' });
    expect([form.status, form.headers.get('location')]).toEqual([303, '/admin/support-chat?status=open']);
    expect((await get(node, '/probe/desk', { cookie: `safego=${cookiesOf(form)['safego']}` })).status).toBe(200);
  });

  const wrong = {
    'another password': { password: 'five words in a row' },
    'no password': { password: '' },
    'another email': { email: 'nobody@example.com' },
    'the email of a user': { email: 'rahim@example.com' },
    'an admin without password': { email: 'viewer' },
    'another tenant': { tenant: 'nobody' },
    'a NUL': { email: 'a\0b@example.com' },
  };
  test('everything wrong gets one and the same answer', async () => {
    const answers = new Set<string>();
    for (const changed of Object.values(wrong)) {
      const { status, body } = await postSession(node, typed(changed));
      answers.add(JSON.stringify([status, body.error]));
      const form = await postForm(node, '/admin/login', {
        ...typed({ email: 'x@example.com', tenant: 't' }),
        ...changed,
        email: 'x@example.com',
        tenant: 't',
        to: '',
      });
      expect(form.status).toBe(401);
    }
    expect([...answers]).toEqual([
      JSON.stringify([401, { code: 'wrong_credentials', message: 'Tenant, email or password is not right.' }]),
    ]);
  });

  test('and takes as long', async () => {
    const cases = {
      known: typed({ password: 'wrong' }),
      unknown: typed({ email: 'nobody@example.com' }),
      nowhere: typed({ tenant: 'nowhere' }),
    };
    await postSession(node, cases.unknown);
    const measure = async () => {
      const times = { known: [] as number[], unknown: [] as number[], nowhere: [] as number[] };
      for (let round = 0; round < 25; round += 1) {
        for (const name of ['known', 'unknown', 'nowhere'] as const) {
          const since = performance.now();
          await postSession(node, cases[name]);
          times[name].push(performance.now() - since);
        }
      }
      const medians = [median(times.known), median(times.unknown), median(times.nowhere)];
      return { apart: Math.max(...medians) - Math.min(...medians), allowed: Math.max(8, median(times.known) * 0.25) };
    };
    const { apart, allowed } = await bestOfThree(measure, (measured) => measured.apart < measured.allowed);
    expect(apart).toBeLessThan(allowed);
  });

  test('a deactivated admin is unknown', async () => {
    const other = await newTenant(node.database);
    const link = await other.asPerson('system', async (scope) => {
      const token = createPasswordLink(scope, other.people.lead.id);
      await scope.em.flush();
      return token;
    });
    await node.identity.setPasswordByLink(link, PASSWORD);
    const given = { tenant: other.tenant.slug, email: other.people.lead.email, password: PASSWORD };
    expect((await postSession(node, given)).status).toBe(201);
    await other.asPerson('system', (scope) =>
      scope.em.execute("update users set status = 'deactivated' where tenant_id = ? and id = ?", [
        other.tenant.id,
        other.people.lead.id,
      ]),
    );
    expect((await postSession(node, given)).status).toBe(401);
  });

  test('half a sign-in, both ways at once, or another shape is refused', async () => {
    for (const body of [
      {},
      { tenant: 'x' },
      { tenant: 'x', email: 'y' },
      { ...typed(), token: 'x' },
      typed({ tenant: 7 as never }),
      { token: ['x'] },
    ]) {
      expect((await postSession(node, body)).status).toBe(422);
    }
    expect((await postSession(node, { ...typed(), role: 'owner' })).status).toBe(400);
  });
});

test('from the sixth failure on each one doubles the wait, for this account from this address only', async () => {
  const email = `${randomBytes(6).toString('hex')}@example.com`;
  const guess = (whose: string) => postSession(strict, typed({ email: whose, password: 'wrong' }));
  const admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  const before = new Set((await admin.query('select key::text from sign_in_attempts')).rows.map((row) => row.key));
  const statuses: number[] = [];
  for (let count = 0; count < 6; count += 1) statuses.push((await guess(email)).status);
  expect(statuses).toEqual([401, 401, 401, 401, 401, 401]);
  const keys = (await admin.query('select key::text from sign_in_attempts')).rows.map((row) => row.key);
  const [key] = keys.filter((one) => !before.has(one));
  const wait = async () => {
    const { rows } = await admin.query(
      'select extract(epoch from not_before - last_at)::int as seconds from sign_in_attempts where key = $1',
      [key],
    );
    return rows[0].seconds;
  };
  const shift = (seconds: number) =>
    admin.query(
      "update sign_in_attempts set not_before = clock_timestamp() + $2 * interval '1 second' where key = $1",
      [key, seconds],
    );
  const waits = [await wait()];
  for (let count = 0; count < 10; count += 1) {
    await shift(-1);
    expect((await guess(email)).status).toBe(401);
    waits.push(await wait());
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  await shift(60);
  expect((await guess(email)).status).toBe(429);
  const form = await postForm(strict, '/admin/login', { ...typed({ email }), to: '' });
  expect([form.status, Number(form.headers.get('retry-after'))]).toEqual([429, expect.closeTo(60, -1)]);
  await admin.end();
  // the owner of another account is not held up, and a success forgets the failures
  for (let round = 0; round < 3; round += 1) {
    for (let count = 0; count < 3; count += 1) expect((await guess(ours.people.owner.email)).status).toBe(401);
    expect((await postSession(strict, typed({ email: ours.people.owner.email }))).status).toBe(201);
  }
});

describe('password links', () => {
  test('show a form, set the password once, and end the sessions', async () => {
    const link = await newLink('lead');
    const session = await ours.signIn('lead');
    expect((await get(node, `/admin/password/${link}`)).status).toBe(200);
    expect((await postForm(node, `/admin/password/${link}`, { password: 'short' })).status).toBe(422);
    const set = await postForm(node, `/admin/password/${link}`, { password: PASSWORD });
    expect([set.status, set.headers.get('location')]).toEqual([303, `/admin/login?tenant=${ours.tenant.slug}&set=1`]);
    expect((await get(node, '/probe/json', session.bearer)).status).toBe(401);
    expect((await postSession(node, typed({ email: ours.people.lead.email }))).status).toBe(201);
    expect((await get(node, `/admin/password/${link}`)).status).toBe(404);
    expect((await postForm(node, `/admin/password/${link}`, { password: PASSWORD })).status).toBe(404);
  });

  test('used twice at once count once', async () => {
    const link = await newLink('lead');
    const statuses = await Promise.all(
      ['first password!', 'second password!'].map(
        async (password) => (await postForm(node, `/admin/password/${link}`, { password })).status,
      ),
    );
    expect(statuses.sort()).toEqual([303, 404]);
  });

  test('empty, short, foreign and old ones are nothing', async () => {
    const old = await newLink('viewer');
    expect((await get(node, `/admin/password/${old}`)).status).toBe(200);
    await ours.asPerson('system', (scope) =>
      scope.em.nativeUpdate(PasswordLink, { userId: ours.people.viewer.id }, { expiresAt: new Date(Date.now() - 1) }),
    );
    const session = (await ours.signIn('viewer')).token;
    for (const token of [
      old,
      session,
      '',
      '1-',
      'null',
      'undefined',
      '%00',
      '[]',
      'sgp_',
      `sgp_${'A'.repeat(43)}`,
      `sgp_${randomBytes(32).toString('base64url')}`,
      'x'.repeat(300),
    ]) {
      expect([token, (await get(node, `/admin/password/${token}`)).status]).toEqual([token, 404]);
      expect([token, (await postForm(node, `/admin/password/${token}`, { password: PASSWORD })).status]).toEqual([
        token,
        404,
      ]);
    }
  });
});

test('hashing has a queue with an end', async () => {
  const passwords = createPasswords();
  const outcomes = await Promise.allSettled(Array.from({ length: 60 }, () => passwords.hash('x')));
  expect(outcomes.filter((one) => one.status === 'fulfilled').length).toBe(52);
  expect(outcomes.find((one) => one.status === 'rejected')).toMatchObject({ reason: { status: 503 } });
  expect(await passwords.matches(await passwords.hash('x'), 'x')).toBe(true);
});

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
