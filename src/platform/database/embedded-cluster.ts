import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { chownSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../config/index.ts';
import type { EmbeddedAccount, EmbeddedLog } from './embedded-account.ts';

/** A server that runs over our folder. */
export interface EmbeddedServer {
  pid: number;
  /** On 127.0.0.1; there is no Unix socket, its path would be too long in a deep folder. */
  port: number;
}

/** The superuser that initdb makes; only this folder's files know it. The application never connects as it. */
export const SUPERUSER = 'postgres';

/**
 * How every embedded server runs. fsync stays on: an acknowledged message is durable (D1). Statements and values of
 * failed queries stay out of the log file, they could hold personal data.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  wal_buffers: '16MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  jit: 'off',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_timezone: 'UTC',
  timezone: 'UTC',
};

/** A log file larger than this is started anew with the server. */
const MAX_LOG_BYTES = 10_000_000;

/** After a crash PostgreSQL may replay a lot of log before it is ready. */
const START_TIMEOUT_MS = 120_000;

/** The cluster's own folder. */
export function dataFolder(account: EmbeddedAccount): string {
  return join(account.home, 'data');
}

/** The superuser's password, as it was made with the cluster. */
export function readPassword(account: EmbeddedAccount): string {
  return readFileSync(join(account.home, 'password'), 'utf8').trim();
}

/**
 * Makes the cluster unless it is there. It is made beside its place and moved there when complete, so an interrupted
 * or a concurrent start leaves nothing half made behind.
 * @throws StartError when the folder holds another PostgreSQL's data, or initdb fails.
 */
export async function ensureCluster(account: EmbeddedAccount, log: EmbeddedLog): Promise<void> {
  const { binaries, home } = account;
  const versionFile = join(dataFolder(account), 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim();
    if (found === binaries.major) return;
    throw new StartError(`${dataFolder(account)} holds data of PostgreSQL ${found}, this version brings ${binaries.major}`);
  }
  log.info(`making a PostgreSQL ${binaries.major} database in ${home}`);
  mkdirSync(home, { recursive: true });
  sweepHalfMade(home);
  const half = join(home, `new-${process.pid}-${randomBytes(4).toString('hex')}`);
  mkdirSync(half, { mode: 0o700 });
  const passwordFile = join(half, 'password');
  writeFileSync(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (account.uid !== undefined) {
    for (const path of [half, passwordFile]) chownSync(path, account.uid, account.gid ?? -1);
  }
  try {
    await initdb(account, join(half, 'data'), passwordFile);
    // The password first: whoever sees the data folder finds its password.
    if (!moveInto(half, home)) await waitFor(() => existsSync(versionFile));
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/** Moves a complete cluster to its place; false when another process was quicker. */
function moveInto(half: string, home: string): boolean {
  try {
    renameSync(join(half, 'data'), join(home, 'data.ready'));
  } catch {
    return false;
  }
  renameSync(join(half, 'password'), join(home, 'password'));
  renameSync(join(home, 'data.ready'), join(home, 'data'));
  return true;
}
