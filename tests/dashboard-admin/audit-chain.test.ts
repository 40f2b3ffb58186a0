import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { entities } from '../../src/entities.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { auditJobs, openTenancy, recordAudit, type Tenancy, tenancyTasks } from '../../src/tenancy/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { newTenant, TEST_SECRET_KEY, type TestTenant } from '../support/people.ts';

/**
 * T-LG3: whoever changes the log afterwards is found, the superuser too, and the row is named. `AUDIT_ROWS=1000000`
 * makes it a million.
 */
const ROWS = Number(process.env['AUDIT_ROWS'] ?? 60_000);
const log = { info() {}, debug() {}, warn() {}, error: (fields: object) => complaints.push(fields) };
const complaints: object[] = [];
let own: FreshDatabase;
let database: Database;
let tenancy: Tenancy;
let admin: pg.Client;
let tenant: TestTenant;
let dataDir: string;

beforeAll(async () => {
  own = await freshDatabase();
  database = await openDatabase({ url: own.url, entities, log });
  tenancy = await openTenancy({ database, log });
  admin = new pg.Client({ connectionString: own.adminUrl });
  await admin.connect();
}, 30_000);
afterAll(async () => {
  await admin?.end();
  await tenancy?.close();
  await database?.close();
  await own?.drop();
});
beforeEach(async () => {
  if (dataDir) rmSync(dataDir, { recursive: true, force: true });
  dataDir = mkdtempSync(join(tmpdir(), 'audit-'));
  // the tables are emptied as superuser: each test has a log of its own
  await admin.query('truncate audit_log, audit_seals');
  tenant = await newTenant(database);
  await tenancy.byId(tenant.tenant.id);
  complaints.length = 0;
});

async function fill(count: number, of = tenant): Promise<void> {
  await admin.query(
    `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, metadata)
     select $1, 'SUPPORT_MESSAGE_SENT', 'support_message', gen_random_uuid(), 'system',
       jsonb_build_object('conversationId', gen_random_uuid(), 'n', n) from generate_series(1, $2::int) n`,
    [of.tenant.id, count],
  );
}

/** One node's job, run once; a node keeps its memory between runs. */
function sealer(folder = dataDir, secretKey = TEST_SECRET_KEY): () => Promise<unknown> {
  const [job] = auditJobs({ tenancy, secretKey, dataDir: folder, settleMs: 20 });
  return async () => job?.run({ database, log, now: new Date() });
}

/** What `npm run task audit:verify` prints, and whether it ends well. */
async function verify(folder = dataDir, secretKey = TEST_SECRET_KEY): Promise<{ lines: string[]; isSound: boolean }> {
  const lines: string[] = [];
  const task = tenancyTasks.find((one) => one.name === 'audit:verify');
  try {
    // the task reads no other part of the configuration
    const config = { dataDir: folder, secretKey } as Parameters<NonNullable<typeof task>['run']>[0]['config'];
    await task?.run({ options: {}, config, log, database: async () => database, print: (line) => lines.push(line) });
    return { lines: lines.filter((line) => line.startsWith(tenant.tenant.slug)), isSound: true };
  } catch (error) {
    expect(String(error)).toMatch(/findings$/);
    return { lines: lines.filter((line) => !/rows under/.test(line)), isSound: false };
  }
}

const found = async () => (await verify()).lines.map((line) => line.replace(/^[\w-]+: /, ''));
const idAt = async (offset: number) => {
  const { rows } = await admin.query<{ id: string }>('select id::text from audit_log order by id limit 1 offset $1', [
    offset,
  ]);
  return rows[0]!.id;
};

