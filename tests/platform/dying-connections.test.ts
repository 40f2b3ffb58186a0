import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation } from '../../src/messaging/index.ts';
import { type Database, openDatabase, transact } from '../../src/platform/database/index.ts';
import { type FaultProxy, openFaultProxy } from '../faults/lab/proxy.ts';
import { databaseUrl } from '../support/database.ts';

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const tenant = { id: '0198a2b4-0000-7000-8000-000000000000', slug: 'test' };
const actor = { id: 'test', tenantId: tenant.id, can: () => true };
/** More than there are places in the pool. */
const DEATHS = 5;
let line: FaultProxy;
let database: Database;

beforeAll(async () => {
  const url = new URL(databaseUrl());
  line = await openFaultProxy(Number(url.port));
  url.hostname = '127.0.0.1';
  url.port = `${line.port}`;
  database = await openDatabase({ url: url.href, entities: [Conversation], log: quiet, poolSize: 2 });
});
afterAll(async () => {
  line.watch(null);
  await database.close();
  await line.close();
});

const count = () => database.withScope(tenant, actor, (scope) => transact(scope, ({ em }) => em.count(Conversation)));

describe('a connection that dies', () => {
  it.each([
    ['where a transaction begins', 'begin'],
    ['in its middle, so that it cannot be rolled back', 'select count'],
    ['where it commits', 'commit'],
  ])('%s gives its place back, however often', async (_, words) => {
    let cuts = 0;
    line.watch((direction, chunk) => {
      if (direction === 'down' || !chunk.includes(words)) return false;
      cuts += 1;
      return true;
    });
    for (let n = 0; n < DEATHS; n++) await expect(count()).rejects.toThrow();
    line.watch(null);
    expect(cuts).toBeGreaterThanOrEqual(DEATHS);
    const startedAt = performance.now();
    expect(await Promise.all([count(), count(), count()])).toEqual([0, 0, 0]);
    // who finds no place waits for ten seconds
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
