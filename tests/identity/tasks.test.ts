import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entities } from '../../src/entities.ts';
import { DEMO_PASSWORD, DEMO_PEOPLE, identityTasks, seedDemo } from '../../src/identity/index.ts';
import { readConfig, withSecretKey } from '../../src/platform/config/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { runTask } from '../../src/platform/jobs/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { TEST_SECRET_KEY } from '../support/people.ts';
import { cookiesOf, get, type Node, openNode, postForm, postSession, quiet } from './node.ts';

/** The demo people, and the commands that let anybody in. */

let fresh: FreshDatabase;
let database: Database;
let demo: Node;
let plain: Node;

beforeAll(async () => {
  fresh = await freshDatabase();
  database = await openDatabase({ url: fresh.url, entities, log: quiet });
});
afterAll(async () => {
  await demo?.close();
  await plain?.close();
  await database?.close();
  await fresh?.drop();
});

const config = withSecretKey({
  ...readConfig({
    DATABASE_URL: 'postgres://unused@localhost/unused',
    SECRET_KEY: 'x'.repeat(32),
    PUBLIC_URL: 'https://support.example',
  }),
  secretKey: TEST_SECRET_KEY,
});

async function task(name: string, ...args: string[]): Promise<string[]> {
  const lines: string[] = [];
  await runTask(identityTasks, name, args, {
    config,
    log: quiet,
    database: async () => database,
    print: (line) => lines.push(line),
  });
  return lines;
}

test('nodes that start together seed once, in a moment', async () => {
  const since = performance.now();
  const done = await Promise.all(Array.from({ length: 3 }, () => seedDemo({ database, config, log: quiet })));
  expect(done.filter(Boolean).length).toBe(1);
  expect(performance.now() - since).toBeLessThan(5_000);
  demo = await openNode({ database: fresh.url, demo: true });
  plain = await openNode({ database: fresh.url });
});

describe('demo people', () => {
  test('come in by one click, each to their own home', async () => {
    for (const { handle, userType } of DEMO_PEOPLE) {
      const answer = await postForm(demo, '/demo/sign-in', { handle });
      const home = userType === 'admin' ? '/admin/support-chat' : `/${userType}`;
      expect([handle, answer.status, answer.headers.get('location')]).toEqual([handle, 303, home]);
      expect((await get(demo, '/probe/page', { cookie: `safego=${cookiesOf(answer)['safego']}` })).status).toBe(200);
    }
    expect((await postForm(demo, '/demo/sign-in', { handle: 'nobody' })).status).toBe(404);
  });

  test('have a password for trying the form, in demo mode only', async () => {
    const typed = { tenant: 'safego', email: 'owner@safego.example', password: DEMO_PASSWORD };
    expect((await postSession(demo, typed)).status).toBe(201);
    expect((await postSession(plain, typed)).status).toBe(401);
    expect((await postForm(plain, '/demo/sign-in', { handle: 'owner' })).status).toBe(404);
  });
});

describe('token', () => {
  test('prints a token for a demo person, admins too', async () => {
    for (const handle of ['rahim', 'owner', 'participant']) {
      const lines = await task('token', '--as', handle);
      expect(lines.length).toBe(1);
      const { status, body } = await postSession(plain, { token: lines[0] });
      expect([status, body.user.name]).toEqual([201, DEMO_PEOPLE.find((one) => one.handle === handle)?.name]);
    }
    // the same person as by one click, not another of the same name
    const click = await postForm(demo, '/demo/sign-in', { handle: 'rahim' });
    const clicked = await (await get(demo, '/probe/json', { cookie: `safego=${cookiesOf(click)['safego']}` })).json();
    const { body } = await postSession(plain, { token: (await task('token', '--as', 'rahim', '--ttl', '30'))[0] });
    expect(clicked).toEqual({ id: body.user.id });
  });

  test('prints many for anybody, numbered', async () => {
    const tokens = await task('token', '--type', 'customer', '--sub', 'load-', '--name', 'Load', '--count', '3');
    const names = await Promise.all(tokens.map(async (token) => (await postSession(plain, { token })).body.user));
    expect(names.map(({ name, userType }) => [name, userType])).toEqual(
      [1, 2, 3].map((at) => [`Load ${at}`, 'customer']),
    );
    const one = await task('token', '--type', 'participant', '--sub', 'p', '--tenant', 'smart-equiz');
    expect((await postSession(plain, { token: one[0] })).status).toBe(201);
  });

  test.each([
    [[], /--as <handle>/],
    [['--as', 'nobody'], /no demo person nobody/],
    [['--as', 'rahim', '--type', 'driver'], /either/],
    [['--type', 'participant', '--sub', 'x'], /no user type participant/],
    [['--type', 'driver', '--sub', 'x', '--tenant', 'nowhere'], /no tenant nowhere/],
    [['--as', 'rahim', '--ttl', '301'], /--ttl/],
    [['--unknown', 'x'], /unknown/i],
  ])('%j is one clear line', async (args, line) => {
    await expect(task('token', ...args)).rejects.toThrow(line);
    await expect(task('token', ...args)).rejects.toThrow(/^[^\n]+$/);
  });
});

test('tenant:create makes a tenant, its host key and its owner', async () => {
  const lines = await task('tenant:create', '--slug', 'acme', '--name', 'Acme', '--owner', 'Boss@Acme.example');
  const link = /https:\/\/support\.example(\/admin\/password\/\S+)/.exec(lines.join('\n'))?.[1] ?? '';
  expect((await postForm(plain, link, { password: 'four words in a row' })).status).toBe(303);
  const typed = { tenant: 'acme', email: 'boss@acme.example', password: 'four words in a row' };
  const { status, body } = await postSession(plain, typed);
  expect(status).toBe(201);
  expect((await get(plain, '/probe/roles', { authorization: `Bearer ${body.accessToken}` })).status).toBe(200);
  const token = await task('token', '--tenant', 'acme', '--type', 'driver', '--sub', '1');
  expect((await postSession(plain, { token: token[0] })).status).toBe(201);
  await expect(task('tenant:create', '--slug', 'acme', '--name', 'Acme', '--owner', 'a@b.example')).rejects.toThrow(
    /exists already/,
  );
  await expect(task('tenant:create', '--slug', 'A B', '--name', 'Acme', '--owner', 'a@b.example')).rejects.toThrow(
    /--slug/,
  );
  await expect(task('tenant:create', '--slug', 'acme-2', '--name', 'Acme', '--owner', 'boss')).rejects.toThrow(
    /--owner/,
  );
});
