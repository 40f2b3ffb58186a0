import { randomUUID } from 'node:crypto';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entities } from '../../src/entities.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { call, program, startConversation, type TestSocket } from '../live/live-app.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { type NodeProcess, type RedisProcess, redisServer, startProcess, startRedis } from './processes.ts';

/** `NODES=long`: what the product promises (200 messages a second, p99 within 150 ms, a dead minute). */
const LONG = process.env['NODES'] === 'long';
const RATE = LONG ? 200 : 60;
const SECONDS = LONG ? 30 : 3;
/** The short form runs beside the whole suite on two cores: it only finds what is broken, not what is slow. */
const MAX_P99_MS = LONG ? 150 : 1_500;
const DEAD_SECONDS = LONG ? 60 : 4;

const redisBinary = redisServer();
if (!redisBinary) {
  process.stderr.write(
    'tests/nodes: redis-server is not installed (Debian: apt-get install redis-server); Redis is skipped\n',
  );
}

/** One kind of line between the nodes, and how it dies. */
interface LineUnderTest {
  readonly name: string;
  readonly nodes: number;
  open(
    database: FreshDatabase,
  ): Promise<{ env: Record<string, string>; during: (ms: number) => Promise<void>; close(): Promise<void> }>;
}

function overPostgres(count: number): LineUnderTest {
  return {
    name: `${count} nodes, PostgreSQL between them`,
    nodes: count,
    async open(database) {
      const admin = new pg.Client({ connectionString: database.adminUrl });
      await admin.connect();
      return {
        env: {},
        /** Cut again as soon as it is open. */
        async during(ms) {
          let cut = 0;
          for (const until = Date.now() + ms; Date.now() < until; await sleep(50)) {
            const { rowCount } = await admin.query(
              `select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()
                 and (query like 'listen %' or query like '%pg_notify%')`,
            );
            cut += rowCount ?? 0;
          }
          expect(cut).toBeGreaterThanOrEqual(count);
        },
        close: () => admin.end(),
      };
    },
  };
}

function overRedis(count: number): LineUnderTest {
  return {
    name: `${count} nodes, Redis between them`,
    nodes: count,
    async open() {
      const redis: RedisProcess = await startRedis(redisBinary ?? '');
      return {
        env: { REDIS_URL: redis.url },
        /** Half of the time it stands still, half of the time it is gone. */
        async during(ms) {
          redis.freeze();
          await sleep(ms / 2);
          redis.thaw();
          await redis.die();
          await sleep(ms / 2);
          await redis.start();
        },
        close: () => redis.die(),
      };
    },
  };
}

const LINES = LONG ? [overPostgres(2), overPostgres(3), overRedis(2), overRedis(3)] : [overPostgres(3), overRedis(2)];

