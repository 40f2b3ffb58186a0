/** One group of columns: a day, a month or a year. */
export interface ColumnGroup {
  readonly label: string;
  /** One value for each series, in their order. */
  readonly values: readonly number[];
}

/** A column as SVG takes it. */
export interface Column {
  readonly series: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly group: number;
  readonly value: number;
}

/** A chart of columns; lengths in the units of its own `width` x `height`. */
export interface ColumnChart {
  readonly width: number;
  readonly height: number;
  readonly columns: readonly Column[];
  /** Horizontal lines, from the bottom. */
  readonly lines: readonly { readonly y: number; readonly value: number }[];
  /** Groups whose label has room. */
  readonly labels: readonly { readonly x: number; readonly text: string }[];
  readonly plot: { readonly left: number; readonly right: number; readonly bottom: number };
}

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 26;
const MAX_LABELS = 8;

/** Lays columns out, group by group from left to right. */
export function columnChart(groups: readonly ColumnGroup[]): ColumnChart {
  const top = niceTop(Math.max(1, ...groups.flatMap(({ values }) => values)));
  const plotHeight = HEIGHT - TOP - BOTTOM;
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, groups.length);
  const yOf = (value: number) => round(TOP + plotHeight * (1 - value / top));
  const columns = groups.flatMap(({ values }, group) => {
    const width = Math.min(22, (step * 0.8) / Math.max(1, values.length));
    const start = LEFT + step * group + (step - width * values.length) / 2;
    return values.map((value, series) => ({
      series,
      group,
      value,
      x: round(start + width * series),
      y: yOf(value),
      width: round(width),
      height: round(plotHeight + TOP - yOf(value)),
    }));
  });
  const every = Math.ceil(groups.length / MAX_LABELS);
  return {
    width: WIDTH,
    height: HEIGHT,
    columns,
    lines: [0, top / 2, top].map((value) => ({ value, y: yOf(value) })),
    labels: groups
      .map(({ label }, at) => ({ x: round(LEFT + step * (at + 0.5)), text: label }))
      .filter((_, at) => at % every === 0),
    plot: { left: LEFT, right: WIDTH - RIGHT, bottom: HEIGHT - BOTTOM },
  };
}

/** The next even number that reads well: 2, 4, 10, 20, 40, 100 … */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const found = [2, 4, 10].map((factor) => factor * power).find((top) => top >= value);
  return Math.max(2, found ?? value);
}

function round(length: number): number {
  return Math.round(length * 10) / 10;
}
