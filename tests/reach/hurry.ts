import type { QueueTiming } from '../../src/platform/jobs/index.ts';

/** The queue's clock, fast enough for tests; `expire` is longer than a try may take there. */
export const HURRY: QueueTiming = {
  poll: 0.5,
  expire: 4,
  supervise: 1,
  retryLimit: 8,
  retryDelay: 1,
  retryDelayMax: 2,
};
