import { ADMIN, type Person, User } from '../../identity/index.ts';
import type { Database, DomainEvent, Log } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import type { Hub } from '../../platform/realtime/index.ts';
import type { Views } from '../../platform/views/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import type { FileLinks } from '../attachments/file-links.ts';
import { mayRead } from '../conversations/access-conversation.ts';
import { Conversation } from '../conversations/conversation.entity.ts';
import { type ConversationView, conversationView } from '../conversations/conversation.view.ts';
import { conversationKind } from '../conversations/conversation-kinds.ts';
import type { ConversationRead, MessagingEvent } from '../events.ts';
import { type Audience, messageText, UNREAD } from '../messages/message.view.ts';
import type { StoredMessage } from '../messages/stored-message.ts';
import { changeOf, conversationRoom, conversationRoomKind, type MessageChange } from './conversation.room.ts';
import { createFactsMemory } from './conversation-facts.ts';
import { type ConversationColumns, createConversationReader } from './conversation-reader.ts';
import { changedFragment, reloadFragment, seenFragment, typingFragment } from './fragments.ts';
import { PERSON_ROOM, personRoom, personRoomKind, SUPPORT_ROOM, supportRoomKind } from './other-rooms.ts';
import { type Mark, participantView } from './participants.ts';
import { createTyping, type Writer } from './typing.ts';

/** What the live part of messaging is made from. */
export interface LiveDeps {
  readonly hub: Hub;
  readonly database: Database;
  readonly views: Views;
  readonly log: Log;
  /** IANA zone of the tenant, from memory. */
  timeZone(tenantId: string): string;
  /** Addresses of files for programs. */
  readonly links: FileLinks;
}

/** The way from what is stored to who is there. */
export interface Live {
  /** For `appender.onAppended`: new messages, after their commit. */
  appended(messages: readonly StoredMessage[]): void;
  /** For domain events after commit; those of other wings are ignored. */
  heard(event: DomainEvent): void;
  /**
   * Somebody writes, or has stopped. Told to the others in the conversation at most once a second, never repeated.
   * @throws NotFound when the conversation is not there or they may not answer in it.
   */
  typing(person: Person, conversationId: string, isTyping: boolean): Promise<Writer>;
  /**
   * A file that they sent for this conversation is being checked, or none is any more. Told to pages of the others; it has to be
   * said again within six seconds, or it is taken back.
   */
  checking(person: Person, conversationId: string, isChecking: boolean): void;
  /** Rows of the desk's list look otherwise for a reason that no message tells (e.g. `late`); told on every node. */
  rowsChanged(tenantId: string, conversationIds: readonly string[], what: string): void;
  /**
   * Whether a person has the conversation open now, on any node: a page that is looked at, or a program that listens.
   * Takes half a second where nobody says yes; a node that cannot be asked says no.
   */
  hasOpen(tenantId: string, userId: string, conversationId: string): Promise<boolean>;
  close(): void;
}

/** What lines of the log mean for the state; frames follow from the lines, so a node that only reads makes them too. */
const STATE_FRAMES: Readonly<Record<string, 'conversation:assign' | 'conversation:close' | 'conversation:reopen'>> = {
  assigned: 'conversation:assign',
  released: 'conversation:assign',
  transferred: 'conversation:assign',
  closed: 'conversation:close',
  reopened: 'conversation:reopen',
};

/** What pages are told of a list or a badge gathers this long: one frame for many messages. */
const GATHER_MS = 150;
/** So many ids fit into a hint between nodes. */
const ROWS_IN_A_NOTE = 50;
/** Other nodes have this long to say that somebody is there. */
const ASK_MS = 500;
/** A conversation that was told as started is remembered this long, because two things may tell of it. */
const STARTED_MEMORY_MS = 60_000;

