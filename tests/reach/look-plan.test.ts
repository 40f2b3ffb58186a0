import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostOffice, type PostOffice } from './post-office.ts';

let office: PostOffice;

beforeAll(async () => {
  office = await openPostOffice();
});
afterAll(() => office.close());

it('a look reads what fell quiet since the last one, not the whole history', async () => {
  const { tenant, people } = office.home;
  await office.admin.query(
    `insert into conversations (id, tenant_id, opened_by, user_type, status, closed_at, closed_by, last_message_at, created_at, updated_at)
     select gen_random_uuid(), $1, $2, 'driver', 'closed', now(), 'system', now() - n * interval '1 minute', now(), now()
     from generate_series(30, 20000) n`,
    [tenant.id, people.rahim.id],
  );
  await office.admin.query('analyze conversations');
  const rowsRead = async () => {
    await office.admin.query('select pg_stat_force_next_flush()');
    const { rows } = await office.admin.query(
      `select sum(idx_tup_fetch + seq_tup_read)::int as read from pg_stat_user_tables where relname = 'conversations'`,
    );
    return rows[0].read as number; // one row, always
  };
  const worker = await office.startWorker();
  const rahim = await office.answered('ayesha', ['An answer.']);
  await office.mailsTo(rahim.address);
  // statistics are written once a second and at the end of a connection
  await new Promise((done) => setTimeout(done, 1_500));
  const before = await rowsRead();
  // the first look went back a day
  expect(before).toBeGreaterThan(1_000);
  await new Promise((done) => setTimeout(done, 3_000));
  await worker.stop();
  // seven looks or so
  expect((await rowsRead()) - before).toBeLessThan(200);
});

it('a look comes to an end when a thousand conversations bear one time', async () => {
  office.home = await office.app.newTenant();
  const { tenant, people } = office.home;
  const { rows } = await office.admin.query(
    `insert into conversations (id, tenant_id, opened_by, user_type, status, closed_at, closed_by, last_seq, unread_by_user,
       last_message_at, created_at, updated_at)
     select gen_random_uuid(), $1, $2, 'driver', 'closed', now(), 'system', 1, 1, now() - interval '20 minutes', now(), now()
     from generate_series(1, 1000) returning id`,
    [tenant.id, people.rahim.id],
  );
  await office.admin.query(
    `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id, message_type,
       body, client_id, content_hash, created_at)
     select gen_random_uuid(), $1, id, 1, 1, 1, 'admin', $2, 'text', 'An answer', gen_random_uuid(), gen_random_uuid(), now()
     from unnest($3::uuid[]) id`,
    [tenant.id, people.agent.id, rows.map((row) => row.id)],
  );
  office.smtp.mood = { refuse: 451 };
  const worker = await office.startWorker();
  await expect
    .poll(
      async () => {
        const owed = await office.admin.query('select count(*)::int as n from answer_mails where tenant_id = $1', [
          tenant.id,
        ]);
        return owed.rows[0].n;
      },
      { timeout: 20_000 },
    )
    .toBe(1_000);
  await worker.stop();
});
