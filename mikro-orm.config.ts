import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { entities } from './src/entities.ts';
import { readConfig, StartError } from './src/platform/config/index.ts';
import { ormOptions } from './src/platform/database/index.ts';

const { migrateDatabaseUrl } = readConfig(process.env);
if (!migrateDatabaseUrl) throw new StartError('DATABASE_URL is missing: the MikroORM command line needs a database');

/** For `npx mikro-orm …`, e.g. `migration:pending`: connects as the owner. The program itself does not read this. */
export default { ...ormOptions(migrateDatabaseUrl, entities), driver: PostgreSqlDriver };
