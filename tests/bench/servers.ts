import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** The project's folder, with a slash at its end. */
export const ROOT = new URL('../..', import.meta.url).pathname;

/** A server in a process of its own. */
export interface RunningServer {
  readonly base: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts the product as the contract says, limits off, and waits for its ready line. */
export async function startProduct(databaseUrl: string, dataDir: string): Promise<RunningServer> {
  const child = spawn(process.execPath, [`${ROOT}src/main.ts`], { env: productEnv(databaseUrl, dataDir), cwd: ROOT });
  const line = await firstLine(child, /ready on (\S+)/);
  return { base: line, pid: child.pid ?? 0, stop: () => stop(child) };
}

/** Starts the bare server; `page` is a file that it serves. */
export async function startBare(databaseUrl: string, store: 'single' | 'batch', page: string): Promise<RunningServer> {
  const child = spawn(process.execPath, [`${ROOT}tests/bench/bare-server.ts`, databaseUrl, store, page], { cwd: ROOT });
  const port = await firstLine(child, /^(\d+)$/);
  return { base: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, stop: () => stop(child) };
}

/** Host tokens from the product's own command, one a line. */
export async function hostTokens(databaseUrl: string, dataDir: string, args: readonly string[]): Promise<string[]> {
  const env = productEnv(databaseUrl, dataDir);
  const command = [`${ROOT}src/cli.ts`, 'token', ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, cwd: ROOT, maxBuffer: 1e8 });
  return stdout.trim().split('\n');
}

function productEnv(databaseUrl: string, dataDir: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    NODE_ENV: '',
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
    SECRET_KEY: process.env['SECRET_KEY'] ?? 'bench-bench-bench-bench-bench-bench',
    HOST: '127.0.0.1',
    PORT: '0',
    DEMO: '1',
    LIMITS: 'off',
    LOG_LEVEL: 'warn',
    // as `npm start` sets it
    MALLOC_ARENA_MAX: '2',
    NODE_COMPILE_CACHE: 'node_modules/.cache/compiled',
  };
}

function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!child.stdout || !child.stderr) throw new Error('a server is started with pipes');
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    child.once('exit', (code) => reject(new Error(`a server ended with ${code}: ${said}`)));
    createInterface(child.stdout).on('line', (line) => {
      said += `${line}\n`;
      const found = pattern.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
