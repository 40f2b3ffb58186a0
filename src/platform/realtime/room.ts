import type { Actor } from '../database/scope.ts';

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
  /** Stays out of the connection that caused it (it gets the ack instead). */
  readonly originConnectionId?: string;
  /** Ready to send text; called at most once per distinct viewer and cached by the hub. Null: nothing for this viewer. */
  encode(viewer: Viewer, room: string, subscribedAfter: number): string | null;
}

/** What a subscriber is given at once. */
export interface Subscription {
  readonly audience: Audience;
  /** Last version of the log at this moment, read before or with the state. Null: a room without a log, always `reset`. */
  readonly version: number | null;
  /** The extra members of `subscribed` (read marks, conversation). */
  state(viewer: Viewer): Record<string, unknown>;
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
  /** May this actor hear the room? null: no, or it does not exist (same answer). */
  open(actor: A, id: string): Promise<Subscription | null>;
  /** Re-asked when the actor's access changed (role, session, membership) and at delivery from a cache. */
  stillAllowed(actor: A, id: string): boolean | Promise<boolean>;
  /** Rooms with a log only: changes with version > after in order, at most `limit`. */
  changesAfter?(tenantId: string, id: string, after: number, limit: number): Promise<Change[]>;
  /** Rooms with a log only: current versions of many rooms in one query, for the sweep. Missing ids are gone. */
  heads?(ids: readonly { tenantId: string; id: string }[]): Promise<Map<string, number>>;
}

/** What crosses between processes: never content. */
export interface Hint {
  readonly tenantId: string;
  /** Room name without tenant, e.g. `conversation_<id>`. */
  readonly room: string;
  readonly version: number;
}

/** Carries hints to the other nodes; in one process a function call. A lost hint is found by the sweep. */
export interface Backplane {
  publish(hint: Hint): void;
  onHint(listener: (hint: Hint) => void): void;
  /** Milliseconds since the last proof of life; Infinity when it never lived. */
  silentForMs(): number;
  close(): Promise<void>;
}
