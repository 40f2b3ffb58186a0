/** `npm run task <name>`: one scope, one use case. Without a name it lists the tasks. */
import { entities } from './entities.ts';
import { seedWhenEmpty, tasks } from './modules.ts';
import { readConfig, withSecretKey } from './platform/config/index.ts';
import { type Database, type StartedDatabase, startDatabase } from './platform/database/index.ts';
import { listTasks, runTask } from './platform/jobs/index.ts';
import { leaveWithOneLine, openLog } from './platform/lifecycle/index.ts';

try {
  const [name, ...args] = process.argv.slice(2);
  if (name) await run(name, args);
  else print(listTasks(tasks));
} catch (error) {
  leaveWithOneLine(error);
}

async function run(name: string, args: readonly string[]): Promise<void> {
  const config = withSecretKey(readConfig(process.env));
  // What a task has to say is its answer; the log tells of trouble only, unless it was asked for more.
  const log = openLog(process.env['LOG_LEVEL'] ? config.logLevel : 'warn');
  let started: Promise<StartedDatabase> | undefined;
  async function open(): Promise<StartedDatabase> {
    const opened = await startDatabase(config, log, entities);
    try {
      await seedWhenEmpty({ config, database: opened.database, log });
      return opened;
    } catch (error) {
      await opened.stop();
      throw error;
    }
  }
  async function database(): Promise<Database> {
    started ??= open();
    return (await started).database;
  }
  try {
    await runTask(tasks, name, args, { config, log, database, print });
  } finally {
    await started?.then(({ stop }) => stop());
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
