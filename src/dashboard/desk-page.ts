import {
  type Colleague,
  conversationsThatMention,
  countLate,
  countUnseenMentions,
  type Desk,
  explainAssignment,
  hasUnseenMention,
  listColleagues,
  listDueConversations,
  listDueResponses,
  type NoteLine,
  type NoteView,
  noteLine,
  noteView,
  readNotes,
  readPerson,
  staffRoom,
} from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import {
  accessConversation,
  type Conversation,
  type ConversationList,
  type ListedConversation,
  type ListPage,
  type LogPage,
  type LogWindow,
  listConversations,
  type Messaging,
  otherWithUnchecked,
  readLog,
  unsentAttachments,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { NotFound } from '../platform/errors/index.ts';
import type { Reader } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';
import { type AssignmentReason, assignmentReason } from './assignment-reason.view.ts';
import { type ConversationRow, conversationRow } from './conversation-row.view.ts';
import { DESK, type DeskFilters, deskHref, deskQuery, filtersOf } from './desk-address.ts';
import { type DueContext, dueView } from './due.view.ts';
import { type PersonDetails, personDetails } from './person-details.view.ts';
import {
  type ChosenMessage,
  logView,
  type Refused,
  type ThreadState,
  type ThreadView,
  threadState,
  threadView,
} from './thread.view.ts';

/** What the desk reads from. */
export interface DeskSources {
  readonly messaging: Messaging;
  readonly tenancy: Pick<Tenancy, 'tenant'>;
  readonly desk: Pick<Desk, 'clock'>;
  /** Today's epoch of the live channel's cursors. */
  readonly epoch: string;
}

/** Which conversation is open, under which filters, and for whose eyes. */
export interface DeskView {
  readonly filters: DeskFilters;
  readonly openId: string | null;
  readonly reader: Reader;
  readonly refused?: Refused | undefined;
  /** A message by its place, and what is to be done with it. */
  readonly about?: { readonly seq: number; readonly doing: ChosenMessage['doing'] } | undefined;
}

/** The list, as `views/dashboard/_list` takes it. */
export interface ListView {
  readonly rows: readonly ConversationRow[];
  readonly filters: DeskFilters;
  readonly userTypes: readonly string[];
  /** Says what the search looks at: contacts only for those who may see them. */
  readonly searchHint: 'desk.searchHint' | 'desk.searchHintMasked';
  /** There is more to look through; a page of a search may hold no row although there is. */
  readonly moreHref: string | null;
  /** It is not the first page. */
  readonly isFurther: boolean;
  /** Gives rows again, by ids. */
  readonly rowsHref: string;
  readonly reloadHref: string;
  readonly action: string;
  readonly clearHref: string;
  /** Whether anything narrows it. */
  readonly filtered: boolean;
  /** Nothing narrows it but that somebody must wait. */
  readonly waitingOnly: boolean;
  readonly mentions: MentionsView;
  readonly late: LateView;
}

/** How many wait for an answer that is late, and the filter that shows them. */
export interface LateView {
  readonly count: number;
  readonly isOn: boolean;
  readonly reloadHref: string;
  /** Shows them, what is due first coming first. */
  readonly href: string;
  /** The reader is one of those who are told at once. */
  readonly isTold: boolean;
}

/** In how many conversations colleagues have named the agent since they looked, and the filter that shows them. */
export interface MentionsView {
  readonly count: number;
  readonly isOn: boolean;
  /** The room that says when the number is another one. */
  readonly room: string;
  readonly reloadHref: string;
}

/** The details of the open conversation: the person, and how it stands. */
export interface DetailsView extends PersonDetails {
  readonly context: Conversation['context'];
  readonly openedAt: string;
  readonly closedAt: string | null;
  /** The same person's other conversations, the latest few. */
  readonly earlier: readonly ConversationRow[];
  /** The newest private notes, newest first. */
  readonly notes: readonly NoteView[];
  readonly notesRoom: string;
  readonly notesHref: string;
  /** They name the reader, who has not seen it yet. */
  readonly isMentioned: boolean;
  /** Who may be given it; empty for whoever may not give it away, and once it is closed. */
  readonly colleagues: readonly Colleague[];
  /** Keeps the note that goes with handing over from being written twice. */
  readonly assignNoteId: string;
  /** Why it is with whom it is; null while nobody ever held it. */
  readonly why: AssignmentReason | null;
}

/** The open conversation with everything beside it. */
export interface OpenConversation {
  readonly thread: ThreadView;
  readonly details: DetailsView;
}

/** Whoever may see how support does is told when an answer is late: leads. */
const TOLD_OF_LATE = 'VIEW_SUPPORT_REPORTS';
const ROWS_PER_PAGE = 40;
const MESSAGES_PER_PAGE = 50;
const EARLIER_SHOWN = 5;
const NOTES_SHOWN = 20;
/** More notes between the messages of one page are in the details' list only. */
const NOTES_PER_PAGE = 200;

/** One page of the list; `cursor` is what the page before said. */
export async function readList(
  scope: Scope<Person>,
  sources: DeskSources,
  view: DeskView,
  cursor?: string | undefined,
): Promise<ListView> {
  const { filters, openId } = view;
  const ids = await mentioning(scope, filters);
  const list = await inOrder(scope, sources, { ...filters, ids }, { cursor, limit: ROWS_PER_PAGE });
  const { nextCursor } = list;
  return {
    rows: await asRows(scope, sources, view, list.items),
    filters,
    userTypes: sources.tenancy.tenant(scope.tenant.id).userTypes,
    searchHint: scope.actor.can('VIEW_USER_CONTACTS') ? 'desk.searchHint' : 'desk.searchHintMasked',
    moreHref: nextCursor && deskHref(openId, filters, { cursor: nextCursor }),
    isFurther: cursor !== undefined,
    rowsHref: `${DESK}/rows${deskQuery(filters)}`,
    reloadHref: deskHref(openId, filters),
    action: openId ? `${DESK}/${openId}` : DESK,
    clearHref: deskHref(openId, {}),
    filtered: deskQuery(filters) !== '',
    waitingOnly:
      (filters.sort ?? filters.late) !== undefined &&
      Object.keys(filtersOf(filters)).every((name) => name === 'sort' || name === 'late'),
    mentions: await readMentions(scope, view),
    late: await readLate(scope, view),
  };
}

/** How many are late, for the badge beside the filter. */
export async function readLate(scope: Scope<Person>, { filters }: Pick<DeskView, 'filters'>): Promise<LateView> {
  return {
    count: await countLate(scope),
    isOn: filters.late === '1',
    reloadHref: DESK,
    href: deskHref(null, { late: '1', sort: 'due' }),
    isTold: scope.actor.can(TOLD_OF_LATE),
  };
}

/** The list in the order that the filters name. */
async function inOrder(
  scope: Scope<Person>,
  { messaging }: DeskSources,
  { sort, late, ...filters }: DeskFilters & { readonly ids?: readonly string[] | undefined },
  page: ListPage,
): Promise<ConversationList> {
  if (!sort && !late) return listConversations(scope, messaging, filters, page);
  return listDueConversations(scope, messaging, { ...filters, late: late === '1' }, page);
}

/** How often the agent was named, for the badge beside the filter. */
export async function readMentions(
  scope: Scope<Person>,
  { filters }: Pick<DeskView, 'filters'>,
): Promise<MentionsView> {
  return {
    count: await countUnseenMentions(scope),
    isOn: filters.mentions === 'me',
    room: `user_${scope.actor.id}`,
    reloadHref: DESK,
  };
}

/** The conversations that the filter "mentions me" leaves; undefined while it is off. */
async function mentioning(scope: Scope<Person>, filters: DeskFilters): Promise<string[] | undefined> {
  return filters.mentions === 'me' ? conversationsThatMention(scope) : undefined;
}

/** What a live list asks for: these rows as they are now, the ids that are no longer part of it, and the newest. */
export async function readRows(
  scope: Scope<Person>,
  sources: DeskSources,
  view: DeskView,
  asked: { readonly ids: readonly string[]; readonly newest: boolean },
): Promise<{ rows: readonly ConversationRow[]; gone: readonly string[] }> {
  const { filters } = view;
  const allowed = await mentioning(scope, filters);
  const ids = allowed ? asked.ids.filter((id) => allowed.includes(id)) : asked.ids;
  const some = ids.length === 0 ? [] : await listed(scope, sources, { ...filters, ids });
  const first = asked.newest
    ? (await inOrder(scope, sources, { ...filters, ids: allowed }, { limit: ROWS_PER_PAGE })).items
    : [];
  const found = new Map([...some, ...first].map((one) => [one.conversation.id, one]));
  return {
    rows: await asRows(scope, sources, view, [...found.values()]),
    gone: asked.ids.filter((id) => !found.has(id)),
  };
}

/**
 * The conversation that is open, with a page of its log (the newest, or the one before or after a place).
 * @throws NotFound when it is not there or not for this agent.
 */
export async function readConversation(
  scope: Scope<Person>,
  sources: DeskSources,
  view: DeskView & { readonly openId: string },
  window: LogWindow = { newest: true },
): Promise<OpenConversation> {
  // both versions are read before the page: what comes between is sent once more, never lost
  const { conversation, state, details, noteVersion } = await readState(scope, sources, view);
  const page = await readLog(scope, conversation.id, window, MESSAGES_PER_PAGE);
  const notes = noteVersion === 0 ? [] : await notesBeside(scope, conversation, page, window);
  const log = logView(conversation, page, notes, view.filters);
  const at = { epoch: sources.epoch, version: conversation.version, noteVersion, readerId: scope.actor.id };
  const checking = await otherWithUnchecked(scope, conversation.id);
  return { thread: threadView(state, { log, checking }, at), details };
}

/** The notes that stand between the messages of a page of the log. */
async function notesBeside(
  scope: Scope<Person>,
  conversation: Conversation,
  page: LogPage,
  window: LogWindow,
): Promise<NoteLine[]> {
  const fromSeq = page.hasMore ? (page.items[0]?.seq ?? 0) : 0;
  const beforeSeq = 'before' in window ? window.before : null;
  const { items } = await readNotes(scope, conversation, { fromSeq, beforeSeq }, NOTES_PER_PAGE);
  return items.map(noteLine);
}

/**
 * How the open conversation stands now, without its log, and the version of its last note.
 * @throws NotFound when it is not there or not for this agent.
 */
export async function readState(
  scope: Scope<Person>,
  sources: DeskSources,
  view: DeskView & { readonly openId: string },
): Promise<{ conversation: Conversation; state: ThreadState; details: DetailsView; noteVersion: number }> {
  const conversation = await accessConversation(scope, view.openId);
  const [row] = await listed(scope, sources, { ids: [conversation.id] });
  if (!row || !conversation.openedBy) throw new NotFound();
  const person = await readPerson(scope, conversation.openedBy);
  const { items: notes } = await readNotes(scope, conversation, { newest: true }, NOTES_SHOWN);
  const state = threadState(conversation, row, {
    due: dueView(row, await dueContext(scope, sources, [row])),
    reader: scope.actor,
    filters: view.filters,
    maxMessageLength: sources.messaging.settings(scope.tenant.id).maxMessageLength,
    files: sources.messaging.settings(scope.tenant.id),
    unsent: await unsentAttachments(scope, view.refused?.attachmentIds ?? []),
    clientId: crypto.randomUUID(),
    now: scope.now,
    refused: view.refused,
    chosen: await readChosen(scope, conversation.id, view.about),
  });
  const details: DetailsView = {
    ...personDetails(person, view.reader.language),
    context: conversation.context ?? null,
    openedAt: conversation.createdAt.toISOString(),
    closedAt: conversation.closedAt?.toISOString() ?? null,
    earlier: await readEarlier(scope, sources, view, person.id),
    notes: notes.map(noteView),
    notesRoom: staffRoom(conversation.id),
    notesHref: deskHref(conversation.id, view.filters),
    isMentioned: notes.length > 0 && (await hasUnseenMention(scope, conversation.id)),
    colleagues: conversation.isOpen() && scope.actor.can('ASSIGN_SUPPORT_CHAT') ? await listColleagues(scope) : [],
    assignNoteId: crypto.randomUUID(),
    why: assignmentReason(await explainAssignment(scope, conversation), state.holder),
  };
  return { conversation, state, details, noteVersion: notes[0]?.version ?? 0 };
}

/** The name of whoever opened a conversation; empty where nobody did. */
export async function nameOfOpener(
  scope: Scope<Person>,
  { openedBy }: Pick<Conversation, 'openedBy'>,
): Promise<string> {
  return openedBy ? (await readPerson(scope, openedBy)).name : '';
}

/** The message at a place of a conversation that was opened; undefined when there is none. */
export async function messageAt(scope: Scope<Person>, conversationId: string, seq: number) {
  const { items } = await readLog(scope, conversationId, { after: seq - 1 }, 1);
  return items.find((message) => message.seq === seq);
}

async function readChosen(scope: Scope<Person>, conversationId: string, about: DeskView['about']) {
  const message = about && (await messageAt(scope, conversationId, about.seq));
  return message && about ? { message, doing: about.doing } : undefined;
}

async function readEarlier(
  scope: Scope<Person>,
  sources: DeskSources,
  view: DeskView & { readonly openId: string },
  userId: string,
): Promise<ConversationRow[]> {
  const list = await listConversations(scope, sources.messaging, { userId }, { limit: EARLIER_SHOWN + 1 });
  const others = list.items.filter((one) => one.conversation.id !== view.openId).slice(0, EARLIER_SHOWN);
  return asRows(scope, sources, view, others);
}

async function listed(
  scope: Scope<Person>,
  sources: DeskSources,
  filters: DeskFilters & { readonly ids: readonly string[] },
): Promise<readonly ListedConversation[]> {
  return (await inOrder(scope, sources, filters, { limit: filters.ids.length })).items;
}

async function asRows(
  scope: Scope<Person>,
  sources: DeskSources,
  { filters, openId }: DeskView,
  items: readonly ListedConversation[],
): Promise<ConversationRow[]> {
  const context = { ...(await dueContext(scope, sources, items)), reader: scope.actor, filters, openId };
  return items.map((one) => conversationRow(one, context));
}

/** What the waits in these conversations are counted by. */
async function dueContext(
  scope: Scope<Person>,
  { messaging, desk }: DeskSources,
  items: readonly ListedConversation[],
): Promise<DueContext> {
  const waiting = items.filter((one) => one.waitingSince !== null).map((one) => one.conversation.id);
  const known =
    waiting.length > 0 ? await listDueResponses(scope, { conversationIds: waiting, limit: waiting.length }) : [];
  return {
    settings: messaging.settings(scope.tenant.id),
    clock: desk.clock(scope),
    dues: new Map(known.map((one) => [one.conversationId, one])),
    now: scope.now,
  };
}
