import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entities } from '../../src/entities.ts';
import { type ModuleDeps, type Modules, openModules } from '../../src/modules.ts';
import { type ReadyConfig, readConfig } from '../../src/platform/config/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { collectedLog } from './collected-log.ts';
import { databaseUrl } from './database.ts';
import { newTenant, TEST_SECRET_KEY, type TestTenant } from './people.ts';

/** The whole app, listening, over the run's database. */
export interface RunningApp extends Pick<Modules, 'routes' | 'rooms'> {
  /** `http://127.0.0.1:<port>` */
  readonly base: string;
  readonly database: Database;
  readonly config: ReadyConfig;
  newTenant(): Promise<TestTenant>;
  stop(): Promise<void>;
}

const silent = collectedLog();

/**
 * Starts the app as `npm start` does, in this process and on a free port; limits off unless `env` says otherwise, and
 * nothing compressed unless `more` does.
 */
export async function startApp(
  env: Record<string, string> = {},
  more: Pick<ModuleDeps, 'patience' | 'compress'> = {},
): Promise<RunningApp> {
  const dataDir = mkdtempSync(join(tmpdir(), 'app-'));
  const read = readConfig({
    DATABASE_URL: databaseUrl(),
    DATA_DIR: dataDir,
    PORT: '0',
    LIMITS: 'off',
    DEMO: '0',
    ...env,
  });
  const config = { ...read, secretKey: read.secretKey ?? TEST_SECRET_KEY };
  const database = await openDatabase({ url: read.databaseUrl ?? databaseUrl(), entities, log: silent });
  const modules = await openModules({ config, database, log: silent, compress: false, ...more });
  modules.server.listen(0, '127.0.0.1');
  await once(modules.server, 'listening');
  modules.setReadiness(null);
  return {
    base: `http://127.0.0.1:${(modules.server.address() as AddressInfo).port}`, // It listens on TCP.
    database,
    config,
    routes: modules.routes,
    rooms: modules.rooms,
    newTenant: () => newTenant(database, config.secretKey),
    async stop() {
      await modules.closeSockets();
      modules.server.closeAllConnections();
      modules.server.close();
      await modules.close();
      await database.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
