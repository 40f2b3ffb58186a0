/** One measured line: ours beside the raw limit of the same run. */
export interface Figure {
  readonly what: string;
  /** e.g. `messages/s`, `ms`, `bytes`. */
  readonly unit: string;
  readonly ours: number;
  readonly raw: number | null;
  /** What the raw figure is. */
  readonly rawIs: string;
  /** Anything else worth a word, e.g. percentiles or CPU. */
  readonly note?: string;
}

/** ours / raw; null where there is nothing to compare with. */
export function ratio({ ours, raw }: Figure): number | null {
  return raw === null || raw === 0 ? null : ours / raw;
}

/** The figures as an aligned table. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const share = ratio(figure);
    return [
      figure.what,
      `${round(figure.ours)} ${figure.unit}`,
      figure.raw === null ? '-' : `${round(figure.raw)} ${figure.unit}`,
      share === null ? '-' : share.toFixed(2),
      [figure.rawIs, figure.note].filter(Boolean).join('; '),
    ];
  });
  const all = [['what', 'ours', 'raw', 'ratio', 'raw is'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The value at a share of sorted numbers, e.g. 0.99; 0 when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}
