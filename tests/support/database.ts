import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { migrate } from '../../src/platform/database/index.ts';
import { gather } from './canary.ts';
import { LOGS_ENV } from './collected-log.ts';

/** The run's migrated database, as its owner; give it to `openDatabase({ url })`. Shared by all test files. */
export function databaseUrl(): string {
  return inject('databaseUrl');
}

/** The same database as superuser: sees everything, whatever row-level security says. */
export function adminUrl(): string {
  return inject('adminUrl');
}

/** Another database on the run's server, for a test that needs one to itself. */
export interface FreshDatabase {
  /** As its owner. */
  url: string;
  adminUrl: string;
  drop(): Promise<void>;
}

/** Makes another database; migrated unless `empty`. */
export async function freshDatabase({ empty = false } = {}): Promise<FreshDatabase> {
  const name = `fresh_${randomBytes(6).toString('hex')}`;
  const url = withDatabase(databaseUrl(), name);
  const owner = new URL(databaseUrl()).username;
  await asAdmin(`create database ${name} owner ${owner}`);
  if (!empty) await migrate({ url, entities: [], log: { info() {}, debug() {}, warn() {}, error() {} } });
  return {
    url,
    adminUrl: withDatabase(adminUrl(), name),
    async drop() {
      const logs = process.env[LOGS_ENV];
      // an empty one that was never migrated has nothing to search
      if (logs) await gather(withDatabase(adminUrl(), name), logs);
      await asAdmin(`drop database if exists ${name} with (force)`);
    },
  };
}

async function asAdmin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
