import type { Config } from '../config/index.ts';
import { type Database, type DatabaseOptions, type Log, migrate, openDatabase } from './database.ts';
import { openEmbeddedPostgres } from './embedded-postgres.ts';
import { tryExternalPostgres } from './external-postgres.ts';

/** The database of a running program, and how to leave it. */
export interface StartedDatabase {
  database: Database;
  /** Closes the pools, then leaves the embedded server (which stops when nobody else uses it). */
  stop(): Promise<void>;
}

/**
 * From configuration to a database that can be used: the embedded one or the given one, migrated, opened.
 * @throws StartError in one line when it cannot be reached, is too old, or its folder cannot be used.
 */
export async function startDatabase(
  config: Config,
  log: Log,
  entities: DatabaseOptions['entities'],
): Promise<StartedDatabase> {
  const { url, ownerUrl, release } = await findPostgres(config, log);
  try {
    await migrate({ url, ownerUrl, entities, log });
    const database = await openDatabase({ url, ownerUrl, entities, log });
    return {
      database,
      async stop() {
        await database.close();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

async function findPostgres({ databaseUrl, migrateDatabaseUrl, dataDir }: Config, log: Log) {
  if (!databaseUrl) {
    const { url, release } = await openEmbeddedPostgres({ dataDir, log });
    return { url, ownerUrl: url, release };
  }
  const ownerUrl = migrateDatabaseUrl ?? databaseUrl;
  await tryExternalPostgres({ variable: 'DATABASE_URL', url: databaseUrl });
  if (ownerUrl !== databaseUrl) await tryExternalPostgres({ variable: 'MIGRATE_DATABASE_URL', url: ownerUrl });
  return { url: databaseUrl, ownerUrl, release: async () => {} };
}
