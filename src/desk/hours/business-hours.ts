import type { SupportSettings } from '../../tenancy/index.ts';
import { type ZoneOffset, zoneOffset } from './zone-offset.ts';

/** Opening hours as the settings keep them. */
export type BusinessHours = SupportSettings['businessHours'];

/**
 * Counts time as the desk is open. An instant is open when the wall clock of the zone shows an hour of that weekday at
 * it, so a day with 23 or 25 hours has the business time it really has. Nothing here reads a clock.
 */
export interface BusinessClock {
  isOpen(at: Date): boolean;
  /** `at` itself while it is open; null when nothing opens within two years. */
  nextOpening(at: Date): Date | null;
  /** When the stretch that `at` is in ends; null while it is closed, or when it does not end within two years. */
  nextClosing(at: Date): Date | null;
  /** Open minutes from `from` to `to`, with fractions; 0 when `to` is not after `from`. */
  businessMinutesBetween(from: Date, to: Date): number;
  /** The first instant by which so many open minutes have passed since `at`; null when two years do not hold them. */
  addBusinessMinutes(at: Date, minutes: number): Date | null;
  /** The last instant since which so many open minutes have passed at `at`; null when two years do not hold them. */
  subtractBusinessMinutes(at: Date, minutes: number): Date | null;
}

/** Milliseconds since 1970, end excluded. */
type Interval = readonly [from: number, to: number];
/** Minutes of a day, end excluded, in order and apart. */
type Stretch = readonly [from: number, to: number];

const MINUTE = 60_000;
const DAY = 86_400_000;
const WEEK = 7 * DAY;
const HORIZON_DAYS = 731;
/** As `getUTCDay()` counts. */
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

/** The clock of a tenant's hours; `fallbackZone` (IANA) holds where the hours name no zone of their own. */
export function businessClock(hours: BusinessHours, fallbackZone: string): BusinessClock {
  const offset = zoneOffset(hours.timeZone ?? fallbackZone);
  const week = WEEKDAYS.map((day) => stretchesOf(hours.weekly[day]));
  const holidays = new Set(hours.holidays);
  const isEverOpen = week.some((day) => day.length > 0);
  const isNeverClosed = week.every(([day]) => day?.[0] === 0 && day[1] === DAY / MINUTE);
  const lastHoliday = Math.max(...hours.holidays.map((day) => Date.parse(day)));
  let asked: { readonly at: number; readonly closing: Date | null } | undefined;

  /** Stretches of the day on the wall clock that begins at `localDay` (as if it were UTC). */
  function stretchesOn(localDay: number): readonly Stretch[] {
    const date = new Date(localDay);
    const isHoliday = holidays.size > 0 && holidays.has(date.toISOString().slice(0, 10));
    return isHoliday ? [] : (week[date.getUTCDay()] ?? []);
  }

  function findClosing(at: number): Date | null {
    // around the clock only a holiday closes: without one to come, two years would be walked through for nothing
    if (isNeverClosed && lastHoliday + DAY <= at + offset(at)) return null;
    let end = at;
    for (const [start, finish] of forward(at)) {
      if (start > end) return new Date(end);
      end = finish;
    }
    return null;
  }

  /** Open intervals within [from, to), in order; neighbours may touch. */
  function openWithin(from: number, to: number): Interval[] {
    return constantSegments(offset, from, to).flatMap(([start, end, shift]) => {
      const found: Interval[] = [];
      const firstDay = Math.floor((start + shift) / DAY) * DAY;
      for (let day = firstDay; day < end + shift; day += DAY) {
        for (const [opens, closes] of stretchesOn(day)) {
          const begin = Math.max(start, day + opens * MINUTE - shift);
          const finish = Math.min(end, day + closes * MINUTE - shift);
          if (begin < finish) found.push([begin, finish]);
        }
      }
      return found;
    });
  }

  /** Open intervals from an instant on, a day's worth at a time, until the horizon. */
  function* forward(from: number): Generator<Interval> {
    if (!isEverOpen) return;
    for (let day = 0; day < HORIZON_DAYS; day++) yield* openWithin(from + day * DAY, from + (day + 1) * DAY);
  }

  function* backward(to: number): Generator<Interval> {
    if (!isEverOpen) return;
    for (let day = 0; day < HORIZON_DAYS; day++) yield* openWithin(to - (day + 1) * DAY, to - day * DAY).reverse();
  }

  function isOpen(at: Date): boolean {
    const local = at.getTime() + offset(at.getTime());
    const minute = (local - Math.floor(local / DAY) * DAY) / MINUTE;
    return stretchesOn(Math.floor(local / DAY) * DAY).some(([opens, closes]) => opens <= minute && minute < closes);
  }

  return {
    isOpen,
    nextOpening(at) {
      for (const [start] of forward(at.getTime())) return new Date(start);
      return null;
    },
    nextClosing(at) {
      if (!isOpen(at)) return null;
      // every row of a list asks about the same moment
      if (asked?.at !== at.getTime()) asked = { at: at.getTime(), closing: findClosing(at.getTime()) };
      return asked.closing;
    },
    businessMinutesBetween(from, to) {
      let open = 0;
      for (const [opens, closes] of openWithin(from.getTime(), to.getTime())) open += closes - opens;
      return open / MINUTE;
    },
    addBusinessMinutes(at, minutes) {
      let left = minutes * MINUTE;
      if (left <= 0) return at;
      for (const [start, end] of forward(at.getTime())) {
        if (end - start >= left) return new Date(start + left);
        left -= end - start;
      }
      return null;
    },
    subtractBusinessMinutes(at, minutes) {
      let left = minutes * MINUTE;
      if (left <= 0) return at;
      for (const [start, end] of backward(at.getTime())) {
        if (end - start >= left) return new Date(end - left);
        left -= end - start;
      }
      return null;
    },
  };
}