describe.each(LINES)('$name', ({ name, nodes: count, open }) => {
  const skipped = name.includes('Redis') && !redisBinary;
  let fresh: FreshDatabase;
  let database: Database;
  let line: Awaited<ReturnType<LineUnderTest['open']>>;
  let nodes: NodeProcess[] = [];
  let home: TestTenant;

  beforeAll(async () => {
    if (skipped) return;
    fresh = await freshDatabase();
    line = await open(fresh);
    nodes = await Promise.all(Array.from({ length: count }, () => startProcess(fresh.url, line.env)));
    const log = { info() {}, debug() {}, warn() {}, error() {} };
    database = await openDatabase({ url: fresh.url, entities, log });
    home = await newTenant(database);
  });
  afterAll(async () => {
    if (skipped) return;
    const codes = await Promise.all(nodes.map((node) => node.stop()));
    await line?.close();
    await database?.close();
    await fresh?.drop();
    expect(codes).toEqual(nodes.map(() => 0));
  });

  function nodeAt(index: number): NodeProcess {
    const node = nodes[index % nodes.length];
    if (!node) throw new Error('no node was started');
    return node;
  }

  /** Pairs that talk: the user on one node, the desk on another. */
  async function pairs(): Promise<{ id: string; driver: TestSocket; desk: TestSocket }[]> {
    const agent = await home.signIn('agent');
    const people = ['rahim', 'driver-2', 'ayesha', 'customer-2', 'kacchi-house', 'restaurant-2'] as const;
    return Promise.all(
      people.map(async (handle, at) => {
        const user = await home.signIn(handle);
        const id = await startConversation(nodeAt(at), user);
        const driver = await program(nodeAt(at), user);
        const desk = await program(nodeAt(at + 1), agent);
        const { version } = await desk.join(`conversation_${id}`);
        await desk.join(`conversation_${id}`, version);
        return { id, driver, desk };
      }),
    );
  }

  it.skipIf(skipped)(
    `a message is seen on another node, ${RATE} a second`,
    async () => {
      const talking = await pairs();
      const late: number[] = [];
      const sentAt = new Map<string, number>();
      let acked = 0;
      for (const { driver, desk } of talking) {
        driver.ws.on('message', (data) => {
          if (String(data).startsWith('{"type":"message:ack"')) acked += 1;
        });
        desk.ws.on('message', (data) => {
          const frame = JSON.parse(String(data));
          const began = frame.type === 'message:new' ? sentAt.get(frame.message.body) : undefined;
          if (began !== undefined) late.push(performance.now() - began);
        });
      }
      // the line needs a moment to know who is there
      await sleep(2_500);
      const total = RATE * SECONDS;
      const began = performance.now();
      for (let index = 0; index < total; index += 1) {
        const due = began + (index * 1_000) / RATE;
        if (due > performance.now() + 1) await sleep(due - performance.now());
        const pair = talking[index % talking.length];
        const body = `${name} ${index}`;
        sentAt.set(body, performance.now());
        pair?.driver.send({ type: 'message:send', conversationId: pair.id, clientId: randomUUID(), body });
      }
      await expect.poll(() => late.length, { timeout: 10_000 }).toBe(total);
      expect(acked).toBe(total);
      late.sort((a, b) => a - b);
      const at = (share: number) => (late[Math.floor(late.length * share)] ?? 0).toFixed(1);
      process.stdout.write(
        `${name}: ${RATE}/s, ${total} seen elsewhere: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(0.9999)} ms (load ${loadavg()[0]?.toFixed(1)})\n`,
      );
      expect(Number(at(0.99))).toBeLessThanOrEqual(MAX_P99_MS);
      await Promise.all(talking.flatMap(({ driver, desk }) => [driver.close(), desk.close()]));
    },
    LONG ? 120_000 : 30_000,
  );

  it.skipIf(skipped)(
    `a line that is dead for ${DEAD_SECONDS} s costs delay, never content; revoking works meanwhile`,
    async () => {
      const talking = await pairs();
      const lead = await home.signIn('lead');
      const watched = await Promise.all(nodes.map((node) => program(node, lead)));
      for (const socket of watched) expect(await socket.join('admin_support')).toMatchObject({ type: 'subscribed' });
      const sent = new Map(talking.map(({ id }) => [id, [] as string[]]));
      let worst = 0;

      const dead = line.during(DEAD_SECONDS * 1_000);
      let isDead = true;
      void dead.then(() => {
        isDead = false;
      });
      let revokedAfter: number | null = null;
      for (let index = 0; isDead; index += 1) {
        const pair = talking[index % talking.length];
        if (!pair) break;
        const body = `during ${index}`;
        const began = performance.now();
        sent.get(pair.id)?.push(body);
        expect(await pair.driver.say(pair.id, body)).toMatchObject({ type: 'message:ack' });
        await pair.desk.next((frame) => frame.type === 'message:new' && frame.message.body === body, 5_000);
        worst = Math.max(worst, performance.now() - began);
        if (index === 2) {
          const ended = performance.now();
          expect((await call(nodeAt(0), lead, 'DELETE', '/api/support/session')).status).toBeLessThan(300);
          expect(await Promise.all(watched.map((socket) => socket.closed))).toEqual(nodes.map(() => 4401));
          revokedAfter = performance.now() - ended;
        }
      }
      await dead;
      process.stdout.write(
        `${name}: dead for ${DEAD_SECONDS} s: latest ${worst.toFixed(0)} ms; signed out on every node in ${revokedAfter?.toFixed(0)} ms\n`,
      );
      expect(revokedAfter).not.toBeNull();
      expect(revokedAfter ?? Number.POSITIVE_INFINITY).toBeLessThan(LONG ? 1_000 : 2_000);
      expect(worst).toBeLessThan(LONG ? 2_000 : 4_000);
      for (const { id, desk } of talking) {
        const heard = desk.frames.filter((frame) => frame.type === 'message:new').map((frame) => frame.message.body);
        expect(heard).toEqual(sent.get(id));
      }

      // and the line is quick again by itself
      const [pair] = talking;
      await expect
        .poll(
          async () => {
            if (!pair) return Number.POSITIVE_INFINITY;
            const began = performance.now();
            const { message } = await pair.driver.say(pair.id, 'Quick?');
            await pair.desk.next((frame) => frame.message?.id === message.id);
            return performance.now() - began;
          },
          { timeout: 15_000, interval: 300 },
        )
        .toBeLessThan(250);
      await Promise.all(talking.flatMap(({ driver, desk }) => [driver.close(), desk.close()]));
    },
    LONG ? 150_000 : 40_000,
  );
});
