import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  cloneInto,
  type Ended,
  type Folder,
  folder,
  killLeftovers,
  MACHINE_PATH,
  run,
  start,
} from '../support/program.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

afterEach(killLeftovers);

describe('what runs before every npm command', () => {
  let place: Folder;
  let clone: string;

  beforeEach(() => {
    place = folder();
    clone = cloneInto(join(place.path, 'clone'), { modules: false });
  });
  afterEach(() => place.remove());

  test('a fresh clone is installed, and a failure of that is told', async () => {
    const { code, stdout, stderr } = await bootstrap();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      'Installing packages (npm ci) ...\nasked: ci --no-audit --no-fund --loglevel=error --include=dev\n' +
        'npm ci failed; nothing was started\n',
    );
  });

  test('what is installed is left alone, without a word', async () => {
    symlinkSync(join(process.cwd(), 'node_modules'), join(clone, 'node_modules'));
    expect(await bootstrap()).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  test('what the lock file has changed since is installed', async () => {
    symlinkSync(join(process.cwd(), 'node_modules'), join(clone, 'node_modules'));
    const lock = JSON.parse(readFileSync(join(clone, 'package-lock.json'), 'utf8'));
    lock.packages['node_modules/koa'].version = '99.0.0';
    writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(lock));
    expect((await bootstrap()).stderr).toContain('asked: ci ');
  });

  test('production installs what runs there and nothing else', async () => {
    const production = { NODE_ENV: 'production', npm_lifecycle_event: 'prestart' };
    expect((await bootstrap(production)).stderr).toContain('--omit=dev\n');
    expect((await bootstrap({ ...production, npm_lifecycle_event: 'pretest' })).stderr).toContain('--include=dev\n');
  });

  test('production brings its own Node: an old one is told in one line', async () => {
    mkdirSync(join(clone, 'node_modules'));
    cpSync(join(process.cwd(), 'node_modules/.package-lock.json'), join(clone, 'node_modules/.package-lock.json'));
    const old = join(place.path, 'old-node.mjs');
    // Any Node runs the script; this one says that it is an old one.
    writeFileSync(old, `Object.defineProperty(process, 'version', { value: 'v24.14.1' });`);
    const env = {
      NODE_ENV: 'production',
      npm_lifecycle_event: 'prestart',
      NODE_OPTIONS: `--import=${encodeURI(`file://${old}`)}`,
    };
    expect(await bootstrap(env)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'Node 24.15 or newer is needed, this is 24.14.1\n',
    });
  });

  test('the lock file names the packages of every platform, else npm ci refuses it', () => {
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
    const missing = Object.entries<{ optionalDependencies?: object }>(packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
      ),
    );
    expect(missing, 'run node .config/complete-lock.mjs').toEqual([]);
  });

  /** With the machine's Node and a stand-in for npm, which says what it was asked for and fails. */
  async function bootstrap(env: Record<string, string> = {}): Promise<Ended> {
    const stand = join(place.path, 'bin');
    mkdirSync(stand, { recursive: true });
    writeFileSync(join(stand, 'npm'), '#!/bin/sh\necho "asked: $*"\nexit 1\n', { mode: 0o755 });
    return run('node', ['src/bootstrap.mjs'], { cwd: clone, env: { PATH: `${stand}:${MACHINE_PATH}`, ...env } }).ended;
  }
});

/** Half a minute and the registry: `FULL_INSTALL=1 npm test -- tests/start/install`. */
test.runIf(process.env['FULL_INSTALL'] === '1')(
  'a fresh clone with an empty home installs, starts and serves',
  { timeout: 300_000 },
  async () => {
    const place = folder();
    const clone = cloneInto(join(place.path, 'fresh clone'), { modules: false });
    const program = await start({ cwd: clone, env: { HOME: join(place.path, 'home') } });
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
    expect((await program.stop()).code).toBe(0);
    rmSync(place.path, { recursive: true });
  },
);
