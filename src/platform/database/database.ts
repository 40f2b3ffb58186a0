import { setTimeout as sleep } from 'node:timers/promises';
import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, type EntitySchema, MikroORM, type Options } from '@mikro-orm/postgresql';
import pg from 'pg';
import { Unavailable } from '../errors/index.ts';
import { TENANT_FILTER } from './columns.ts';
import { limitQueries } from './query-limit.ts';
import { prepareRoles, refuseUnsafePool, roleNames } from './roles.ts';
import type { Actor, DomainEvent, Scope, TenantRef } from './scope.ts';
import { currentTenantId, runInTenant } from './tenant-context.ts';
import { createTurnstile } from './turnstile.ts';

/** What the platform needs to log; pino's logger fits. */
export interface Log {
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
  debug(fields: object, message?: string): void;
}

/** How to open the database of one process. */
export interface DatabaseOptions {
  /** Connection the app uses, `postgres://…`. */
  readonly url: string;
  /** The owner's connection, which migrates; the app's own when absent. */
  readonly ownerUrl?: string;
  readonly entities: readonly (EntitySchema | { new (): unknown })[];
  readonly log: Log;
  /** Told every domain event after its commit. */
  readonly onEvent?: (event: DomainEvent) => void;
  /** Connections of the ORM's pool (10). */
  readonly poolSize?: number;
}

/** The database of one process: the ORM with its tenant fences, and the pools that serve several tenants at once. */
export interface Database {
  readonly orm: MikroORM;
  /** App role, no tenant: sees no tenant's row by itself; for SECURITY DEFINER functions, LISTEN and advisory locks. */
  readonly systemPool: pg.Pool;
  /** App role, no tenant: only for the append function, so that its prepared statements and latency are its own. */
  readonly appendPool: pg.Pool;
  /** Opens a unit of work for one tenant. Connections, filter and row-level security are bound to it. */
  withScope<A extends Actor, T>(tenant: TenantRef, actor: A, work: (scope: Scope<A>) => Promise<T>): Promise<T>;
  /** Who is told domain events after commit; added to those who are told already. */
  onEvent(listener: (event: DomainEvent) => void): void;
  /** Tells listeners at once: for what was committed outside of a scope. */
  tell(event: DomainEvent): void;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 5_000;
/** Of each pool, however long it rests: a new one has to sign in and to plan what it is asked. */
const KEPT_CONNECTIONS = 2;
/** Work under way at closing has this long to end. */
const CLOSE_TIMEOUT_MS = 5_000;
const BIND_TENANT = "select set_config('app.tenant_id', $1, false)";
const MIGRATIONS_PATH = new URL('../../../migrations', import.meta.url).pathname;

/** ORM options that the server, the migrator and the command line share. */
export function ormOptions(url: string, entities: DatabaseOptions['entities']): Options {
  return {
    clientUrl: url,
    // knows entity classes and schemas alike; the ORM's own type is wider than what we list
    entities: entities as Options['entities'] & object,
    extensions: [Migrator],
    migrations: {
      path: decodeURIComponent(MIGRATIONS_PATH),
      tableName: 'migrations',
      transactional: true,
      allOrNothing: true,
      snapshot: false,
      silent: true,
    },
    // the migrator needs no entities: migrations are SQL
    discovery: { warnWhenNoEntities: false },
    schemaGenerator: { ignorePolicies: true },
    forceUtcTimezone: true,
    allowGlobalContext: false,
    debug: false,
  };
}

/** Options of every pool that runs as the app's role. */
function poolOptions(url: string, role: string): pg.PoolConfig {
  return {
    connectionString: url,
    // Compiling takes longer than any statement of ours runs, and a discouraged plan (enable_seqscan = off) looks dear
    // enough to be compiled every time: 400 ms each, where the server can.
    options: `-c role=${role} -c jit=off -c statement_timeout=${STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout=10000 -c timezone=UTC`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // a crowd that came at once leaves connections behind, each with a process that maps the database's whole memory
    idleTimeoutMillis: 5_000,
    min: KEPT_CONNECTIONS,
    keepAlive: true,
  };
}

/**
 * Brings the schema up to date as its owner: roles first, then migrations under an advisory lock, so that two nodes
 * starting together do not race. Throws with one clear sentence when the role may not do it.
 */
export async function migrate(options: Pick<DatabaseOptions, 'url' | 'ownerUrl' | 'entities' | 'log'>): Promise<void> {
  const ownerUrl = options.ownerUrl ?? options.url;
  const owner = new pg.Client({ connectionString: ownerUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await owner.connect();
  try {
    await owner.query("select pg_advisory_lock(hashtext('safego-support:migrate'))");
    await prepareRoles(owner, options.url);
    const orm = await MikroORM.init(ormOptions(ownerUrl, options.entities));
    try {
      const done = await orm.migrator.up();
      if (done.length > 0) options.log.info({ migrations: done.map((one) => one.name) }, 'schema migrated');
    } finally {
      await orm.close(true);
    }
  } finally {
    await owner.end();
  }
}

/** Opens the pools and the ORM as the app's role. The schema must be there (`migrate`). */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { app } = roleNames(options.url);
  const systemPool = new pg.Pool({ ...poolOptions(options.url, app), max: 6 });
  const appendPool = new pg.Pool({ ...poolOptions(options.url, app), max: 5 });
  for (const pool of [systemPool, appendPool]) {
    limitQueries(pool, STATEMENT_TIMEOUT_MS);
    // a connection dropped by the server must not take the process down; the query in flight rejects by itself
    pool.on('error', (error) => options.log.warn({ err: error.message }, 'database connection dropped'));
    pool.on('connect', (client) => client.on('error', () => {}));
  }
  const listeners = options.onEvent ? [options.onEvent] : [];
  const running = new Set<Promise<unknown>>();
  let isClosing = false;
  let opened: MikroORM;
  try {
    await refuseUnsafePool(systemPool);
    opened = await MikroORM.init({
      ...ormOptions(options.url, options.entities),
      driverOptions: { ...poolOptions(options.url, app), onPoolCreated: prepareOrmPool },
      pool: { min: KEPT_CONNECTIONS, max: options.poolSize ?? 10 },
    });
  } catch (error) {
    await Promise.allSettled([systemPool.end(), appendPool.end()]);
    throw error;
  }
  /** What happened has been committed: a listener that fails must not undo the answer, nor keep it from the others. */
  function tell(event: DomainEvent): void {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        options.log.error({ err: error, event: event.type }, 'a listener to domain events failed');
      }
    }
  }

