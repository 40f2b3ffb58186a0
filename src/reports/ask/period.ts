/** Days of the tenant's zone, both included, `YYYY-MM-DD`. */
export interface Period {
  readonly from: string;
  readonly to: string;
}

/** Periods that have a name; `range` is any other. */
export const PERIODS = ['today', '7', '30', '90', 'range'] as const;
export type PeriodName = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;
/** Longer than any company keeps anything; what is asked beyond is asked for nothing. */
const FIRST_DAY = '1970-01-01';
const LAST_DAY = '2199-12-31';

/** The days that a name, or a pair of days in any order, stands for; what is missing of a range is today. */
export function periodOf(name: PeriodName, range: Partial<Period>, today: string): Period {
  if (name === 'today') return { from: today, to: today };
  if (name !== 'range') return { from: plusDays(today, 1 - Number(name)), to: today };
  const [one, other] = [bounded(range.from ?? range.to ?? today), bounded(range.to ?? today)];
  return one <= other ? { from: one, to: other } : { from: other, to: one };
}

/** As many days, right before. */
export function periodBefore({ from, to }: Period): Period {
  return { from: plusDays(from, -daysOf({ from, to })), to: plusDays(from, -1) };
}

/** How many days it has. */
export function daysOf({ from, to }: Period): number {
  return Math.round((dayTime(to) - dayTime(from)) / DAY_MS) + 1;
}

/** A day so many days later; earlier with a negative number. */
export function plusDays(day: string, days: number): string {
  return new Date(dayTime(day) + days * DAY_MS).toISOString().slice(0, 10);
}

function dayTime(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

function bounded(day: string): string {
  if (day < FIRST_DAY) return FIRST_DAY;
  return day > LAST_DAY ? LAST_DAY : day;
}