test('a log that nobody touched is as it was sealed, batch after batch, and what is new waits for its seal', async () => {
  const seal = sealer();
  await fill(2_500);
  await seal();
  await tenant.asPerson('system', async (scope) => {
    recordAudit(scope, { action: 'SUPPORT_EXPORTED', entityType: 'x', entityId: 'x', metadata: {} });
    await scope.em.flush();
  });
  const first = await verify();
  expect(first.lines[0]).toMatch(/: 2500 rows under 3 seals, 1 not sealed yet$/);
  expect(first.isSound).toBe(true);
  await seal();
  await seal();
  expect((await verify()).lines[0]).toMatch(/: 2501 rows under 4 seals, 0 not sealed yet$/);
  const kept = readFileSync(join(dataDir, 'audit-seals.jsonl'), 'utf8').trim().split('\n');
  expect(kept).toHaveLength(4);
  expect(statSync(join(dataDir, 'audit-seals.jsonl')).mode & 0o777).toBe(0o600);
});

test('one altered row of very many is named, within a minute', async () => {
  await fill(ROWS);
  await sealer()();
  const id = await idAt(Math.floor(ROWS * 0.7));
  await admin.query(`update audit_log set metadata = metadata || '{"n": -1}' where id = $1`, [id]);
  const begun = performance.now();
  expect(await found()).toEqual([`row ${id} was altered`]);
  expect(performance.now() - begun).toBeLessThan((60_000 * ROWS) / 1_000_000 + 2_000);
}, 180_000);

test('every column counts, by a microsecond too', async () => {
  await fill(20);
  await sealer()();
  const changes = [
    `action = 'SUPPORT_EXPORTED'`,
    `entity_type = 'x'`,
    `entity_id = 'x'`,
    `actor_id = 'x'`,
    `metadata = '{}'`,
    `created_at = created_at + interval '1 microsecond'`,
  ];
  for (const [at, change] of changes.entries()) {
    await admin.query('begin');
    const id = await idAt(at);
    await admin.query(`update audit_log set ${change} where id = $1`, [id]);
    await admin.query('commit');
  }
  const ids: string[] = [];
  for (const at of changes.keys()) ids.push(await idAt(at));
  expect(await found()).toEqual(ids.map((id) => `row ${id} was altered`));
});

test('a row that is deleted, slipped in, or moved to another tenant is named', async () => {
  const other = await newTenant(database);
  await fill(30);
  await sealer()();
  const [deleted, moved, gap] = [await idAt(3), await idAt(9), await idAt(20)];
  await admin.query('delete from audit_log where id = $1 or id = $2', [deleted, gap]);
  await admin.query('update audit_log set tenant_id = $2 where id = $1', [moved, other.tenant.id]);
  await admin.query(
    `insert into audit_log (id, tenant_id, action, entity_type, entity_id, actor_id) overriding system value
     values ($1, $2, 'SUPPORT_EXPORTED', 'x', 'x', 'x')`,
    [gap, tenant.tenant.id],
  );
  expect((await found()).toSorted()).toEqual(
    [`row ${deleted} was deleted`, `row ${gap} was altered`, `row ${moved} was deleted`].toSorted(),
  );
});

test('whoever changes a row together with its seal is found by the seal', async () => {
  await fill(1_500);
  await sealer()();
  const id = await idAt(5);
  await admin.query(`update audit_log set actor_id = 'somebody else' where id = $1`, [id]);
  // as the row is now: what a thorough forger would write
  await admin.query(
    `update audit_seals s set rows = (
       select string_agg(int8send(l.id) || substring(sha256(convert_to(jsonb_build_array(l.id, l.tenant_id, l.action, l.entity_type,
         l.entity_id, l.actor_id, l.metadata, extract(epoch from l.created_at)::text)::text, 'UTF8')) from 1 for 16), ''::bytea order by l.id)
       from audit_log l where l.tenant_id = s.tenant_id and l.id > s.after_id and l.id <= s.last_id)
     where number = 1`,
  );
  expect((await found()).join()).toMatch(/^seal 1 is not ours/);
});

test('the newest rows deleted with their seals are missed outside, also after the job went on', async () => {
  const seal = sealer();
  await fill(1_000);
  await seal();
  await fill(1_000);
  await seal();
  const cut = await idAt(999);
  await admin.query('delete from audit_log where id > $1', [cut]);
  await admin.query('delete from audit_seals where number = 2');
  expect(await found()).toEqual(['seal 2 and its rows are gone; it is known outside the database']);
  await fill(10);
  await sealer()();
  expect(complaints).toEqual([{ tenantId: tenant.tenant.id, known: 2, there: 1 }]);
  expect(await found()).toEqual(['seal 2 is another one than outside the database: the chain was rewritten']);
});

