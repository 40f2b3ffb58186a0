import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { entities } from '../../../src/entities.ts';
import { type Database, migrate, openDatabase } from '../../../src/platform/database/index.ts';
import { newTenant, type TestTenant } from '../../support/people.ts';
import { type Anomaly, check } from './checker.ts';
import { type ClientOptions, http, openClient, type VirtualClient } from './client.ts';
import { type FinalMessage, openRecorder, type Recorder } from './history.ts';
import { type HintLine, lineOverPostgres, lineOverRedis } from './line.ts';
import { LAB_SECRET, type LabNode, type NodeOptions, startNode } from './node.ts';
import { type LabPostgres, openLabPostgres } from './postgres.ts';
import { type FaultProxy, openFaultProxy } from './proxy.ts';
import { createRandom, type Random } from './random.ts';
import { openLabRedis } from './redis.ts';

/** What a lab is built from. */
export interface LabOptions {
  readonly seed: number;
  /** How many nodes (1). */
  readonly nodes?: number;
  /** Defects of all nodes, or by node. */
  readonly defects?: readonly string[] | ((node: number) => readonly string[]);
  /** A database that is migrated, or empty where a defect changes migrations; absent: a PostgreSQL of the lab's own. */
  readonly database?: { readonly url: string; readonly adminUrl: string };
  readonly env?: Readonly<Record<string, string>>;
  /** What carries hints between the nodes; PostgreSQL unless said otherwise. */
  readonly backplane?: 'postgres' | 'redis';
}

/** A place in the lab where a node runs, each behind its own proxies. */
export interface Seat {
  /** null while it is down. */
  node: LabNode | null;
  /** Between clients and the node. */
  readonly front: FaultProxy;
  /** Between the node and PostgreSQL. */
  readonly back: FaultProxy;
  /** Between the node and the other nodes; over PostgreSQL it can be told from the other connections of `back`. */
  readonly line: HintLine;
  /** Starts it (again); `more` overrides how. */
  start(more?: Partial<NodeOptions>): Promise<LabNode>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Somebody who is signed in. */
export interface LabPerson {
  readonly id: string;
  readonly token: string;
  readonly tenant: string;
  /** Who it is to the host. */
  readonly sub: string;
}

/** A conversation with its user. */
export interface LabConversation {
  readonly id: string;
  readonly user: LabPerson;
}

/** Nodes, proxies, a database, tenants, clients, and what happened. */
export interface Lab {
  readonly seed: number;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly seats: readonly Seat[];
  /** Set when the PostgreSQL is the lab's own. */
  readonly postgres: LabPostgres | null;
  /** How a process reaches the database without a proxy, as the app does. */
  readonly url: string;
  /** Straight to the database, as superuser. */
  readonly admin: pg.Pool;
  /** The lab's own way to the product's tables. */
  readonly database: Database;
  newTenant(): Promise<TestTenant>;
  /** A new user of the tenant, or a known handle of it. */
  signIn(tenant: TestTenant, who: Parameters<TestTenant['signIn']>[0] | { sub: string }): Promise<LabPerson>;
  /** A new user's conversation with one message in it. */
  converse(tenant: TestTenant, count: number): Promise<LabConversation[]>;
  client(
    options: Pick<ClientOptions, 'name' | 'rooms'> & Partial<ClientOptions> & { person: LabPerson },
  ): VirtualClient;
  /** One more place for a node, with nothing in it. */
  addSeat(): Promise<Seat>;
  /** Ports of the proxies in front of nodes that run. */
  ports(): number[];
  /** Waits until every outbox is empty and everybody has everything, or nothing has moved: 5 s at rest, 30 s otherwise. */
  settle(timeoutMs?: number): Promise<void>;
  /** The log as it stands. */
  final(): Promise<FinalMessage[]>;
  /** Settles, closes all clients, reads, and judges. */
  judge(timeoutMs?: number): Promise<Anomaly[]>;
  /** Closes all clients and forgets what happened: a new round on the same nodes. */
  renew(): void;
  /** After the database moved: proxies lead there. */
  follow(): void;
  close(): Promise<void>;
}

const silent = { info() {}, debug() {}, warn() {}, error() {} };
/** Connected and quiet for this long, a client must have everything (faults.md). */
const QUIET_MS = 5_000;

/** Builds a lab and starts its nodes. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const random = createRandom(options.seed);
  const recorder = openRecorder();
  const postgres = options.database ? null : await openLabPostgres();
  const target: { readonly url: string; readonly adminUrl: string } = options.database ?? postgres ?? missing();
  const databasePort = () => postgres?.port ?? Number(new URL(target.url).port);
  const quietProxy = await openFaultProxy(databasePort());
  const clients: VirtualClient[] = [];
  const rooms = new Map<VirtualClient, readonly string[]>();
  /** Places that were acknowledged, by conversation, in the order of the answers. */
  const acked = new Map<string, number[]>();
  const changes: { readonly conversation: string; readonly seq: number; readonly version: number }[] = [];
  let isMigrated = false;
  const seats: Seat[] = [];
  const redis = options.backplane === 'redis' ? await openLabRedis() : null;
  const buses: FaultProxy[] = [];

