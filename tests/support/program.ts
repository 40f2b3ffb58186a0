import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collectText } from './collected-log.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What a process said, and how it ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The program as a process: `npm start` and the like, in a clean environment. */
export interface Program {
  child: ChildProcess;
  /** What it has said so far. */
  readonly stdout: string;
  readonly stderr: string;
  ended: Promise<Ended>;
}

/** A program that can serve. */
export interface RunningProgram extends Program {
  /** From its ready line. */
  url: string;
  /** From the start of the command to the ready line. */
  readyAfterMs: number;
  /** SIGTERM to npm, as a person's terminal or a supervisor would send it. */
  stop(): Promise<Ended>;
}

/** How to run. */
export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  uid?: number;
  gid?: number;
}

/** Whoever is not stopped by its test; a failed one leaves nothing behind (`killLeftovers` in `afterEach`). */
const running = new Set<ChildProcess>();

/** Kills what a test has started and not stopped. */
export function killLeftovers(): void {
  for (const child of running) killTree(child);
}

/** kill -9 for npm and what runs under it. */
export function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  for (const pid of [...childrenOf(child.pid), child.pid]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The processes below one in the same session; the database has a session of its own and lives on. */
function childrenOf(parent: number): number[] {
  const session = familyOf(parent)?.session;
  const direct = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => familyOf(pid)?.parent === parent && familyOf(pid)?.session === session);
  return [...direct.flatMap(childrenOf), ...direct];
}

function familyOf(pid: number): { parent: number; session: number } | undefined {
  try {
    // `pid (name) state parent group session …`, where the name may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { parent: Number(fields[1]), session: Number(fields[3]) };
  } catch {
    return undefined;
  }
}

/** What a machine has in its PATH, without the Node that npm puts in front. */
export const MACHINE_PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules') && !folder.includes('node-gyp-bin'))
  .join(delimiter);

/** Runs a command with nothing of our own environment but PATH, and an empty home. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Program {
  const { cwd = ROOT, env = {}, ...user } = options;
  const child = spawn(command, args, {
    cwd,
    env: { PATH: MACHINE_PATH, HOME: '/nonexistent', npm_config_logs_max: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
    collectText(child.pid, text);
  });
  running.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code, signal, ...said };
  });
  return {
    child,
    ended,
    get stdout() {
      return said.stdout;
    },
    get stderr() {
      return said.stderr;
    },
  };
}

/** `npm start` (on a free port unless the environment says otherwise) until its ready line. */
export async function start(options: RunOptions = {}): Promise<RunningProgram> {
  const begun = performance.now();
  const program = run('npm', ['start'], { ...options, env: { PORT: '0', ...options.env } });
  const url = await new Promise<string>((resolve, reject) => {
    program.child.stdout?.on('data', () => {
      const ready = /ready on (http:\/\/\S+)/.exec(program.stdout)?.[1];
      if (ready) resolve(ready);
    });
    program.ended.then(
      ({ stdout, stderr }) => reject(new Error(`It ended before it was ready:\n${stdout}\n${stderr}`)),
      reject,
    );
  });
  return Object.assign(program, {
    url,
    readyAfterMs: performance.now() - begun,
    stop() {
      program.child.kill('SIGTERM');
      return program.ended;
    },
  });
}

/** `npm run --silent task …`; resolves with what it said. */
export function task(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return run('npm', ['run', '--silent', 'task', ...args], options).ended;
}

/** A folder that is removed with everything in it, also when another user owns what is in it. */
export interface Folder {
  path: string;
  remove(): void;
}

/** An empty folder that other users may enter. */
export function folder(name = 'safego start'): Folder {
  const path = mkdtempSync(join(tmpdir(), `${name} `));
  execFileSync('chmod', ['755', path]);
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** The files of this repository as a fresh clone would have them, in `into`, with our `node_modules` unless told not to. */
export function cloneInto(into: string, { modules = true } = {}): string {
  mkdirSync(into, { recursive: true });
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: ROOT, encoding: 'utf8' });
  for (const file of files.split('\0')) {
    if (file && existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(into, file));
  }
  if (modules) symlinkSync(join(ROOT, 'node_modules'), join(into, 'node_modules'));
  return into;
}

/** Gives a clone `node_modules` for a user who may not enter ours: the same files by hard links, so never chown them. */
export function linkModules(into: string): void {
  try {
    execFileSync('cp', ['-al', join(ROOT, 'node_modules'), into], { stdio: 'ignore' });
  } catch {
    // Another file system: no hard links between them.
    execFileSync('cp', ['-a', join(ROOT, 'node_modules'), into]);
  }
}

/** The PostgreSQL that runs over a data folder, as its own file says; undefined when none does. */
export function postgresOver(dataDir: string): { pid: number; port: number } | undefined {
  const pidFile = join(dataDir, 'postgres', 'cluster', 'data', 'postmaster.pid');
  if (!existsSync(pidFile)) return undefined;
  const lines = readFileSync(pidFile, 'utf8').split('\n');
  const pid = Number(lines[0]);
  return existsSync(join('/proc', String(pid))) ? { pid, port: Number(lines[3]) } : undefined;
}
