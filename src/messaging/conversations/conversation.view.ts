import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { rows } from '../rows.ts';
import type { Conversation, ConversationContext, ConversationStatus, Priority } from './conversation.entity.ts';

/** A conversation as the contract shows it. The last two members are there for staff only. */
export interface ConversationView {
  readonly id: string;
  readonly kind: string;
  readonly userId: string | null;
  readonly userType: string | null;
  readonly subject: string | null;
  readonly topic: string | null;
  readonly context: ConversationContext | null;
  readonly status: ConversationStatus;
  readonly priority: Priority;
  readonly lastSeq: number;
  readonly version: number;
  /** Others' messages after the caller's read mark; system lines are not counted. For staff at most 1,000. */
  readonly unreadCount: number;
  /** ISO 8601 UTC; null while there is no message. */
  readonly lastMessageAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly closedAt: string | null;
  readonly assignedAdminId?: string | null;
  /** Users' messages that no admin who may answer has read. */
  readonly unreadByStaff?: number;
}

/** More unread messages than this are shown as this many: counting stays cheap whatever the conversation holds. */
const MAX_UNREAD = 1_000;

/**
 * The contract's JSON of a conversation. `unreadCount` of an admin comes from `unreadCounts()`; where a frame goes to
 * several admins at once it is left out and stands for the staff's count.
 */
export function conversationView(
  conversation: Omit<Conversation, 'isOpen' | 'isOpenedBy'>,
  viewer: Pick<Person, 'side'>,
  unreadCount?: number,
): ConversationView {
  const isStaff = viewer.side === 'admin';
  return {
    id: conversation.id,
    kind: conversation.kind,
    userId: conversation.openedBy ?? null,
    userType: conversation.userType ?? null,
    subject: conversation.subject ?? null,
    topic: conversation.topic ?? null,
    context: conversation.context ?? null,
    status: conversation.status,
    priority: conversation.priority,
    lastSeq: conversation.lastSeq,
    version: conversation.version,
    unreadCount: unreadCount ?? (isStaff ? conversation.unreadByStaff : conversation.unreadByUser),
    lastMessageAt: conversation.lastSeq === 0 ? null : conversation.lastMessageAt.toISOString(),
    createdAt: conversation.createdAt.toISOString(),
    updatedAt: conversation.updatedAt.toISOString(),
    closedAt: conversation.closedAt?.toISOString() ?? null,
    ...(isStaff
      ? { assignedAdminId: conversation.assignedAdminId ?? null, unreadByStaff: conversation.unreadByStaff }
      : {}),
  };
}

/** The view with the caller's own unread count, which for staff is one more query. */
export async function conversationFor(scope: Scope<Person>, conversation: Conversation): Promise<ConversationView> {
  const counts = await unreadCounts(scope, [conversation]);
  return conversationView(conversation, scope.actor, counts.get(conversation.id));
}

/**
 * How many messages of others the caller has not read, by conversation id. Users: the counter that the append keeps.
 * Admins: counted after their own mark by the index on (conversation, seq), at most 1,000 each, in one query.
 */
export async function unreadCounts(
  scope: Scope<Person>,
  conversations: readonly Conversation[],
): Promise<Map<string, number>> {
  if (scope.actor.side === 'user') return new Map(conversations.map((one) => [one.id, one.unreadByUser]));
  // most conversations on a list have been read to the end by whoever looks at them: those cost no query
  const ids = conversations.filter((one) => one.lastSeq > 0).map((one) => one.id);
  if (ids.length === 0) return new Map();
  const counted = await rows(
    scope,
    sql<{ id: string; unread: number }>`
      select asked.id, counted.unread
      from unnest(${ids}::uuid[]) as asked (id)
      left join conversation_participants p
        on p.conversation_id = asked.id and p.user_id = ${scope.actor.id} and p.tenant_id = ${scope.tenant.id}
      cross join lateral (
        select count(*)::int as unread from (
          select 1 from messages m
          where m.conversation_id = asked.id and m.tenant_id = ${scope.tenant.id} and m.seq > coalesce(p.read_seq, 0)
            and m.sender_type <> 'system' and m.sender_id is distinct from ${scope.actor.id}
          limit ${MAX_UNREAD}) found) counted`,
  );
  return new Map(counted.map((one) => [one.id, one.unread]));
}