  async function addSeat(): Promise<Seat> {
    const front = await openFaultProxy(1, random.next);
    const back = await openFaultProxy(databasePort(), random.next);
    const index = seats.length;
    const bus = redis ? await openFaultProxy(redis.port, random.next) : null;
    if (bus) buses.push(bus);
    const seat: Seat = {
      line: bus ? lineOverRedis(bus) : lineOverPostgres(back),
      node: null,
      front,
      back,
      async start(more = {}) {
        const defects = typeof options.defects === 'function' ? options.defects(index) : options.defects;
        const node = await startNode({
          databaseUrl: onPort(target.url, back.port),
          ...(defects ? { defects } : {}),
          ...more,
          env: {
            ...(bus ? { REDIS_URL: `redis://127.0.0.1:${bus.port}` } : {}),
            ...options.env,
            ...(isMigrated ? { FAULTS_MIGRATED: '1' } : {}),
            ...more.env,
          },
        });
        isMigrated = true;
        front.upstream = node.port;
        seat.node = node;
        void node.ended.then(() => {
          if (seat.node === node) seat.node = null;
        });
        return node;
      },
      async kill() {
        const { node } = seat;
        if (!node) return;
        node.kill('SIGKILL');
        await node.ended;
      },
    };
    seats.push(seat);
    return seat;
  }
  for (let count = 0; count < (options.nodes ?? 1); count++) await addSeat();
  // the first migrates; together they would wait for it anyway
  await seats[0]?.start();
  await Promise.all(seats.slice(1).map((seat) => seat.start()));
  if (seats.length === 0) await migrate({ url: onPort(target.url, quietProxy.port), entities: [], log: silent });
  const database = await openDatabase({ url: onPort(target.url, quietProxy.port), entities, log: silent });
  const admin = new pg.Pool({ connectionString: onPort(target.adminUrl, quietProxy.port), max: 4 });
  admin.on('error', () => {});
  let people = 0;
  let read = 0;

  function ports(): number[] {
    return seats.filter(({ node }) => node && !node.hasEnded()).map(({ front }) => front.port);
  }

  /** Notes the acknowledged places of the history since the last look. */
  function lookAtAcks(): void {
    for (; read < recorder.events.length; read++) {
      const event = recorder.events[read];
      if (event?.type === 'ok') {
        const places = acked.get(event.conversation);
        if (places) places.push(event.seq);
        else acked.set(event.conversation, [event.seq]);
      }
      if (event?.type === 'changed') changes.push(event);
    }
  }

  function isAtRest(client: VirtualClient): boolean {
    return client.isClosed || client.endedWith !== null || (client.waiting === 0 && client.isSubscribed);
  }

  function hasAll(client: VirtualClient): boolean {
    if (client.isClosed || client.endedWith !== null) return true;
    if (client.waiting > 0 || !client.isSubscribed) return false;
    const mine = rooms.get(client) ?? [];
    // the last ones first: who lacks something lacks them most often; who catches up may have them before the others
    const hasPlaces = mine.every((room) => {
      const places = acked.get(room) ?? [];
      return places.findLast((seq) => !client.knows(room, seq)) === undefined;
    });
    if (!hasPlaces) return false;
    return changes.every(({ conversation, seq, version }) => {
      return !mine.includes(conversation) || client.knows(conversation, seq, version);
    });
  }