test('a whole chain rewritten, with the key even, is another one than outside', async () => {
  await fill(1_200);
  await sealer()();
  await admin.query(`update audit_log set actor_id = 'somebody else' where id = $1`, [await idAt(4)]);
  await admin.query('truncate audit_seals');
  const elsewhere = mkdtempSync(join(tmpdir(), 'audit-'));
  await sealer(elsewhere)();
  // the forger's own file says that all is well
  expect((await verify(elsewhere)).isSound).toBe(true);
  expect(await found()).toEqual(
    [1, 2].map((number) => `seal ${number} is another one than outside the database: the chain was rewritten`),
  );
  rmSync(elsewhere, { recursive: true });
  writeFileSync(join(dataDir, 'audit-seals.jsonl'), '');
  rmSync(join(dataDir, 'audit-seals.jsonl'));
  expect((await found()).join()).toMatch(/no seals are kept outside/);
});

test('another key vouches for nothing', async () => {
  await fill(10);
  await sealer()();
  const { lines, isSound } = await verify(dataDir, Buffer.alloc(32, 1));
  expect([lines.length, isSound]).toEqual([1, false]);
});

test('a row whose transaction ends late is not passed over', async () => {
  const slow = new pg.Client({ connectionString: own.adminUrl });
  await slow.connect();
  const insert = `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id) values ($1, 'SUPPORT_EXPORTED', 'x', 'x', 'x')`;
  await slow.query('begin');
  await slow.query(insert, [tenant.tenant.id]);
  await fill(5);
  const sealing = sealer()();
  await new Promise((resolve) => setTimeout(resolve, 400));
  await slow.query('commit');
  await slow.end();
  await sealing;
  const { lines } = await verify();
  expect(lines[0]).toMatch(/: 6 rows under 1 seals, 0 not sealed yet$/);
});

test('two nodes seal side by side: one chain, and each has all of it outside', async () => {
  const [second, seals] = [mkdtempSync(join(tmpdir(), 'audit-')), [] as (() => Promise<unknown>)[]];
  seals.push(sealer(), sealer(second));
  for (let round = 0; round < 3; round += 1) {
    await fill(1_500);
    await Promise.all(seals.map((seal) => seal()));
  }
  await Promise.all(seals.map((seal) => seal()));
  expect([(await verify()).isSound, (await verify(second)).isSound]).toEqual([true, true]);
  rmSync(second, { recursive: true });
});

test('the app may neither change the log nor its seals', async () => {
  await fill(3);
  await sealer()();
  for (const statement of [
    'update audit_log set actor_id = 1',
    'delete from audit_log',
    'update audit_seals set number = 9',
    'delete from audit_seals',
  ]) {
    await expect(tenant.asPerson('system', ({ em }) => em.execute(statement))).rejects.toThrow(/permission denied/);
  }
});

test('from the command line', async () => {
  await fill(20);
  const key = 'a key of the environment, long enough';
  await sealer(dataDir, Buffer.from(key))();
  const run = () =>
    promisify(execFile)(process.execPath, ['src/cli.ts', 'audit:verify'], {
      env: {
        ...process.env,
        DATABASE_URL: own.url,
        DATA_DIR: dataDir,
        SECRET_KEY: key,
        DEMO: '0',
      },
    });
  const clean = await run().catch((error: { stdout: string; stderr: string }) => error);
  expect(clean.stdout + clean.stderr).toMatch(/is as it was sealed/);
  const id = await idAt(7);
  await admin.query(`update audit_log set actor_id = 'x' where id = $1`, [id]);
  const failed = await run().catch((error: { stdout: string; stderr: string }) => error);
  expect(failed.stdout).toContain(`row ${id} was altered`);
  expect(failed.stderr).toMatch(/1 findings/);
}, 30_000);
