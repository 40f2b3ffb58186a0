import { afterAll, beforeAll, expect, test } from 'vitest';
import { entities } from '../../src/entities.ts';
import { type Identity, openIdentity } from '../../src/identity/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { openTenancy, type Tenancy } from '../../src/tenancy/index.ts';
import { databaseUrl } from '../support/database.ts';
import { newTenant, TEST_SECRET_KEY, type TestTenant } from '../support/people.ts';

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
let database: Database;
let tenancy: Tenancy;
let identity: Identity;
let ours: TestTenant;

beforeAll(async () => {
  database = await openDatabase({ url: databaseUrl(), entities, log: quiet });
  tenancy = await openTenancy({ database, log: quiet });
  identity = await openIdentity({
    database,
    tenancy,
    log: { ...quiet, info: console.log },
    config: { secretKey: TEST_SECRET_KEY, limits: true, demo: false },
  });
  ours = await newTenant(database);
});
afterAll(async () => {
  await identity?.close();
  await tenancy?.close();
  await database?.close();
});

test('a host token signs in once', async () => {
  const token = await ours.hostToken('rahim');
  const signedIn = await identity.signInByHost(token, 'api');
  expect(signedIn.user).toMatchObject({ id: ours.people.rahim.id, userType: 'driver' });
  const person = await identity.authenticate(signedIn.token);
  expect(person).toMatchObject({ id: ours.people.rahim.id, side: 'user', name: 'Rahim Uddin', accessVersion: 1 });
  await expect(identity.signInByHost(token, 'api')).rejects.toMatchObject({ code: 'invalid_token' });
  const agent = await ours.signIn('agent');
  const a = await identity.authenticate(agent.token);
  expect(a?.can('REPLY_SUPPORT_CHAT')).toBe(true);
  expect(a?.can('MANAGE_ROLES')).toBe(false);
  await identity.signOut(a!);
  expect(await identity.authenticate(agent.token)).toBe(null);
});
