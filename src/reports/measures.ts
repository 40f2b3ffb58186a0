/**
 * What is counted, and under which key it stands in the sums (`report_cells.keys`, `report_emit` of migration 73). What
 * each measure means, for people, is in views/locales under `reports.define`.
 */

/** Things that are counted, once a conversation except the messages. */
export const COUNTERS = {
  opened: 1,
  closed: 2,
  reopened: 3,
  abandoned: 4,
  rated: 5,
  ratingSum: 6,
  autoAssigned: 12,
  autoClosed: 13,
  messagesIn: 14,
  messagesOut: 15,
} as const;
export type Counter = keyof typeof COUNTERS;

/** Ratings of 1 to 5 stand at 7 to 11. */
export function ratingKey(score: number): number {
  return 6 + score;
}

/** Conversations opened in an hour of the week: 24 x weekday (Monday is 0) + hour, on the tenant's clock. */
export const HOURS_OF_WEEK = 168;
export function slotKey(slot: number): number {
  return 100 + slot;
}

/** Durations, each by the clock on the wall and by the opening hours. */
export const DURATIONS = ['first', 'response', 'resolution'] as const;
export type Duration = (typeof DURATIONS)[number];
export const CLOCKS = ['all', 'open'] as const;
/** `all`: every hour counts; `open`: only the tenant's opening hours do. */
export type Clock = (typeof CLOCKS)[number];

const BUCKETS_APART = 2_048;
/** From here on the keys are buckets. */
const FIRST_BUCKET_KEY = 1_000;

/** Greater than every key. */
export const KEYS_END = FIRST_BUCKET_KEY + DURATIONS.length * CLOCKS.length * BUCKETS_APART;

/** Key of one bucket of a duration's values. */
export function bucketKey(duration: Duration, clock: Clock, bucket: number): number {
  const measure = DURATIONS.indexOf(duration) * 2 + CLOCKS.indexOf(clock);
  return FIRST_BUCKET_KEY + measure * BUCKETS_APART + bucket;
}

/**
 * Lower bounds of the buckets that whole seconds fall into: each second up to 128, then 64 to each doubling. They only
 * narrow down where a percentile lies; its value is read from the facts (`ask/percentiles.ts`).
 */
export const BUCKET_BOUNDS: readonly number[] = [
  ...Array.from({ length: 128 }, (_, second) => second),
  ...Array.from({ length: 24 * 64 }, (_, at) => (64 + (at % 64)) * 2 ** (1 + Math.floor(at / 64))),
];

/** The bucket that so many seconds fall into. */
export function bucketOf(seconds: number): number {
  let low = 0;
  let high = BUCKET_BOUNDS.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((BUCKET_BOUNDS[middle] ?? 0) <= seconds) low = middle;
    else high = middle;
  }
  return low;
}
