import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation } from '../../src/messaging/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { type FaultProxy, openFaultProxy } from '../faults/lab/proxy.ts';
import { databaseUrl } from '../support/database.ts';

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const tenant = { id: '0198a2b4-0000-7000-8000-000000000000', slug: 'test' };
const actor = { id: 'test', tenantId: tenant.id, can: () => true };
let line: FaultProxy;
let database: Database;

beforeAll(async () => {
  const url = new URL(databaseUrl());
  line = await openFaultProxy(Number(url.port));
  url.hostname = '127.0.0.1';
  url.port = `${line.port}`;
  database = await openDatabase({ url: url.href, entities: [Conversation], log: quiet });
});
afterAll(async () => {
  line.heal();
  await database.close();
  await line.close();
});

describe('a line that swallows everything', () => {
  it('is given up after five seconds by every pool, and the next query has another connection', async () => {
    const ask = () => [
      database.systemPool.query('select 1 as one'),
      database.appendPool.query('select 1 as one'),
      database.withScope(tenant, actor, ({ em }) => em.count(Conversation)),
    ];
    // each has a connection that works, so that it is the question that stays without an answer
    await Promise.all(ask());
    line.blackHole();
    const startedAt = performance.now();
    const asked = await Promise.allSettled(ask());
    const waitedMs = performance.now() - startedAt;
    line.heal();

    for (const one of asked) {
      expect(one.status === 'rejected' && String(one.reason)).toContain('Query read timeout');
    }
    expect(waitedMs).toBeGreaterThan(4_000);
    expect(waitedMs).toBeLessThan(9_000);
    await Promise.all(ask());
  });
});
