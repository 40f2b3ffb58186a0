import type { Person } from '../identity/index.ts';
import {
  attachView,
  type ListedConversation,
  listMyConversations,
  MAX_MESSAGE_LENGTH,
  unsentAttachments,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { newId } from '../platform/text/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { aboutOf, formId, pendingMessage, type Refused } from './conversation-page.ts';
import { deskState } from './desk-state.ts';
import { conversationPath, homePath, supportPath } from './paths.ts';
import { topicsOf } from './topics.ts';

/** So many of one's conversations are on the list. */
const LIST_SIZE = 50;

/** One of a user's conversations, as `/chat/_row` draws it. */
interface RowView {
  readonly href: string;
  /** What it is about, where that is known. */
  readonly label: string | null;
  readonly topic: string | null;
  readonly status: string;
  readonly createdAt: string;
  readonly lastMessageAt: string;
  readonly preview: string | null;
  readonly side: string | null;
  readonly unreadCount: number;
}

/** Everything `/chat/home` shows: the menu with its one entry, and how many messages wait behind it. */
export async function homePage(deps: ChatDeps, scope: Scope<Person>): Promise<object> {
  const { actor } = scope;
  const rows = await myRows(scope);
  return {
    me: { id: actor.id, name: actor.name, userType: actor.userType },
    home: {
      tenantName: deps.tenancy.tenant(scope.tenant.id).name,
      supportHref: supportPath(actor.userType),
      isOn: deps.messaging.settings(scope.tenant.id).enabled,
      conversation: rows[0] ?? null,
    },
    badge: {
      count: rows.reduce((sum, row) => sum + row.unreadCount, 0),
      userId: actor.id,
      reloadUrl: homePath(actor.userType),
    },
    live: badgesOnly(actor),
  };
}

/** Everything `/chat/conversations` shows: the open one or the start of one, and the older ones. */
export async function listPage(deps: ChatDeps, scope: Scope<Person>, refused?: Refused): Promise<object> {
  const { actor } = scope;
  const rows = await myRows(scope);
  const settings = deps.messaging.settings(scope.tenant.id);
  return {
    me: { id: actor.id, name: actor.name, userType: actor.userType },
    isOn: settings.enabled,
    desk: await deskState(deps, scope),
    open: rows.find((row) => row.status === 'open') ?? null,
    conversations: rows.filter((row) => row.status !== 'open'),
    start: {
      action: supportPath(actor.userType),
      clientId: formId(refused),
      text: refused?.text ?? '',
      error: refused?.error ?? null,
      maxLength: Math.min(settings.maxMessageLength, MAX_MESSAGE_LENGTH),
      label: actor.context?.label ?? null,
      topics: topicsOf(actor.userType),
      topic: refused?.topic ?? null,
      pending: pendingMessage(actor, newId(), scope.now),
      attach: attachView(settings, null, await unsentAttachments(scope, refused?.attachmentIds ?? [])),
    },
    homeHref: homePath(actor.userType),
    selfHref: supportPath(actor.userType),
    live: badgesOnly(actor),
  };
}

/** How many messages wait for this person, as the badge says it. */
export async function unreadOf(scope: Scope<Person>): Promise<number> {
  const { items } = await listMyConversations(scope, { limit: LIST_SIZE });
  return items.reduce((sum, { conversation }) => sum + conversation.unreadCount, 0);
}

async function myRows(scope: Scope<Person>): Promise<RowView[]> {
  const { items } = await listMyConversations(scope, { limit: LIST_SIZE });
  return items.map((item) => rowView(scope.actor, item));
}

function rowView(person: Person, { conversation, preview, previewSenderType }: ListedConversation): RowView {
  return {
    href: conversationPath(person.userType, conversation.id),
    ...aboutOf(conversation),
    status: conversation.status,
    createdAt: conversation.createdAt,
    lastMessageAt: conversation.lastMessageAt ?? conversation.createdAt,
    preview,
    side: previewSenderType,
    unreadCount: conversation.unreadCount,
  };
}

/** Pages without a chat hold no socket: badges come by event stream. */
function badgesOnly(person: Person): object {
  return { rooms: [{ room: `user_${person.id}`, after: '' }], pauses: true, first: 'sse' };
}
