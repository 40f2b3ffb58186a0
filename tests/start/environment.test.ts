import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ConfigError, readConfig } from '../../src/platform/config/index.ts';
import { databaseUrl, freshDatabase } from '../support/database.ts';
import {
  cloneInto,
  type Ended,
  folder,
  killLeftovers,
  linkModules,
  MACHINE_PATH,
  postgresOver,
  run,
  start,
} from '../support/program.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const IS_ROOT = process.geteuid?.() === 0;
/** Debian's, when the machine has it: the oldest version that we promise. */
const POSTGRES_15 = '/usr/lib/postgresql/15/bin';
const PRODUCTION = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://safego@127.0.0.1/safego',
  SECRET_KEY: 'x'.repeat(32),
};

afterEach(killLeftovers);

describe('environment', () => {
  test('what is not set has the contract’s defaults', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 3000,
      production: false,
      dataDir: join(process.cwd(), '.data'),
      limits: true,
      proxyHops: 0,
      demo: true,
      logLevel: 'info',
    });
    expect(readConfig({ PORT: '', DEMO: '' })).toMatchObject({ port: 3000, demo: true });
  });

  test('demo mode is on with the embedded database on a loopback host outside production only', () => {
    expect(readConfig({ HOST: '0.0.0.0' }).demo).toBe(false);
    expect(readConfig({ HOST: '::1' }).demo).toBe(true);
    expect(readConfig({ DATABASE_URL: PRODUCTION.DATABASE_URL }).demo).toBe(false);
    expect(readConfig({ DATABASE_URL: PRODUCTION.DATABASE_URL, DEMO: '1' }).demo).toBe(true);
    expect(readConfig(PRODUCTION).demo).toBe(false);
  });

  test('what is set is read', () => {
    expect(
      readConfig({
        ...PRODUCTION,
        MIGRATE_DATABASE_URL: 'postgres://owner@127.0.0.1/safego',
        PUBLIC_URL: 'https://support.example',
        S3_ENDPOINT: 'https://s3.example',
        S3_BUCKET: 'files',
        S3_ACCESS_KEY_ID: 'id',
        S3_SECRET_ACCESS_KEY: 'secret',
        PROXY_HOPS: '2',
        METRICS_TOKEN: 'm'.repeat(16),
      }),
    ).toMatchObject({
      production: true,
      migrateDatabaseUrl: 'postgres://owner@127.0.0.1/safego',
      publicUrl: new URL('https://support.example'),
      secretKey: Buffer.from(PRODUCTION.SECRET_KEY),
      s3: { bucket: 'files', region: 'us-east-1' },
      proxyHops: 2,
    });
  });

  test.each([
    [{ PORT: 'http' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535'],
    [{ HOST: 'a b' }, 'HOST must be a host name or an address'],
    [{ DATABASE_URL: 'mysql://127.0.0.1/x' }, 'DATABASE_URL must be a URL postgres://…'],
    [{ MIGRATE_DATABASE_URL: 'postgres://127.0.0.1/x' }, 'MIGRATE_DATABASE_URL needs DATABASE_URL set too'],
    [{ PUBLIC_URL: 'support.example' }, 'PUBLIC_URL must be a URL http://… or https://…'],
    [{ PUBLIC_URL: 'https://support.example/chat' }, 'PUBLIC_URL must be an origin, without path, query or user'],
    [{ PUBLIC_URL: 'https://a.example', FILES_URL: 'https://a.example' }, 'FILES_URL must differ from PUBLIC_URL'],
    [{ SECRET_KEY: 'short' }, 'SECRET_KEY must have 32 bytes or more'],
    [{ REDIS_URL: 'http://127.0.0.1' }, 'REDIS_URL must be a URL redis://… or rediss://…'],
    [{ SMTP_URL: 'mail.example' }, 'SMTP_URL must be a URL smtp://… or smtps://…'],
    [{ S3_BUCKET: 'files' }, 'S3_ENDPOINT is missing: S3_BUCKET needs it set too'],
    [{ CLAMD_URL: '127.0.0.1:3310' }, 'CLAMD_URL must be a URL tcp://… or unix:///…'],
    [{ LIMITS: 'none' }, 'LIMITS must be on or off'],
    [{ PROXY_HOPS: 'one' }, 'PROXY_HOPS must be a whole number from 0 to 10'],
    [{ METRICS_TOKEN: 'short' }, 'METRICS_TOKEN must have 16 characters or more'],
    [{ DEMO: 'yes' }, 'DEMO must be 1 or 0'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent'],
    [{ ...PRODUCTION, DEMO: '1' }, 'DEMO must be 0 with NODE_ENV=production'],
    [{ ...PRODUCTION, LIMITS: 'off' }, 'LIMITS=off is refused with NODE_ENV=production'],
    [{ ...PRODUCTION, SECRET_KEY: '' }, 'SECRET_KEY is missing: NODE_ENV=production needs 32 bytes or more'],
    [
      { ...PRODUCTION, DATABASE_URL: '' },
      'DATABASE_URL is missing: NODE_ENV=production does not run on the embedded database',
    ],
  ])('%o is told in one line', (env, line) => {
    expect(() => readConfig(env)).toThrow(new ConfigError(line));
  });

  test('npm start and npm run task tell it too, one line for each wrong value, and end with 1', async () => {
    const env = { PORT: 'http', LIMITS: 'none' };
    const [server, task] = await Promise.all([npm(['start'], env), npm(['run', '--silent', 'task', 'token'], env)]);
    for (const ended of [server, task]) {
      expect(ended).toMatchObject({
        code: 1,
        stderr: 'PORT must be a whole number from 0 to 65535\nLIMITS must be on or off\n',
      });
    }
  });
});

describe('a database of one’s own', () => {
  test('DATABASE_URL replaces the embedded one', async () => {
    const place = folder();
    const fresh = await freshDatabase({ empty: true });
    const program = await start({ env: { DATABASE_URL: fresh.url, DATA_DIR: place.path, DEMO: '1' } });
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
    expect(program.stderr).toContain('demo tenants seeded');
    expect(existsSync(join(place.path, 'postgres'))).toBe(false);
    expect((await program.stop()).code).toBe(0);
    await fresh.drop();
    place.remove();
  });

  test.runIf(existsSync(POSTGRES_15))('PostgreSQL 15 will do', async () => {
    const place = folder();
    const server = await startPostgres15();
    const program = await start({ env: { DATABASE_URL: server.url, DATA_DIR: place.path, DEMO: '1' } });
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
    expect((await program.stop()).code).toBe(0);
    await server.stop();
    place.remove();
  });

  test('one that cannot be reached, refuses us or does not exist is told in one line without the password', async () => {
    const port = await freePort();
    const wrongPassword = new URL(databaseUrl());
    wrongPassword.password = 'hunter2-wrong';
    const missing = new URL(databaseUrl());
    missing.pathname = '/missing';
    const [closed, refused, absent, migrate] = await Promise.all([
      npm(['start'], { DATABASE_URL: `postgres://safego:hunter2-wrong@127.0.0.1:${port}/safego` }),
      npm(['start'], { DATABASE_URL: wrongPassword.href }),
      npm(['start'], { DATABASE_URL: missing.href }),
      npm(['start'], { DATABASE_URL: databaseUrl(), MIGRATE_DATABASE_URL: wrongPassword.href }),
    ]);
    expect(closed.stderr).toBe(
      `DATABASE_URL: the database 127.0.0.1:${port}/safego cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}\n`,
    );
    expect(refused.stderr).toMatch(
      /^DATABASE_URL: the database \S+ cannot be reached: password authentication failed .*\n$/,
    );
    expect(absent.stderr).toMatch(
      /^DATABASE_URL: the database \S+ cannot be reached: database "missing" does not exist\n$/,
    );
    expect(migrate.stderr).toMatch(/^MIGRATE_DATABASE_URL: the database \S+ cannot be reached: password .*\n$/);
    for (const ended of [closed, refused, absent, migrate]) {
      expect(ended.code).toBe(1);
      expect(ended.stderr).not.toContain('hunter2');
    }
  });
});

describe('folders and users', () => {
  test('a folder that cannot be written is told in one line', async () => {
    const place = folder();
    writeFileSync(join(place.path, 'file'), '');
    const dataDir = join(place.path, 'file', 'data');
    const { code, stderr } = await npm(['start'], { DATA_DIR: dataDir });
    expect({ code, stderr }).toEqual({ code: 1, stderr: `DATA_DIR ${dataDir} cannot be written: ENOTDIR\n` });
    place.remove();
  });

  describe.runIf(IS_ROOT)('as root', () => {
    const nobody = { uid: 65534, gid: 65534 };
    const place = mkdtempSync(join(tmpdir(), 'safego users '));
    const open = join(place, 'open');
    const closed = join(place, 'closed');

    beforeAll(() => {
      chmodSync(place, 0o755);
      cloneInto(open, { modules: false });
      execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, open]);
      linkModules(open);
      mkdirSync(closed, { mode: 0o700 });
      linkModules(cloneInto(join(closed, 'clone'), { modules: false }));
    });
    afterAll(() => {
      rmSync(place, { recursive: true, force: true });
    });

    test('an ordinary user may run it', async () => {
      const program = await start({ cwd: open, ...nobody });
      expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
      const server = postgresOver(join(open, '.data'));
      expect(ownerOf(server?.pid)).toBe(nobody.uid);
      expect((await program.stop()).code).toBe(0);
    });

    test('an ordinary user is told of a folder that is not theirs', async () => {
      const { code, stderr } = await npm(['start'], { DATA_DIR: join(closed, 'data') }, { cwd: open, ...nobody });
      expect({ code, stderr }).toEqual({ code: 1, stderr: `DATA_DIR ${closed}/data cannot be written: EACCES\n` });
    });

    test('root may run it from a folder that no other user may enter', async () => {
      const program = await start({ cwd: join(closed, 'clone') });
      expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
      expect((await program.stop()).code).toBe(0);
    });

    test('also where user namespaces are forbidden: then the data lies under /var/lib, which is said', async () => {
      const stand = join(place, 'no-namespaces');
      mkdirSync(stand);
      writeFileSync(join(stand, 'unshare'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      const options = {
        cwd: join(closed, 'clone'),
        env: { PATH: `${stand}:${MACHINE_PATH}`, DATA_DIR: join(closed, 'moved') },
      };

      const first = await start(options);
      const elsewhere = readFileSync(join(closed, 'moved', 'postgres-folder'), 'utf8').trim();
      expect(elsewhere).toMatch(/^\/var\/lib\/safego-support\//);
      expect(first.stderr).toContain(`PostgreSQL cannot run as root in ${closed}/moved: its data lies in ${elsewhere}`);
      expect(first.stderr).toContain('demo tenants seeded');
      expect((await first.stop()).code).toBe(0);

      const second = await start(options);
      expect(second.stderr).not.toContain('seeded');
      expect((await second.stop()).code).toBe(0);
      rmSync(elsewhere, { recursive: true });
    });

    test('root goes on with what an ordinary user has made', async () => {
      const program = await start({ cwd: open });
      expect(program.stderr).not.toContain('seeded');
      expect(ownerOf(postgresOver(join(open, '.data'))?.pid)).toBe(nobody.uid);
      expect((await program.stop()).code).toBe(0);
    });
  });
});

/** An npm command to its end. */
function npm(
  args: readonly string[],
  env: Record<string, string>,
  options: { cwd?: string; uid?: number; gid?: number } = {},
): Promise<Ended> {
  return run('npm', args, { ...options, env }).ended;
}

/** A PostgreSQL 15 with a superuser and nothing else, as many installations have it. */
async function startPostgres15() {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-pg15-'));
  const user = IS_ROOT ? { uid: 65534, gid: 65534 } : {};
  if (IS_ROOT) chownSync(dataDir, 65534, 65534);
  const cluster = join(dataDir, 'cluster');
  const made = await run(join(POSTGRES_15, 'initdb'), ['-D', cluster, '-U', 'boss', '-A', 'trust', '-E', 'UTF8'], user)
    .ended;
  expect(made.code, made.stderr).toBe(0);
  const port = await freePort();
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const server = run(join(POSTGRES_15, 'postgres'), ['-D', cluster, ...settings.flatMap((one) => ['-c', one])], user);
  await vi.waitUntil(() => server.stderr.includes('ready to accept connections'), 20_000);
  return {
    url: `postgres://boss@127.0.0.1:${port}/postgres`,
    dataDir,
    async stop() {
      server.child.kill('SIGINT');
      await server.ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return address && typeof address === 'object' ? address.port : 0;
}

function ownerOf(pid: number | undefined): number {
  return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
