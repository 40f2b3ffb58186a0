/** Chances that come out the same for the same seed: what was loaded twice can be compared. */
export interface Random {
  /** From 0 up to 1. */
  next(): number;
  chance(share: number): boolean;
  /** From `low` to `high`, both included. */
  integer(low: number, high: number): number;
  /** One of them, each as likely as the next. */
  one<T>(list: readonly T[]): T;
  /** One of them as words are used: the first ones very often, the last ones seldom. */
  zipf<T>(list: readonly T[]): T;
  /** Positive and skewed, as waiting times are: half lie below the median, few far above (log-normal). */
  skewed(median: number, spread: number): number;
  uuid(): string;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A generator for one seed (mulberry32, public domain, Tommy Ettinger); good enough for made-up data, never for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }
  function at<T>(list: readonly T[], index: number): T {
    return list[Math.min(index, list.length - 1)] as T; // the lists are never empty
  }
  function byte(): string {
    return HEX[Math.floor(next() * 256)] ?? '00';
  }
  return {
    next,
    chance: (share) => next() < share,
    integer: (low, high) => low + Math.floor(next() * (high - low + 1)),
    one: (list) => at(list, Math.floor(next() * list.length)),
    // exponential in the index is Zipf's law with exponent 1
    zipf: (list) => at(list, Math.floor((list.length + 1) ** next()) - 1),
    skewed(median, spread) {
      const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      return median * Math.exp(spread * normal);
    },
    uuid: () =>
      `${byte()}${byte()}${byte()}${byte()}-${byte()}${byte()}-4${byte().slice(1)}${byte()}-a${byte().slice(1)}${byte()}-` +
      `${byte()}${byte()}${byte()}${byte()}${byte()}${byte()}`,
  };
}
