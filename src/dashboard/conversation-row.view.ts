import { type BusinessClock, contactsFor, type DueResponse } from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import type { ListedConversation } from '../messaging/index.ts';
import type { SupportSettings } from '../tenancy/index.ts';
import { type DeskFilters, deskHref } from './desk-address.ts';
import { type DueView, dueView } from './due.view.ts';
import { initials } from './initials.ts';

/** One conversation in the list, as one agent sees it. */
export interface ConversationRow {
  readonly id: string;
  /** Opens it; the filters stay. */
  readonly href: string;
  /** The place in the list, the greatest first: milliseconds of the last message, or before what is due. */
  readonly key: number;
  readonly status: 'open' | 'closed';
  readonly userType: string;
  readonly name: string;
  /** Email, or phone where there is none; masked unless the reader may see contacts. */
  readonly contact: string;
  readonly lastMessageAt: string;
  readonly preview: string | null;
  readonly previewSide: string | null;
  /** Users' messages that no admin who may answer has read. */
  readonly unread: number;
  readonly holder: Holder | null;
  /** When an answer is due; null while nobody waits. */
  readonly due: DueView | null;
  /** It is the one that is open. */
  readonly current: boolean;
}

/** Who answers a conversation. */
export interface Holder {
  readonly id: string;
  readonly name: string;
  readonly initials: string;
  readonly isMe: boolean;
}

/** What a row is made for. */
export interface RowContext {
  readonly reader: Person;
  readonly filters: DeskFilters;
  readonly openId: string | null;
  readonly settings: Pick<SupportSettings, 'firstResponseTargetMinutes' | 'nextResponseTargetMinutes'>;
  readonly clock: BusinessClock;
  /** Running waits, by conversation. */
  readonly dues: ReadonlyMap<string, DueResponse>;
  readonly now: Date;
}

/** Later than everything that is due. */
const NEVER = 8.64e15;

/** The row of a listed conversation. */
export function conversationRow(listed: ListedConversation, context: RowContext): ConversationRow {
  const { conversation, user } = listed;
  const { email, phone } = contactsFor(context.reader, { email: user?.email ?? null, phone: user?.phone ?? null });
  const lastMessageAt = conversation.lastMessageAt ?? conversation.createdAt;
  const due = dueView(listed, context);
  return {
    id: conversation.id,
    href: deskHref(conversation.id, context.filters),
    key:
      (context.filters.sort ?? context.filters.late)
        ? -(due?.dueAt ? Date.parse(due.dueAt) : NEVER)
        : Date.parse(lastMessageAt),
    status: conversation.status,
    userType: conversation.userType ?? '',
    name: user?.name ?? '',
    contact: email ?? phone ?? '',
    lastMessageAt,
    preview: listed.preview,
    previewSide: listed.previewSenderType,
    unread: conversation.unreadByStaff ?? 0,
    holder: listed.assignedAdmin && holderOf(listed.assignedAdmin, context.reader),
    due,
    current: conversation.id === context.openId,
  };
}

/** Who holds it, seen by `reader`. */
export function holderOf(admin: { readonly id: string; readonly name: string }, reader: Pick<Person, 'id'>): Holder {
  return { id: admin.id, name: admin.name, initials: initials(admin.name), isMe: admin.id === reader.id };
}
