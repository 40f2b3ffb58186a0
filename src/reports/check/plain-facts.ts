import { type BusinessClock, businessClock } from '../../desk/index.ts';
import type { Rules } from '../model/open-hours.ts';

/*
 * What the facts of one conversation must be, by a plain walk over its raw rows. Slow, and on purpose made otherwise
 * than the model: no window functions, no table of open hours. `reports:verify` and the tests compare the two.
 */

/** A conversation's raw row; times are microseconds since 1970. */
export interface RawConversation {
  readonly id: string;
  readonly userType: string;
  readonly topic: string | null;
  readonly country: string | null;
  readonly assignedAdminId: string | null;
  readonly createdAt: bigint;
  readonly closedAt: bigint | null;
  readonly closedBy: string | null;
  readonly waitingSince: bigint | null;
  readonly rating: number | null;
}

/** One line of the log, in order of `seq`. */
export interface RawMessage {
  readonly seq: number;
  readonly senderType: string;
  readonly senderId: string | null;
  readonly event: string | null;
  /** `actorId` of a system line's data. */
  readonly actorId: string | null;
  readonly createdAt: bigint;
}

/** An answer: the first message of an agent after one of the user's. */
export interface PlainAnswer {
  readonly seq: number;
  readonly agentId: string;
  readonly at: bigint;
  readonly day: string;
  readonly secs: number;
  readonly openSecs: number;
}

/** The same as the rows of `report_conversations`, `report_responses` and `report_activity`. */
export interface PlainFacts {
  readonly conversation: {
    readonly userType: string;
    readonly topic: string;
    readonly country: string;
    readonly agentId: string | null;
    readonly openedAt: bigint;
    readonly openedDay: string;
    readonly openedSlot: number;
    readonly closedAt: bigint | null;
    readonly closedDay: string | null;
    readonly isAutoClosed: boolean;
    readonly isAbandoned: boolean;
    readonly reopenedAt: bigint | null;
    readonly reopenedDay: string | null;
    readonly reopens: number;
    readonly firstAt: bigint | null;
    readonly firstDay: string | null;
    readonly firstAgentId: string | null;
    readonly firstSecs: number | null;
    readonly firstOpenSecs: number | null;
    readonly resolutionSecs: number | null;
    readonly resolutionOpenSecs: number | null;
    readonly autoAssignedAt: bigint | null;
    readonly autoAssignedDay: string | null;
    readonly rating: number | null;
    readonly messagesIn: number;
    readonly messagesOut: number;
    readonly waitingSince: bigint | null;
  };
  readonly answers: readonly PlainAnswer[];
  /** `day side agentId` (`-` for nobody) to messages. */
  readonly activity: Readonly<Record<string, number>>;
}

/** Makes the walk for a tenant's rules. */
export function plainComputation(
  rules: Rules,
): (conversation: RawConversation, log: readonly RawMessage[]) => PlainFacts {
  const clock = businessClock(rules.hours, rules.timeZone);
  const local = localTime(rules.timeZone);

  return (raw, log) => {
    const answers: PlainAnswer[] = [];
    const activity: Record<string, number> = {};
    let askedAt: bigint | null = null;
    let waitsSince: bigint | null = null;
    let reopenedAt: bigint | null = null;
    let autoAssignedAt: bigint | null = null;
    let [messagesIn, messagesOut, reopens] = [0, 0, 0];

    for (const line of log) {
      const at = line.createdAt;
      if (line.senderType === 'user') {
        messagesIn++;
        askedAt ??= at;
        waitsSince ??= at;
        count(activity, `${local(at).day} in ${raw.assignedAdminId ?? '-'}`);
      } else if (line.senderType === 'admin') {
        messagesOut++;
        count(activity, `${local(at).day} out ${line.senderId ?? '-'}`);
        if (waitsSince !== null) {
          answers.push({
            seq: line.seq,
            agentId: line.senderId ?? '',
            at,
            day: local(at).day,
            secs: seconds(at - waitsSince),
            openSecs: openSeconds(clock, waitsSince, at),
          });
        }
        waitsSince = null;
      } else if (line.event === 'closed') {
        // nobody waits in a closed conversation; who writes after it was reopened begins anew
        waitsSince = null;
      } else if (line.event === 'reopened') {
        reopens++;
        if (reopenedAt === null || at > reopenedAt) reopenedAt = at;
      } else if ((line.event === 'assigned' || line.event === 'transferred') && line.actorId === 'system') {
        if (autoAssignedAt === null || at < autoAssignedAt) autoAssignedAt = at;
      }
    }

    const [first] = answers;
    const { createdAt, closedAt } = raw;
    const isResolved = closedAt !== null && messagesOut > 0;
    return {
      conversation: {
        userType: raw.userType,
        topic: raw.topic ?? '',
        country: raw.country ?? '',
        agentId: raw.assignedAdminId,
        openedAt: createdAt,
        openedDay: local(createdAt).day,
        openedSlot: local(createdAt).slot,
        closedAt,
        closedDay: closedAt === null ? null : local(closedAt).day,
        isAutoClosed: closedAt !== null && raw.closedBy === 'system',
        isAbandoned: closedAt !== null && messagesIn > 0 && messagesOut === 0,
        reopenedAt,
        reopenedDay: reopenedAt === null ? null : local(reopenedAt).day,
        reopens,
        firstAt: first?.at ?? null,
        firstDay: first?.day ?? null,
        firstAgentId: first?.agentId ?? null,
        // from the first thing that was asked, however often the conversation was closed in between
        firstSecs: first && askedAt !== null ? seconds(first.at - askedAt) : null,
        firstOpenSecs: first && askedAt !== null ? openSeconds(clock, askedAt, first.at) : null,
        resolutionSecs: isResolved ? seconds(closedAt - createdAt) : null,
        resolutionOpenSecs: isResolved ? openSeconds(clock, createdAt, closedAt) : null,
        autoAssignedAt,
        autoAssignedDay: autoAssignedAt === null ? null : local(autoAssignedAt).day,
        rating: raw.rating,
        messagesIn,
        messagesOut,
        waitingSince: closedAt === null ? raw.waitingSince : null,
      },
      answers,
      activity,
    };
  };
}

function count(into: Record<string, number>, key: string): void {
  into[key] = (into[key] ?? 0) + 1;
}

/** Whole seconds of so many microseconds, never less than none. */
function seconds(microseconds: bigint): number {
  return microseconds <= 0n ? 0 : Number(microseconds / 1_000_000n);
}

/** Whole open seconds between two instants, to the microsecond: hours open and close at whole milliseconds. */
function openSeconds(clock: BusinessClock, from: bigint, to: bigint): number {
  if (to <= from) return 0;
  const [start, end] = [new Date(Number(from / 1_000n)), new Date(Number(to / 1_000n))];
  let open = BigInt(Math.round(clock.businessMinutesBetween(start, end) * 60_000)) * 1_000n;
  if (clock.isOpen(start)) open -= from % 1_000n;
  if (clock.isOpen(end)) open += to % 1_000n;
  return seconds(open);
}

/** Day and hour of the week on the clock of a zone. */
function localTime(timeZone: string): (at: bigint) => { day: string; slot: number } {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    hourCycle: 'h23',
  });
  const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  return (at) => {
    const part = Object.fromEntries(
      format.formatToParts(new Date(Number(at / 1_000n))).map(({ type, value }) => [type, value]),
    );
    return {
      day: `${part['year']}-${part['month']}-${part['day']}`,
      slot: weekdays.indexOf(part['weekday'] ?? '') * 24 + Number(part['hour']),
    };
  };
}
