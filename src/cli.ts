/** `npm run task <name>`: one scope, one use case. Without a name it lists the tasks. */
import { entities } from './entities.ts';
import { seedWhenEmpty, tasks } from './modules.ts';
import { readConfig, withSecretKey } from './platform/config/index.ts';
import { type StartedDatabase, startDatabase } from './platform/database/index.ts';
import { listTasks, runTask } from './platform/jobs/index.ts';
import { leaveWithOneLine, openLog } from './platform/lifecycle/index.ts';

const [name, ...args] = process.argv.slice(2);
let started: Promise<StartedDatabase> | undefined;

try {
  if (name) await run(name);
  else print(listTasks(tasks));
} catch (error) {
  leaveWithOneLine(error);
} finally {
  await started?.then(({ stop }) => stop()).catch(() => {});
}

async function run(task: string): Promise<void> {
  const config = withSecretKey(readConfig(process.env));
  const log = openLog(process.env['LOG_LEVEL'] ? config.logLevel : 'warn');
  async function database() {
    started ??= startDatabase(config, log, entities);
    const { database } = await started;
    await seedWhenEmpty({ config, database, log });
    return database;
  }
  await runTask(tasks, task, args, { config, log, database, print });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
