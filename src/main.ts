/** `npm start`: config → database → wings → listen → ready; SIGTERM walks the same way back. */
import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { entities } from './entities.ts';
import { openModules, seedWhenEmpty } from './modules.ts';
import { readConfig, withSecretKey } from './platform/config/index.ts';
import { startDatabase } from './platform/database/index.ts';
import { startJobs } from './platform/jobs/index.ts';
import { leaveWithOneLine, listen, openLifecycle, openLog } from './platform/lifecycle/index.ts';

/** Requests under way at SIGTERM have this long to finish. */
const GRACE_MS = 10_000;

// V8 lets the heap grow to four times what lives in it before it looks what of that is garbage. 40 to 60 MB live here
// however much is said; looking at one and a half times took 0.4 % of a core beside forty hostile peers.
setFlagsFromString('--heap-growing-percent=50');
// What lives short is cleared up by one thread: several of them take the database's core for a few milliseconds that are
// over no sooner. In three pairs of runs of 500 conversations that talk without a pause: 2 to 25 % more messages.
setFlagsFromString('--no-parallel-scavenge');
// What lives long is looked through beside the work, by one thread: four of them took both cores for 60 to 100 ms every few
// seconds. At 1,000 messages a second the slowest of a hundred: 12.7 to 26 ms with four, 11.6 to 12.8 with one.
setFlagsFromString('--concurrent-marking-max-worker-num=1');

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
    // what was compiled serves the next start, also when this one is killed
    flushCompileCache();
  } catch (error) {
    leaveWithOneLine(error);
    await lifecycle.drain(1);
  }
}
