import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor, Log } from '../database/index.ts';
import { frameOf } from './frame.ts';
import type {
  AccessWatch,
  Backplane,
  Change,
  Connection,
  Cursor,
  Frame,
  Hint,
  RoomKind,
  Subscription,
  Telling,
  Viewer,
  Welcome,
} from './room.ts';

/** Changes read at once when somebody catches up. */
const PAGE = 200;
const SWEEP_EVERY_MS = 1_000;
/** What the sweep finds ahead is mostly under way in this process already; it gets this long to arrive by itself. */
const SWEEP_GRACE_MS = 100;
/** A followed log that nobody is in and that rests is forgotten. */
const FORGET_AFTER_MS = 60_000;
/** So much may be told of a room's state while somebody catches up with its log; then they resume from where they are. */
const MAX_MISSED = 200;

/** A viewer with its place in the list of frames that were made already. */
interface Reader extends Viewer {
  readonly index: number;
}

interface Subscriber {
  readonly connection: Connection;
  readonly room: Room;
  /** Null until the room was opened. */
  reader: Reader | null;
  /** Has everything up to here; what the room delivers at or below it is skipped. */
  floor: number;
  isLive: boolean;
  /** What was told of the room's state before it went live: its welcome was read earlier, or it may have been. */
  readonly missed: Telling[];
  isCancelled: boolean;
  /** Counted among those who follow a kind of log. */
  isFollower: boolean;
}

interface Room {
  readonly tenantId: string;
  readonly name: string;
  readonly kind: RoomKind;
  readonly id: string;
  readonly subscribers: Set<Subscriber>;
  /** Last version that went out; null while nobody knows where the log stands, or when there is no log. */
  delivered: number | null;
  /** A version that is known to exist; when it is beyond `delivered`, the rows between are read. */
  target: number;
  isReading: boolean;
  /** Which connection caused which version, of changes that came while rows were read. */
  readonly origins: Map<number, string>;
  touchedAtMs: number;
}

/** Rooms of one tenant; a room's name means nothing without its tenant. */
interface TenantRooms {
  readonly rooms: Map<string, Room>;
  /** How many subscribers there are in all rooms of a kind. */
  readonly kinds: Map<string, number>;
  /** How many subscribers follow all logs of a kind. */
  readonly followers: Map<string, { count: number; seeded: Promise<void> }>;
}

/** What a hub is made from. */
export interface HubOptions {
  /** Names this database's history; another one (a restored backup) makes every cursor a `reset`. */
  readonly epoch: string;
  readonly backplane: Backplane;
  readonly access: AccessWatch;
  readonly log: Log;
  /** Rooms of one connection (1,000). */
  readonly maxRooms?: number;
  /** Tests move it. */
  readonly sweepEveryMs?: number;
}

/** How a subscription ended. `gone`: the connection left meanwhile; `full`: too many rooms. */
export type SubscribeOutcome = 'subscribed' | 'refused' | 'full' | 'gone';

/**
 * Who hears what, on this node. Rooms are keyed by tenant and name; a room with a log is delivered contiguously: what
 * continues the log goes out at once, and whenever something is missing the rows between are read from the database.
 * So a frame that was lost, late, doubled or out of order on its way between nodes changes nothing but the delay.
 */
export class Hub {
  readonly epoch: string;
  readonly #backplane: Backplane;
  readonly #access: AccessWatch;
  readonly #log: Log;
  readonly #maxRooms: number;
  readonly #kinds: RoomKind[] = [];
  readonly #tenants = new Map<string, TenantRooms>();
  readonly #connections = new Map<Connection, Map<string, Subscriber>>();
  readonly #people = new Map<string, Set<Connection>>();
  /** How many connections by tenant. */
  readonly #crowds = new Map<string, number>();
  /** To be asked again once changes of access are followed. */
  readonly #unchecked = new WeakSet<Connection>();
  readonly #readers = new Map<string, Reader>();
  readonly #sweepTimer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #isSweeping = false;
  #foundBySweep = 0;
  #isDraining = false;

