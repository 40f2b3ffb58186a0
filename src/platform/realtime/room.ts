import type { Actor } from '../database/index.ts';

/** Who a frame is rendered for: the user's side or staff. Rendered once per audience, language and format. */
export type Audience = 'user' | 'staff';

/** A connection's way of reading: fragments for pages, JSON for programs. */
export interface Viewer {
  readonly audience: Audience;
  readonly format: 'html' | 'json';
  /** BCP 47, one of the languages the product has (`en`, `bn`). */
  readonly language: string;
}

/** One change of a room with a log. */
export interface Change {
  /** Position in the room's log; grows, may skip (a later change of the same thing overwrites). */
  readonly version: number;
  /** The position at which the thing came into the log, where things may change later. */
  readonly firstVersion?: number;
  /** Stays out of the connection that caused it (it gets the ack instead). */
  readonly originConnectionId?: string;
  /**
   * Ready to send text; called at most once per distinct viewer and cached by the hub. Null: nothing for this viewer.
   * `after`: the last version that the reader has; tells what is new to it from what has changed.
   */
  encode(viewer: Viewer, room: string, after: number): string | null;
}

/** What a subscriber is given at once. */
export interface Subscription {
  readonly audience: Audience;
  /** Last version of the log at this moment, read before or with the state. Null: a room without a log, always `reset`. */
  readonly version: number | null;
  /** The extra members of `subscribed` for programs (read marks, conversation). */
  state(viewer: Viewer): Record<string, unknown>;
  /** The same state as fragments for pages; sent with `subscribed`. `isBehind`: changes follow that may move it. */
  html?(viewer: Viewer, isBehind: boolean): string;
}

/** A log that moved lately, as `RoomKind.recent` finds it. */
export interface RecentLog {
  readonly tenantId: string;
  readonly id: string;
  /** Its last version now. */
  readonly version: number;
  /** Its last version before it moved; null for those that were named as known. */
  readonly base: number | null;
}

/**
 * A kind of room, registered by the wing that owns its content. The name on the wire is `<prefix>` or `<prefix>_<id>`
 * or `<prefix>_<id>_<suffix>`. Everything is asked with the actor: a name is never an authority.
 */
export interface RoomKind<A extends Actor = Actor> {
  /** `conversation`, `conversation_staff`, `admin_support`, `user`. */
  readonly kind: string;
  /** The id in the name, or null when the name is not of this kind. `admin_support` has the id ''. */
  parse(name: string): string | null;
  /** The room's name for an id, where it is not `<kind>_<id>`. */
  nameOf?(id: string): string;
  /** May this actor hear the room? null: no, or it does not exist (same answer). */
  open(actor: A, id: string): Promise<Subscription | null>;
  /** Re-asked when the actor's access changed (role, session, membership). */
  stillAllowed(actor: A, id: string): boolean | Promise<boolean>;
  /** Rooms with a log only: changes with version > after in order, at most `limit`. */
  changesAfter?(tenantId: string, id: string, after: number, limit: number): Promise<Change[]>;
  /** Rooms with a log only: those that have moved beyond the version given, in one query, for the sweep. */
  ahead?(
    logs: readonly { tenantId: string; id: string; version: number }[],
  ): Promise<{ tenantId: string; id: string; version: number }[]>;
  /**
   * The kind whose logs the subscribers of this room hear of without being in each: while somebody is here, this node
   * keeps up with every log of that kind in the tenant, and finds lost hints by `recent` of that kind.
   */
  readonly follows?: string;
  /** Logs of these tenants that moved in the last seconds, except those listed as known, whose base is not asked. */
  recent?(tenantIds: readonly string[], knownIds: readonly string[]): Promise<RecentLog[]>;
  /** Told on every node after changes of a log went out there; what follows from them is made here. */
  delivered?(tenantId: string, id: string, changes: readonly Change[], after: number): void;
  /** Another node says something short that no log holds (`read`, `typing`); what it is about is read by this node. */
  heard?(tenantId: string, id: string, note: string): void;
  /** Somebody on this node hears the room from now on, or no longer. */
  joined?(tenantId: string, id: string, connection: Connection): void;
  left?(tenantId: string, id: string, connection: Connection): void;
}

/** What crosses between processes: never content. A lost one is found by the next sweep, where there is a log. */
export interface Hint {
  readonly tenantId: string;
  /** Room name without tenant, e.g. `conversation_<id>`. */
  readonly room: string;
  /** The log's last version, and the one before what moved it. 0 with a note. */
  readonly version: number;
  readonly after: number;
  /** Something without a log; the room's kind knows what it means. At most 200 ASCII characters. */
  readonly note?: string;
}

/** Carries hints to the other nodes; in one process nothing has to go anywhere. */
export interface Backplane {
  publish(hint: Hint): void;
  onHint(listener: (hint: Hint) => void): void;
  /** The line was down and is up again: hints were lost. */
  onRestored(listener: () => void): void;
  /** Milliseconds since the last proof of life; Infinity when it never lived. */
  silentForMs(): number;
  close(): Promise<void>;
}

/** Something that is not in a log: goes to who is there now, and is never repeated. */
export interface Telling {
  encode(viewer: Viewer, room: string): string | null;
  /** It says how things stand: who is being let in gets it too, because what they were welcomed with may be older. */
  readonly isState?: boolean;
  /** False for connections that must not hear it. */
  isFor?(connection: { readonly id: string; readonly actor: Actor }): boolean;
}

/** A place in a room's log, as a client names it. */
export interface Cursor {
  readonly epoch: string;
  readonly version: number;
}

/** The answer to a subscription, before anything else of that room is sent. */
export interface Welcome {
  readonly room: string;
  readonly status: 'resumed' | 'reset';
  readonly version: number | null;
  readonly epoch: string;
  /** The reader resumes, and changes follow. */
  readonly isBehind: boolean;
  readonly viewer: Viewer;
  readonly subscription: Subscription;
}

/** One frame, ready to send. */
export interface Frame {
  readonly text: string;
  /** Where the log stands after this frame, for transports that keep a cursor of their own. */
  readonly cursor: { readonly room: string; readonly version: number } | null;
  /** Made once, by the socket that sends it first; as a string a byte a character. */
  bytes: Buffer | string | null;
}

/** One open way down to somebody: a socket or an event stream. The transport makes it, the hub sends on it. */
export interface Connection {
  readonly id: string;
  /** Replaced when the person's access changed. */
  actor: Actor;
  readonly format: Viewer['format'];
  readonly language: string;
  readonly isOpen: boolean;
  /** When the session ends by itself, milliseconds since 1970. */
  readonly expiresAtMs: number;
  send(frame: Frame): void;
  /** Close codes of the contract: 1012, 1013, 4401, 4403. */
  close(code: number): void;
  /** Resolves when what was sent has mostly gone out; rejects when that takes too long or the connection closed. */
  drained(): Promise<void>;
  /** Finds out whether anybody is still there, and closes when nobody is. Absent where the transport cannot ask. */
  probe?(): Promise<void>;
  /** Who is behind the connection by now; null when the session is over. */
  renew(): Promise<Actor | null>;
}

/** What the hub asks of whoever knows sessions. */
export interface AccessWatch {
  /** False when changes of access have not been read for a second: nothing is delivered until they are. */
  isFollowing(): boolean;
  /** Within a second of its commit, on every node. `sessionId` null: everything of this person. */
  onAccessChange(
    listener: (change: { tenantId: string; userId: string; sessionId: string | null }) => void,
  ): () => void;
}
