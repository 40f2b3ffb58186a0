import { type RawBuilder, sql } from 'kysely';
import type { Person } from '../identity/index.ts';
import { rows } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Forbidden } from '../platform/errors/index.ts';
import { narrowed, type ReportFilter } from './ask/filter.ts';
import { atOneMoment } from './ask/moment.ts';
import { AGES, type Age, openedWithin } from './ask/open-now.ts';
import { readSpreads } from './ask/percentiles.ts';
import type { Period } from './ask/period.ts';
import { readSums } from './ask/sums.ts';
import { COUNTERS, ratingKey, slotKey } from './measures.ts';
import { readReportState } from './model/report-state.ts';
import { isBeingMade } from './overview.ts';

/** The numbers of the reports that have something behind them. */
export const BEHIND = [
  'opened',
  'closed',
  'reopened',
  'abandoned',
  'rated',
  'autoAssigned',
  'autoClosed',
  'messagesIn',
  'messagesOut',
  'first',
  'response',
  'resolution',
  'open',
  'waiting',
] as const;
export type Behind = (typeof BEHIND)[number];

/** Which number, and what narrows it besides the report's filter. */
export interface BehindAsked {
  readonly behind: Behind;
  readonly period: Period;
  readonly filter: ReportFilter;
  /** Of `opened`: an hour of the week. */
  readonly slot: number | null;
  /** Of `rated`: 1 to 5. */
  readonly score: number | null;
  /** Of `open`. */
  readonly age: Age | null;
  /** Of durations: `in` or `out` of the target (seconds), by the clock. */
  readonly target: { readonly side: 'in' | 'out'; readonly seconds: number; readonly clock: 'all' | 'open' } | null;
}

/** One conversation, or one answer, behind a number. Times are ISO 8601. */
export interface BehindRow {
  readonly conversationId: string;
  /** What the number counts here: 1, or so many messages. */
  readonly counts: number;
  readonly openedAt: string;
  readonly closedAt: string | null;
  readonly userType: string;
  readonly topic: string;
  readonly country: string;
  /** Who holds it; of answers and messages, who wrote. */
  readonly agentId: string | null;
  /** When it counted. */
  readonly at: string | null;
  /** Of durations and closed conversations. */
  readonly secs: number | null;
  readonly openSecs: number | null;
  readonly rating: number | null;
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Where the next page begins. */
  readonly place: string;
}

/** A page of rows, and how many there are in all. */
export interface BehindPage {
  readonly rows: readonly BehindRow[];
  /** What the number says: rows, or messages in them. */
  readonly total: number;
  /** For `before`; null at the end. */
  readonly next: string | null;
}

/** Where rows come from: `f` has the day and the agent that count, `c` is the conversation. */
interface Source {
  readonly from: RawBuilder<unknown>;
  readonly day: string;
  readonly agent: string;
  readonly at: string;
  readonly secs?: string;
  readonly openSecs?: string;
  readonly where?: RawBuilder<unknown>;
  readonly counts?: RawBuilder<unknown>;
  readonly nth?: RawBuilder<unknown>;
}

const OF_CONVERSATIONS = sql`report_conversations f`;

const CLOSED: Source = {
  from: OF_CONVERSATIONS,
  day: 'f.closed_day',
  agent: 'agent_id',
  at: 'f.closed_at',
  secs: 'f.resolution_secs',
  openSecs: 'f.resolution_open_secs',
};
const OPEN: Source = {
  from: OF_CONVERSATIONS,
  day: 'f.opened_day',
  agent: 'agent_id',
  at: 'f.opened_at',
  where: sql`and f.closed_at is null`,
};
const MESSAGES: Source = {
  from: sql`report_activity f`,
  day: 'f.day',
  agent: 'agent_id',
  at: 'f.day',
  counts: sql`f.messages`,
  // one conversation may have several writers on a day
  nth: sql`hashtext(coalesce(f.agent_id::text, ''))`,
};

