import { parseArgs } from 'node:util';
import { type ReadyConfig, StartError } from '../config/index.ts';
import type { Database, Log } from '../database/index.ts';

/** A one-off command, `npm run task <name> -- --option value`. */
export interface Task {
  /** `verb` or `noun:verb`, e.g. `tenant:create`. */
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** By option name, without the dashes. */
  readonly options?: Readonly<Record<string, TaskOption>>;
  /** Ends the program with one line and exit code 1 when it throws a StartError or an AppError. */
  run(context: TaskContext): Promise<void>;
}

/** One `--option <value>`, or a bare `--flag`. */
interface TaskOption {
  /** What the value is, for the list, e.g. `handle`; absent for a flag. */
  readonly value?: string;
  readonly summary: string;
  readonly required?: boolean;
}

/** What a task is given. */
export interface TaskContext {
  /** The options that were given; a flag is `'true'`. Required ones are there; parse the rest with zod. */
  readonly options: Readonly<Record<string, string | undefined>>;
  readonly config: ReadyConfig;
  readonly log: Log;
  /** Opens the database at the first call (embedded or not, migrated, seeded in demo mode); closed after the task. */
  database(): Promise<Database>;
  /** A line for whoever called; only this goes to stdout. */
  print(line: string): void;
}

/** The list that `npm run task` alone prints. */
export function listTasks(tasks: readonly Task[]): string {
  const lines = [...tasks]
    .sort((a, b) => a.name.localeCompare(b.name))
    .flatMap((task) => [
      `  ${task.name.padEnd(16)}${task.summary}`,
      ...Object.entries(task.options ?? {}).map(([name, option]) => {
        const usage = `--${name}${option.value ? ` <${option.value}>` : ''}`;
        return `  ${''.padEnd(16)}  ${usage.padEnd(26)}${option.summary}${option.required ? ' (required)' : ''}`;
      }),
    ]);
  return ['npm run task <name> -- --option value', '', ...lines].join('\n');
}

/**
 * Runs one task by its name with its arguments.
 * @throws StartError in one line for an unknown task or option, a missing one, or a missing value.
 */
export async function runTask(
  tasks: readonly Task[],
  name: string,
  args: readonly string[],
  context: Omit<TaskContext, 'options'>,
): Promise<void> {
  const task = tasks.find((one) => one.name === name);
  if (!task) throw new StartError(`There is no task ${name}; npm run task lists them`);
  await task.run({ ...context, options: parseOptions(task, args) });
}

function parseOptions(task: Task, args: readonly string[]): Record<string, string | undefined> {
  const known = task.options ?? {};
  const options = Object.fromEntries(
    Object.entries(known).map(([name, option]) => [name, { type: option.value ? 'string' : 'boolean' } as const]),
  );
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
    const missing = Object.keys(known).find((name) => known[name]?.required && values[name] === undefined);
    if (missing) throw new Error(`--${missing} is missing`);
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new StartError(`task ${task.name}: ${reason}`);
  }
}