  const lab: Lab = {
    seed: options.seed,
    random,
    recorder,
    seats,
    postgres,
    url: target.url,
    admin,
    database,
    newTenant: () => newTenant(database, Buffer.from(LAB_SECRET)),
    ports,
    addSeat,
    async signIn(tenant, who) {
      if (typeof who === 'string') {
        const { token, person } = await tenant.signIn(who);
        return { id: person.id, token, tenant: tenant.tenant.slug, sub: who };
      }
      const token = await tenant.hostToken({ sub: who.sub, userType: 'driver', name: `Driver ${who.sub}` });
      const answer = await direct('POST', '/api/support/session', undefined, { token });
      const { accessToken, user } = answer as { accessToken: string; user: { id: string } };
      return { id: user.id, token: accessToken, tenant: tenant.tenant.slug, sub: who.sub };
    },
    async converse(tenant, count) {
      return Promise.all(
        Array.from({ length: count }, async () => {
          people += 1;
          const user = await lab.signIn(tenant, { sub: `driver-${options.seed}-${people}` });
          const made = await direct('POST', '/api/support/conversations', user.token, {});
          return { id: (made as { conversation: { id: string } }).conversation.id, user };
        }),
      );
    },
    client({ person, ...more }) {
      const client = openClient({
        token: person.token,
        sender: person.id,
        tenant: person.tenant,
        ports,
        recorder,
        random,
        ...more,
      });
      clients.push(client);
      rooms.set(client, more.rooms);
      return client;
    },
    async settle(timeoutMs = 30_000) {
      let movedAt = performance.now();
      let quietSince: number | null = null;
      for (;;) {
        const before = read;
        lookAtAcks();
        // on a busy machine it takes as long as it takes; what counts is that it goes on
        if (read > before) movedAt = performance.now();
        if (clients.every(hasAll)) break;
        const isQuiet = clients.every(isAtRest);
        quietSince = isQuiet && read === before ? (quietSince ?? performance.now()) : null;
        if (quietSince !== null && performance.now() - quietSince > QUIET_MS) break;
        if (performance.now() - movedAt > timeoutMs) break;
        await sleep(20);
      }
      // what comes twice comes late
      await sleep(150);
      for (const client of clients) {
        if (client.isClosed || client.endedWith !== null) continue;
        for (const conversation of rooms.get(client) ?? []) {
          recorder.add({ type: 'quiet', process: client.name, conversation });
        }
      }
    },
    async final() {
      const ids = [...new Set(recorder.events.flatMap((event) => (event.type === 'client' ? event.mayRead : [])))];
      const { rows } = await admin.query<FinalMessage>(
        `select m.conversation_id as conversation, m.seq, m.version, m.first_version as "firstVersion",
                m.sender_id as sender, m.client_id as "clientId", m.body, c.last_seq as "lastSeq"
         from messages m join conversations c on c.id = m.conversation_id
         where m.conversation_id = any ($1) order by 1, 2`,
        [ids],
      );
      return rows;
    },
    async judge(timeoutMs) {
      await lab.settle(timeoutMs);
      // whoever still sends would be acknowledged after the last look
      for (const client of clients) client.close();
      await sleep(50);
      const senders = new Set(recorder.events.flatMap((event) => (event.type === 'client' ? [event.sender] : [])));
      return check(recorder.events, { final: await lab.final(), senders });
    },
    renew() {
      for (const client of clients.splice(0)) client.close();
      rooms.clear();
      acked.clear();
      changes.splice(0);
      read = 0;
      recorder.reset();
    },
    follow() {
      for (const proxy of [quietProxy, ...seats.map(({ back }) => back)]) proxy.upstream = databasePort();
    },
    async close() {
      for (const client of clients) client.close();
      await Promise.all(seats.map((seat) => seat.kill()));
      await database.close().catch(() => {});
      await admin.end().catch(() => {});
      const proxies = [quietProxy, ...buses, ...seats.flatMap(({ front, back }) => [front, back])];
      await Promise.all(proxies.map((one) => one.close()));
      await redis?.die();
      await postgres?.close();
    },
  };

  /** Past the proxies, for setting up. */
  async function direct(method: 'POST', path: string, token: string | undefined, body: unknown): Promise<unknown> {
    const node = seats.find((seat) => seat.node)?.node;
    if (!node) throw new Error('no node runs');
    const answer = await http({ port: node.port, method, path, body, ...(token ? { token } : {}) });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  return lab;
}

function missing(): never {
  throw new Error('a lab needs a database');
}

function onPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

/** A text that nobody else writes, with the canary of its tenant. */
export function textOf(person: LabPerson, number: number): string {
  return `message ${number} canary-${person.tenant}-end by ${person.id.slice(-8)}`;
}