  return {
    orm: opened,
    systemPool,
    appendPool,
    async withScope(tenant, actor, work) {
      if (isClosing) throw new Unavailable(1);
      const scope = runInTenant(tenant.id, async () => {
        const em: EntityManager = opened.em.fork({ useContext: true });
        em.setFilterParams(TENANT_FILTER, { tenantId: tenant.id });
        return work({ em, tenant, actor, now: new Date(), emit: tell });
      });
      running.add(scope);
      try {
        return await scope;
      } finally {
        running.delete(scope);
      }
    },
    onEvent: (listener) => void listeners.push(listener),
    tell,
    async close() {
      // a connection asked for while the ORM's pool ends is never given back, and the pool would wait for it for ever
      isClosing = true;
      await Promise.race([Promise.allSettled(running), sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
      await opened.close(true);
      await Promise.allSettled([systemPool.end(), appendPool.end()]);
    },
  };
}

function prepareOrmPool(pool: pg.Pool): void {
  limitQueries(pool, STATEMENT_TIMEOUT_MS);
  bindTenantAtCheckout(pool);
}

/**
 * Binds every checkout of the ORM's pool to the tenant of the current work, so that a pooled connection never keeps
 * another one's. Nothing else writes that setting: what was bound outside of transactions stays until it is bound anew.
 * Done around `connect` and not in the ORM's `onReserveConnection`, because there a failure (a dropped connection, no
 * tenant) keeps the connection checked out for ever, and ten of those are the whole pool.
 */
function bindTenantAtCheckout(pool: pg.Pool): void {
  const connect = pool.connect.bind(pool);
  const turnstile = createTurnstile(pool.options.max);
  // most checkouts are of the tenant that the connection served before: telling it again is half of a page's round trips
  const boundTo = new WeakMap<pg.PoolClient, string>();
  const bound = async (): Promise<pg.PoolClient> => {
    const tenantId = currentTenantId();
    await turnstile.enter();
    let client: pg.PoolClient;
    try {
      client = await connect();
    } catch (error) {
      turnstile.leave();
      throw error;
    }
    const giveBack = client.release;
    let isOut = true;
    const release = (broken?: Error | boolean) => {
      if (!isOut) return;
      isOut = false;
      client.off('end', gone);
      giveBack.call(client, broken);
      turnstile.leave();
    };
    // kysely keeps the connection when a transaction cannot begin or be rolled back: ten of those are the whole pool, too
    const gone = () => release(true);
    client.once('end', gone);
    client.release = release;
    try {
      if (boundTo.get(client) !== tenantId) {
        boundTo.delete(client);
        await client.query(BIND_TENANT, [tenantId]);
        boundTo.set(client, tenantId);
      }
      return client;
    } catch (error) {
      client.release(error instanceof Error ? error : true);
      throw error;
    }
  };
  // pg also knows a callback form; kysely uses the promise alone
  pool.connect = bound as typeof pool.connect;
}
