import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A clamd to test with: Debian's, installed or unpacked somewhere (`CLAMD_PATH`); undefined where there is none. */
export const CLAMD = [process.env['CLAMD_PATH'], '/usr/sbin/clamd'].find((path) => path && existsSync(path));

/** What our own signature finds. */
export const MALWARE = 'ours-is-malware';

/** The real daemon with one signature of ours; started and stopped as often as is wanted. */
export interface Clamd {
  /** For CLAMD_URL. */
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stops it and removes its folder. */
  close(): Promise<void>;
}

export function prepareClamd(): Clamd {
  const folder = mkdtempSync(join(tmpdir(), 'clamd-'));
  const socket = join(folder, 'sock');
  mkdirSync(join(folder, 'db'));
  writeFileSync(join(folder, 'db', 'ours.ndb'), `Ours.Malware:0:*:${Buffer.from(MALWARE).toString('hex')}\n`);
  writeFileSync(
    join(folder, 'clamd.conf'),
    `Foreground yes\nDatabaseDirectory ${folder}/db\nLocalSocket ${socket}\nStreamMaxLength 60M\n`,
  );
  let daemon: ChildProcess | undefined;

  async function stop(): Promise<void> {
    if (daemon && daemon.exitCode === null && daemon.kill('SIGKILL')) await once(daemon, 'exit');
    daemon = undefined;
    rmSync(socket, { force: true });
  }

  return {
    url: `unix://${socket}`,
    stop,
    async start() {
      daemon = spawn(CLAMD ?? '', ['-c', join(folder, 'clamd.conf')], { stdio: 'ignore' });
      for (let n = 0; n < 400 && !existsSync(socket); n += 1) await sleep(50);
    },
    async close() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
