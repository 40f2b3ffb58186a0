import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../platform/database/index.ts';
import { rows } from '../rows.ts';
import type { StoredMessage } from './stored-message.ts';

/** Which part of a log: the newest page, the one before or after a place, or what changed after a version. */
export type LogWindow =
  | { readonly newest: true }
  | { readonly before: number }
  | { readonly after: number }
  | { readonly changedAfter: number };

/** A page of a log. */
export interface LogPage {
  /** By place, oldest first; for `changedAfter` by version, oldest first. */
  readonly items: readonly StoredMessage[];
  /** Whether there is more in the direction that was asked: earlier for `newest` and `before`, later for the others. */
  readonly hasMore: boolean;
}

const MAX_PLACE = 2_147_483_647;

/** Most messages one page holds. */
const MAX_PAGE = 100;

/**
 * Reads a page of a conversation that the caller was let into (`accessConversation`). One query, names included.
 * Whoever keeps a cursor reads the conversation's `version` before the page, never after.
 */
export async function readLog(
  scope: Scope,
  conversationId: string,
  window: LogWindow,
  limit: number,
): Promise<LogPage> {
  const size = Math.min(Math.max(1, limit), MAX_PAGE);
  const found = await rows(scope, statement(scope, conversationId, window, size + 1));
  const backwards = 'newest' in window || 'before' in window;
  const page = found.slice(0, size).map(stored);
  return { items: backwards ? page.reverse() : page, hasMore: found.length > size };
}

/** One message by id, in a conversation that the caller was let into. */
export async function readMessage(scope: Scope, conversationId: string, id: string): Promise<StoredMessage | null> {
  const [found] = await rows(
    scope,
    sql<LogRow>`${COLUMNS} messages ${SENDERS} where m.id = ${id} and m.conversation_id = ${conversationId} and m.tenant_id = ${scope.tenant.id}`,
  );
  return found ? stored(found) : null;
}

/** The driver's timestamps are text once the ORM has set up its parsers. */
interface LogRow extends Omit<StoredMessage, 'createdAt' | 'editedAt' | 'deletedAt' | 'data'> {
  readonly data: StoredMessage['data'] | string;
  readonly createdAt: string | Date;
  readonly editedAt: string | Date | null;
  readonly deletedAt: string | Date | null;
}

const COLUMNS = sql`
  select m.id, m.tenant_id as "tenantId", m.conversation_id as "conversationId", m.seq, m.version,
    m.first_version as "firstVersion", m.sender_type as "senderType", m.sender_id as "senderId", u.name as "senderName",
    u.user_type as "senderUserType", m.message_type as "messageType", m.event, m.data, m.body,
    m.reply_to_id as "replyToId", m.client_id as "clientId", m.created_at as "createdAt", m.edited_at as "editedAt",
    m.deleted_at as "deletedAt"
  from`;

const SENDERS = sql`m left join users u on u.id = m.sender_id and u.tenant_id = m.tenant_id`;

/**
 * Places are told by number, which they can be because none is missing: so a page of a very long log costs as much as
 * one of a short log, also in a database without statistics, where a plan may read all of a conversation and sort it.
 */
function statement(scope: Scope, conversationId: string, window: LogWindow, limit: number) {
  const own = sql`from messages o where o.conversation_id = ${conversationId} and o.tenant_id = ${scope.tenant.id}`;
  const last = sql`(select c.last_seq from conversations c where c.id = ${conversationId} and c.tenant_id = ${scope.tenant.id})`;
  if ('before' in window) {
    const { before } = window;
    return page(
      sql`${own} and o.seq < ${before} and o.seq >= least(${before}::integer, ${last} + 1) - ${limit}::integer`,
      sql`seq desc`,
    );
  }
  if ('after' in window) {
    const { after } = window;
    return page(sql`${own} and o.seq > ${after} and o.seq <= ${Math.min(after + limit, MAX_PLACE)}`, sql`seq`);
  }
  if ('changedAfter' in window) return page(sql`${own} and o.version > ${window.changedAfter}`, sql`version`);
  return page(sql`${own} and o.seq > ${last} - ${limit}::integer`, sql`seq desc`);

  function page(which: RawBuilder<unknown>, order: RawBuilder<unknown>) {
    return sql<LogRow>`${COLUMNS} (select o.* ${which} order by o.${order} limit ${limit}) ${SENDERS} order by m.${order}`;
  }
}

function stored(row: LogRow): StoredMessage {
  return {
    ...row,
    data: typeof row.data === 'string' ? JSON.parse(row.data) : row.data,
    createdAt: new Date(row.createdAt),
    editedAt: row.editedAt === null ? null : new Date(row.editedAt),
    deletedAt: row.deletedAt === null ? null : new Date(row.deletedAt),
  };
}
