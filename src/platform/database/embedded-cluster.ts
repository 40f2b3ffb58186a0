import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../config/index.ts';
import type { Log } from './database.ts';
import type { EmbeddedAccount } from './embedded-account.ts';

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

/** PostgreSQL's data folder. */
function dataFolder(account: EmbeddedAccount): string {
  return join(account.home, 'cluster', 'data');
}

/** The superuser's password, made with the cluster. */
export function readPassword(account: EmbeddedAccount): string {
  return readFileSync(join(account.home, 'cluster', 'password'), 'utf8').trim();
}

/**
 * Makes the cluster unless it is there. It is made beside its place and moved there when complete, so an interrupted
 * or a concurrent start leaves nothing half made behind.
 * @throws StartError when the folder holds another PostgreSQL's data, or initdb fails.
 */
export async function ensureCluster(account: EmbeddedAccount, log: Log): Promise<void> {
  const { binaries, home } = account;
  const versionFile = join(dataFolder(account), 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim();
    if (found === binaries.major) return;
    throw new StartError(
      `${dataFolder(account)} holds data of PostgreSQL ${found}, but this version brings PostgreSQL ${binaries.major}`,
    );
  }
  log.info({}, `making a PostgreSQL ${binaries.major} database in ${home}`);
  mkdirSync(home, { recursive: true });
  sweepHalfMade(home);
  const half = join(home, `${HALF_MADE}${process.pid}`);
  const passwordFile = join(half, 'password');
  mkdirSync(half, { mode: 0o700 });
  writeFileSync(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (account.uid !== undefined) {
    for (const path of [half, passwordFile]) chownSync(path, account.uid, account.gid ?? -1);
  }
  try {
    await initdb(account, join(half, 'data'), passwordFile);
    renameSync(half, join(home, 'cluster'));
  } catch (error) {
    // Another process may have been quicker with the same folder.
    if (!existsSync(versionFile)) throw error;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

const HALF_MADE = 'new-';

/** Removes what a killed start left behind. */
function sweepHalfMade(home: string): void {
  for (const name of readdirSync(home)) {
    if (!name.startsWith(HALF_MADE)) continue;
    const maker = Number(name.slice(HALF_MADE.length));
    if (!isAlive(maker) || maker === process.pid) rmSync(join(home, name), { recursive: true, force: true });
  }
}

async function initdb(account: EmbeddedAccount, folder: string, passwordFile: string): Promise<void> {
  const child = spawnAs(
    account,
    account.binaries.initdb,
    [
      ['-D', folder],
      ['-U', SUPERUSER],
      [`--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
      ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    ].flat(),
    'pipe',
  );
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  // A spawn that fails tells `error`, and `once` rejects with it.
  const [code] = await once(child, 'close');
  if (code !== 0) throw new StartError(`initdb could not make a database in ${account.home}: ${lastLine(output)}`);
}

/**
 * The server that runs over our folder already, e.g. after the program was killed, or beside another process of ours.
 * A lock file whose number belongs to nobody is PostgreSQL's own affair. It cannot tell a stranger who got that number,
 * or a killed server that nobody waits for (process 1 of a container often does not): those files are removed. Should a
 * killed server's children still be at work, PostgreSQL finds them by their shared memory.
 */
export function runningServer(account: EmbeddedAccount): EmbeddedServer | undefined {
  const folder = dataFolder(account);
  const lockFile = join(folder, 'postmaster.pid');
  const text = readIfThere(lockFile);
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  const found = look(pid);
  if (found === 'nobody') return undefined;
  if (found === 'dead' || !isPostgresOver(pid, folder)) {
    takeAway(lockFile, text);
    return undefined;
  }
  return lines[7]?.trim() === 'ready' ? { pid, port: Number(lines[3]) } : undefined;
}

/** Removes a file that says what we have read; one that was written anew meanwhile stays. */
function takeAway(file: string, text: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, file);
    rmSync(aside);
  } catch {
    // Another process of ours took it away at the same moment.
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Starts a server over the folder and waits until it is ready; when another process starts one at the same time, that
 * one is returned. The server outlives this process: who leaves last stops it (see openEmbeddedPostgres).
 * @throws StartError with PostgreSQL's own last words.
 */
export async function startServer(
  account: EmbeddedAccount,
  settings: Readonly<Record<string, string>> = {},
): Promise<EmbeddedServer> {
  const folder = dataFolder(account);
  const logFile = join(account.home, 'postgres.log');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) truncateSync(logFile);
    const logStart = existsSync(logFile) ? statSync(logFile).size : 0;
    const out = openSync(logFile, 'a', 0o600);
    const options = Object.entries({ ...SETTINGS, ...settings, port: String(await freePort()) });
    const args = ['-D', folder, ...options.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    const pid = await spawnAlone(account, account.binaries.postgres, args, out);
    closeSync(out);
    while (Date.now() < deadline) {
      const server = runningServer(account);
      if (server) return server;
      if (!isAlive(pid)) break;
      await sleep(20);
    }
    const lastWords = readFileSync(logFile, 'utf8').slice(logStart);
    // Another process of ours was quicker, the port went to somebody else, or a killed server's children still leave.
    if (!/lock file|could not bind|could not create any TCP|shared memory block/.test(lastWords)) {
      throw new StartError(`PostgreSQL did not start over ${folder}: ${lastLine(lastWords)}`);
    }
    await sleep(100);
  }
  throw new StartError(`PostgreSQL did not get ready over ${folder}, see ${logFile}`);
}

/** Stops a server: no new connections, the present ones end, everything is written. Waits until it is gone. */
export async function stopServer(server: EmbeddedServer): Promise<void> {
  process.kill(server.pid, 'SIGINT');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (isAlive(server.pid) && Date.now() < deadline) await sleep(20);
}

/**
 * Starts a program that is nobody's child: the shell between us leaves at once. The database is a process of its own,
 * which outlives us, and which nobody who looks at our process tree counts as ours.
 * @returns its process id
 */
async function spawnAlone(account: EmbeddedAccount, command: string, args: string[], out: number): Promise<number> {
  const whole = [...account.prefix, command, ...args];
  const shell = spawnAs(
    { ...account, prefix: [] },
    '/bin/sh',
    ['-c', '"$@" >&2 & echo $!', 'sh', ...whole],
    'pipe',
    out,
  );
  let said = '';
  shell.stdout?.on('data', (chunk) => (said += chunk));
  await once(shell, 'close');
  return Number(said);
}

/** Detached, so that a Ctrl-C or a killed terminal does not reach it; a minimal environment, so that nothing leaks in. */
function spawnAs(
  account: EmbeddedAccount,
  command: string,
  args: string[],
  out: number | 'pipe',
  err: number | 'pipe' = out,
) {
  const [program = command, ...rest] = [...account.prefix, command, ...args];
  return spawn(program, rest, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', out, err],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
    ...(account.uid === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
}

/** Whether a process is there: at work, dead but not waited for by its parent (a zombie), or not at all. */
function look(pid: number): 'alive' | 'dead' | 'nobody' {
  if (!Number.isSafeInteger(pid) || pid <= 0) return 'nobody';
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'nobody';
  }
  return /^State:\s+[ZX]/m.test(readIfThere(`/proc/${pid}/status`) ?? '') ? 'dead' : 'alive';
}

function isAlive(pid: number): boolean {
  return look(pid) === 'alive';
}

/** A postmaster's working folder is its data folder. Where that cannot be read the number is believed. */
function isPostgresOver(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder);
  } catch {
    return process.platform !== 'linux';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (!address || typeof address === 'string') throw new StartError('No free port on 127.0.0.1');
  return address.port;
}

function lastLine(output: string): string {
  const lines = output.trim().split('\n');
  return lines.findLast((line) => /FATAL|PANIC|error/i.test(line)) ?? lines.at(-1) ?? '';
}
