import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, type LiveNode, program, startConversation, startNode } from '../live/live-app.ts';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';

const LIMIT = 10;
const WINDOW_MS = 10_000;

let one: LiveNode;
let two: LiveNode;
let unlimited: LiveNode;
let home: TestTenant;

beforeAll(async () => {
  [one, two, unlimited] = await Promise.all([
    startNode({ env: { LIMITS: 'on' } }),
    startNode({ env: { LIMITS: 'on' } }),
    startNode(),
  ]);
  home = await newTenant(one.database);
});
afterAll(async () => {
  await Promise.all([one.stop(), two.stop(), unlimited.stop()]);
});

describe('the send limit', () => {
  it('lets nobody flood: a hundred times the limit over two nodes at once stores the limit', async () => {
    // a window that outlasts the flood on a slow machine
    const flooded = await newTenant(one.database);
    await limitTo(await flooded.signIn('owner'), { messages: LIMIT, seconds: 600 });
    const rahim = await flooded.signIn('rahim');
    const id = await startConversation(one, rahim); // one of the ten
    const path = `/api/support/conversations/${id}/messages`;
    const flood = await Promise.all(
      Array.from({ length: 100 * LIMIT }, (_, at) =>
        call(at % 2 ? one : two, rahim, 'POST', path, { body: `again ${at}`, clientId: randomUUID() }),
      ),
    );
    const stored = flood.filter((answer) => answer.status === 201).length;
    expect(stored).toBe(LIMIT - 1);
    expect(new Set(flood.map((answer) => answer.status))).toEqual(new Set([201, 429]));
    const refused = flood.find((answer) => answer.status === 429);
    expect(refused.error.code).toBe('too_many');

    // numbers are only for what is stored
    const log = await call(one, rahim, 'GET', `${path}?after=0&limit=100`);
    expect(log.items.map((item: { seq: number }) => item.seq)).toEqual(
      Array.from({ length: LIMIT }, (_, at) => at + 1),
    );

    // other people are not touched by it
    const ayesha = await flooded.signIn('ayesha');
    await startConversation(two, ayesha);

    // what would have gone through without a limit
    const free = await call(unlimited, rahim, 'POST', path, { body: 'no limit here', clientId: randomUUID() });
    expect(free.status).toBe(201);
  });

  it('says how long to wait, keeps the text, and lets it through after that', async () => {
    const driver = await home.signIn('driver-2');
    const began = Date.now();
    const id = await startConversation(one, driver);
    const path = `/api/support/conversations/${id}/messages`;
    for (let at = 1; at < LIMIT; at++) await call(one, driver, 'POST', path, { body: `${at}`, clientId: randomUUID() });
    const clientId = randomUUID();
    const answer = await fetch(one.base + path, {
      method: 'POST',
      headers: { ...driver.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ body: 'one too many', clientId }),
    });
    expect(answer.status).toBe(429);
    const waitSeconds = Number(answer.headers.get('retry-after'));
    expect(waitSeconds).toBeGreaterThanOrEqual(1);
    expect(waitSeconds).toBeLessThanOrEqual(WINDOW_MS / 1_000);
    await new Promise((done) => setTimeout(done, waitSeconds * 1_000));
    expect(Date.now() - began).toBeGreaterThanOrEqual(WINDOW_MS);
    const later = await call(two, driver, 'POST', path, { body: 'one too many', clientId });
    expect(later).toMatchObject({ status: 201, message: { seq: LIMIT + 1 } });
  }, 20_000);

  it('answers a repeat at any time, and an error frame on the socket names its clientId', async () => {
    const kacchi = await home.signIn('kacchi-house');
    const id = await startConversation(one, kacchi);
    const socket = await program(one, kacchi);
    const first = randomUUID();
    const acks = await Promise.all(
      Array.from({ length: LIMIT + 5 }, (_, at) => socket.say(id, `socket ${at}`, at === 0 ? first : randomUUID())),
    );
    expect(acks.map((ack) => ack.type).filter((type) => type === 'message:ack')).toHaveLength(LIMIT - 1);
    const refused = acks.at(-1);
    expect(refused).toMatchObject({ type: 'error', code: 'too_many' });
    expect(refused.clientId).toMatch(/^[0-9a-f-]{36}$/);
    expect(refused.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    const repeat = await socket.say(id, 'socket 0', first);
    expect(repeat).toMatchObject({ type: 'message:ack', message: { seq: 2 } });
    const byPost = await call(two, kacchi, 'POST', `/api/support/conversations/${id}/messages`, {
      body: 'socket 0',
      clientId: first,
    });
    expect(byPost).toMatchObject({ status: 200, message: { seq: 2 } });
    await socket.close();
  });

  it('gives staff six times as much', async () => {
    const customer = await home.signIn('customer-2');
    const agent = await home.signIn('agent');
    const id = await startConversation(one, customer);
    const socket = await program(one, agent);
    const acks = await Promise.all(Array.from({ length: 6 * LIMIT + 10 }, (_, at) => socket.say(id, `answer ${at}`)));
    expect(acks.filter((ack) => ack.type === 'message:ack')).toHaveLength(6 * LIMIT);
    expect(acks.at(-1)).toMatchObject({ type: 'error', code: 'too_many' });
    await socket.close();
  });

  it('tells a page without script the same, with the text still in it', async () => {
    const marcus = await (await newTenant(one.database)).signIn('driver-2', 'browser');
    const headers = { ...marcus.cookie, origin: one.base, 'content-type': 'application/x-www-form-urlencoded' };
    const send = (path: string, body: string) =>
      fetch(one.base + path, {
        method: 'POST',
        redirect: 'manual',
        headers,
        body: new URLSearchParams({ body, clientId: randomUUID() }),
      });
    const started = await send('/driver/support', 'number 1');
    expect(started.status).toBe(303);
    const path = `${started.headers.get('location')?.split('#')[0]}/messages`;
    for (let at = 2; at <= LIMIT; at++) expect((await send(path, `number ${at}`)).status).toBe(303);
    const refused = await send(path, 'one too many, and long to type');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.text()).toContain('one too many, and long to type');
  });

  it('follows the settings of the tenant', async () => {
    const owner = await home.signIn('owner');
    const restaurant = await home.signIn('restaurant-2');
    const id = await startConversation(one, restaurant);
    await limitTo(owner, { messages: 3, seconds: 60 });
    const answers = [];
    for (let at = 0; at < 4; at++) {
      const sent = { body: `${at}`, clientId: randomUUID() };
      answers.push(await call(two, restaurant, 'POST', `/api/support/conversations/${id}/messages`, sent));
    }
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 429, 429]);
  });
});

/** Saves the tenant's send limit and waits until both nodes know. */
async function limitTo(owner: TestSession, sendLimit: { messages: number; seconds: number }): Promise<void> {
  const path = '/api/admin/support/settings';
  const { settings, version } = await call(one, owner, 'GET', path);
  const saved = await call(one, owner, 'PUT', path, { version, settings: { ...settings, sendLimit } });
  expect(saved.status).toBe(200);
  await new Promise((done) => setTimeout(done, 1_000));
}
