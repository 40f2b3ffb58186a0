import type { Log } from '../database/index.ts';

/** How the process leaves: who holds something adds a step that lets go of it. */
interface Lifecycle {
  /** Adds a step. What came last goes first, one after the other; a step that fails is logged. */
  onDrain(name: string, step: () => Promise<void> | void): void;
  /** Leaves now, as SIGTERM would. */
  drain(exitCode: number): Promise<void>;
}

/** A drain that takes longer than this is cut short. */
const MAX_DRAIN_MS = 20_000;

/**
 * Listens for SIGTERM and SIGINT, and for errors that nobody caught: those are logged, then the process drains and
 * leaves with code 1, because nobody knows what state it is in.
 */
export function openLifecycle(log: Log): Lifecycle {
  const steps: { name: string; step: () => Promise<void> | void }[] = [];
  let draining: Promise<void> | undefined;

  async function runSteps(exitCode: number): Promise<void> {
    setTimeout(() => process.exit(1), MAX_DRAIN_MS).unref();
    for (const { name, step } of steps.reverse()) {
      try {
        await step();
      } catch (error) {
        log.error({ err: error, step: name }, 'a step of leaving failed');
      }
    }
    process.exit(exitCode);
  }

  const lifecycle: Lifecycle = {
    onDrain(name, step) {
      steps.push({ name, step });
    },
    // A second signal (npm and the terminal both send one) changes nothing.
    drain(exitCode) {
      draining ??= runSteps(exitCode);
      return draining;
    },
  };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info({ signal }, 'leaving');
      void lifecycle.drain(0);
    });
  }
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (error) => {
      log.error({ err: error, event }, 'an error that nobody caught');
      void lifecycle.drain(1);
    });
  }
  return lifecycle;
}
