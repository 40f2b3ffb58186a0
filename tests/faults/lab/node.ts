import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collectText } from '../../support/collected-log.ts';
import { COMPILED } from '../../support/compiled.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DEFECTS = new URL('../defects/', import.meta.url);

/** SECRET_KEY of every node of a lab. */
export const LAB_SECRET = 'only for the fault lab, 32 bytes or more';

/** How a node is to be. */
export interface NodeOptions {
  readonly databaseUrl: string;
  /** Files of tests/faults/defects that change its code at load. */
  readonly defects?: readonly string[];
  /** Where it kills itself: the name of a place, and at which passage; `isLate`: of those after SIGUSR2. */
  readonly failpoint?: { readonly place: string; readonly at: number; readonly isLate?: boolean };
  readonly env?: Readonly<Record<string, string>>;
}

/** A server process of the real program. */
export interface LabNode {
  readonly port: number;
  readonly pid: number;
  /** What it logged, at most the last 200,000 characters. */
  readonly log: () => string;
  readonly hasEnded: () => boolean;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
}

const alive = new Set<ChildProcess>();

/** kill -9 for every node that this process started and did not end. */
export function killNodes(): void {
  for (const child of alive) child.kill('SIGKILL');
}

/**
 * `node src/main.ts`, until its ready line.
 * @throws when it ends before, or when a defect was asked for and not all of it was applied
 */
export async function startNode(options: NodeOptions): Promise<LabNode> {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-faults-node-'));
  const imports = ['with-parent', ...(options.defects ?? []), ...(options.failpoint ? ['failpoints'] : [])];
  const child = spawn(
    process.execPath,
    [...imports.flatMap((name) => ['--import', new URL(`${name}.ts`, DEFECTS).href]), 'src/main.ts'],
    {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: '/nonexistent',
        NODE_COMPILE_CACHE: COMPILED,
        DATABASE_URL: options.databaseUrl,
        DATA_DIR: dataDir,
        SECRET_KEY: LAB_SECRET,
        PORT: '0',
        LIMITS: 'off',
        DEMO: '0',
        LOG_LEVEL: 'warn',
        ...(options.failpoint
          ? {
              FAILPOINT: options.failpoint.place,
              FAILPOINT_AT: String(options.failpoint.at),
              ...(options.failpoint.isLate ? { FAILPOINT_LATE: '1' } : {}),
            }
          : {}),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  alive.add(child);
  let log = '';
  const ended = once(child, 'exit').then(([code, signal]) => {
    alive.delete(child);
    rmSync(dataDir, { recursive: true, force: true });
    return { code, signal };
  });
  const take = (text: string) => {
    log = (log + text).slice(-200_000);
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    take(text);
    collectText(child.pid, text);
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      take(text);
      const ready = /ready on http:\/\/[^:]+:(\d+)/.exec(log)?.[1];
      if (ready) resolve(Number(ready));
    });
    ended.then(() => reject(new Error(`a node ended before it was ready:\n${log}`)), reject);
  });
  for (const name of imports) {
    if (!log.includes(`[${name}] applied`)) {
      child.kill('SIGKILL');
      throw new Error(`${name} was asked for and not applied:\n${log}`);
    }
  }
  return {
    port,
    pid: child.pid ?? 0,
    log: () => log,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    ended,
    kill: (signal) => void child.kill(signal),
  };
}
