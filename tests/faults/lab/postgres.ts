import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseAccount } from '../../../src/platform/database/embedded-account.ts';
import { findEmbeddedBinaries } from '../../../src/platform/database/embedded-binaries.ts';
import { runningServer, startServer, stopServer } from '../../../src/platform/database/embedded-cluster.ts';
import { openEmbeddedPostgres } from '../../../src/platform/database/embedded-postgres.ts';

/** A PostgreSQL of the lab's own, which may be killed. */
export interface LabPostgres {
  readonly url: string;
  readonly adminUrl: string;
  /** Where it listens now; another one after each start. */
  readonly port: number;
  /** SIGQUIT to the postmaster, as `pg_ctl -m immediate` does, or SIGKILL. Resolves when nothing of it is left. */
  crash(how: 'immediate' | 'kill'): Promise<void>;
  /** Recovers and starts. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const PREFIX = 'safego-faults-';
const silent = { info() {}, debug() {}, warn() {}, error() {} };

/**
 * In memory where there is room: a process that is killed leaves its page cache, so a disk would show no more. (Power
 * loss is F8, and needs a file system that forgets.) fsync stays on.
 */
export async function openLabPostgres(): Promise<LabPostgres> {
  await sweepKilledRuns(roomyFolder());
  const dataDir = mkdtempSync(join(roomyFolder(), `${PREFIX}${process.pid}-`));
  const settings = { max_connections: '300' };
  const account = chooseAccount(dataDir, findEmbeddedBinaries(), silent);
  const held = await openEmbeddedPostgres({ dataDir, log: silent, settings });
  // the lab stops it itself
  let port = Number(new URL(held.url).port);
  return {
    url: held.url,
    adminUrl: held.adminUrl,
    get port() {
      return port;
    },
    async crash(how) {
      const server = runningServer(account);
      if (!server) throw new Error('PostgreSQL does not run');
      process.kill(server.pid, how === 'kill' ? 'SIGKILL' : 'SIGQUIT');
      while (isAlive(server.pid)) await sleep(5);
    },
    async start() {
      const server = runningServer(account) ?? (await startServer(account, settings));
      port = server.port;
    },
    async close() {
      const server = runningServer(account);
      if (server) await stopServer(server).catch(() => {});
      await held.release();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Stops and removes the databases of runs that were killed. */
async function sweepKilledRuns(base: string): Promise<void> {
  for (const name of readdirSync(base)) {
    if (!name.startsWith(PREFIX) || isAlive(Number(name.slice(PREFIX.length).split('-')[0]))) continue;
    const dataDir = join(base, name);
    const server = runningServer(chooseAccount(dataDir, findEmbeddedBinaries(), silent));
    if (server) await stopServer(server).catch(() => {});
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function roomyFolder(): string {
  try {
    const shm = statfsSync('/dev/shm');
    if (shm.bavail * shm.bsize > 3e9) return '/dev/shm';
  } catch {
    // not Linux
  }
  return tmpdir();
}
