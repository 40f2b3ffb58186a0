import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import {
  type ConversationFilters,
  type ConversationList,
  conversationConditions,
  type ListPage,
  listConversations,
  type Messaging,
  rows,
} from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { BadRequest, Forbidden } from '../../platform/errors/index.ts';

/** Late ones are counted so far. */
const MAX_LATE_COUNTED = 1_000;

/** What of those who wait. */
export interface DueFilters extends ConversationFilters {
  /** Only those whose answer is late. */
  readonly late?: boolean | undefined;
}

/**
 * The conversations in which somebody waits for an answer, what is due first coming first, narrowed like every list.
 * @throws Forbidden without VIEW_SUPPORT_CHAT_LIST; BadRequest `bad_cursor`.
 */
export async function listDueConversations(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'timeZone'>,
  { late, ...filters }: DueFilters,
  { cursor, limit }: ListPage,
): Promise<ConversationList> {
  if (!scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const where = [sql`r.tenant_id = ${scope.tenant.id} and r.settled_at is null`];
  const narrowed = [
    sql`c.id = r.conversation_id and c.tenant_id = ${scope.tenant.id}`,
    sql`c.status = 'open' and c.waiting_since = r.waiting_since`,
    ...(await conversationConditions(scope, messaging, filters)),
  ];
  if (late) where.push(sql`r.breached_at is not null`);
  const after = cursor ? readCursor(cursor) : null;
  if (after) {
    where.push(
      sql`(coalesce(r.due_at, 'infinity'), r.conversation_id) > (${after.at}::timestamptz, ${after.id}::uuid)`,
    );
  }
  const found = await rows(
    scope,
    // offset 0: walked in the order of the index until the page is full, never sorted as a whole
    sql<{ id: string; at: string }>`
      select r.conversation_id as id, coalesce(r.due_at, 'infinity')::text as at
      from response_clocks r
      cross join lateral (select 1 from conversations c where ${sql.join(narrowed, sql` and `)} offset 0) c
      where ${sql.join(where, sql` and `)}
      order by coalesce(r.due_at, 'infinity'), r.conversation_id limit ${limit + 1}`,
  );
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const ids = page.map(({ id }) => id);
  const { items } = ids.length > 0 ? await listConversations(scope, messaging, { ids }, { limit }) : { items: [] };
  const byId = new Map(items.map((item) => [item.conversation.id, item]));
  return {
    items: ids.flatMap((id) => byId.get(id) ?? []),
    nextCursor: found.length > limit && last ? Buffer.from(`${last.at} ${last.id}`).toString('base64url') : null,
  };
}

/**
 * How many wait for an answer that is late; a thousand at most.
 * @throws Forbidden without VIEW_SUPPORT_CHAT_LIST.
 */
export async function countLate(scope: Scope<Person>): Promise<number> {
  if (!scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const [counted] = await rows(
    scope,
    sql<{ count: number }>`
      select count(*)::int as count from (
        select 1 from response_clocks r join conversations c on c.id = r.conversation_id
        where r.tenant_id = ${scope.tenant.id} and r.settled_at is null and r.breached_at is not null
          and c.tenant_id = ${scope.tenant.id} and c.status = 'open' and c.waiting_since = r.waiting_since
        limit ${MAX_LATE_COUNTED}) late`,
  );
  return counted?.count ?? 0;
}

/** @throws BadRequest `bad_cursor` for anything that no page of ours gave. */
function readCursor(cursor: string): { at: string; id: string } {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, at, id] =
    /^(infinity|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00) ([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/.exec(
      text,
    ) ?? [];
  const isTime = at === 'infinity' || (at !== undefined && at >= '1900' && isDay(at));
  if (!at || !id || !isTime) throw new BadRequest('bad_cursor', 'This cursor is not one of ours.');
  return { at, id };
}

/** One that PostgreSQL takes too: 30 February is none. */
function isDay(text: string): boolean {
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text.slice(0, 10));
}
