import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Log, Scope, TenantRef } from '../platform/database/index.ts';
import type { Job } from '../platform/jobs/index.ts';
import { type OutsideSeal, openSealsFile, type SealsFile } from './audit-seals-file.ts';
import { systemActor } from './create-tenant.ts';
import type { Tenancy } from './tenancy.ts';

/** Rows that one seal covers at most. */
const ROWS_PER_SEAL = 1_000;
/** Batches of one tenant in one run; a longer backlog goes on with the next run. */
const SEALS_PER_RUN = 5_000;
/** From taking an id to having a transaction number is microseconds; whoever sleeps in between has this long. */
const SETTLE_MS = 2_000;
const PATIENCE_MS = 30_000;

/**
 * 24 bytes of one row `l` of the log: its id, and half of the SHA-256 of everything it says. Written out in every query
 * and no function of the database: its owner could replace that one.
 */
export const ROW_BYTES = `int8send(l.id) || substring(sha256(convert_to(jsonb_build_array(l.id, l.tenant_id, l.action, l.entity_type,
  l.entity_id, l.actor_id, l.metadata, extract(epoch from l.created_at)::text)::text, 'UTF8')) from 1 for 16)`;
/** Bytes of one row in a seal's `rows`. */
export const ROW_LENGTH = 24;

/** What a seal vouches for; ids are decimal, bytes hex. */
export interface SealedBatch {
  readonly tenantId: string;
  readonly number: number;
  readonly afterId: string;
  readonly lastId: string;
  readonly rowCount: number;
  /** SHA-256 of the batch's row bytes. */
  readonly rowsHash: string;
  /** ISO 8601. */
  readonly sealedAt: string;
  /** The seal before, empty for the first. */
  readonly previous: string;
}

/** Makes seals with a key derived from SECRET_KEY for this purpose alone: who has only the database cannot make one. */
export function createSealMaker(secretKey: Buffer): (batch: SealedBatch) => string {
  const key = Buffer.from(hkdfSync('sha256', secretKey, '', 'safego-support audit seals v1', 32));
  return (batch) => {
    const { tenantId, number, afterId, lastId, rowCount, rowsHash, sealedAt, previous } = batch;
    const said = JSON.stringify([tenantId, number, afterId, lastId, rowCount, rowsHash, sealedAt, previous]);
    return createHmac('sha256', key).update(said).digest('hex');
  };
}

/** SHA-256 of a seal's row bytes, hex. */
export function rowsHash(rows: Buffer): string {
  return createHash('sha256').update(rows).digest('hex');
}

/** What sealing needs. */
export interface SealingDeps {
  readonly tenancy: Pick<Tenancy, 'active'>;
  readonly secretKey: Buffer;
  /** Where the seals are kept outside the database. */
  readonly dataDir: string;
  /** For tests; 2 seconds. */
  readonly settleMs?: number;
}

/** Seals, each minute, what has been written to every tenant's audit log since; sending messages never waits for it. */
export function auditJobs(deps: SealingDeps): Job[] {
  const file = openSealsFile(deps.dataDir);
  return [
    {
      name: 'tenancy.seal-audit',
      schedule: '* * * * *',
      run: ({ database, log, now }) => sealAudit({ ...deps, file, database, log }, now),
    },
  ];
}

/** Seals what every tenant's log has got since the last seal; rows that are still being written wait for the next run. */
async function sealAudit(
  deps: SealingDeps & { readonly file: SealsFile; readonly database: Database; readonly log: Log },
  now: Date,
): Promise<{ seals: number }> {
  const { database, log, tenancy, file } = deps;
  const tenants = await tenancy.active();
  const ends = new Map<TenantRef, string | null>();
  for (const tenant of tenants) ends.set(tenant, await inTenant(database, tenant, lastRow));
  if (!(await everyoneHasEnded(database, deps.settleMs ?? SETTLE_MS))) {
    log.warn(
      { job: 'tenancy.seal-audit' },
      'a transaction is under way for so long that the audit log waits for its seal',
    );
    return { seals: 0 };
  }
  const seal = createSealMaker(deps.secretKey);
  let seals = 0;
  for (const [tenant, end] of ends) {
    await inTenant(database, tenant, async (scope) => {
      await catchUp(scope, file, log);
      for (let batches = 0; end !== null && batches < SEALS_PER_RUN; batches += 1) {
        const made = await sealNext(scope, seal, end, now);
        if (!made) return;
        await file.append([made]);
        seals += 1;
      }
    });
  }
  return { seals };
}

