import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { BadRequest, Forbidden } from '../../platform/errors/index.ts';
import type { Messaging } from '../messaging.ts';
import { rows } from '../rows.ts';
import { Conversation, type ConversationStatus } from './conversation.entity.ts';
import { type ConversationView, conversationView, unreadCounts } from './conversation.view.ts';

/** What staff may narrow the list by. */
export interface ConversationFilters {
  readonly status?: ConversationStatus | undefined;
  readonly userType?: string | undefined;
  /** A user id, the caller (`me`), or nobody (`none`). */
  readonly assignedAdminId?: string | undefined;
  /** First and last day, `YYYY-MM-DD` in the tenant's zone, inclusive, on the last message. */
  readonly dateFrom?: string | undefined;
  readonly dateTo?: string | undefined;
  /**
   * Beginning of a name, email, phone number or host id; words of a message, the last one as far as it is typed; or a
   * whole id of a user or conversation.
   */
  readonly q?: string | undefined;
  /** Who opened it. */
  readonly userId?: string | undefined;
  /** Only these of them, e.g. what a live list was told has changed. */
  readonly ids?: readonly string[] | undefined;
}

/** Where to go on: a cursor that an earlier page gave, and how many. */
export interface ListPage {
  readonly cursor?: string | null | undefined;
  readonly limit: number;
}

/** Somebody on a list, as staff may see them; the reader's capabilities decide whether contacts are masked. */
export interface ListedPerson {
  readonly id: string;
  readonly userType: string;
  readonly name: string;
  readonly email: string | null;
  readonly phone: string | null;
  readonly country: string | null;
}

/** One row of a list: the contract's view, and for staff what the desk shows besides. */
export interface ListedConversation {
  readonly conversation: ConversationView;
  /** Beginning of the last text. */
  readonly preview: string | null;
  readonly previewSenderType: string | null;
  /** Since when the user has had no answer, ISO 8601; null while nobody waits. */
  readonly waitingSince: string | null;
  /** Who opened it, in full: mask contacts before showing them to whoever lacks VIEW_USER_CONTACTS. */
  readonly user: ListedPerson | null;
  readonly assignedAdmin: { readonly id: string; readonly name: string } | null;
}

/** A page of a list, newest last message first; `nextCursor` is null at the end. */
export interface ConversationList {
  readonly items: readonly ListedConversation[];
  readonly nextCursor: string | null;
}

/** The caller's own conversations. */
export async function listMyConversations(scope: Scope<Person>, page: ListPage): Promise<ConversationList> {
  return list(scope, [sql`c.opened_by = ${scope.actor.id}`], page);
}

/**
 * The conversations of support, for staff.
 * @throws Forbidden without VIEW_SUPPORT_CHAT_LIST.
 */
