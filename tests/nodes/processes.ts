import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILED } from '../support/compiled.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A node of the product as a process of its own. */
export interface NodeProcess {
  /** `http://127.0.0.1:<port>` */
  readonly base: string;
  readonly child: ChildProcess;
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

/** Starts the server on a free port over a database; several of them are a cluster. */
export async function startProcess(databaseUrl: string, env: Record<string, string> = {}): Promise<NodeProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'node-'));
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      DATA_DIR: dataDir,
      SECRET_KEY: 'only for tests, thirty-two bytes or more',
      PORT: '0',
      DEMO: '0',
      LIMITS: 'off',
      LOG_LEVEL: 'error',
      NODE_COMPILE_CACHE: COMPILED,
      ...env,
    },
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const ended = once(child, 'close').then(([code]) => {
    rmSync(dataDir, { recursive: true, force: true });
    return code as number | null; // null: killed
  });
  const base = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (text: Buffer) => {
      out += text.toString();
      const ready = /ready on (http:\/\/\S+)/.exec(out)?.[1];
      if (ready) resolve(ready);
    });
    void ended.then(() => reject(new Error(`the node ended before it was ready: ${out} ${said}`)));
  });
  return {
    base,
    child,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** A Redis of the test's own. */
export interface RedisProcess {
  readonly url: string;
  /** kill -9; nothing of it is kept. */
  die(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
  /** Stands still: connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
}

/** Where Debian's package puts it; null when it is not installed. */
export function redisServer(): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, 'redis-server')).find((path) => existsSync(path)) ?? null;
}

export async function startRedis(binary: string): Promise<RedisProcess> {
  const port = await freePort();
  let child: ChildProcess;
  async function start(): Promise<void> {
    child = spawn(binary, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: tmpdir(),
    });
    for await (const text of child.stdout ?? []) if (/Ready to accept/i.test(String(text))) break;
  }
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    async die() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
  return address.port;
}