function inTenant<T>(database: Database, tenant: TenantRef, work: (scope: Scope) => Promise<T>): Promise<T> {
  return database.withScope(tenant, systemActor(tenant.id), work);
}

async function lastRow(scope: Scope): Promise<string | null> {
  const [row] = await scope.em.execute<{ id: string }[]>(
    'select l.id::text as id from audit_log l where l.tenant_id = ? order by l.id desc limit 1',
    [scope.tenant.id],
  );
  return row?.id ?? null;
}

/**
 * True when every transaction that could still add a row below the ids read before has ended. A row has its number
 * before its transaction commits, so a later one may be there already while an earlier one is not.
 */
async function everyoneHasEnded(database: Database, settleMs: number): Promise<boolean> {
  await sleep(settleMs);
  const { rows } = await database.systemPool.query<{ at: string }>(
    'select pg_snapshot_xmax(pg_current_snapshot())::text as at',
  );
  const at = rows[0]?.at ?? '0';
  for (let waited = 0; waited < PATIENCE_MS; waited += 200) {
    const { rows: answers } = await database.systemPool.query<{ ended: boolean }>(
      'select pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8 as ended',
      [at],
    );
    if (answers[0]?.ended) return true;
    await sleep(200);
  }
  return false;
}

interface HeadRow {
  readonly number: number;
  readonly last_id: string;
  readonly seal: string;
}

/** The tenant's latest seal. */
async function head(scope: Scope): Promise<HeadRow | null> {
  const [row] = await scope.em.execute<HeadRow[]>(
    `select s.number, s.last_id::text as last_id, encode(s.seal, 'hex') as seal
     from audit_seals s where s.tenant_id = ? order by s.number desc limit 1`,
    [scope.tenant.id],
  );
  return row ?? null;
}

/** Seals the next batch up to the row `end`; null when there is nothing left, or another node was first. */
async function sealNext(
  scope: Scope,
  seal: (batch: SealedBatch) => string,
  end: string,
  now: Date,
): Promise<OutsideSeal | null> {
  const before = await head(scope);
  const afterId = before?.last_id ?? '0';
  const [batch] = await scope.em.execute<{ count: number; last: string | null; rows: string }[]>(
    `select count(*)::int as count, max(l.id)::text as last, encode(string_agg(l.bytes, ''::bytea order by l.id), 'hex') as rows
     from (select l.id, ${ROW_BYTES} as bytes from audit_log l
           where l.tenant_id = ? and l.id > ?::bigint and l.id <= ?::bigint order by l.id limit ?) l`,
    [scope.tenant.id, afterId, end, ROWS_PER_SEAL],
  );
  if (!batch?.last) return null;
  const sealed: SealedBatch = {
    tenantId: scope.tenant.id,
    number: (before?.number ?? 0) + 1,
    afterId,
    lastId: batch.last,
    rowCount: batch.count,
    rowsHash: rowsHash(Buffer.from(batch.rows, 'hex')),
    sealedAt: now.toISOString(),
    previous: before?.seal ?? '',
  };
  const made = seal(sealed);
  const written = await scope.em.execute<unknown[]>(
    `insert into audit_seals (tenant_id, number, after_id, last_id, row_count, rows, seal, sealed_at)
     values (?, ?, ?::bigint, ?::bigint, ?, decode(?, 'hex'), decode(?, 'hex'), ?::timestamptz)
     on conflict do nothing returning number`,
    [sealed.tenantId, sealed.number, sealed.afterId, sealed.lastId, sealed.rowCount, batch.rows, made, sealed.sealedAt],
  );
  return written.length === 0 ? null : { tenantId: sealed.tenantId, number: sealed.number, seal: made };
}

/** What other nodes have sealed goes into this node's file too. */
async function catchUp(scope: Scope, file: SealsFile, log: Log): Promise<void> {
  const known = await file.lastNumber(scope.tenant.id);
  const missing = await scope.em.execute<{ number: number; seal: string }[]>(
    `select s.number, encode(s.seal, 'hex') as seal from audit_seals s
     where s.tenant_id = ? and s.number > ? order by s.number`,
    [scope.tenant.id, known],
  );
  if (missing.length > 0) {
    await file.append(missing.map(({ number, seal }) => ({ tenantId: scope.tenant.id, number, seal })));
    return;
  }
  const there = (await head(scope))?.number ?? 0;
  if (there < known) log.error({ tenantId: scope.tenant.id, known, there }, 'seals of the audit log are gone');
}
