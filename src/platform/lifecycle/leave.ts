import { StartError } from '../config/index.ts';
import { AppError } from '../errors/index.ts';

/**
 * Says on stderr why the program cannot go on and sets exit code 1: one line for what a person can put right, the stack
 * for what we did not foresee.
 */
export function leaveWithOneLine(error: unknown): void {
  process.exitCode = 1;
  const foreseen = error instanceof StartError || error instanceof AppError;
  const text = error instanceof Error ? (foreseen ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${text}\n`);
}
