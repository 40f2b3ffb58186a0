import { type NoteLine, staffRoom } from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import {
  type AttachmentView,
  type AttachView,
  attachView,
  type Conversation,
  type ListedConversation,
  type LogPage,
  type MessageItem,
  type MessageView,
  messageItem,
  messageView,
  type StoredMessage,
} from '../messaging/index.ts';
import { type Holder, holderOf } from './conversation-row.view.ts';
import { DESK, type DeskFilters, deskHref, deskQuery } from './desk-address.ts';
import type { DueView } from './due.view.ts';

/** What agents say in a word; users have words of their own. */
const STAFF_REACTIONS = ['thanks', 'got_it', 'looking_into_it'] as const;

/** What the place to answer is: a field, a field that takes over, or the reason why there is none. */
export type AnswerMode = 'write' | 'takeOver' | 'closed' | 'readOnly' | 'theirs';

/** How a conversation stands, and what this agent may do about it now. */
export interface ThreadState {
  readonly id: string;
  readonly name: string;
  readonly userType: string;
  readonly status: 'open' | 'closed';
  readonly holder: Holder | null;
  /** When an answer is due; null while nobody waits. */
  readonly due: DueView | null;
  readonly can: {
    readonly claim: boolean;
    readonly takeOver: boolean;
    readonly close: boolean;
    readonly reopen: boolean;
    readonly note: boolean;
  };
  readonly answer: { readonly mode: AnswerMode; readonly holderId: string | null };
  readonly backHref: string;
  /** Gives this state again. */
  readonly stateHref: string;
  /** The filters, for the addresses of forms. */
  readonly query: string;
  readonly composer: ComposerView;
  readonly noteForm: NoteFormView;
  /** The message that something is to be done with; null for none. */
  readonly chosen: ChosenMessage | null;
}

/** One message, what may be done with it, and which of that was chosen. */
export interface ChosenMessage {
  readonly seq: number;
  readonly name: string;
  readonly body: string;
  readonly createdAt: string;
  readonly doing: 'choose' | 'reply' | 'edit';
  readonly can: { readonly reply: boolean; readonly react: boolean; readonly edit: boolean; readonly delete: boolean };
  /** The words that staff may put on it, and the one that the reader has put. */
  readonly reactions: readonly string[];
  readonly reaction: string | null;
  readonly reactAction: string;
  readonly replyHref: string;
  readonly editHref: string;
  readonly editAction: string;
  readonly deleteAction: string;
  readonly closeHref: string;
}

/** Where a private note is written. */
export interface NoteFormView {
  readonly action: string;
  readonly maxLength: number;
  readonly clientId: string;
  readonly text: string;
  readonly error: Refused['error'] | null;
  /** Gives colleagues whose names begin as typed. */
  readonly namesHref: string;
}

/** The open conversation: its state, its log, and where the live channel goes on. */
export interface ThreadView extends ThreadState {
  readonly log: LogView;
  /** Who else has a file for it that is being checked. */
  readonly checking: string | null;
  /** Rooms of the live connection, `<room>@<cursor>`, with spaces between. */
  readonly rooms: string;
  /** Gives messages `after` a place where there is no live connection. */
  readonly pollUrl: string;
}

/** What `views/messaging/_log` draws. */
export interface LogView {
  readonly conversationId: string;
  readonly audience: 'staff';
  /** Messages, and between them the private notes. */
  readonly messages: readonly (MessageItem | NoteLine)[];
  /** The partial that draws one of them. */
  readonly item: '/dashboard/_line';
  /** How far the user has read. */
  readonly seen: number;
  readonly readSeq: number;
  readonly readUrl: string;
  readonly reloadUrl: string;
  readonly earlierUrl: string | null;
}