/** Minutes of the day; what overlaps or touches becomes one, so that no minute counts twice. */
function stretchesOf(day: BusinessHours['weekly'][keyof BusinessHours['weekly']]): Stretch[] {
  const sorted = day.map(({ from, to }) => [minuteOf(from), minuteOf(to)] as const).sort((a, b) => a[0] - b[0]);
  const merged: Stretch[] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from <= last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], to)];
    else merged.push([from, to]);
  }
  return merged;
}

/** `HH:MM`, also `24:00`. */
function minuteOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

/**
 * [from, to) cut where the zone's offset changes, each piece with its offset. Looks week by week, where all waits meet the
 * same instants, and day by day within a week that has a change; two changes in one week that undo each other are unheard of.
 */
function constantSegments(offset: ZoneOffset, from: number, to: number): [from: number, to: number, shift: number][] {
  const segments: [number, number, number][] = [];
  for (let start = from; start < to; ) {
    const end = Math.min((Math.floor(start / WEEK) + 1) * WEEK, to);
    const shift = offset(start);
    // what ends at `end` is of the piece before it
    if (shift === offset(end - 1)) segments.push([start, end, shift]);
    else segments.push(...segmentsByDay(offset, start, end));
    start = end;
  }
  return segments;
}

function segmentsByDay(offset: ZoneOffset, from: number, to: number): [from: number, to: number, shift: number][] {
  const segments: [number, number, number][] = [];
  for (let start = from; start < to; start += DAY) {
    const end = Math.min(start + DAY, to);
    const before = offset(start);
    const after = offset(end - 1);
    if (before === after) {
      segments.push([start, end, before]);
      continue;
    }
    const change = changeBetween(offset, start, end - 1, before);
    segments.push([start, change, before], [change, end, after]);
  }
  return segments;
}

/** The first instant in (from, to] whose offset is no longer `before`. */
function changeBetween(offset: ZoneOffset, from: number, to: number, before: number): number {
  let low = from;
  let high = to;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offset(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}
