import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.ts';
import { migrate } from '../../src/platform/database/index.ts';
import { gather, searchRun } from './canary.ts';
import { LOGS_ENV } from './collected-log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The owner of the migrated database; the app's pools become `app_…` by themselves. */
    databaseUrl: string;
    /** The superuser, for looking behind the curtain. */
    adminUrl: string;
  }
}

const PREFIX = 'safego-tests-';
const MIN_FREE_BYTES = 3e9;
/** The search must be worth something: a run that logged or planted nothing at all is not looked at twice. */
async function canaries(adminUrl: string, folder: string): Promise<void> {
  await gather(adminUrl, folder);
  const { findings, planted, searchedCharacters } = searchRun(folder);
  console.log(
    `canaries: ${planted} texts and addresses searched in ${searchedCharacters} characters of logs and audit rows`,
  );
  for (const { where, what, around } of findings.slice(0, 20)) console.error(`${where}: ${what}\n  … ${around} …`);
  if (findings.length > 0) {
    process.exitCode = 1;
    throw new Error(`${findings.length} personal things stand in logs or audit rows`);
  }
}

const silent = { info() {}, debug() {}, warn() {}, error() {} };

/**
 * Brings up one private PostgreSQL for the whole run and migrates it. In memory where there is room, so that fsync
 * stays on, as the app demands, and costs nothing.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const base = roomyFolder();
  await sweepKilledRuns(base);
  const logs = mkdtempSync(join(tmpdir(), 'safego-logs-'));
  process.env[LOGS_ENV] = logs;
  const dataDir = mkdtempSync(join(base, `${PREFIX}${process.pid}-`));
  // thousands of connections are opened in a run, and each would pay for a password that is hard to guess
  const settings = { max_connections: '400', scram_iterations: '1' };
  const postgres = await openEmbeddedPostgres({ dataDir, log: silent, settings });
  async function teardown(): Promise<void> {
    try {
      await canaries(postgres.adminUrl, logs);
    } finally {
      await postgres.release();
      rmSync(dataDir, { recursive: true, force: true });
      rmSync(logs, { recursive: true, force: true });
    }
  }
  try {
    await migrate({ url: postgres.url, entities: [], log: silent });
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('databaseUrl', postgres.url);
  project.provide('adminUrl', postgres.adminUrl);
  return teardown;
}

function roomyFolder(): string {
  try {
    const shm = statfsSync('/dev/shm');
    if (shm.bavail * shm.bsize > MIN_FREE_BYTES) return '/dev/shm';
  } catch {
    // Not Linux.
  }
  return tmpdir();
}

/** Stops and removes the databases of runs that were killed. */
async function sweepKilledRuns(base: string): Promise<void> {
  for (const name of readdirSync(base)) {
    if (!name.startsWith(PREFIX) || isAlive(Number(name.slice(PREFIX.length).split('-')[0]))) continue;
    const dataDir = join(base, name);
    const abandoned = await openEmbeddedPostgres({ dataDir, log: silent }).catch(() => undefined);
    await abandoned?.release();
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