const SOURCES: Readonly<Record<Behind, Source>> = {
  opened: { from: OF_CONVERSATIONS, day: 'f.opened_day', agent: 'agent_id', at: 'f.opened_at' },
  closed: CLOSED,
  abandoned: { ...CLOSED, where: sql`and f.is_abandoned` },
  autoClosed: { ...CLOSED, where: sql`and f.is_auto_closed` },
  rated: { ...CLOSED, where: sql`and f.rating is not null` },
  resolution: { ...CLOSED, where: sql`and f.resolution_secs is not null` },
  reopened: { from: OF_CONVERSATIONS, day: 'f.reopened_day', agent: 'agent_id', at: 'f.reopened_at' },
  autoAssigned: { from: OF_CONVERSATIONS, day: 'f.auto_assigned_day', agent: 'agent_id', at: 'f.auto_assigned_at' },
  first: {
    from: OF_CONVERSATIONS,
    day: 'f.first_day',
    agent: 'first_agent_id',
    at: 'f.first_at',
    secs: 'f.first_secs',
    openSecs: 'f.first_open_secs',
  },
  response: {
    from: sql`report_responses f`,
    day: 'f.day',
    agent: 'agent_id',
    at: 'f.at',
    secs: 'f.secs',
    openSecs: 'f.open_secs',
    nth: sql`f.seq`,
  },
  messagesIn: { ...MESSAGES, where: sql`and f.side = 'in'` },
  messagesOut: { ...MESSAGES, where: sql`and f.side = 'out'` },
  open: OPEN,
  waiting: { ...OPEN, at: 'f.waiting_since', where: sql`and f.closed_at is null and f.waiting_since is not null` },
};

/** True for a number that says how it is now, whatever the period. */
export function isOfNow(behind: Behind): boolean {
  return behind === 'open' || behind === 'waiting';
}

/**
 * What is behind a number, newest day first, and the number itself.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS.
 */
export async function readBehind(
  scope: Scope<Person>,
  asked: BehindAsked,
  { before, limit }: { readonly before: string | null; readonly limit: number },
): Promise<BehindPage> {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
  return atOneMoment(scope, async (inside) => {
    const total = await countBehind(inside, asked);
    if (total === 0) return { rows: [], next: null, total };
    return { ...(await readPage(inside, asked, before, limit)), total };
  });
}

/** A page without the count, for downloads. */
export async function readPage(
  scope: Scope,
  asked: BehindAsked,
  before: string | null,
  limit: number,
): Promise<{ rows: BehindRow[]; next: string | null }> {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
  const source = SOURCES[asked.behind];
  const day = sql.ref(source.day);
  const { nth } = source;
  const place = before === null ? null : placeOf(before);
  const found = await rows(
    scope,
    sql<Omit<BehindRow, 'at' | 'openedAt' | 'closedAt'> & { at: string; openedAt: string; closedAt: string | null }>`
      with page as (
        select f.conversation_id as id, ${day} as day, ${nth ?? sql`0`} as nth, ${sql.ref(source.at)}::timestamptz as at,
          ${source.counts ?? sql`1`} as counts, ${sql.ref(`f.${source.agent}`)} as agent_id,
          ${source.secs ? sql.ref(source.secs) : sql`null::int`} as secs,
          ${source.openSecs ? sql.ref(source.openSecs) : sql`null::int`} as open_secs
        from ${source.from}
        where ${conditions(scope, asked, source)} ${place ? isAfter(place, day, nth) : sql``}
        order by ${day} desc, f.conversation_id desc ${nth ? sql`, ${nth} desc` : sql``} limit ${limit + 1}
      )
      select c.conversation_id as "conversationId", p.counts, ${iso('c.opened_at')} as "openedAt",
        ${iso('c.closed_at')} as "closedAt", c.user_type as "userType", c.topic, c.country, p.agent_id as "agentId",
        ${source.counts ? sql`to_char(p.day, 'YYYY-MM-DD')` : iso('p.at')} as at, p.secs, p.open_secs as "openSecs",
        c.rating, c.messages_in as "messagesIn", c.messages_out as "messagesOut",
        p.day || '_' || p.id || '_' || p.nth as place
      from page p join report_conversations c on c.conversation_id = p.id and c.tenant_id = ${scope.tenant.id}
      order by p.day desc, p.id desc, p.nth desc`,
  );
  const shown = found.slice(0, limit);
  return { rows: shown, next: found.length > limit ? (shown.at(-1)?.place ?? null) : null };
}

