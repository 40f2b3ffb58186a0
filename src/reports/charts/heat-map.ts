import { HOURS_OF_WEEK } from '../measures.ts';

/** One hour of the week. */
export interface HeatCell {
  readonly weekday: number;
  readonly hour: number;
  readonly x: number;
  readonly y: number;
  readonly count: number;
  /** 0 for none, 1 to 5 by the share of the busiest hour. */
  readonly level: number;
}

/** A map of the week: weekdays from top to bottom, hours from left to right. */
export interface HeatMap {
  readonly width: number;
  readonly height: number;
  readonly cell: { readonly width: number; readonly height: number };
  readonly cells: readonly HeatCell[];
  readonly days: readonly { readonly weekday: number; readonly y: number }[];
  readonly hours: readonly { readonly hour: number; readonly x: number }[];
}

const LEVELS = 5;
const CELL = { width: 27, height: 22 } as const;
const LEFT = 66;
const TOP = 20;

/** Lays the 168 hours of a week out; the first is Monday 0:00. */
export function heatMap(counts: readonly number[]): HeatMap {
  const most = Math.max(1, ...counts);
  const cells = Array.from({ length: HOURS_OF_WEEK }, (_, slot): HeatCell => {
    const [weekday, hour] = [Math.floor(slot / 24), slot % 24];
    const count = counts[slot] ?? 0;
    return {
      weekday,
      hour,
      count,
      level: Math.ceil((count / most) * LEVELS),
      x: LEFT + hour * CELL.width,
      y: TOP + weekday * CELL.height,
    };
  });
  return {
    width: LEFT + 24 * CELL.width,
    height: TOP + 7 * CELL.height,
    cell: { width: CELL.width - 2, height: CELL.height - 2 },
    cells,
    days: Array.from({ length: 7 }, (_, weekday) => ({ weekday, y: TOP + weekday * CELL.height + 14 })),
    hours: [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => ({ hour, x: LEFT + hour * CELL.width + CELL.width / 2 })),
  };
}
