/** `npm start`: config → database → wings → listen → ready; SIGTERM walks the same way back. */
import { entities } from './entities.ts';
import { openModules, seedWhenEmpty } from './modules.ts';
import { readConfig, withSecretKey } from './platform/config/index.ts';
import { startDatabase } from './platform/database/index.ts';
import { startJobs } from './platform/jobs/index.ts';
import { leaveWithOneLine, listen, openLifecycle, openLog } from './platform/lifecycle/index.ts';

/** Requests under way at SIGTERM have this long to finish. */
const GRACE_MS = 10_000;

try {
  await start();
} catch (error) {
  leaveWithOneLine(error);
}

async function start(): Promise<void> {
  const config = withSecretKey(readConfig(process.env));
  const log = openLog(config.logLevel);
  const lifecycle = openLifecycle(log);
  // What came last goes first: readiness, sockets, requests, jobs, database.
  try {
    const { database, stop } = await startDatabase(config, log, entities);
    lifecycle.onDrain('database', stop);
    await seedWhenEmpty({ config, database, log });

    const modules = await openModules({ config, database, log });
    lifecycle.onDrain('modules', () => modules.close());
    const jobs = startJobs(modules.jobs, { database, log });
    lifecycle.onDrain('jobs', () => jobs.stop());

    const listening = await listen(modules.server, config);
    lifecycle.onDrain('requests', () => listening.close(GRACE_MS));
    lifecycle.onDrain('sockets', () => modules.closeSockets());
    lifecycle.onDrain('readiness', () => modules.setReadiness('stopping'));
    await modules.listening(new URL(listening.url));
    modules.setReadiness(null);

    process.stdout.write(`ready on ${listening.url}\n`);
  } catch (error) {
    leaveWithOneLine(error);
    await lifecycle.drain(1);
  }
}