/** Rows that come after a place, in the order of the index. */
function isAfter(
  { day, id, nth: place }: NonNullable<ReturnType<typeof placeOf>>,
  dayColumn: RawBuilder<unknown>,
  nth: RawBuilder<unknown> | undefined,
): RawBuilder<unknown> {
  return nth
    ? sql`and (${dayColumn}, f.conversation_id, ${nth}) < (${day}::date, ${id}::uuid, ${place}::int)`
    : sql`and (${dayColumn}, f.conversation_id) < (${day}::date, ${id}::uuid)`;
}

/**
 * The number itself, from the same sums as the report that led here: counting a million rows takes longer than showing
 * fifty of them. What is so now, and what is still being made, is counted from the rows.
 */
async function countBehind(scope: Scope, asked: BehindAsked): Promise<number> {
  const { behind, period, filter, slot, score, target } = asked;
  if (behind === 'open' || behind === 'waiting' || isBeingMade(await readReportState(scope))) {
    return countRows(scope, asked);
  }
  const sums = await readSums(scope, period, filter);
  if (behind === 'first' || behind === 'response' || behind === 'resolution') {
    const of = { duration: behind, clock: target?.clock ?? 'all', targetSeconds: target?.seconds ?? 0 };
    const [spread] = await readSpreads(scope, [{ of, source: { sums, period, filter } }]);
    const { count, within } = spread ?? { count: 0, within: 0 };
    if (!target) return count;
    return target.side === 'in' ? within : count - within;
  }
  if (behind === 'opened' && slot !== null) return sums.get(slotKey(slot)) ?? 0;
  if (behind === 'rated' && score !== null) return score > 0 ? (sums.get(ratingKey(score)) ?? 0) : 0;
  return sums.get(COUNTERS[behind]) ?? 0;
}

async function countRows(scope: Scope, asked: BehindAsked): Promise<number> {
  const source = SOURCES[asked.behind];
  const [row] = await rows(
    scope,
    sql<{ n: number }>`
      select coalesce(sum(${source.counts ?? sql`1`}), 0)::float8 as n from ${source.from}
      where ${conditions(scope, asked, source)}`,
  );
  return row?.n ?? 0;
}

function conditions(scope: Scope, asked: BehindAsked, source: Source): RawBuilder<unknown> {
  const { period, filter, slot, score, target, age } = asked;
  const parts = [sql`f.tenant_id = ${scope.tenant.id} ${source.where ?? sql``} ${narrowed(filter, 'f', source.agent)}`];
  if (!isOfNow(asked.behind)) {
    parts.push(sql`${sql.ref(source.day)} between ${period.from}::date and ${period.to}::date`);
  }
  if (asked.behind === 'opened' && slot !== null) parts.push(sql`f.opened_slot = ${slot}`);
  if (asked.behind === 'rated' && score !== null) parts.push(sql`f.rating = ${score}`);
  if (asked.behind === 'open' && age !== null) {
    const { after, until } = openedWithin(age, scope.now);
    if (age !== AGES[0].name) parts.push(sql`f.opened_at <= ${until}`);
    if (after) parts.push(sql`f.opened_at > ${after}`);
  }
  const seconds = target && (target.clock === 'all' ? source.secs : source.openSecs);
  if (target && seconds) {
    parts.push(
      target.side === 'in'
        ? sql`${sql.ref(seconds)} <= ${target.seconds}`
        : sql`${sql.ref(seconds)} > ${target.seconds}`,
    );
  }
  return sql.join(parts, sql` and `);
}

function iso(column: string): RawBuilder<unknown> {
  return sql`to_char(${sql.ref(column)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

const PLACE = /^(\d{4}-\d\d-\d\d)_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_(-?\d{1,10})$/;

/** True for what a page gave as `next`. */
export function isPlace(text: string): boolean {
  return placeOf(text) !== null;
}

function placeOf(text: string): { day: string; id: string; nth: number } | null {
  const [, day, id, nth] = PLACE.exec(text) ?? [];
  if (!day || !id || Number.isNaN(Date.parse(day)) || Math.abs(Number(nth)) > 2_147_483_648) return null;
  return { day, id, nth: Number(nth) };
}