/** What `views/messaging/_composer` draws. */
export interface ComposerView {
  readonly action: string;
  readonly conversationId: string;
  readonly clientId: string;
  readonly seen: number;
  readonly maxLength: number;
  /** Key of a sentence in `desk.answer`. */
  readonly hint: 'write' | 'claims';
  readonly text: string;
  /** Why the text could not be taken; null when nothing went wrong. */
  readonly error: Refused['error'] | null;
  /** Where files are sent to, and which. */
  readonly attach: AttachView;
  /** The bubble on its way, before it has a place. */
  readonly pending: MessageView;
}

/** What was typed and could not be taken; shown again with the reason. */
export interface Refused {
  readonly as: 'answer' | 'note';
  readonly text: string;
  readonly clientId: string;
  /** Files that came with an answer. */
  readonly attachmentIds?: readonly string[] | undefined;
  readonly error: { readonly status: number; readonly code: string };
}

/** What a thread is made for. */
export interface ThreadContext {
  readonly reader: Person;
  readonly filters: DeskFilters;
  readonly due: DueView | null;
  readonly maxMessageLength: number;
  /** What may be sent as a file. */
  readonly files: Parameters<typeof attachView>[0];
  /** Files of what was refused. */
  readonly unsent: readonly AttachmentView[];
  /** Made by the caller, for the form's first message. */
  readonly clientId: string;
  readonly now: Date;
  readonly refused?: Refused | undefined;
  readonly chosen?: { readonly message: StoredMessage; readonly doing: ChosenMessage['doing'] } | undefined;
}

/** How the conversation stands for this agent. */
export function threadState(
  conversation: Conversation,
  listed: ListedConversation,
  context: ThreadContext,
): ThreadState {
  const { reader, filters } = context;
  const holder = listed.assignedAdmin && holderOf(listed.assignedAdmin, reader);
  const open = conversation.isOpen();
  const mayAssign = reader.can('ASSIGN_SUPPORT_CHAT') && reader.can('REPLY_SUPPORT_CHAT');
  const mode = answerMode(open, holder, reader);
  return {
    id: conversation.id,
    name: listed.user?.name ?? '',
    userType: conversation.userType ?? '',
    status: conversation.status,
    holder,
    due: context.due,
    can: {
      claim: open && !holder && mayAssign,
      takeOver: open && holder !== null && !holder.isMe && mayAssign,
      close: open && reader.can('CLOSE_SUPPORT_CHAT'),
      reopen: !open && reader.can('CLOSE_SUPPORT_CHAT'),
      note: reader.can('REPLY_SUPPORT_CHAT'),
    },
    answer: { mode, holderId: holder && !holder.isMe ? holder.id : null },
    backHref: deskHref(null, filters),
    stateHref: deskHref(conversation.id, filters),
    query: deskQuery(filters),
    composer: composerView(conversation, holder, context),
    noteForm: noteFormView(conversation, context),
    chosen: chosenMessage(conversation, mode, context),
  };
}

function answerMode(open: boolean, holder: Holder | null, reader: Person): AnswerMode {
  if (!reader.can('REPLY_SUPPORT_CHAT')) return 'readOnly';
  if (!open) return 'closed';
  if (!holder || holder.isMe) return 'write';
  return reader.can('ASSIGN_SUPPORT_CHAT') ? 'takeOver' : 'theirs';
}

function chosenMessage(conversation: Conversation, mode: AnswerMode, context: ThreadContext): ChosenMessage | null {
  const { reader, filters, chosen } = context;
  if (!chosen || chosen.message.event !== null) return null;
  const { seq, senderId, senderName, body, deletedAt, createdAt } = chosen.message;
  const isOwn = senderId === reader.id && reader.can('REPLY_SUPPORT_CHAT') && deletedAt === null;
  const can = {
    reply: (mode === 'write' || mode === 'takeOver') && deletedAt === null,
    react:
      chosen.message.senderType === 'user' &&
      deletedAt === null &&
      conversation.assignedAdminId === reader.id &&
      reader.can('REPLY_SUPPORT_CHAT'),
    edit: isOwn && conversation.isOpen() && body !== null,
    delete: isOwn,
  };
  const own = messageView(chosen.message, 'staff').reactions.find((one) => one.participant.id === reader.id);
  const isPossible = chosen.doing === 'choose' || can[chosen.doing];
  return {
    seq,
    name: senderName ?? '',
    body: body ?? '',
    createdAt: createdAt.toISOString(),
    doing: isPossible ? chosen.doing : 'choose',
    can,
    reactions: STAFF_REACTIONS,
    reaction: own?.reaction ?? null,
    reactAction: `${DESK}/${conversation.id}/reactions${deskQuery(filters)}`,
    replyHref: deskHref(conversation.id, filters, { reply: seq }),
    editHref: deskHref(conversation.id, filters, { edit: seq }),
    editAction: `${DESK}/${conversation.id}/edit${deskQuery(filters)}`,
    deleteAction: `${DESK}/${conversation.id}/delete${deskQuery(filters)}`,
    closeHref: deskHref(conversation.id, filters),
  };
}

