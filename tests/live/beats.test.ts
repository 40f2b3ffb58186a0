import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type Dialect, Hub, openNoBackplane, serveWebSockets } from '../../src/platform/realtime/index.ts';
import { knock } from './live-app.ts';

const silent = { info() {}, debug() {}, warn() {}, error() {} };

/** The transport alone, with beats every two seconds instead of twenty. */
async function beatingServer() {
  const access = { isFollowing: () => true, onAccessChange: () => () => {} };
  const hub = new Hub({ epoch: 'e', backplane: openNoBackplane(), access, log: silent });
  const server = createServer();
  const actor = { id: 'somebody', tenantId: 'a tenant', can: () => false };
  let isSignedIn = true;
  const dialects: Dialect[] = [
    { protocol: null, format: 'html', beat: '<hx-beat></hx-beat>', opened: () => ({ received() {} }) },
  ];
  const door = serveWebSockets({
    server,
    path: '/ws',
    hub,
    dialects,
    limits: null,
    log: silent,
    beatSeconds: 2,
    gate: {
      credentialOf: () => 'bearer',
      identify: async () => ({
        actor,
        language: 'en',
        expiresAtMs: Number.POSITIVE_INFINITY,
        maxConnections: 10,
        renew: async () => (isSignedIn ? actor : null),
      }),
      isOwnOrigin: () => false,
      checkHost() {},
      clientAddress: () => '127.0.0.1',
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hub,
    signOut() {
      isSignedIn = false;
    },
    async stop() {
      await hub.drain();
      door.close();
      server.close();
    },
  };
}

it('beats for the page to see, notices within two beats who is gone, and asks with each who is there', async () => {
  const node = await beatingServer();
  const alive = knock(node, '/ws');
  const gone = knock(node, '/ws', { autoPong: false });
  await Promise.all([once(alive.ws, 'open'), once(gone.ws, 'open')]);
  const began = Date.now();
  expect(await gone.closed).toBe(1006);
  expect(Date.now() - began).toBeGreaterThan(1_900);
  expect(Date.now() - began).toBeLessThan(4_900);
  expect(alive.ws.readyState).toBe(alive.ws.OPEN);
  expect(alive.frames.filter((frame) => frame === '<hx-beat></hx-beat>').length).toBeGreaterThanOrEqual(1);
  await expect.poll(() => node.hub.counts.connections).toBe(1);
  node.signOut();
  expect(await Promise.race([alive.closed, sleep(3_500)])).toBe(4401);
  await node.stop();
});

it('asks once more when a socket opens: who was signed out during the handshake is cut before the first beat', async () => {
  const node = await beatingServer();
  const before = knock(node, '/ws');
  await once(before.ws, 'open');
  expect(await Promise.race([before.closed, sleep(1_000)])).toBeUndefined();
  // the handshake still finds a person, and nobody tells of the change afterwards
  node.signOut();
  const late = knock(node, '/ws');
  await once(late.ws, 'open');
  expect(await Promise.race([late.closed, sleep(1_000)])).toBe(4401);
  await node.stop();
});