  constructor({ epoch, backplane, access, log, maxRooms = 1_000, sweepEveryMs = SWEEP_EVERY_MS }: HubOptions) {
    this.epoch = epoch;
    this.#backplane = backplane;
    this.#access = access;
    this.#log = log;
    this.#maxRooms = maxRooms;
    this.#sweepTimer = setInterval(() => void this.sweep(), sweepEveryMs).unref();
    this.#stopListening = access.onAccessChange(({ tenantId, userId }) => {
      for (const connection of this.#people.get(personKey(tenantId, userId)) ?? []) void this.recheck(connection);
    });
    backplane.onHint((hint) => this.#hinted(hint));
    backplane.onRestored(() => void this.sweep());
  }

  /** Adds a kind of room; each name belongs to the first kind that parses it. */
  register(kind: RoomKind): void {
    this.#kinds.push(kind);
  }

  /** Every kind of room there is. */
  get kinds(): readonly RoomKind[] {
    return this.#kinds;
  }

  /** True once `drain()` was called: no new connections. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** For metrics. */
  get counts(): { connections: number; rooms: number; foundBySweep: number } {
    let rooms = 0;
    for (const tenant of this.#tenants.values()) rooms += tenant.rooms.size;
    return { connections: this.#connections.size, rooms, foundBySweep: this.#foundBySweep };
  }

  /** Everybody who is connected to this node, once, as their connection knows them. */
  *people(): Generator<Actor> {
    for (const connections of this.#people.values()) {
      for (const { actor } of connections) {
        yield actor;
        break;
      }
    }
  }

  /** How many connections a person has on this node. */
  connectionsOf(tenantId: string, userId: string): number {
    return this.#people.get(personKey(tenantId, userId))?.size ?? 0;
  }

  /** How many connections a tenant's people have on this node. */
  connectionsOfTenant(tenantId: string): number {
    return this.#crowds.get(tenantId) ?? 0;
  }

  /** Lets go of a person's connections that are only still counted: after a broken line nobody tells us that they ended. */
  async probe(tenantId: string, userId: string): Promise<void> {
    const connections = [...(this.#people.get(personKey(tenantId, userId)) ?? [])];
    await Promise.all(connections.map((connection) => connection.probe?.()));
  }

  /**
   * A connection is open from here on; `detach` must follow when it closes. Who is behind it is asked once more: a
   * change of access between the first look and this moment was told to nobody here.
   */
  attach(connection: Connection): void {
    this.#connections.set(connection, new Map());
    const { tenantId } = connection.actor;
    this.#crowds.set(tenantId, this.connectionsOfTenant(tenantId) + 1);
    const key = personKey(tenantId, connection.actor.id);
    const others = this.#people.get(key);
    if (others) others.add(connection);
    else this.#people.set(key, new Set([connection]));
    void this.recheck(connection);
  }

  /** The connection is gone; safe to call twice. */
  detach(connection: Connection): void {
    const rooms = this.#connections.get(connection);
    if (!rooms) return;
    this.#connections.delete(connection);
    for (const subscriber of rooms.values()) this.#leave(subscriber);
    const left = this.connectionsOfTenant(connection.actor.tenantId) - 1;
    if (left > 0) this.#crowds.set(connection.actor.tenantId, left);
    else this.#crowds.delete(connection.actor.tenantId);
    const key = personKey(connection.actor.tenantId, connection.actor.id);
    const people = this.#people.get(key);
    people?.delete(connection);
    if (people?.size === 0) this.#people.delete(key);
  }

  /**
   * Lets a connection hear a room: first it is put among the subscribers, then the state is read, so that nothing falls
   * in between. `welcome` makes the text of the answer, which goes out before any change. Everything after the cursor
   * follows, in order, however far behind it is. A second subscription to the same room replaces the first.
   * @throws what the room's kind throws when it cannot read
   */
  async subscribe(
    connection: Connection,
    name: string,
    after: Cursor | null,
    welcome: (welcome: Welcome) => string,
  ): Promise<SubscribeOutcome> {
    const mine = this.#connections.get(connection);
    if (!mine) return 'gone';
    this.unsubscribe(connection, name);
    if (mine.size >= this.#maxRooms) return 'full';
    const found = this.#find(name);
    if (!found) return 'refused';
    const room = this.#room(connection.actor.tenantId, name, found.kind, found.id);
    const subscriber: Subscriber = {
      connection,
      room,
      reader: null,
      floor: 0,
      isLive: false,
      missed: [],
      isCancelled: false,
      isFollower: false,
    };
    room.subscribers.add(subscriber);
    this.#count(room, 1);
    mine.set(name, subscriber);
    try {
      const allowed = await found.kind.open(connection.actor, found.id);
      if (subscriber.isCancelled) return 'gone';
      if (!allowed) {
        this.#forgetSubscription(subscriber);
        return 'refused';
      }
      if (found.kind.follows) {
        subscriber.isFollower = true;
        await this.#follow(room.tenantId, found.kind.follows);
      }
      if (subscriber.isCancelled) return 'gone';
      await this.#begin(subscriber, allowed, after, welcome);
      if (subscriber.isLive && !subscriber.isCancelled) room.kind.joined?.(room.tenantId, room.id, connection);
      return subscriber.isCancelled ? 'gone' : 'subscribed';
    } catch (error) {
      this.#forgetSubscription(subscriber);
      throw error;
    }
  }

  /** Whether this actor would be let into a room now, for doors that must answer before anything is opened. */
  async mayHear(actor: Actor, name: string): Promise<boolean> {
    const found = this.#find(name);
    return found !== null && (await found.kind.open(actor, found.id)) !== null;
  }

  /** True when the connection hears the room now. */
  isIn(connection: Connection, name: string): boolean {
    return this.#connections.get(connection)?.get(name)?.isLive ?? false;
  }

  /** The connection hears the room no longer; false when it was not in it. */
  unsubscribe(connection: Connection, name: string): boolean {
    const subscriber = this.#connections.get(connection)?.get(name);
    if (!subscriber) return false;
    this.#forgetSubscription(subscriber);
    return true;
  }

  /** True when somebody on this node is in the room, so that a telling is worth making. */
  hasListeners(tenantId: string, name: string): boolean {
    return (this.#tenants.get(tenantId)?.rooms.get(name)?.subscribers.size ?? 0) > 0;
  }

  /** The ids of all rooms of a kind that somebody on this node is in, by tenant. */
  heard(kind: string): Map<string, string[]> {
    const heard = new Map<string, string[]>();
    for (const [tenantId, { rooms, kinds }] of this.#tenants) {
      if (!kinds.get(kind)) continue;
      const ids: string[] = [];
      for (const room of rooms.values()) if (room.kind.kind === kind && room.subscribers.size > 0) ids.push(room.id);
      heard.set(tenantId, ids);
    }
    return heard;
  }

  /** True when this person hears the room on this node. */
  isHeardBy(tenantId: string, name: string, userId: string): boolean {
    for (const { connection, isLive } of this.#tenants.get(tenantId)?.rooms.get(name)?.subscribers ?? []) {
      if (isLive && connection.actor.id === userId) return true;
    }
    return false;
  }

  /** True when somebody of this tenant is in any room of the kind on this node. */
  hasKind(tenantId: string, kind: string): boolean {
    return (this.#tenants.get(tenantId)?.kinds.get(kind) ?? 0) > 0;
  }

  /** True when changes of this log interest anybody on this node. */
  isAwake(tenantId: string, kind: string, name: string): boolean {
    const tenant = this.#tenants.get(tenantId);
    return tenant !== undefined && (tenant.rooms.has(name) || tenant.followers.has(kind));
  }

  /**
   * These changes of a log are committed; `changes` continue each other. Call it once per change, in any order: what
   * does not continue the log makes the hub read the rows.
   */
  changed(tenantId: string, name: string, changes: readonly Change[]): void {
    const first = changes[0];
    const last = changes[changes.length - 1];
    if (!first || !last) return;
    this.#backplane.publish({ tenantId, room: name, version: last.version, after: first.version - 1 });
    const room = this.#awakeRoom(tenantId, name, first.version - 1);
    if (!room) return;
    if (room.delivered !== null && last.version <= room.delivered) return;
    if (!room.isReading && room.delivered === first.version - 1 && this.#access.isFollowing()) {
      this.#deliver(room, changes, room.delivered);
      return;
    }
    for (const change of changes) {
      if (change.originConnectionId) room.origins.set(change.version, change.originConnectionId);
    }
    this.#aim(room, last.version);
  }

  /** Says something that is in no log to who is in the room on this node. */
  tell(tenantId: string, name: string, telling: Telling): void {
    const room = this.#tenants.get(tenantId)?.rooms.get(name);
    if (!room || !this.#access.isFollowing()) return;
    const frames: (Frame | null)[] = [];
    for (const subscriber of room.subscribers) {
      const { connection, reader, isLive } = subscriber;
      if (telling.isFor?.(connection) === false) continue;
      if (!isLive || !reader) {
        if (telling.isState) this.#keep(subscriber, telling);
        continue;
      }
      let frame = frames[reader.index];
      if (frame === undefined) {
        frame = this.#toldFrame(room, telling, reader);
        frames[reader.index] = frame;
      }
      if (frame) connection.send(frame);
    }
  }

  /** Lets the other nodes know of something without a log; their room kind hears the note. */
  note(tenantId: string, name: string, note: string): void {
    this.#backplane.publish({ tenantId, room: name, version: 0, after: 0, note });
  }

  /**
   * Asks again who is behind a connection and whether it may hear its rooms: closes with 4401 when the session is over,
   * with 4403 when a room is no longer allowed, with 1013 when it cannot be found out. While changes of access are not
   * followed at all nothing is delivered to anybody, so then it may wait.
   */
  async recheck(connection: Connection): Promise<void> {
    try {
      const actor = await connection.renew();
      const rooms = this.#connections.get(connection);
      if (!rooms) return;
      if (!actor) return connection.close(4401);
      connection.actor = actor;
      for (const { room } of [...rooms.values()]) {
        if (!(await room.kind.stillAllowed(actor, room.id))) return connection.close(4403);
      }
    } catch (error) {
      if (!this.#access.isFollowing()) {
        this.#unchecked.add(connection);
        return;
      }
      this.#log.warn({ err: error }, 'a connection could not be checked again');
      connection.close(1013);
    }
  }

  /** Somebody's place in one room changed: everybody in it is asked again. */
  async recheckRoom(tenantId: string, name: string): Promise<void> {
    const room = this.#tenants.get(tenantId)?.rooms.get(name);
    const connections = [...(room?.subscribers ?? [])].map((one) => one.connection);
    await Promise.all(connections.map((connection) => this.recheck(connection)));
  }

  /** Finds what no hint has told: one query a kind for everything that somebody on this node hears. Never rejects. */
  async sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      const now = Date.now();
      for (const connection of this.#connections.keys()) {
        if (connection.expiresAtMs <= now || this.#unchecked.delete(connection)) void this.recheck(connection);
      }
      for (const kind of this.#kinds) await this.#sweepKind(kind);
      this.#forgetIdle(now);
    } catch (error) {
      this.#log.warn({ err: error }, 'the sweep for lost hints failed; the next one follows');
    } finally {
      this.#isSweeping = false;
    }
  }

  /** Closes every connection with 1012 and takes no more. Hints still leave, for requests that are under way. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const connection of [...this.#connections.keys()]) connection.close(1012);
    for (let waited = 0; waited < 1_500 && this.#connections.size > 0; waited += 50) await sleep(50);
  }

  /** Stops sweeping and listening; connections are left alone. */
  async close(): Promise<void> {
    clearInterval(this.#sweepTimer);
    this.#stopListening();
    await this.#backplane.close();
  }

  async #begin(
    subscriber: Subscriber,
    subscription: Subscription,
    after: Cursor | null,
    welcome: (welcome: Welcome) => string,
  ): Promise<void> {
    const { connection, room } = subscriber;
    const reader = this.#reader(subscription.audience, connection);
    subscriber.reader = reader;
    const { version } = subscription;
    const resumes = version !== null && after !== null && after.epoch === this.epoch && after.version <= version;
    const status = resumes ? 'resumed' : 'reset';
    const isBehind = resumes && after.version < version;
    connection.send(
      frameOf(
        welcome({ room: room.name, status, version, epoch: this.epoch, isBehind, viewer: reader, subscription }),
        version === null ? null : { room: room.name, version: resumes ? after.version : version },
      ),
    );
    if (version === null) return this.#goLive(subscriber, reader);
    if (room.delivered === null) {
      room.delivered = version;
      if (room.target > version) void this.#read(room);
    }
    subscriber.floor = resumes ? after.version : version;
    await this.#catchUp(subscriber, reader, version);
  }

  /** Sends the subscriber what lies between it and the room, page by page, then lets it go with the room. */
  async #catchUp(subscriber: Subscriber, reader: Reader, version: number): Promise<void> {
    const { connection, room } = subscriber;
    const from = subscriber.floor;
    const told = new Set<number>();
    for (;;) {
      const goal = Math.max(version, room.delivered ?? 0);
      if (subscriber.floor >= goal || !room.kind.changesAfter) break;
      const changes = await room.kind.changesAfter(room.tenantId, room.id, subscriber.floor, PAGE);
      if (subscriber.isCancelled) return;
      for (const change of changes) {
        // what was told on the way here and changed since is not new a second time
        const isTold = change.firstVersion !== undefined && told.has(change.firstVersion);
        const frame = this.#frame(room, change, reader, isTold ? change.version : from);
        if (frame) connection.send(frame);
        if (change.firstVersion !== undefined) told.add(change.firstVersion);
        subscriber.floor = change.version;
      }
      if (changes.length < PAGE) subscriber.floor = Math.max(subscriber.floor, version);
      // rows that the room went past are gone from the log, or it would have been read here
      if (changes.length === 0) subscriber.floor = Math.max(subscriber.floor, goal);
      if (changes.length === PAGE) await connection.drained();
      if (subscriber.isCancelled) return;
    }
    this.#goLive(subscriber, reader);
  }

  /** From here on it hears what the room hears; first what it was not told meanwhile. */
  #goLive(subscriber: Subscriber, reader: Reader): void {
    subscriber.isLive = true;
    for (const telling of subscriber.missed.splice(0)) {
      const frame = this.#toldFrame(subscriber.room, telling, reader);
      if (frame) subscriber.connection.send(frame);
    }
  }

  #keep({ missed, connection }: Subscriber, telling: Telling): void {
    missed.push(telling);
    if (missed.length > MAX_MISSED) connection.close(1013);
  }

  #toldFrame(room: Room, telling: Telling, reader: Reader): Frame | null {
    const text = this.#safely(room, () => telling.encode(reader, room.name));
    return text === null ? null : frameOf(text);
  }

  #deliver(room: Room, changes: readonly Change[], after: number): void {
    for (const change of changes) {
      const origin = change.originConnectionId ?? room.origins.get(change.version);
      const frames: (Frame | null)[] = [];
      for (const { connection, reader, isLive, floor } of room.subscribers) {
        if (!isLive || !reader || change.version <= floor || connection.id === origin) continue;
        if (floor > after) {
          const own = this.#frame(room, change, reader, floor);
          if (own) connection.send(own);
          continue;
        }
        let frame = frames[reader.index];
        if (frame === undefined) {
          frame = this.#frame(room, change, reader, after);
          frames[reader.index] = frame;
        }
        if (frame) connection.send(frame);
      }
      room.delivered = change.version;
    }
    if (room.origins.size > 0) {
      for (const version of room.origins.keys()) {
        if (version <= (room.delivered ?? 0)) room.origins.delete(version);
      }
    }
    room.kind.delivered?.(room.tenantId, room.id, changes, after);
  }

  #frame(room: Room, change: Change, viewer: Viewer, after: number): Frame | null {
    const text = this.#safely(room, () => change.encode(viewer, room.name, after));
    return text === null ? null : frameOf(text, { room: room.name, version: change.version });
  }

  #safely(room: Room, encode: () => string | null): string | null {
    try {
      return encode();
    } catch (error) {
      this.#log.error({ err: error, kind: room.kind.kind }, 'a frame could not be made');
      return null;
    }
  }

  /** This version exists: what lies before it is read, unless that is under way. */
  #aim(room: Room, version: number): void {
    if (version > room.target) room.target = version;
    if (room.delivered !== null) void this.#read(room);
  }

