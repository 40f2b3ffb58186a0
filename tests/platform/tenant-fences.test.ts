import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Conversation } from '../../src/messaging/index.ts';
import {
  type Actor,
  type Database,
  openDatabase,
  ormOptions,
  type Scope,
  TENANT_FILTER,
  transact,
} from '../../src/platform/database/index.ts';
import { adminUrl, databaseUrl } from '../support/database.ts';
import { insertConversation, insertPerson, insertTenant } from '../support/rows.ts';

/**
 * Two fences between tenants, each sufficient alone (T-TEN2 to T-TEN4): the ORM's strict filter, and row-level security
 * with FORCE under a role that is neither owner nor superuser. Each is shown with the other one switched off, and the
 * leak is shown with both off.
 */

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const entities = [Conversation];
let admin: pg.Pool;
let database: Database;
let narrow: Database;
let unfenced: MikroORM;
const alice = { tenant: '', conversation: '' };
const bob = { tenant: '', conversation: '' };

const actor = (tenantId: string): Actor => ({ id: 'test', tenantId, can: () => true });
const ref = (id: string) => ({ id, slug: 'test' });

beforeAll(async () => {
  admin = new pg.Pool({ connectionString: adminUrl(), max: 4 });
  database = await openDatabase({ url: databaseUrl(), entities, log: quiet });
  narrow = await openDatabase({ url: databaseUrl(), entities, log: quiet, poolSize: 1 });
  // superuser: row-level security does not hold for this one
  unfenced = await MikroORM.init(ormOptions(adminUrl(), entities));
  for (const side of [alice, bob]) {
    side.tenant = await insertTenant(admin);
    side.conversation = await insertConversation(admin, await insertPerson(admin, side.tenant));
  }
});
afterAll(async () => {
  await Promise.all([database.close(), narrow.close(), unfenced.close(true), admin.end()]);
});

const asAlice = <T>(work: (scope: Scope) => Promise<T>) =>
  database.withScope(ref(alice.tenant), actor(alice.tenant), work);

test('a tenant reads its own', async () => {
  expect(await asAlice(({ em }) => em.findOne(Conversation, { id: alice.conversation }))).not.toBeNull();
});

test('both fences off: the foreign conversation is read (so the tests below could fail)', async () => {
  const em = unfenced.em.fork();
  expect(await em.findOne(Conversation, { id: bob.conversation }, { filters: false })).not.toBeNull();
});

test('row-level security alone: the filter is switched off, queries and raw SQL see nothing foreign', async () => {
  await asAlice(async ({ em }) => {
    expect(await em.findOne(Conversation, { id: bob.conversation }, { filters: false })).toBeNull();
    const mine = await em
      .getKysely<{ conversations: { id: string; tenant_id: string } }>()
      .selectFrom('conversations')
      .selectAll()
      .execute();
    expect(mine.length).toBeGreaterThan(0);
    expect(mine.every((row) => row.tenant_id === alice.tenant)).toBe(true);
    expect(await em.execute('select id from conversations where id = ?', [bob.conversation])).toEqual([]);
    expect(await em.nativeUpdate(Conversation, { id: bob.conversation }, { subject: 'mine' }, { filters: false })).toBe(
      0,
    );
    await expect(
      em.execute(`insert into conversations (id, tenant_id, opened_by, user_type, last_message_at, created_at, updated_at)
        select gen_random_uuid(), '${bob.tenant}', opened_by, user_type, now(), now(), now() from conversations limit 1`),
    ).rejects.toThrow(/row-level security/);
  });
});

test('the filter alone: row-level security is off, finds, counts and updates see nothing foreign', async () => {
  const em = unfenced.em.fork();
  em.setFilterParams(TENANT_FILTER, { tenantId: alice.tenant });
  expect(await em.findOne(Conversation, { id: alice.conversation })).not.toBeNull();
  expect(await em.findOne(Conversation, { id: bob.conversation })).toBeNull();
  expect(await em.count(Conversation, { id: bob.conversation })).toBe(0);
  expect(await em.nativeUpdate(Conversation, { id: bob.conversation }, { subject: 'mine' })).toBe(0);
});

test('without a tenant nothing is seen: the filter throws, the pool sees no rows, the hook refuses a connection', async () => {
  await expect(unfenced.em.fork().findOne(Conversation, { id: alice.conversation })).rejects.toThrow(
    /No arguments provided for filter/,
  );
  const rows = await database.systemPool.query('select id from conversations limit 1');
  expect(rows.rows).toEqual([]);
  await expect(database.orm.em.fork().execute('select 1')).rejects.toThrow(/outside of a tenant/);
});

test('one connection, fifty tenants, interleaved and aborted: nobody inherits a tenant (T-TEN3)', async () => {
  const tenants = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const tenant = await insertTenant(admin);
      await insertConversation(admin, await insertPerson(admin, tenant));
      return tenant;
    }),
  );
  let aborted = 0;
  await Promise.all(
    Array.from({ length: 2000 }, (_, at) => {
      const tenant = tenants[(at * 7) % 50] as string;
      return narrow
        .withScope(ref(tenant), actor(tenant), (scope) =>
          transact(scope, async ({ em }) => {
            const rows = await em.execute<{ tenant_id: string }[]>('select tenant_id from conversations');
            expect(rows.map((row) => row.tenant_id)).toEqual([tenant]);
            if (at % 3 === 0) throw new RangeError('abort');
          }),
        )
        .catch((error: unknown) => {
          if (!(error instanceof RangeError)) throw error;
          aborted++;
        });
    }),
  );
  expect(aborted).toBe(667);
});

test('two hundred scopes at once keep their tenant across awaits (T-TEN4)', async () => {
  await Promise.all(
    Array.from({ length: 200 }, async (_, at) => {
      const side = at % 2 ? alice : bob;
      await database.withScope(ref(side.tenant), actor(side.tenant), async ({ em }) => {
        await new Promise((resolve) => setTimeout(resolve, (at * 13) % 20));
        const found = await em.find(Conversation, {}, { filters: false });
        expect(found.map((one) => one.id)).toEqual([side.conversation]);
      });
    }),
  );
});

test('every table of the app with a tenant has FORCE row-level security, and the app owns nothing', async () => {
  const tables = await admin.query<{ name: string; forced: boolean; enabled: boolean; policies: number }>(
    `select c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
            (select count(*)::int from pg_policies p where p.tablename = c.relname and p.schemaname = 'public') as policies
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind = 'r' and c.relname <> 'migrations'`,
  );
  expect(tables.rows.length).toBeGreaterThan(8);
  expect(tables.rows.filter((table) => !(table.enabled && table.forced && table.policies > 0))).toEqual([]);
  const role = await database.systemPool.query(
    `select rolsuper, rolbypassrls, (select count(*)::int from pg_class where relowner = r.oid) as owned
     from pg_roles r where rolname = current_user`,
  );
  expect(role.rows).toEqual([{ rolsuper: false, rolbypassrls: false, owned: 0 }]);
});

test('the audit log can be read and appended to, never changed', async () => {
  await asAlice(async ({ em }) => {
    await em.execute(
      `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, metadata) values (?, 'TEST', 't', '1', 'a', '{}')`,
      [alice.tenant],
    );
    expect(await em.execute(`select action from audit_log where action = 'TEST'`)).toHaveLength(1);
  });
  for (const statement of ['update audit_log set action = 1::text', 'delete from audit_log', 'truncate audit_log']) {
    await expect(asAlice(({ em }) => em.execute(statement))).rejects.toThrow(/permission denied/);
  }
});
