import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Unavailable } from '../errors/index.ts';

/**
 * The one gate through which bytes of files come in, so that files take only what everything else leaves of a process.
 * Who may not read on yet is held back by TCP, at a few buffers each.
 */
export interface Intake {
  /**
   * A place for one body, once it may be read: while many that come fast are being read, it waits unread. `lane` is whose files
   * wait behind each other (a tenant), `owner` who sends it.
   * @throws Unavailable `uploads_busy` when this owner, this lane or the process takes in as many as it can already.
   */
  enter(who: { readonly lane: string; readonly owner: string }): Promise<IntakePlace>;
  /** For bytes that we have already, and read again: they take turns with what comes in. */
  again(lane: string): Pick<IntakePlace, 'turn'>;
}

/** A body that comes in. */
export interface IntakePlace {
  /** Resolves when so many bytes more may be worked on. */
  turn(bytes: number): Promise<void>;
  /** To be called once, whatever became of it. */
  leave(): void;
}

/** How much a process takes in. */
export interface IntakeLimits {
  readonly bytesPerSecond: number;
  /** Bodies at once. */
  readonly places: number;
  readonly placesPerLane: number;
  readonly placesPerOwner: number;
}

const LIMITS: IntakeLimits = {
  bytesPerSecond: 24 * 1024 * 1024,
  places: 400,
  placesPerLane: 300,
  placesPerOwner: 24,
};
/** What has brought less goes before what has brought more: a photo does not wait for two hundred films. */
const SMALL_BYTES = 1024 * 1024;
/** Timers have whole milliseconds. */
const NOT_LATE_MS = 2.5;
const LONGEST_STEP_ASIDE_MS = 50;
/** So many that come fast are read side by side, each with its buffers; slow ones cost next to nothing and do not count. */
const READ_AT_ONCE = 48;
const FAST_MS = 250;
/** V8 looks through the whole heap, 50 to 150 ms long, after some 20 MB of buffers that it has not thrown away before. */
const COLLECT_EVERY_BYTES = 4 * 1024 * 1024;
/** Come back then. */
const RETRY_SECONDS = 5;

interface Waiting {
  readonly place: Body;
  readonly bytes: number;
  readonly go: () => void;
}

interface Body {
  readonly lane: string;
  readonly number: number;
  brought: number;
  isWaiting: boolean;
  passedAt: number;
}

/**
 * Opens the gate of a process. One piece at a time, never more than the rate; a timer that comes late says that the process has
 * other work, and is waited out once more. Lanes take turns; within one, small bodies go first and then the oldest, so that
 * of many some are done early instead of all of them late.
 */
export function createIntake(limits: Partial<IntakeLimits> = {}, clock = () => performance.now()): Intake {
  const { bytesPerSecond, places, placesPerLane, placesPerOwner } = {
    ...LIMITS,
    ...limits,
  };
  const open = new Map<string, number>();
  /** Lanes in the order of their next turn. */
  const lanes = new Map<string, Set<Waiting>>();
  let count = 0;
  let numbers = 0;
  /** When the next piece may go. */
  let freeAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = 0;
  const collectYoung = youngCollection();
  let garbage = 0;
  const inside = new Set<Body>();
  /** Those who are not read yet. */
  const outside: (() => void)[] = [];
  let isDoorWatched = false;

  function refuseWhenFull(keys: readonly (readonly [string, number])[]): void {
    const isFull = count >= places || keys.some(([key, most]) => (open.get(key) ?? 0) >= most);
    if (isFull) throw new Unavailable(RETRY_SECONDS, 'uploads_busy', 'Many files are on their way. Try again soon.');
  }

  function move(key: string, by: number): void {
    const now = (open.get(key) ?? 0) + by;
    if (now > 0) open.set(key, now);
    else open.delete(key);
  }

  function takeNext(): Waiting | undefined {
    const [first] = lanes;
    if (!first) return undefined;
    const [lane, waiting] = first;
    let next: Waiting | undefined;
    for (const one of waiting) if (!next || isBefore(one.place, next.place)) next = one;
    if (next) waiting.delete(next);
    // the lane goes to the end of the line
    lanes.delete(lane);
    if (waiting.size > 0) lanes.set(lane, waiting);
    return next;
  }

  function openDoor(): void {
    const now = clock();
    let fast = 0;
    for (const one of inside) if (one.isWaiting || now - one.passedAt < FAST_MS) fast += 1;
    for (; fast < READ_AT_ONCE && outside.length > 0; fast += 1) outside.shift()?.();
    if (outside.length === 0 || isDoorWatched) return;
    isDoorWatched = true;
    setTimeout(() => {
      isDoorWatched = false;
      openDoor();
    }, FAST_MS);
  }

  function passSoon(): void {
    const now = clock();
    dueAt = Math.max(freeAt, now);
    timer ??= setTimeout(pass, Math.ceil(dueAt - now));
  }

  function pass(): void {
    timer = undefined;
    const now = clock();
    // how late it is, is how much else there was to do
    const late = now - dueAt;
    freeAt = Math.max(freeAt, now) + (late > NOT_LATE_MS ? Math.min(late, LONGEST_STEP_ASIDE_MS) : 0);
    if (freeAt <= now) {
      const next = takeNext();
      if (!next) return;
      freeAt += (next.bytes / bytesPerSecond) * 1_000;
      garbage += next.bytes;
      if (garbage > COLLECT_EVERY_BYTES) {
        collectYoung();
        garbage = 0;
      }
      next.go();
    }
    if (lanes.size > 0) passSoon();
  }

  function newBody(lane: string): Body {
    return { lane, number: numbers++, brought: 0, isWaiting: false, passedAt: clock() };
  }

  function turn(body: Body, bytes: number): Promise<void> {
    const { lane } = body;
    return new Promise((resolve) => {
      body.isWaiting = true;
      const waiting = lanes.get(lane) ?? new Set();
      waiting.add({
        place: body,
        bytes,
        go() {
          body.brought += bytes;
          body.isWaiting = false;
          body.passedAt = clock();
          resolve();
        },
      });
      lanes.set(lane, waiting);
      if (!timer) passSoon();
    });
  }

  return {
    async enter({ lane, owner }) {
      const keys = [
        [`lane ${lane}`, placesPerLane],
        [`owner ${owner}`, placesPerOwner],
      ] as const;
      refuseWhenFull(keys);
      count += 1;
      for (const [key] of keys) move(key, 1);
      const body = newBody(lane);
      await new Promise<void>((resolve) => {
        outside.push(() => {
          inside.add(body);
          resolve();
        });
        openDoor();
      });
      return {
        turn: (bytes) => turn(body, bytes),
        leave() {
          count -= 1;
          for (const [key] of keys) move(key, -1);
          inside.delete(body);
          openDoor();
        },
      };
    },

    again(lane) {
      const body = newBody(lane);
      return { turn: (bytes) => turn(body, bytes) };
    },
  };
}

/** Throws away what was short-lived alone, in 1 to 3 ms: buffers that have gone to the disk. */
function youngCollection(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void; // V8's own, of this shape
  return () => collect({ type: 'minor' });
}

function isBefore(one: Body, other: Body): boolean {
  const [small, otherSmall] = [one.brought < SMALL_BYTES, other.brought < SMALL_BYTES];
  return small === otherSmall ? one.number < other.number : small;
}
