import type { BusinessClock } from '../hours/business-hours.ts';

/** How a running wait stands, in business time. */
export interface DueTime {
  readonly state: 'on_time' | 'soon' | 'late';
  /** Business seconds until the answer is due; negative when it is late. */
  readonly leftSeconds: number;
  /** Until when the clock runs on; null while it stands still, or when it does not stop within two years. */
  readonly runsUntil: Date | null;
  /** False outside of the opening hours. */
  readonly isRunning: boolean;
}

/** Soon is the last quarter of the target, and never less than a minute. */
const SOON_SHARE = 1 / 4;

/** How much is left at `now` of a wait that is due at `dueAt`, by the target it was given (minutes). */
export function dueTime(clock: BusinessClock, dueAt: Date, targetMinutes: number, now: Date): DueTime {
  const isLate = now >= dueAt;
  const minutes = isLate ? -clock.businessMinutesBetween(dueAt, now) : clock.businessMinutesBetween(now, dueAt);
  const isRunning = clock.isOpen(now);
  return {
    state: isLate ? 'late' : minutes <= soonMinutes(targetMinutes) ? 'soon' : 'on_time',
    leftSeconds: Math.round(minutes * 60),
    runsUntil: isRunning ? clock.nextClosing(now) : null,
    isRunning,
  };
}

/** From how many minutes before it is due an answer is due soon. */
export function soonMinutes(targetMinutes: number): number {
  return Math.max(1, targetMinutes * SOON_SHARE);
}
