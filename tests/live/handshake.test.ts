import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { knock, type LiveNode, outcomeOf, page, program, startNode } from './live-app.ts';

let node: LiveNode;
let home: TestTenant;
let rahim: TestSession;
let agent: TestSession;

beforeAll(async () => {
  node = await startNode({ env: { LIMITS: 'on' } });
  home = await newTenant(node.database);
  [rahim, agent] = await Promise.all([home.signIn('rahim'), home.signIn('agent', 'browser')]);
});
afterAll(async () => {
  expect(node.errors).toEqual([]);
  await node.stop();
});

/** Origins that are not ours, however much they look like it. */
function foreignOrigins(own: string): string[] {
  const { host, port, hostname } = new URL(own);
  const hosts = [
    'evil.example',
    `${hostname}.evil.example:${port}`,
    `evil.example:${port}`,
    `${hostname}:${Number(port) + 1}`,
    hostname,
    `localhost:${port}`,
    `[::1]:${port}`,
    `127.0.0.2:${port}`,
    `127.1:${port}`,
    `2130706433:${port}`,
    `0x7f000001:${port}`,
    `user@${host}`,
    `${host}@evil.example`,
    `${host}.`,
    `${hostname}.:${port}`,
    `xn--${hostname}:${port}`,
    `${host}%00.evil.example`,
    `${host}#.evil.example`,
    `${host}\\.evil.example`,
  ];
  return [
    'null',
    '',
    ' ',
    'undefined',
    '*',
    host,
    `//${host}`,
    `${own}/`,
    `${own}/path`,
    `${own} x`,
    `${own}, https://evil.example`,
    `https://evil.example, ${own}`,
    own.toUpperCase(),
    `ws://${host}`,
    `wss://${host}`,
    `ftp://${host}`,
    `file://${host}`,
    `file://`,
    `chrome-extension://${host}`,
    `moz-extension://${host}`,
    `javascript://${host}`,
    `data:${own}`,
    `blob:${own}`,
    ...hosts.flatMap((one) => [`http://${one}`, `https://${one}`]),
  ];
}

describe('the handshake', () => {
  it('lets our own pages and programs in', async () => {
    const ours = await page(node, agent, 'room=admin_support');
    await ours.next((frame) => String(frame).startsWith('<hx-subscribed'));
    await ours.close();
    const bearer = await program(node, rahim);
    expect(await bearer.join(`user_${rahim.person.id}`)).toMatchObject({ type: 'subscribed' });
    await bearer.close();
  });

  it('refuses every other Origin with 403, whatever cookie comes along', async () => {
    const origins = foreignOrigins(node.base);
    expect(origins.length).toBeGreaterThanOrEqual(60);
    for (const origin of origins) {
      const socket = knock(node, '/ws?room=admin_support', { headers: { ...agent.cookie, origin } });
      expect([origin, await outcomeOf(socket)]).toEqual([origin, 403]);
      expect(socket.frames).toEqual([]);
    }
    // a cookie without Origin comes from nothing that is a page of ours
    expect(await outcomeOf(knock(node, '/ws', { headers: agent.cookie }))).toBe(403);
    // and a foreign Origin is refused with a bearer token too
    const withToken = { headers: { ...rahim.bearer, origin: 'https://evil.example' } };
    expect(await outcomeOf(knock(node, '/ws', withToken, ['support.v1.json']))).toBe(403);
  });

  it('tells of missing, wrong and ended sessions after the handshake, with 4401', async () => {
    const own = { origin: node.base };
    expect(await outcomeOf(knock(node, '/ws', { headers: own }))).toBe(4401);
    expect(await outcomeOf(knock(node, '/ws', { headers: { ...own, cookie: 'safego=nonsense' } }))).toBe(4401);
    const wrong = { headers: { authorization: `Bearer sgs_${'a'.repeat(43)}` } };
    expect(await outcomeOf(knock(node, '/ws', wrong, ['support.v1.json']))).toBe(4401);
  });

  it('refuses other paths, other protocols and other hosts', async () => {
    expect(await outcomeOf(knock(node, '/wss', { headers: rahim.bearer }))).toBe(404);
    expect(await outcomeOf(knock(node, '/ws/', { headers: rahim.bearer }))).toBe(404);
    expect(await outcomeOf(knock(node, '/ws', { headers: rahim.bearer }, ['graphql-ws']))).toBe(400);
    const elsewhere = await startNode({ env: { PUBLIC_URL: 'https://support.example' } });
    const misdirected = { headers: { ...rahim.bearer, host: 'evil.example' } };
    expect(await outcomeOf(knock(elsewhere, '/ws', misdirected, ['support.v1.json']))).toBe(421);
    const known = { headers: { ...rahim.bearer, host: 'support.example', origin: 'https://support.example' } };
    expect(await outcomeOf(knock(elsewhere, '/ws', known, ['support.v1.json']))).toBe(0);
    await elsewhere.stop();
  });

  it('bounds the sockets of one person, and leaves the others theirs', async () => {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => program(node, rahim)));
    expect(await outcomeOf(knock(node, '/ws', { headers: rahim.bearer }, ['support.v1.json']))).toBe(429);
    const desk = await page(node, agent, 'room=admin_support');
    await desk.close();
    await sockets.pop()?.close();
    const again = await program(node, rahim);
    // sockets behind a broken line are counted only until somebody asks
    for (const socket of sockets.slice(0, 3)) socket.ws.pause();
    const back = await Promise.all([program(node, rahim), program(node, rahim), program(node, rahim)]);
    expect(await outcomeOf(knock(node, '/ws', { headers: rahim.bearer }, ['support.v1.json']), 3_000)).toBe(429);
    for (const socket of sockets) socket.ws.resume();
    await Promise.all([...sockets, ...back, again].map((socket) => socket.close()));
  });

  it('bounds them also when they come all at once', async () => {
    const customer = await home.signIn('ayesha');
    const crowd = Array.from({ length: 40 }, () =>
      knock(node, '/ws', { headers: customer.bearer }, ['support.v1.json']),
    );
    const outcomes = await Promise.all(crowd.map((socket) => outcomeOf(socket)));
    expect(outcomes.filter((outcome) => outcome === 0)).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === 429)).toHaveLength(30);
    for (const socket of crowd) socket.ws.terminate();
  });

  it('takes few sockets at once that say nothing of who they are', async () => {
    const crowd = Array.from({ length: 40 }, () => {
      const socket = knock(node, '/ws', { headers: { origin: node.base } });
      socket.ws.once('open', () => socket.ws.pause());
      return socket;
    });
    const early = crowd.map((socket) =>
      Promise.race([outcomeOf(socket, 60_000), once(socket.ws, 'open').then(() => 'open')]),
    );
    const refused = (await Promise.all(early)).filter((outcome) => outcome === 429);
    expect(refused.length).toBeGreaterThanOrEqual(20);
    const known = await program(node, rahim);
    await known.close();
    for (const socket of crowd) socket.ws.resume();
    await Promise.all(crowd.map((socket) => socket.closed));
  });

  it('closes nobody-is-signed-in sockets soon, also when the other side does not answer', async () => {
    const socket = knock(node, '/ws', { headers: { origin: node.base } });
    await once(socket.ws, 'open');
    // stop reading: the closing handshake is never answered
    socket.ws.pause();
    const began = Date.now();
    const ended = new Promise((done) => socket.ws.once('close', done));
    await new Promise((done) => setTimeout(done, 2_600));
    socket.ws.resume();
    await ended;
    expect(Date.now() - began).toBeLessThan(5_000);
  });
});