function composerView(conversation: Conversation, holder: Holder | null, context: ThreadContext): ComposerView {
  const { reader, filters } = context;
  const refused = context.refused?.as === 'answer' ? context.refused : undefined;
  return {
    action: `${DESK}/${conversation.id}/messages${deskQuery(filters)}`,
    conversationId: conversation.id,
    clientId: refused?.clientId ?? context.clientId,
    seen: conversation.lastSeq,
    maxLength: context.maxMessageLength,
    hint: holder ? 'write' : 'claims',
    text: refused?.text ?? '',
    error: refused?.error ?? null,
    attach: attachView(context.files, conversation.id, context.unsent),
    pending: {
      id: '',
      conversationId: conversation.id,
      seq: 0,
      version: 0,
      senderType: 'admin',
      sender: { id: reader.id, userType: reader.userType, name: reader.name },
      messageType: 'text',
      event: null,
      data: null,
      body: '',
      attachments: [],
      replyToId: null,
      reactions: [],
      read: false,
      clientId: '',
      createdAt: context.now.toISOString(),
      editedAt: null,
      deletedAt: null,
    },
  };
}

function noteFormView(conversation: Conversation, { filters, maxMessageLength, refused }: ThreadContext): NoteFormView {
  const own = refused?.as === 'note' ? refused : undefined;
  return {
    action: `${DESK}/${conversation.id}/notes${deskQuery(filters)}`,
    maxLength: maxMessageLength,
    clientId: own?.clientId ?? crypto.randomUUID(),
    text: own?.text ?? '',
    error: own?.error ?? null,
    namesHref: `${DESK}/colleagues`,
  };
}

/** A page of its log, for staff; `notes` are those that stand in it. */
export function logView(
  conversation: Conversation,
  page: LogPage,
  notes: readonly NoteLine[],
  filters: DeskFilters,
): LogView {
  const messages = page.items.map((message) => messageItem(message, 'staff', conversation));
  const first = messages[0];
  return {
    conversationId: conversation.id,
    audience: 'staff',
    messages: [...messages, ...notes].sort((a, b) => a.seq - b.seq),
    item: '/dashboard/_line',
    seen: conversation.userReadSeq,
    readSeq: conversation.staffReadSeq,
    readUrl: `${DESK}/${conversation.id}/read`,
    reloadUrl: deskHref(conversation.id, filters),
    earlierUrl: first && page.hasMore ? deskHref(conversation.id, filters, { before: first.seq }) : null,
  };
}

/** All of it; `epoch` is today's, the versions of messages and notes were read before the page. */
export function threadView(
  state: ThreadState,
  { log, checking }: Pick<ThreadView, 'log' | 'checking'>,
  at: { readonly epoch: string; readonly version: number; readonly noteVersion: number; readonly readerId: string },
): ThreadView {
  const rooms = [
    `conversation_${state.id}@${at.epoch}:${at.version}`,
    `${staffRoom(state.id)}@${at.epoch}:${at.noteVersion}`,
    'admin_support',
    `user_${at.readerId}`,
  ];
  return {
    ...state,
    log,
    checking,
    rooms: rooms.join(' '),
    pollUrl: `${DESK}/${state.id}`,
  };
}