  /** Delivers from the database whatever lies between what went out and what is known to exist. Never rejects. */
  async #read(room: Room): Promise<void> {
    if (room.isReading) return;
    room.isReading = true;
    try {
      while (room.delivered !== null && room.delivered < room.target && room.kind.changesAfter) {
        if (!this.#access.isFollowing()) return;
        const after: number = room.delivered;
        const changes = await room.kind.changesAfter(room.tenantId, room.id, after, PAGE);
        if (changes.length > 0) this.#deliver(room, changes, after);
        // a version that no row carries: somebody else's invention, or a row that is gone
        else room.target = after;
      }
    } catch (error) {
      this.#log.warn({ err: error, kind: room.kind.kind }, 'a log could not be read; the next sweep tries again');
    } finally {
      room.isReading = false;
    }
  }

  #hinted({ tenantId, room: name, version, after, note }: Hint): void {
    if (note !== undefined) {
      // also where nobody of the tenant is: it may answer a question of this node
      const found = this.#find(name);
      found?.kind.heard?.(tenantId, found.id, note);
      return;
    }
    const room = this.#awakeRoom(tenantId, name, after);
    if (room && version > (room.delivered ?? 0)) this.#aim(room, version);
  }

  /** The room when anybody here cares for its log; one that is only followed begins where the change began. */
  #awakeRoom(tenantId: string, name: string, after: number): Room | null {
    const tenant = this.#tenants.get(tenantId);
    if (!tenant) return null;
    const known = tenant.rooms.get(name);
    if (known) {
      if (known.delivered === null && known.subscribers.size === 0) known.delivered = after;
      return known;
    }
    if (tenant.followers.size === 0) return null;
    const found = this.#find(name);
    if (!found || !tenant.followers.has(found.kind.kind)) return null;
    const room = this.#room(tenantId, name, found.kind, found.id);
    room.delivered = after;
    return room;
  }

  async #sweepKind(kind: RoomKind): Promise<void> {
    const heard: { tenantId: string; id: string; version: number; room: Room }[] = [];
    const followedTenants: string[] = [];
    const knownIds: string[] = [];
    for (const [tenantId, tenant] of this.#tenants) {
      const isFollowed = tenant.followers.has(kind.kind);
      if (isFollowed && kind.recent) followedTenants.push(tenantId);
      for (const room of tenant.rooms.values()) {
        if (room.kind !== kind || room.delivered === null) continue;
        if (room.subscribers.size > 0) heard.push({ tenantId, id: room.id, version: room.delivered, room });
        if (isFollowed) knownIds.push(room.id);
      }
    }
    const found: { tenantId: string; id: string; version: number; base: number | null }[] = [];
    if (heard.length > 0 && kind.ahead) {
      for (const one of await kind.ahead(heard)) found.push({ ...one, base: null });
    }
    if (followedTenants.length > 0 && kind.recent) found.push(...(await kind.recent(followedTenants, knownIds)));
    const behind = found.filter(({ tenantId, id, version }) => {
      const room = this.#roomOf(tenantId, kind, id);
      return !room || version > (room.delivered ?? version);
    });
    if (behind.length === 0) return;
    await sleep(SWEEP_GRACE_MS);
    for (const { tenantId, id, version, base } of behind) {
      const room = this.#roomOf(tenantId, kind, id) ?? this.#wake(tenantId, kind, id, base);
      if (room?.delivered === null || !room || room.delivered >= version) continue;
      this.#foundBySweep += 1;
      this.#aim(room, version);
    }
  }

  #wake(tenantId: string, kind: RoomKind, id: string, base: number | null): Room | null {
    if (base === null || !this.#tenants.get(tenantId)?.followers.has(kind.kind)) return null;
    const room = this.#room(tenantId, nameOf(kind, id), kind, id);
    room.delivered ??= base;
    return room;
  }

  /** Keeps up with all logs of a kind from now on: what has moved lately is noted as it stands. */
  async #follow(tenantId: string, kindName: string): Promise<void> {
    const tenant = this.#tenant(tenantId);
    const follower = tenant.followers.get(kindName);
    if (follower) {
      follower.count += 1;
      return follower.seeded;
    }
    const seeded = this.#seed(tenantId, kindName);
    tenant.followers.set(kindName, { count: 1, seeded });
    return seeded;
  }

  async #seed(tenantId: string, kindName: string): Promise<void> {
    const kind = this.#kinds.find((one) => one.kind === kindName);
    if (!kind?.recent) return;
    for (const { id, version } of await kind.recent([tenantId], [])) {
      const room = this.#room(tenantId, nameOf(kind, id), kind, id);
      room.delivered ??= version;
    }
  }

  #unfollow(tenantId: string, kindName: string): void {
    const tenant = this.#tenants.get(tenantId);
    const follower = tenant?.followers.get(kindName);
    if (!tenant || !follower) return;
    follower.count -= 1;
    if (follower.count > 0) return;
    tenant.followers.delete(kindName);
    for (const room of tenant.rooms.values()) this.#dropIfEmpty(room);
  }

  #forgetSubscription(subscriber: Subscriber): void {
    const mine = this.#connections.get(subscriber.connection);
    if (mine?.get(subscriber.room.name) === subscriber) mine.delete(subscriber.room.name);
    this.#leave(subscriber);
  }

  #leave(subscriber: Subscriber): void {
    if (subscriber.isCancelled) return;
    subscriber.isCancelled = true;
    const { room } = subscriber;
    room.subscribers.delete(subscriber);
    this.#count(room, -1);
    if (subscriber.isLive) room.kind.left?.(room.tenantId, room.id, subscriber.connection);
    if (room.kind.follows && subscriber.isFollower) this.#unfollow(room.tenantId, room.kind.follows);
    this.#dropIfEmpty(room);
  }

  #count(room: Room, change: 1 | -1): void {
    const { kinds } = this.#tenant(room.tenantId);
    kinds.set(room.kind.kind, (kinds.get(room.kind.kind) ?? 0) + change);
  }

  #dropIfEmpty(room: Room): void {
    const tenant = this.#tenants.get(room.tenantId);
    if (!tenant || room.subscribers.size > 0 || tenant.followers.has(room.kind.kind)) return;
    if (tenant.rooms.get(room.name) === room) tenant.rooms.delete(room.name);
    if (tenant.rooms.size === 0 && tenant.followers.size === 0) this.#tenants.delete(room.tenantId);
  }

  #forgetIdle(now: number): void {
    for (const tenant of this.#tenants.values()) {
      for (const room of tenant.rooms.values()) {
        if (room.subscribers.size > 0 || room.isReading) room.touchedAtMs = now;
        else if (now - room.touchedAtMs > FORGET_AFTER_MS) tenant.rooms.delete(room.name);
      }
    }
  }

  #room(tenantId: string, name: string, kind: RoomKind, id: string): Room {
    const { rooms } = this.#tenant(tenantId);
    const known = rooms.get(name);
    if (known) return known;
    const room: Room = {
      tenantId,
      name,
      kind,
      id,
      subscribers: new Set(),
      delivered: null,
      target: 0,
      isReading: false,
      origins: new Map(),
      touchedAtMs: Date.now(),
    };
    rooms.set(name, room);
    return room;
  }

  #roomOf(tenantId: string, kind: RoomKind, id: string): Room | undefined {
    return this.#tenants.get(tenantId)?.rooms.get(nameOf(kind, id));
  }

  #tenant(tenantId: string): TenantRooms {
    const known = this.#tenants.get(tenantId);
    if (known) return known;
    const tenant: TenantRooms = { rooms: new Map(), kinds: new Map(), followers: new Map() };
    this.#tenants.set(tenantId, tenant);
    return tenant;
  }

  #find(name: string): { kind: RoomKind; id: string } | null {
    for (const kind of this.#kinds) {
      const id = kind.parse(name);
      if (id !== null) return { kind, id };
    }
    return null;
  }

  /** The same viewer is the same object, so that frames are found by its number. */
  #reader(audience: Viewer['audience'], { format, language }: Connection): Reader {
    const key = `${audience} ${format} ${language}`;
    let reader = this.#readers.get(key);
    if (!reader) {
      reader = Object.freeze({ audience, format, language, index: this.#readers.size });
      this.#readers.set(key, reader);
    }
    return reader;
  }
}

function nameOf(kind: RoomKind, id: string): string {
  return kind.nameOf?.(id) ?? `${kind.kind}_${id}`;
}

function personKey(tenantId: Actor['tenantId'], userId: Actor['id']): string {
  return `${tenantId} ${userId}`;
}
