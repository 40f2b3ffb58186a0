import { entities } from './src/entities.ts';
import { readConfig } from './src/platform/config/index.ts';
import { openEmbeddedPostgres, ormOptions } from './src/platform/database/index.ts';

/** For `npx mikro-orm …` (e.g. `migration:create --blank`): the owner's connection, the embedded database included. */
export default async function ormConfig() {
  const { migrateDatabaseUrl, dataDir } = readConfig(process.env);
  if (migrateDatabaseUrl) return ormOptions(migrateDatabaseUrl, entities);
  const log = { info() {}, debug() {}, warn() {}, error() {} };
  const embedded = await openEmbeddedPostgres({ dataDir, log });
  embedded.unref();
  process.once('beforeExit', () => void embedded.release());
  return ormOptions(embedded.url, entities);
}
