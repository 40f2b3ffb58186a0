/** How questions are gathered. */
export interface BatchOptions {
  /** Most questions of one batch. */
  readonly max: number;
  /** Batches under way at once. */
  readonly atOnce: number;
}

/**
 * Gathers what is asked in one turn of the event loop, or while the batches before it are under way, and answers it
 * together. `answer` gives one result a question, in order; when it fails, everything that was asked with it fails.
 */
export function batched<Q, R>(
  answer: (questions: readonly Q[]) => Promise<readonly R[]>,
  { max, atOnce }: BatchOptions,
): (question: Q) => Promise<R> {
  const waiting: { question: Q; resolve: (result: R) => void; reject: (error: unknown) => void }[] = [];
  let running = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || running >= atOnce || waiting.length === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      while (running < atOnce && waiting.length > 0) void run(waiting.splice(0, max));
    });
  }

  async function run(batch: typeof waiting): Promise<void> {
    running += 1;
    try {
      const results = await answer(batch.map(({ question }) => question));
      for (const [index, { resolve }] of batch.entries()) {
        // one result a question is the contract of `answer`
        resolve(results[index] as R);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      running -= 1;
      schedule();
    }
  }

  return (question) =>
    new Promise<R>((resolve, reject) => {
      waiting.push({ question, resolve, reject });
      schedule();
    });
}
