import { accessSync, constants, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { StartError } from '../config/index.ts';
import type { Log } from './database.ts';
import { chooseAccount, type EmbeddedAccount } from './embedded-account.ts';
import { findEmbeddedBinaries } from './embedded-binaries.ts';
import {
  type EmbeddedServer,
  ensureCluster,
  readPassword,
  runningServer,
  SUPERUSER,
  startServer,
  stopServer,
} from './embedded-cluster.ts';

/** A PostgreSQL of our own, in use by this process until `release()`. */
interface EmbeddedPostgres {
  /** Connects as the owner of the application's database: may create roles, is no superuser. */
  url: string;
  /** Connects as the superuser; for tests that look behind the curtain. */
  adminUrl: string;
  /** Leaves; whoever leaves last stops the server. Never rejects. */
  release(): Promise<void>;
}

/** Which database, and how. */
interface EmbeddedOptions {
  /** DATA_DIR; the cluster lies in its folder `postgres`. */
  dataDir: string;
  log: Log;
  /** Server settings beside ours, for tests (e.g. `fsync`). Only the process that starts the server sets them. */
  settings?: Readonly<Record<string, string>>;
}

const DATABASE = 'safego';
const OWNER = 'safego_owner';

/** Every process that uses the server holds this advisory lock shared; who gets it alone may stop the server. */
const IN_USE = '7256001';
/** Held while the database and its owner are made. */
const PROVISION = '7256002';

const OPEN_TIMEOUT_MS = 120_000;

/**
 * Opens the embedded PostgreSQL of a data folder: makes it when it is new, adopts a server that runs over it already,
 * starts one otherwise. Several processes may share it (the web server, `npm run task`).
 * @throws StartError in one line when the folder cannot be used or PostgreSQL does not start.
 */
export async function openEmbeddedPostgres({ dataDir, log, settings }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(dataDir);
  makeFolder(folder);
  const account = chooseAccount(folder, findEmbeddedBinaries(), log);
  await ensureCluster(account, log);
  const password = readPassword(account);
  const deadline = Date.now() + OPEN_TIMEOUT_MS;
  for (;;) {
    const server = runningServer(account) ?? (await startServer(account, settings));
    const holder = await enter(server, password);
    if (holder) {
      await provision(holder, password);
      return {
        url: connectionUrl(server, OWNER, password, DATABASE),
        adminUrl: connectionUrl(server, SUPERUSER, password, DATABASE),
        release: () => leave(holder, account, password),
      };
    }
    // The last user of the server is stopping it at this moment: wait, then start it again.
    if (Date.now() > deadline) throw new StartError(`The PostgreSQL over ${folder} does not let us in`);
    await sleep(50);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    // The file system throws nothing else.
    throw new StartError(`DATA_DIR ${folder} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function connectionUrl(server: EmbeddedServer, user: string, password: string, database: string): string {
  return `postgres://${user}:${password}@127.0.0.1:${server.port}/${database}`;
}

/** A connection that holds the lock shared, or undefined when the server is just being stopped. */
async function enter(server: EmbeddedServer, password: string): Promise<Client | undefined> {
  const client = new Client({
    connectionString: connectionUrl(server, SUPERUSER, password, 'postgres'),
    application_name: `safego in use by ${process.pid}`,
    keepAlive: true,
  });
  // An idle connection that breaks tells so by an event; `leave` copes with it.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query(`select pg_try_advisory_lock_shared(${IN_USE}) as entered`);
    if (rows[0].entered) return client;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '28P01') {
      throw new StartError('The embedded PostgreSQL refuses the password in DATA_DIR');
    }
    // 57P01, 57P03 and broken connections: starting up or shutting down.
  }
  await client.end().catch(() => {});
  return undefined;
}

/** Makes the application's database and its owner unless they are there. */
async function provision(client: Client, password: string): Promise<void> {
  await client.query(`select pg_advisory_lock(${PROVISION})`);
  try {
    const { rows } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rows.length > 0) return;
    await client.query(`do $$ begin
      create role ${OWNER} login createrole password '${password}';
    exception when duplicate_object then null; end $$`);
    await client.query(`create database ${DATABASE} owner ${OWNER}`);
  } finally {
    await client.query(`select pg_advisory_unlock(${PROVISION})`);
  }
}

/** Gives the shared lock back and stops the server when nobody else holds it. */
async function leave(holder: Client, account: EmbeddedAccount, password: string): Promise<void> {
  try {
    const server = runningServer(account);
    if (!server) return;
    const alone = await getAlone(holder).catch(async () => {
      // Our own connection broke meanwhile (the server recovered from a crash): ask by a new one.
      const again = await enter(server, password);
      return again ? await getAlone(again).finally(() => again.end()) : false;
    });
    if (alone) await stopServer(server);
  } catch {
    // A server that cannot be stopped now is adopted by the next start.
  } finally {
    await holder.end().catch(() => {});
  }
}

async function getAlone(client: Client): Promise<boolean> {
  await client.query(`select pg_advisory_unlock_shared(${IN_USE})`);
  const { rows } = await client.query(`select pg_try_advisory_lock(${IN_USE}) as alone`);
  return rows[0].alone === true;
}
