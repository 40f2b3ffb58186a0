import { afterAll, beforeAll, expect, test } from 'vitest';
import { User } from '../../src/identity/index.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { cookiesOf, get, type Node, openNode, postForm, postSession } from './node.ts';

/** A captured token is worth nothing (T-ID3), and nobody becomes somebody else by saying so (T-ID4). */

let nodes: [Node, Node];
let ours: TestTenant;

beforeAll(async () => {
  nodes = [await openNode(), await openNode()];
  ours = await newTenant(nodes[0].database);
});
afterAll(async () => {
  await Promise.all((nodes ?? []).map((node) => node.close()));
});

test('of 100 uses at once over two nodes exactly one opens a session', async () => {
  const token = await ours.hostToken('rahim');
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => postSession(nodes[at % 2]!, { token })));
  const statuses = answers.map((answer) => answer.status).sort();
  expect(statuses).toEqual([201, ...Array(99).fill(401)]);
});

test('a token spent at one door is spent at the other', async () => {
  const token = await ours.hostToken('rahim');
  const first = await postForm(nodes[0], '/sso', { token, to: '/driver/support' });
  expect([first.status, first.headers.get('location')]).toEqual([303, '/driver/support']);
  expect(cookiesOf(first)['safego']).toMatch(/^sgs_[\w-]{43}$/);
  expect((await postForm(nodes[1], '/sso', { token, to: '/' })).status).toBe(401);
  expect((await postSession(nodes[1], { token })).status).toBe(401);
});

test('a token in a query is nothing', async () => {
  const token = await ours.hostToken('rahim');
  const answer = await get(nodes[0], `/sso?token=${token}`);
  expect([answer.status, answer.headers.getSetCookie()]).toEqual([401, []]);
  expect(answer.headers.get('referrer-policy')).toBeOneOf(['no-referrer', 'same-origin']);
  // it was good all the time
  expect((await postSession(nodes[0], { token })).status).toBe(201);
});

test('the same id and email with another type, tenant or issuer is another person', async () => {
  const email = 'same@example.com';
  const tenants = [ours, await newTenant(nodes[0].database), await newTenant(nodes[0].database)];
  const ids: string[] = [];
  for (const tenant of tenants) {
    for (const userType of ['driver', 'customer', 'admin']) {
      const token = await tenant.hostToken({ sub: 'same', userType, name: 'Same', email: ' Same@Example.com ' });
      const { body } = await postSession(nodes[0], { token });
      ids.push(body.user.id);
    }
  }
  expect(new Set(ids).size).toBe(9);
  const again = await postSession(nodes[1], {
    token: await ours.hostToken({ sub: 'same', userType: 'driver', name: 'Same', email }),
  });
  expect(again.body.user.id).toBe(ids[0]);
  await ours.asPerson('system', async (scope) => {
    const rows = await scope.em.find(User, { sub: 'same' });
    expect(rows.map((user) => user.email)).toEqual([email, email, email]);
  });
});

test('an admin whom the host vouches for may do what our roles say, which is nothing until somebody gives one', async () => {
  const token = await ours.hostToken({
    sub: 'new-admin',
    userType: 'admin',
    name: 'New Admin',
    email: ours.people.owner.email,
  });
  const { body } = await postSession(nodes[0], { token });
  const headers = { authorization: `Bearer ${body.accessToken}` };
  expect((await get(nodes[0], '/probe/json', headers)).status).toBe(200);
  expect((await get(nodes[0], '/probe/desk', headers)).status).toBe(403);
  const known = await postSession(nodes[0], { token: await ours.hostToken('agent') });
  const agent = { authorization: `Bearer ${known.body.accessToken}` };
  expect((await get(nodes[0], '/probe/reply', agent)).status).toBe(200);
  expect((await get(nodes[0], '/probe/roles', agent)).status).toBe(403);
  expect((await get(nodes[0], '/probe/user', agent)).status).toBe(403);
});

test('what the host says now replaces what it said before', async () => {
  const said = (name: string, trips: number) =>
    ours.hostToken({ sub: 'changing', userType: 'driver', name, profile: { trips } });
  const first = await postSession(nodes[0], { token: await said('Before', 1) });
  const session = { authorization: `Bearer ${first.body.accessToken}` };
  await get(nodes[0], '/probe/json', session);
  await postSession(nodes[1], { token: await said('After', 2) });
  await ours.asPerson('system', async (scope) => {
    expect(await scope.em.findOneOrFail(User, { sub: 'changing' })).toMatchObject({
      name: 'After',
      profile: { trips: 2 },
    });
  });
  await expect
    .poll(async () => (await nodes[0].identity.authenticate(first.body.accessToken))?.name, { timeout: 1_000 })
    .toBe('After');
});
