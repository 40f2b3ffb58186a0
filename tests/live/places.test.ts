import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entities } from '../../src/entities.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { killNodes, type LabNode, startNode } from '../faults/lab/node.ts';
import { databaseUrl } from '../support/database.ts';
import { type Handle, newTenant, type TestTenant } from '../support/people.ts';
import { knock, outcomeOf, type TestSocket } from './live-app.ts';

/** The limits of the product are thousands; `few-places` makes them 5 an address and 8 a tenant. */

let node: LabNode;
let free: LabNode;
let database: Database;
let home: TestTenant;
let other: TestTenant;
const open: TestSocket[] = [];

beforeAll(async () => {
  [node, free] = await Promise.all([
    startNode({ databaseUrl: databaseUrl(), defects: ['few-places'], env: { LIMITS: 'on' } }),
    startNode({ databaseUrl: databaseUrl(), defects: ['few-places'] }),
  ]);
  database = await openDatabase({
    url: databaseUrl(),
    entities,
    log: { info() {}, debug() {}, warn() {}, error() {} },
  });
  [home, other] = await Promise.all([newTenant(database), newTenant(database)]);
});
afterAll(async () => {
  for (const socket of open) socket.ws.terminate();
  killNodes();
  await database.close();
});

/** 0 when the socket is let in, and stays. */
async function enter(at: LabNode, tenant: TestTenant, who: Handle, localAddress: string): Promise<number> {
  const { bearer } = await tenant.signIn(who);
  const socket = knock({ base: `http://127.0.0.1:${at.port}` }, '/ws', { headers: bearer, localAddress }, [
    'support.v1.json',
  ]);
  open.push(socket);
  return outcomeOf(socket, 300);
}

describe('places', () => {
  it('are counted by address, whoever is behind it', async () => {
    for (const who of ['rahim', 'ayesha', 'kacchi-house', 'agent', 'lead'] as const) {
      expect(await enter(node, home, who, '127.0.0.2')).toBe(0);
    }
    expect(await enter(node, home, 'owner', '127.0.0.2')).toBe(429);
    expect(await enter(node, other, 'owner', '127.0.0.2')).toBe(429);
    expect(await enter(node, home, 'owner', '127.0.0.3')).toBe(0);
  });

  it('are counted by tenant, so that none takes the places of another', async () => {
    expect(await enter(node, home, 'viewer', '127.0.0.4')).toBe(0);
    expect(await enter(node, home, 'driver-2', '127.0.0.4')).toBe(0);
    expect(await enter(node, home, 'customer-2', '127.0.0.4')).toBe(429);
    expect(await enter(node, other, 'customer-2', '127.0.0.4')).toBe(0);
    // who leaves makes room
    const first = open[0];
    first?.ws.terminate();
    await first?.closed;
    await expect.poll(() => enter(node, home, 'customer-2', '127.0.0.4')).toBe(0);
  });

  it('are not counted for load tests', async () => {
    for (let at = 0; at < 10; at += 1) expect(await enter(free, home, 'rahim', '127.0.0.5')).toBe(0);
  });
});
