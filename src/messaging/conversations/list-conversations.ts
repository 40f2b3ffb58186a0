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
  return list(scope, await conversationConditions(scope, messaging, filters), page);
}

/** What the filters ask of a row `c` of conversations, for lists that are ordered by something else. */
export async function conversationConditions(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'timeZone'>,
  filters: ConversationFilters,
): Promise<ReturnType<typeof sql>[]> {
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
    conditions.push(sql`c.last_message_at >= (${filters.dateFrom}::date)::timestamp at time zone ${zone}`);
  }
  if (filters.dateTo) {
    conditions.push(sql`c.last_message_at < (${filters.dateTo}::date + 1)::timestamp at time zone ${zone}`);
  }
  if (filters.userId) conditions.push(sql`c.opened_by = ${filters.userId}::uuid`);
  if (filters.ids) conditions.push(sql`c.id = any (${filters.ids}::uuid[])`);
  const q = filters.q?.trim();
  if (q) conditions.push(await matching(scope, q));
  return conditions;
}

/** People are found by a function of their own: under row-level security a prefix of text is no index condition. */
async function matching(scope: Scope, q: string) {
  const people = await rows(scope, sql<{ id: string }>`select id from find_people(${q}) as id`);
  const openers = sql`c.opened_by = any (${people.map((one) => one.id)}::uuid[])`;
  if (isUuid(q)) return sql`(${openers} or c.id = ${q}::uuid)`;
  return sql`(${openers} or ${await saying(scope, q)})`;
}

/** Shorter than this is how a name begins, and in nearly every message. */
const MIN_SEARCHED = 3;

/** Looking into one takes a twentieth of a millisecond. */
const MAX_WALKED = 2_000;

/**
 * Words that few messages hold are found by their index. Words that very many hold would make a long list of which one
 * page is shown: then the newest conversations are looked into one by one, which has filled the page soon. It ends with
 * the two thousand newest; whoever looks for a word that is in thousands of messages adds another one.
 */
async function saying(scope: Scope, q: string) {
  if (q.length < MIN_SEARCHED) return sql`false`;
  const [found] = await rows(scope, sql<{ ids: string[] | null }>`select conversations_saying(${q}) as ids`);
  if (found?.ids) return sql`c.id = any (${found.ids}::uuid[])`;
  const [word = q] = /[\p{L}\p{M}\p{N}]+/u.exec(q) ?? [];
  // what is cheap to ask comes first: PostgreSQL keeps the order inside of an OR
  return sql`(c.last_message_at >= coalesce((
    select last_message_at from conversations where tenant_id = ${scope.tenant.id}
    order by last_message_at desc offset ${MAX_WALKED} limit 1), '-infinity')
    and conversation_says(c.id, said_query(${q}), ${`%${word}%`}))`;
}

interface ListRow {
  readonly id: string;
  /** Microseconds, as the database orders; a Date would lose them and with them rows between two pages. */
  readonly at: string;
  readonly user: ListedPerson | null;
  readonly assignedAdmin: { readonly id: string; readonly name: string } | null;
}

/** Keyset by (last_message_at, id), both descending, as every list index of the table ends. */
async function list(
  scope: Scope<Person>,
  conditions: readonly ReturnType<typeof sql>[],
  { cursor, limit }: ListPage,
): Promise<ConversationList> {
  const after = cursor ? readCursor(cursor) : null;
  const where = [sql`c.tenant_id = ${scope.tenant.id}`, ...conditions];
  if (after) where.push(sql`(c.last_message_at, c.id) < (${after.at}::timestamptz, ${after.id}::uuid)`);
  const found = await rows(
    scope,
    sql<ListRow>`
      select page.id, page.at,
        case when u.id is not null then json_build_object('id', u.id, 'userType', u.user_type, 'name', u.name,
          'email', u.email, 'phone', u.phone, 'country', u.country) end as "user",
        case when a.id is not null then json_build_object('id', a.id, 'name', a.name) end as "assignedAdmin"
      from (
        select c.id, c.opened_by, c.assigned_admin_id, c.last_message_at, c.last_message_at::text as at
        from conversations c where ${sql.join(where, sql` and `)}
        order by c.last_message_at desc, c.id desc limit ${limit + 1}) page
      left join users u on u.id = page.opened_by and u.tenant_id = ${scope.tenant.id}
      left join users a on a.id = page.assigned_admin_id and a.tenant_id = ${scope.tenant.id}
      order by page.last_message_at desc, page.id desc`,
  );
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    items: await listed(scope, page),
    nextCursor: found.length > limit && last ? writeCursor(last) : null,
  };
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
