/** Counts what is there by key, and forgets keys with nothing left. */
export interface Counted {
  /** False, and nothing counted, when there are `max` already. */
  take(key: string, max: number): boolean;
  free(key: string): void;
}

/** See `Counted`. */
export function createCounted(): Counted {
  const counts = new Map<string, number>();
  return {
    take(key, max) {
      const count = counts.get(key) ?? 0;
      if (count >= max) return false;
      counts.set(key, count + 1);
      return true;
    },
    free(key) {
      const count = counts.get(key) ?? 0;
      if (count > 1) counts.set(key, count - 1);
      else counts.delete(key);
    },
  };
}
