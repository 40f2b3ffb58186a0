import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { createAppender } from '../../src/messaging/index.ts';
import { openDatabase } from '../../src/platform/database/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import type { Figure } from './figures.ts';
import { type BenchDatabase, BODY, quiet, SECONDS } from './workload.ts';

/** Two statements of 500 rows are under way at once, here and there. */
const CONVERSATIONS = 1_000;
const ROWS = 500;

/**
 * Appending alone: every message checked, numbered, deduplicated, counted and audited by the product's own batcher,
 * against multi-row inserts of the same rows into a table with the same columns and indexes. Both with fsync, both
 * with two statements of 500 rows under way.
 */
export async function measureAppending(where: BenchDatabase): Promise<Figure[]> {
  const admin = new pg.Pool({ connectionString: where.adminUrl, max: 2 });
  const database = await openDatabase({ url: where.url, entities: [], log: quiet });
  try {
    const seeded = await seed(admin);
    const raw = await insertRaw(admin, seeded);
    const ours = await append(database.appendPool, seeded);
    return [
      { what: 'appending', unit: 'messages/s', ours, raw, rawIs: `multi-row inserts, ${ROWS} rows, two at once` },
    ];
  } finally {
    await database.close();
    await admin.end();
  }
}

interface Seeded {
  readonly tenantId: string;
  /** One user and one open conversation each. */
  readonly conversations: readonly { readonly id: string; readonly userId: string }[];
}

async function seed(admin: pg.Pool): Promise<Seeded> {
  const tenantId = newId();
  const conversations = Array.from({ length: CONVERSATIONS }, () => ({ id: newId(), userId: newId() }));
  const ids = conversations.map(({ id }) => id);
  const users = conversations.map(({ userId }) => userId);
  await admin.query(`insert into tenants (id, slug, name, user_types) values ($1, $2, 'Bench', '{driver}')`, [
    tenantId,
    `bench-${tenantId.slice(-12)}`,
  ]);
  await admin.query(
    `insert into users (id, tenant_id, user_type, issuer, sub, name, created_at, updated_at)
     select id, $1, 'driver', 'bench', id::text, 'Bench', now(), now() from unnest($2::uuid[]) as u (id)`,
    [tenantId, users],
  );
  await admin.query(
    `insert into conversations (id, tenant_id, opened_by, user_type, last_message_at, created_at, updated_at)
     select id, $1, user_id, 'driver', now(), now(), now() from unnest($2::uuid[], $3::uuid[]) as c (id, user_id)`,
    [tenantId, ids, users],
  );
  return { tenantId, conversations };
}

/** Rows a second of plain inserts. */
async function insertRaw(admin: pg.Pool, { tenantId, conversations }: Seeded): Promise<number> {
  await admin.query('create table bench_raw (like messages including all)');
  const text = `insert into bench_raw (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
      message_type, body, client_id, content_hash, created_at)
    select id, $1, conversation_id, seq, seq, seq, 'user', sender_id, 'text', body, client_id, client_id, now()
    from unnest($2::uuid[], $3::uuid[], $4::int[], $5::uuid[], $6::text[], $7::uuid[])
      as row (id, conversation_id, seq, sender_id, body, client_id)`;
  let rows = 0;
  async function writer(half: Seeded['conversations'], until: number): Promise<void> {
    for (let seq = 1 + rows; performance.now() < until; seq += 1) {
      const fresh = half.map(() => randomUUID());
      await admin.query({
        name: 'bench_raw',
        text,
        values: [
          tenantId,
          half.map(() => newId()),
          half.map(({ id }) => id),
          half.map(() => seq),
          half.map(({ userId }) => userId),
          half.map(() => BODY),
          fresh,
        ],
      });
      rows += half.length;
    }
  }
  async function run(seconds: number): Promise<number> {
    const [before, began] = [rows, performance.now()];
    const until = began + seconds * 1_000;
    await Promise.all([
      writer(conversations.slice(0, ROWS), until),
      writer(conversations.slice(ROWS, 2 * ROWS), until),
    ]);
    return (rows - before) / ((performance.now() - began) / 1_000);
  }
  await run(1);
  return run(SECONDS);
}

/** Messages a second through the product's batcher, one in flight a conversation. */
async function append(appendPool: pg.Pool, { tenantId, conversations }: Seeded): Promise<number> {
  const appender = createAppender({ database: { appendPool }, log: quiet });
  let done = 0;
  let running = true;
  async function writer({ id, userId }: Seeded['conversations'][number]): Promise<void> {
    while (running) {
      const outcome = await appender.append({
        id: newId(),
        tenantId,
        conversationId: id,
        sender: { type: 'user', id: userId, accessVersion: 1, name: 'Bench', userType: 'driver' },
        clientId: randomUUID(),
        messageType: 'text',
        body: BODY,
      });
      if (outcome.verdict !== 'new') throw new Error(`a new message was answered ${outcome.verdict}`);
      done += 1;
    }
  }
  const writers = Promise.all(conversations.map(writer));
  await pause(1);
  const [before, began] = [done, performance.now()];
  await pause(SECONDS);
  const rate = (done - before) / ((performance.now() - began) / 1_000);
  running = false;
  await writers;
  return rate;
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
