import { type BusinessClock, type DueResponse, dueTime, soonMinutes } from '../desk/index.ts';
import type { ListedConversation } from '../messaging/index.ts';
import type { SupportSettings } from '../tenancy/index.ts';

/** When an answer is due, as `views/dashboard/_due` draws it and the page counts it on. */
export interface DueView {
  readonly state: 'on_time' | 'soon' | 'late';
  /** Business seconds that are left; negative when it is late. */
  readonly leftSeconds: number;
  /** From how many of them on it is due soon. */
  readonly soonSeconds: number;
  /** ISO 8601; null where the opening hours never hold the target. */
  readonly dueAt: string | null;
  /** When this was counted, ISO 8601. */
  readonly countedAt: string;
  /** The clock stands still from then on, ISO 8601; null where it goes on. */
  readonly runsUntil: string | null;
  /** False outside of the opening hours. */
  readonly isRunning: boolean;
}

/** What the wait is counted by. */
export interface DueContext {
  readonly settings: Pick<SupportSettings, 'firstResponseTargetMinutes' | 'nextResponseTargetMinutes'>;
  readonly clock: BusinessClock;
  /** Running waits, by conversation. */
  readonly dues: ReadonlyMap<string, DueResponse>;
  readonly now: Date;
}

/** How the wait in a listed conversation stands; null while nobody waits. A wait of this second has no record yet. */
export function dueView(
  { conversation, waitingSince, assignedAdmin }: ListedConversation,
  context: DueContext,
): DueView | null {
  if (conversation.status !== 'open' || !waitingSince) return null;
  const { settings, clock, dues, now } = context;
  const known = dues.get(conversation.id);
  const isFirst = known ? known.kind === 'first' : !assignedAdmin;
  const target = isFirst ? settings.firstResponseTargetMinutes : settings.nextResponseTargetMinutes;
  const dueAt = known ? known.dueAt : clock.addBusinessMinutes(new Date(waitingSince), target);
  const soonSeconds = Math.round(soonMinutes(target) * 60);
  const countedAt = now.toISOString();
  if (!dueAt) {
    const isRunning = clock.isOpen(now);
    return { state: 'on_time', leftSeconds: 0, soonSeconds, dueAt: null, countedAt, runsUntil: null, isRunning };
  }
  const { runsUntil, ...time } = dueTime(clock, dueAt, target, now);
  return { ...time, soonSeconds, dueAt: dueAt.toISOString(), countedAt, runsUntil: runsUntil?.toISOString() ?? null };
}
