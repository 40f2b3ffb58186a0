import { appendFileSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../src/platform/database/index.ts';
import { openLog } from '../../src/platform/lifecycle/index.ts';

/** Folder in which everything that servers log in this run is gathered; it is searched when the run ends (canary.ts). */
export const LOGS_ENV = 'SAFEGO_TEST_LOGS';

const QUIET: Log = { info() {}, debug() {}, warn() {}, error() {} };
let collecting: Log | undefined;

/** A log that writes as the program's own does, into the run's folder, and tells `also` besides. */
export function collectedLog(also: Partial<Log> = {}): Log {
  const folder = process.env[LOGS_ENV];
  if (!folder) return { ...QUIET, ...also };
  collecting ??= openLog('debug', openSync(join(folder, `${process.pid}.log`), 'a'));
  const own = collecting;
  const both = (level: keyof Log) => (fields: object, message: string) => {
    own[level](fields, message);
    also[level]?.(fields, message);
  };
  return { info: both('info'), debug: both('debug'), warn: both('warn'), error: both('error') };
}

/** Keeps what a process of the run wrote to its log. */
export function collectText(pid: number | undefined, text: string): void {
  const folder = process.env[LOGS_ENV];
  if (folder) appendFileSync(join(folder, `process-${pid ?? 0}.log`), text);
}