/** Registers messaging's rooms with the hub and connects them with what happens. */
export function openLive(deps: LiveDeps): Live {
  const { hub, database, log } = deps;
  const facts = createFactsMemory(database);
  const reader = createConversationReader(database);
  const broadcasts = { views: deps.views, epoch: hub.epoch, timeZone: deps.timeZone, links: deps.links };
  const typing = createTyping(telling('typing', typingHere));
  const checking = createTyping(telling('checking', checkingHere));
  const gathered = new Map<string, Map<string, string>>();
  const badges = new Map<string, NodeJS.Timeout>();
  const started = new Set<string>();
  /** The last telling of a conversation's state that is under way. */
  const turns = new Map<string, Promise<void>>();
  /** Who was asked for, and whom to tell when they are there. */
  const asked = new Map<string, Set<() => void>>();

  hub.register(conversationRoomKind({ ...broadcasts, database, facts, reader, delivered, heard: noteHeard }));
  hub.register(supportRoomKind({ heard: rowsHeard }));
  hub.register(personRoomKind({ heard: (tenantId, userId) => tellBadge(tenantId, userId) }));

  function appended(messages: readonly StoredMessage[]): void {
    changed(messages);
    for (const { senderType, tenantId, conversationId } of messages) {
      if (senderType === 'admin') badgeOfOwner(tenantId, conversationId);
    }
  }

  function heard(event: DomainEvent): void {
    if (!isMessagingEvent(event)) return;
    // `conversation:state` needs nothing here: its frames follow from the line in the log
    if (event.type === 'messages:appended') appended(event.messages);
    else if (event.type === 'messages:changed') changed(event.messages);
    else if (event.type === 'conversation:read') readHere(event);
    else if (event.type === 'conversation:started') {
      hub.note(event.tenantId, conversationRoom(event.conversationId), 'started');
      tellStarted(event.tenantId, event.conversationId);
    }
  }

  function changed(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      hub.changed(message.tenantId, conversationRoom(message.conversationId), [changeOf(broadcasts, message)]);
    }
  }

  /** On every node, after changes of a conversation went out there. */
  function delivered(tenantId: string, id: string, changes: readonly MessageChange[], after: number): void {
    const deskIsOpen = hub.hasKind(tenantId, SUPPORT_ROOM);
    const frames = new Set<(typeof STATE_FRAMES)[string]>();
    for (const { message } of changes) {
      const frame = message.event && message.firstVersion > after ? STATE_FRAMES[message.event] : undefined;
      if (frame) frames.add(frame);
      if (deskIsOpen && message.firstVersion > after) {
        if (message.seq === 1) tellStarted(tenantId, id);
        tellDesk(tenantId, message);
      }
    }
    if (frames.size > 0) tellStateInTurn(tenantId, id, [...frames]);
  }

  function tellDesk(tenantId: string, message: StoredMessage): void {
    hub.tell(tenantId, SUPPORT_ROOM, {
      encode: (viewer, room) =>
        viewer.format === 'html'
          ? null
          : `{"type":"message:new","room":"${room}","message":${messageText(message, 'staff', UNREAD, deps.links)}}`,
    });
    gatherForPages(tenantId, message.conversationId, 'message:new');
  }

  /** Pages of the desk learn which rows changed; they ask for them with their own filters. */
  function gatherForPages(tenantId: string, conversationId: string, what: string): void {
    if (!hub.hasKind(tenantId, SUPPORT_ROOM)) return;
    const waiting = gathered.get(tenantId);
    if (waiting) {
      // that it is late is said once; anything else is said by the row itself
      if (waiting.get(conversationId) !== 'late') waiting.set(conversationId, what);
      return;
    }
    gathered.set(tenantId, new Map([[conversationId, what]]));
    setTimeout(() => {
      const changed = [...(gathered.get(tenantId) ?? [])];
      gathered.delete(tenantId);
      const text = changed.map(([id, reason]) => changedFragment(id, reason)).join('');
      hub.tell(tenantId, SUPPORT_ROOM, { encode: ({ format }) => (format === 'html' ? text : null) });
    }, GATHER_MS).unref();
  }

  function rowsChanged(tenantId: string, conversationIds: readonly string[], what: string): void {
    for (const id of conversationIds) gatherForPages(tenantId, id, what);
    for (let at = 0; at < conversationIds.length; at += ROWS_IN_A_NOTE) {
      hub.note(tenantId, SUPPORT_ROOM, `${what} ${conversationIds.slice(at, at + ROWS_IN_A_NOTE).join(',')}`);
    }
  }

  /** A note says which rows; pages ask for them with their own rights. */
  function rowsHeard(tenantId: string, note: string): void {
    const [what = '', ids = ''] = note.split(' ');
    if (!/^[a-z]{1,20}$/.test(what)) return;
    for (const id of ids.split(',')) if (/^[0-9a-f-]{36}$/.test(id)) gatherForPages(tenantId, id, what);
  }

  /** Read and told one after the other, or what was read first could be told last, and would stay. */
  function tellStateInTurn(tenantId: string, id: string, types: readonly string[]): void {
    const key = `${tenantId} ${id}`;
    const told = (turns.get(key) ?? Promise.resolve()).then(() => tellState(tenantId, id, types));
    // one that fails ends none of those behind it
    const turn = told
      .catch(() => {})
      .finally(() => {
        if (turns.get(key) === turn) turns.delete(key);
      });
    turns.set(key, turn);
    work(told);
  }

  async function tellState(tenantId: string, id: string, types: readonly string[]): Promise<void> {
    const conversation = await load(tenantId, id);
    if (!conversation) return;
    const views = viewsOf(conversation);
    for (const type of types) {
      hub.tell(tenantId, conversationRoom(id), {
        isState: true,
        encode: ({ format, audience }, room) =>
          format === 'html'
            ? reloadFragment('#conversation-state')
            : JSON.stringify({ type, room, conversation: views[audience] }),
      });
      tellDeskOfState(tenantId, type, views.staff);
    }
    if (conversation.openedBy) tellBadge(tenantId, conversation.openedBy);
  }

  function tellDeskOfState(tenantId: string, type: string, conversation: ConversationView): void {
    hub.tell(tenantId, SUPPORT_ROOM, {
      encode: ({ format }, room) => (format === 'html' ? null : JSON.stringify({ type, room, conversation })),
    });
    gatherForPages(tenantId, conversation.id, type);
  }

  /** Two things tell of a start, the event and the first line of the log; whichever comes first is enough. */
  function tellStarted(tenantId: string, id: string): void {
    if (started.has(id)) return;
    started.add(id);
    setTimeout(() => started.delete(id), STARTED_MEMORY_MS).unref();
    work(
      load(tenantId, id).then((conversation) => {
        if (!conversation) return;
        const views = viewsOf(conversation);
        tellDeskOfState(tenantId, 'conversation:start', views.staff);
        if (!conversation.openedBy) return;
        hub.tell(tenantId, personRoom(conversation.openedBy), {
          encode: ({ format }, room) =>
            format === 'html'
              ? reloadFragment('#unread-badge')
              : JSON.stringify({ type: 'conversation:start', room, conversation: views.user }),
        });
      }),
    );
  }

  function readHere(event: ConversationRead): void {
    const { tenantId, conversationId, participantId, participantName, side, seq, counts } = event;
    tellRead(tenantId, conversationId, { userId: participantId, name: participantName, side, seq, counts });
    hub.note(tenantId, conversationRoom(conversationId), `read ${participantId}`);
    if (side === 'user') hub.note(tenantId, personRoom(participantId), 'badge');
  }

  function tellRead(tenantId: string, conversationId: string, mark: Mark): void {
    const { userId, name, side, seq, counts } = mark;
    hub.tell(tenantId, conversationRoom(conversationId), {
      isState: true,
      encode({ format, audience }, room) {
        if (audience === 'user' && !counts) return null;
        const isOtherSide = side === (audience === 'staff' ? 'user' : 'admin');
        if (format === 'html') return isOtherSide ? seenFragment(seq) : null;
        const participant = participantView(audience, { id: userId, side, name });
        return JSON.stringify({ type: 'message:read', room, participant, seq });
      },
    });
    if (side === 'user') tellBadge(tenantId, userId);
    if (counts) gatherForPages(tenantId, conversationId, 'message:read');
  }

  /** Says it to who is here, and lets the other nodes know. */
  function telling(what: 'typing' | 'checking', here: typeof typingHere): Parameters<typeof createTyping>[0] {
    return ({ id, tenantId }, writer, isOn) => {
      here(tenantId, id, writer, isOn);
      hub.note(tenantId, conversationRoom(id), `${what} ${writer.id} ${isOn ? 1 : 0}`);
    };
  }

  function typingHere(tenantId: string, id: string, writer: Writer, isTyping: boolean): void {
    hub.tell(tenantId, conversationRoom(id), {
      isFor: ({ actor }) => actor.id !== writer.id,
      encode: ({ format, audience }, room) =>
        format === 'html'
          ? typingFragment(writer.name, writer.side, isTyping)
          : JSON.stringify({ type: 'typing', room, participant: participantView(audience, writer), isTyping }),
    });
  }

  /** Programs see files with their message; pages have a line for what is to come. */
  function checkingHere(tenantId: string, id: string, writer: Writer, isChecking: boolean): void {
    const text = typingFragment(writer.name, writer.side, isChecking ? 'checking' : 'checked');
    hub.tell(tenantId, conversationRoom(id), {
      isFor: ({ actor }) => actor.id !== writer.id,
      encode: ({ format }) => (format === 'html' ? text : null),
    });
  }

  /** A note names who; what is told is read here, so that nobody can make others see what is not so. */
  function noteHeard(tenantId: string, id: string, note: string): void {
    const [what, userId = '', value] = note.split(' ');
    if (what === 'started' && isTenantHere(tenantId)) tellStarted(tenantId, id);
    if (what === 'asked' && hub.isHeardBy(tenantId, conversationRoom(id), userId)) {
      hub.note(tenantId, conversationRoom(id), `here ${userId}`);
    }
    if (what === 'here') for (const tell of asked.get(`${tenantId} ${id} ${userId}`) ?? []) tell();
    if (!hub.hasListeners(tenantId, conversationRoom(id)) || !/^[0-9a-f-]{36}$/.test(userId)) return;
    if (what === 'read') work(markOf(tenantId, id, userId).then((mark) => mark && tellRead(tenantId, id, mark)));
    const tell = what === 'typing' ? typingHere : what === 'checking' ? checkingHere : null;
    if (tell)
      work(writerOf(tenantId, id, userId).then((writer) => writer && tell(tenantId, id, writer, value === '1')));
  }

  function isTenantHere(tenantId: string): boolean {
    return [SUPPORT_ROOM, PERSON_ROOM].some((kind) => hub.hasKind(tenantId, kind));
  }

  async function hasOpen(tenantId: string, userId: string, id: string): Promise<boolean> {
    const room = conversationRoom(id);
    if (hub.isHeardBy(tenantId, room, userId)) return true;
    const key = `${tenantId} ${id} ${userId}`;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const tell = () => resolve(true);
    const waiting = asked.get(key) ?? new Set();
    asked.set(key, waiting.add(tell));
    const timer = setTimeout(() => resolve(false), ASK_MS);
    hub.note(tenantId, room, `asked ${userId}`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(tell);
      if (waiting.size === 0) asked.delete(key);
    }
  }

  async function markOf(tenantId: string, id: string, userId: string): Promise<Mark | undefined> {
    const opening = await reader.open(tenantId, id, null);
    return opening?.marks.find((mark) => mark.userId === userId);
  }

  /** The user who opened it, or an admin of the tenant; their name as it stands in the database. */
  async function writerOf(tenantId: string, id: string, userId: string): Promise<Writer | null> {
    const found = await facts.find(tenantId, id);
    if (!found) return null;
    const user = await database.withScope({ id: tenantId, slug: '' }, systemActor(tenantId), (scope) =>
      scope.em.findOne(User, { id: userId }),
    );
    if (!user || (user.userType !== ADMIN && found.openedBy !== userId)) return null;
    return { id: userId, name: user.name, side: user.userType === ADMIN ? 'admin' : 'user' };
  }

  /** The owner's badge counts others' messages; other nodes may have the owner's page. */
  function badgeOfOwner(tenantId: string, conversationId: string): void {
    const known = facts.known(tenantId, conversationId);
    if (known) badgeOf(tenantId, known.openedBy);
    else work(facts.find(tenantId, conversationId).then((found) => badgeOf(tenantId, found?.openedBy)));
  }

  function badgeOf(tenantId: string, userId: string | null | undefined): void {
    if (!userId) return;
    hub.note(tenantId, personRoom(userId), 'badge');
    tellBadge(tenantId, userId);
  }

  function tellBadge(tenantId: string, userId: string): void {
    if (!hub.hasKind(tenantId, PERSON_ROOM)) return;
    const key = `${tenantId} ${userId}`;
    if (badges.has(key) || !hub.hasListeners(tenantId, personRoom(userId))) return;
    badges.set(
      key,
      setTimeout(() => {
        badges.delete(key);
        work(
          unreadOf(tenantId, userId).then((unread) =>
            hub.tell(tenantId, personRoom(userId), {
              encode: ({ format }, room) =>
                format === 'html' ? reloadFragment('#unread-badge') : JSON.stringify({ type: 'badge', room, unread }),
            }),
          ),
        );
      }, GATHER_MS).unref(),
    );
  }

  async function unreadOf(tenantId: string, userId: string): Promise<number> {
    const own = await database.withScope({ id: tenantId, slug: '' }, systemActor(tenantId), (scope) =>
      scope.em.find(
        Conversation,
        { openedBy: userId, unreadByUser: { $gt: 0 } },
        { fields: ['unreadByUser'], limit: 100 },
      ),
    );
    return own.reduce((sum, one) => sum + one.unreadByUser, 0);
  }

  async function load(tenantId: string, id: string): Promise<ConversationColumns | null> {
    const opening = await reader.open(tenantId, id, null);
    if (opening) facts.remember(opening.conversation);
    return opening?.conversation ?? null;
  }

  function work(promise: Promise<unknown>): void {
    promise.catch((error: unknown) =>
      log.warn({ err: error }, 'a hint could not be told; pages find out by their GET'),
    );
  }

  return {
    appended,
    heard,
    rowsChanged,
    async typing(person, conversationId, isTyping) {
      const found = await facts.find(person.tenantId, conversationId);
      if (!found || !mayRead(person, found) || !conversationKind(found.kind)?.mayAnswer(person)) throw new NotFound();
      const writer = { id: person.id, side: person.side, name: person.name };
      typing.set(found, writer, isTyping);
      return writer;
    },
    checking({ id, side, name, tenantId }, conversationId, isChecking) {
      checking.set({ id: conversationId, tenantId }, { id, side, name }, isChecking);
    },
    hasOpen,
    close() {
      typing.close();
      checking.close();
      for (const timer of badges.values()) clearTimeout(timer);
    },
  };
}

function viewsOf(conversation: ConversationColumns): Record<Audience, ConversationView> {
  return {
    user: conversationView(conversation, { side: 'user' }),
    staff: conversationView(conversation, { side: 'admin' }),
  };
}

/** Events are told by type; messaging's own have these prefixes. */
function isMessagingEvent(event: DomainEvent): event is MessagingEvent {
  return event.type.startsWith('messages:') || event.type.startsWith('conversation:');
}
