import type { Backplane } from './room.ts';

/** The backplane of a single process: there is nobody to tell. */
export function openNoBackplane(): Backplane {
  return {
    publish() {},
    onHint() {},
    onRestored() {},
    silentForMs: () => Number.POSITIVE_INFINITY,
    async close() {},
  };
}
