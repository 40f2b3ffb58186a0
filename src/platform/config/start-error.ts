/**
 * Something that keeps the program from starting and that a person can put right: a wrong value, a taken port, an
 * unreachable database, a folder that cannot be written. Its message is one line for that person; `main.ts` and
 * `cli.ts` print it without a stack and leave with exit code 1.
 */
export class StartError extends Error {
  override name = 'StartError';
}

/** One or more environment values are wrong; the message has one line per value and starts each with its name. */
export class ConfigError extends StartError {
  override name = 'ConfigError';
}
