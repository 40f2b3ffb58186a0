import { access } from './stories/access.ts';
import { churn } from './stories/churn.ts';
import { cursors } from './stories/cursors.ts';
import { failpoints, killNode, killPostgres } from './stories/kill.ts';
import { refusals } from './stories/refusals.ts';
import type { Story } from './stories/story.ts';

/** A row of faults.md and the story that shows it. */
export interface Entry {
  readonly row: string;
  readonly title: string;
  readonly story: Story;
  /** Rounds of the short form, which CI runs. */
  readonly short: number;
  /** Stops its own PostgreSQL, so it never runs on a shared one. */
  readonly needsOwnDatabase?: boolean;
}

/** Every story, in the order of value. */
export const CATALOGUE: readonly Entry[] = [
  { row: 'F1', title: 'kill -9 of a node with sends in flight', story: killNode, short: 3 },
  { row: 'F2', title: 'kill -9 at six places between send and ack', story: failpoints, short: 6 },
  {
    row: 'F5',
    title: 'PostgreSQL crashes: immediate, kill -9, a backend',
    story: killPostgres,
    short: 3,
    needsOwnDatabase: true,
  },
  { row: 'F14', title: 'lines are cut, reset, slowed and dropped over two nodes', story: churn, short: 10 },
  { row: 'F15', title: 'old, future and foreign cursors', story: cursors, short: 4 },
  { row: 'D3', title: 'what is refused is not there and takes no number', story: refusals, short: 3 },
  { row: 'D7', title: 'who may not hear hears nothing, at once and on every node', story: access, short: 1 },
];
