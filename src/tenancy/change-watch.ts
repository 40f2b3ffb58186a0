import type { Log } from '../platform/database/index.ts';

/** Follows a log of changes in the database by asking every `everyMs`. */
export interface ChangeWatch {
  /** True while the last successful look began less than `trustedForMs` ago: what was cached may be believed. */
  isTrusted(): boolean;
  /** Looks now; resolves when a look that began after this call has ended. Rejects when the database does not answer. */
  lookNow(): Promise<void>;
  close(): Promise<void>;
}

/** Starts to follow. `look` asks for the changes since it was last called and applies them; it is never run twice at once. */
export function watchChanges(options: {
  readonly name: string;
  readonly look: () => Promise<void>;
  readonly log: Log;
  readonly everyMs?: number;
  readonly trustedForMs?: number;
}): ChangeWatch {
  const { look, log, name, everyMs = 500, trustedForMs = 1_000 } = options;
  let lastGoodLookBeganAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | null = null;
  let queued: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let isFailing = false;

  function run(): Promise<void> {
    const beganAt = performance.now();
    running = look()
      .then(() => {
        lastGoodLookBeganAt = beganAt;
        if (isFailing) log.info({ watch: name }, 'changes are being followed again');
        isFailing = false;
      })
      .finally(() => {
        running = null;
      });
    return running;
  }

  function lookNow(): Promise<void> {
    if (!running) return run();
    // one that runs already may have begun before the change its caller wants to see
    queued ??= running
      .catch(() => {})
      .then(() => {
        queued = null;
        return run();
      });
    return queued;
  }

  async function tick(): Promise<void> {
    try {
      await (running ?? run());
    } catch (error) {
      if (!isFailing && !isClosed) log.warn({ watch: name, err: error }, 'changes cannot be followed');
      isFailing = true;
    }
    if (!isClosed) timer = setTimeout(tick, everyMs).unref();
  }

  timer = setTimeout(tick, everyMs).unref();
  return {
    isTrusted: () => performance.now() - lastGoodLookBeganAt < trustedForMs,
    lookNow,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await Promise.allSettled([running, queued]);
    },
  };
}
