import type pg from 'pg';
import type { SupportSettings } from '../../src/tenancy/index.ts';

/*
 * The numbers of the reports, computed another time and on purpose otherwise than the product does: a walk over the raw
 * rows, opening hours counted by quarters of an hour. Reads no table of the reports.
 */

/** Something that counts: the measure, the day on which it does, and whose it is. */
export interface Event {
  readonly of: string;
  /** `YYYY-MM-DD` on the tenant's clock. */
  readonly day: string;
  readonly conversation: string;
  /** Null for nobody. */
  readonly agent: string | null;
  readonly userType: string;
  readonly topic: string;
  readonly country: string;
  readonly n: number;
  readonly secs?: number;
  readonly openSecs?: number;
  readonly slot?: number;
  readonly score?: number;
  /** When it was opened, milliseconds; of what is open now. */
  readonly openedAt?: number;
}

/** What an address asks for; '' asks for nothing, `-` for none. */
export interface Asked {
  readonly from: string;
  readonly to: string;
  readonly userType?: string;
  readonly topic?: string;
  readonly country?: string;
  readonly agent?: string;
}

const QUARTER = 900_000;

/** Everything that counts in a tenant. */
export async function eventsOf(
  admin: pg.Pool,
  tenantId: string,
  {
    timeZone,
    hours,
  }: {
    readonly timeZone: string;
    readonly hours: SupportSettings['businessHours'];
  },
): Promise<Event[]> {
  const local = clockOf(timeZone);
  const openSeconds = openTime(hours, hours.timeZone ?? timeZone);
  const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;
  const { rows: conversations } = await admin.query<{
    id: string;
    userType: string;
    topic: string;
    country: string;
    holder: string | null;
    opened: number;
    closed: number | null;
    closedBy: string | null;
    waiting: boolean;
    score: number | null;
  }>(
    `select c.id, c.user_type as "userType", coalesce(c.topic, '') as topic, coalesce(u.country, '') as country,
       c.assigned_admin_id as holder, ${ms('c.created_at')} as opened, ${ms('c.closed_at')} as closed,
       c.closed_by as "closedBy", c.waiting_since is not null as waiting, r.score
     from conversations c left join users u on u.id = c.opened_by
     left join conversation_ratings r on r.conversation_id = c.id where c.tenant_id = $1 and c.kind = 'support'`,
    [tenantId],
  );
  const { rows: lines } = await admin.query<{
    id: string;
    side: string;
    sender: string | null;
    event: string | null;
    by: string | null;
    at: number;
  }>(
    `select conversation_id as id, sender_type as side, sender_id as sender, event, data ->> 'actorId' as by,
       ${ms('created_at')} as at from messages where tenant_id = $1 order by conversation_id, seq`,
    [tenantId],
  );
  const logs = Map.groupBy(lines, ({ id }) => id);
  const events: Event[] = [];
  for (const one of conversations) {
    const whose = {
      conversation: one.id,
      userType: one.userType,
      topic: one.topic,
      country: one.country,
    };
    const tell = (of: string, at: number, agent: string | null, more: Partial<Event> = {}) =>
      events.push({ ...whose, of, day: local(at).day, agent, n: 1, ...more });
    const took = (from: number, to: number) => ({
      secs: Math.max(0, Math.floor((to - from) / 1_000)),
      openSecs: Math.max(0, Math.floor(openSeconds(from, to))),
    });
    tell('opened', one.opened, one.holder, { slot: local(one.opened).slot });
    let [asked, unanswered] = [null as number | null, null as number | null];
    let [answers, written] = [0, 0];
    const reopened: number[] = [];
    const given: number[] = [];
    for (const { side, sender, event, by, at } of logs.get(one.id) ?? []) {
      if (side === 'user') {
        asked ??= at;
        unanswered ??= at;
        tell('messagesIn', at, one.holder);
      }
      if (side === 'admin') {
        written++;
        tell('messagesOut', at, sender);
        if (unanswered !== null) {
          answers++;
          if (answers === 1) tell('first', at, sender, took(asked ?? at, at));
          tell('response', at, sender, took(unanswered, at));
        }
        unanswered = null;
      }
      if (event === 'closed') unanswered = null;
      if (event === 'reopened') reopened.push(at);
      if ((event === 'assigned' || event === 'transferred') && by === 'system') given.push(at);
    }
    if (reopened.length > 0) tell('reopened', Math.max(...reopened), one.holder);
    if (given.length > 0) tell('autoAssigned', Math.min(...given), one.holder);
    if (one.closed === null) {
      tell('open', one.opened, one.holder, { openedAt: one.opened });
      if (one.waiting) tell('waiting', one.opened, one.holder);
      continue;
    }
    tell('closed', one.closed, one.holder);
    if (one.closedBy === 'system') tell('autoClosed', one.closed, one.holder);
    if (asked !== null && written === 0) tell('abandoned', one.closed, one.holder);
    if (one.score !== null) tell('rated', one.closed, one.holder, { score: one.score });
    if (written > 0) tell('resolution', one.closed, one.holder, took(one.opened, one.closed));
  }
  return events;
}

/** Those that an address asks for; what is so now has no period. */
export function among(events: readonly Event[], asked: Asked): Event[] {
  const none = (value: string) => (value === '-' ? '' : value);
  return events.filter(
    (one) =>
      (one.of === 'open' || one.of === 'waiting' || (one.day >= asked.from && one.day <= asked.to)) &&
      (!asked.userType || one.userType === asked.userType) &&
      (!asked.topic || one.topic === none(asked.topic)) &&
      (!asked.country || one.country === none(asked.country)) &&
      (!asked.agent || (one.agent ?? 'none') === asked.agent),
  );
}

/** The value that so much of them does not exceed, by nearest rank; null of none. */
export function rank(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? null;
}

/** Day, and hour of the week from Monday, on the clock of a zone. */
function clockOf(timeZone: string) {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return (at: number): { day: string; slot: number; minute: number } => {
    const [day = '', time = ''] = format.format(at).split(' ');
    const [hour = 0, minute = 0] = time.split(':').map(Number);
    const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
    return { day, slot: weekday * 24 + hour, minute: hour * 60 + minute };
  };
}

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/** Open seconds between two instants; hours open and close at quarters of an hour. */
function openTime(hours: SupportSettings['businessHours'], timeZone: string) {
  const local = clockOf(timeZone);
  const known = new Map<number, boolean>();
  const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  function isOpen(quarter: number): boolean {
    const seen = known.get(quarter);
    if (seen !== undefined) return seen;
    const { day, slot, minute } = local(quarter * QUARTER);
    const stretches = hours.weekly[WEEKDAYS[Math.floor(slot / 24)] ?? 'monday'];
    const open =
      !hours.holidays.includes(day) &&
      stretches.some(({ from, to }) => minute >= minutes(from) && minute < minutes(to));
    known.set(quarter, open);
    return open;
  }
  return (from: number, to: number): number => {
    let open = 0;
    for (let quarter = Math.floor(from / QUARTER); quarter * QUARTER < to; quarter++) {
      if (isOpen(quarter)) open += Math.min(to, (quarter + 1) * QUARTER) - Math.max(from, quarter * QUARTER);
    }
    return open / 1_000;
  };
}