export async function listConversations(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'timeZone'>,
  filters: ConversationFilters,
  page: ListPage,
): Promise<ConversationList> {
  if (!scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const conditions = narrowed(scope, messaging, filters);
  const q = filters.q?.trim();
  return q ? search(scope, conditions, page, q) : list(scope, conditions, page);
}

/** What the filters ask of a row `c` of conversations, the search too, for lists that are ordered by something else. */
export async function conversationConditions(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'timeZone'>,
  filters: ConversationFilters,
): Promise<Condition[]> {
  const conditions = narrowed(scope, messaging, filters);
  const q = filters.q?.trim();
  return q ? [...conditions, await matching(scope, q)] : conditions;
}

/** Whoever walks another list looks at each row of it: by name where few were found, otherwise into what was said. */
async function matching(scope: Scope<Person>, q: string): Promise<Condition> {
  const isSaid = q.length >= MIN_SAID;
  const [found] = await rows(
    scope,
    sql<{ people: string[] | null; said: string[] | null }>`${matches(scope, q, isSaid)}`,
  );
  const own = isUuid(q) ? sql`or c.id = ${q}::uuid` : sql``;
  if (found?.people && found.said) {
    return sql`(c.opened_by = any (${found.people}::uuid[]) or c.id = any (${found.said}::uuid[]) ${own})`;
  }
  return sql`(exists (select 1 from users u where u.id = c.opened_by and ${isNamed(scope, q)} offset 0)
    or ${isSaid ? saysIt(scope, q) : sql`false`})`;
}

/** Whom the search means and where it was said, each null where there are too many to name. */
function matches(scope: Scope<Person>, q: string, isSaid: boolean): Condition {
  return sql`select people_meant(${q}, ${MAX_PEOPLE}, ${seesContacts(scope)}) as people,
    ${isSaid ? sql`conversations_saying(${q}, ${MAX_SAID})` : sql`'{}'::uuid[]`} as said`;
}

/** Whoever is not shown emails and phone numbers does not find by them either: sign by sign, they would be found out. */
function seesContacts({ actor }: Scope<Person>): boolean {
  return actor.can('VIEW_USER_CONTACTS');
}

/** Whether a row `u` of users is whom the search means. */
function isNamed(scope: Scope<Person>, q: string): Condition {
  const contacts = seesContacts(scope) ? sql`u.email, u.sub, u.phone` : sql`null, u.sub, null`;
  return sql`u.tenant_id = ${scope.tenant.id}
    and is_person(u.name, ${contacts}, lower(${q}), search_digits(${q}))`;
}

/**
 * Whether it was said in a row `c`: looked up in what is in the index of words, and in the messages only where one of
 * them has to hold several words, or that came later. The cheap look first: only what holds the first word anywhere is
 * taken apart.
 */
function saysIt(scope: Scope, q: string): Condition {
  const [word = q] = /[\p{L}\p{M}\p{N}]+/u.exec(q) ?? [];
  const one = (range: Condition) => sql`
    exists (select 1 from messages m where m.conversation_id = c.id and m.tenant_id = ${scope.tenant.id} and ${range}
      and m.body ilike ${`%${word}%`} and to_tsvector('simple', m.body) @@ said_query(${q}) offset 0)`;
  const words = sql`conversation_words w where w.conversation_id = c.id and w.tenant_id = ${scope.tenant.id}`;
  return sql`(exists (select 1 from ${words} and w.words @@ said_query(${q})
      and (numnode(said_query(${q})) = 1 or ${one(sql`m.seq <= w.upto and m.seq > w.upto - 256`)}) offset 0)
    or ${one(sql`m.seq > (select coalesce(max(w.upto), 0) from ${words})`)})`;
}

/** The filters without the search. */
function narrowed(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'timeZone'>,
  filters: ConversationFilters,
): Condition[] {
  const conditions = [sql`c.kind = 'support'`];
  if (filters.status) conditions.push(sql`c.status = ${filters.status}`);
  if (filters.userType) conditions.push(sql`c.user_type = ${filters.userType}`);
  if (filters.assignedAdminId === 'none') conditions.push(sql`c.assigned_admin_id is null`);
  else if (filters.assignedAdminId) {
    const id = filters.assignedAdminId === 'me' ? scope.actor.id : filters.assignedAdminId;
    conditions.push(sql`c.assigned_admin_id = ${id}::uuid`);
  }
  // the start of a day in the tenant's zone, summer time included, is the database's to know
  const zone = messaging.timeZone(scope.tenant.id);
  if (filters.dateFrom) {
    const start = sql`(${filters.dateFrom}::date)::timestamp at time zone ${zone}`;
    conditions.push(sql`c.active_at >= active_bin(${start}) and c.last_message_at >= ${start}`);
  }
  if (filters.dateTo) {
    const end = sql`(${filters.dateTo}::date + 1)::timestamp at time zone ${zone}`;
    conditions.push(sql`c.active_at <= active_bin(${end}) and c.last_message_at < ${end}`);
  }
  if (filters.userId) conditions.push(sql`c.opened_by = ${filters.userId}::uuid`);
  if (filters.ids) conditions.push(sql`c.id = any (${filters.ids}::uuid[])`);
  return conditions;
}

/** Shorter than this is how a name begins, and in nearly every message. */
const MIN_SAID = 2;

/** More people than this are not named one by one: looking at the newest conversations' people finds a page sooner. */
const MAX_PEOPLE = 1_500;

/** The same for rows of words that hold what is sought (`conversation_words`). */
const MAX_SAID = 2_500;

/** How many conversations are looked at for one page: into what was said in them, or only at who opened them. */
const MAX_WALKED = { said: 600, people: 4_000 };

/**
 * Few people and few messages are found by their indexes. Words or names that very many hold would make a long list of
 * which one page is shown: then the newest conversations that pass the filters are looked at one by one, which has
 * filled the page soon. Where it has not (the word was common once, or among others), the page ends early and its cursor
 * goes on from there: no page takes long, and nothing is left out.
 */
async function search(
  scope: Scope<Person>,
  conditions: readonly Condition[],
  page: ListPage,
  q: string,
): Promise<ConversationList> {
  const isSaid = q.length >= MIN_SAID;
  // from the few to their rows, whatever the planner thinks of lists that it cannot look into
  const few = sql`
    select c.* from (
      select unnest(found.said) as id
      union select o.id from conversations o
        where o.tenant_id = ${scope.tenant.id} and o.opened_by = any ((select people from found)::uuid[])
      union select ${isUuid(q) ? q : null}::uuid) few
    cross join lateral (
      select ${COLUMNS} from conversations c where c.id = few.id and ${where(scope, conditions, page)} offset 0) c
    ${ORDER} limit ${page.limit + 1}`;
  const found = await rows(
    scope,
    sql<(ListRow | Nobody) & { readonly areManyPeople: boolean; readonly areManySaid: boolean }>`
      with found as materialized (${matches(scope, q, isSaid)})
      select found.people is null as "areManyPeople", found.said is null as "areManySaid", named.*
      from found left join lateral (${named(scope, few)}) named
        on found.people is not null and found.said is not null
      order by named.last_message_at desc, named.id desc`,
  );
  const [first] = found;
  if (first?.areManySaid) return walk(scope, conditions, page, { q, says: saysIt(scope, q), most: MAX_WALKED.said });
  if (first?.areManyPeople) {
    // asked once: a list to look each of them up in
    const says = isSaid ? sql`c.id in (select unnest(conversations_saying(${q}, ${MAX_SAID})))` : sql`false`;
    return walk(scope, conditions, page, { q, says, most: MAX_WALKED.people });
  }
  const met = found.filter((one) => one.id !== null);
  return { items: await listed(scope, met.slice(0, page.limit)), nextCursor: cursorAfter(met, page) };
}

/** Looks at the newest `most` conversations that pass the filters, as far as the page needs. */
async function walk(
  scope: Scope<Person>,
  conditions: readonly Condition[],
  page: ListPage,
  { q, says, most }: { readonly q: string; readonly says: Condition; readonly most: number },
): Promise<ConversationList> {
  const walked = newest(scope, conditions, { ...page, limit: most - 1 });
  const looked = sql`
    select c.* from (${walked}) c
    where exists (select 1 from users u where u.id = c.opened_by and ${isNamed(scope, q)} offset 0) or ${says}
    ${ORDER} limit ${page.limit + 1}`;
  const met = await rows(scope, sql<ListRow>`${named(scope, looked)} order by page.last_message_at desc, page.id desc`);
  const items = await listed(scope, met.slice(0, page.limit));
  if (met.length > page.limit) return { items, nextCursor: cursorAfter(met, page) };
  const [end] = await rows(scope, sql<ListRow>`select id, at from (${walked}) walked offset ${most - 1} limit 1`);
  return { items, nextCursor: end ? writeCursor(end) : null };
}

type Condition = ReturnType<typeof sql>;

interface ListRow {
  readonly id: string;
  /** Microseconds, as the database orders; a Date would lose them and with them rows between two pages. */
  readonly at: string;
  readonly user: ListedPerson | null;
  readonly assignedAdmin: { readonly id: string; readonly name: string } | null;
}

/** What a left join gives where there is no row. */
interface Nobody {
  readonly id: null;
}

/** Keyset by (last_message_at, id), both descending. */
async function list(scope: Scope<Person>, conditions: readonly Condition[], page: ListPage): Promise<ConversationList> {
  const found = await rows(
    scope,
    sql<ListRow>`${named(scope, newest(scope, conditions, page))} order by page.last_message_at desc, page.id desc`,
  );
  return { items: await listed(scope, found.slice(0, page.limit)), nextCursor: cursorAfter(found, page) };
}

const COLUMNS = sql`c.id, c.opened_by, c.assigned_admin_id, c.active_at, c.last_message_at, c.last_message_at::text as at`;

/** Newest message first. Indexes know five minutes, which move less often than messages come; within them it is sorted. */
const ORDER = sql`order by c.active_at desc, c.last_message_at desc, c.id desc`;

/**
 * One more than the page holds, which tells whether there is a next one. Open and closed ones are looked up by
 * themselves, because they have indexes of their own: what is written goes into the open ones' few.
 */
function newest(scope: Scope, conditions: readonly Condition[], page: ListPage): Condition {
  const order = sql`${ORDER} limit ${page.limit + 1}`;
  const ofStatus = (status: ConversationStatus) => sql`
    (select ${COLUMNS} from conversations c
     where c.status = ${sql.lit(status)} and ${where(scope, conditions, page)} ${order})`;
  return sql`select c.* from (${ofStatus('open')} union all ${ofStatus('closed')}) c ${order}`;
}

/** The tenant, the conditions, and after the cursor. */
function where(scope: Scope, conditions: readonly Condition[], { cursor }: ListPage): Condition {
  const after = cursor ? readCursor(cursor) : null;
  const all = [sql`c.tenant_id = ${scope.tenant.id}`, ...conditions];
  if (after) {
    all.push(sql`(c.active_at, c.last_message_at, c.id)
      < (active_bin(${after.at}::timestamptz), ${after.at}::timestamptz, ${after.id}::uuid)`);
  }
  return sql.join(all, sql` and `);
}

/** With the people of each. */
function named(scope: Scope, page: Condition): Condition {
  return sql`
    select page.id, page.at, page.last_message_at,
      case when u.id is not null then json_build_object('id', u.id, 'userType', u.user_type, 'name', u.name,
        'email', u.email, 'phone', u.phone, 'country', u.country) end as "user",
      case when a.id is not null then json_build_object('id', a.id, 'name', a.name) end as "assignedAdmin"
    from (${page}) page
    left join users u on u.id = page.opened_by and u.tenant_id = ${scope.tenant.id}
    left join users a on a.id = page.assigned_admin_id and a.tenant_id = ${scope.tenant.id}`;
}

function cursorAfter(found: readonly ListRow[], { limit }: ListPage): string | null {
  const last = found[limit - 1];
  return found.length > limit && last ? writeCursor(last) : null;
}

async function listed(scope: Scope<Person>, page: readonly ListRow[]): Promise<ListedConversation[]> {
  if (page.length === 0) return [];
  const conversations = await scope.em.find(
    Conversation,
    { id: { $in: page.map((row) => row.id) } },
    { refresh: true },
  );
  const byId = new Map(conversations.map((one) => [one.id, one]));
  const unread = await unreadCounts(scope, conversations);
  return page.flatMap((row) => {
    const conversation = byId.get(row.id);
    if (!conversation) return [];
    return {
      conversation: conversationView(conversation, scope.actor, unread.get(row.id)),
      preview: conversation.preview ?? null,
      previewSenderType: conversation.previewSenderType ?? null,
      waitingSince: conversation.waitingSince?.toISOString() ?? null,
      user: row.user,
      assignedAdmin: row.assignedAdmin,
    };
  });
}

function writeCursor({ at, id }: Pick<ListRow, 'at' | 'id'>): string {
  return Buffer.from(`${at} ${id}`).toString('base64url');
}

/** @throws BadRequest `bad_cursor` for anything that no page of ours gave. */
function readCursor(cursor: string): { at: string; id: string } {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, at, id] = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00) ([0-9a-f-]{36})$/.exec(text) ?? [];
  if (!at || !id || !isUuid(id) || !isTime(at)) throw new BadRequest('bad_cursor', 'This cursor is not one of ours.');
  return { at, id };
}

/** A time that PostgreSQL takes too: 30 February and the year 0 are none. */
function isTime(text: string): boolean {
  const time = new Date(text);
  return text >= '1900' && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text.slice(0, 10));
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}
