import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import type { VirtualClient } from '../lab/client.ts';
import { type Lab, type LabOptions, openLab } from '../lab/lab.ts';

/** How a story is told. */
export interface StoryOptions {
  readonly seed: number;
  /** Absent: a PostgreSQL of its own. */
  readonly database?: LabOptions['database'];
  /** Defects to start the nodes with; a story that passes with them is worth nothing. */
  readonly defects?: readonly string[];
  /** How often the fault strikes (a few). */
  readonly rounds?: number;
  /** Told of every round of a long run. */
  readonly onRound?: (round: number, anomalies: readonly Anomaly[]) => void;
  /** What carries hints between nodes; PostgreSQL unless said otherwise. */
  readonly backplane?: LabOptions['backplane'];
  /** How many nodes where a row speaks of several (2). */
  readonly nodes?: number;
  /** Sizes for a long run instead of seconds. */
  readonly isLong?: boolean;
}

/** What came of it. */
export interface StoryResult {
  readonly anomalies: readonly Anomaly[];
  /** How often the fault struck. */
  readonly rounds: number;
  /** Figures worth keeping. */
  readonly facts: Readonly<Record<string, number | string>>;
}

/** A story of the suite. */
export type Story = (options: StoryOptions) => Promise<StoryResult>;

/** Opens a lab, tells the story in it, and closes it whatever happens. */
export async function inLab<T>(
  options: StoryOptions,
  more: Partial<LabOptions>,
  tell: (lab: Lab) => Promise<T>,
): Promise<T> {
  const lab = await openLab({
    seed: options.seed,
    ...(options.database ? { database: options.database } : {}),
    ...(options.backplane ? { backplane: options.backplane } : {}),
    ...more,
    ...(more.nodes && more.nodes > 1 ? { nodes: options.nodes ?? more.nodes } : {}),
    defects: [...(typeof more.defects === 'object' ? more.defects : []), ...(options.defects ?? [])],
  });
  try {
    return await tell(lab);
  } finally {
    await lab.close();
  }
}

/** Waits until it is so. @throws with `what` when it takes longer */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/** Waits until everybody is connected and in all of their rooms. */
export function connected(clients: readonly VirtualClient[], timeoutMs = 15_000): Promise<void> {
  return until('everybody is connected', () => clients.every((one) => one.isSubscribed), timeoutMs);
}

/** The value below which so much of them lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
