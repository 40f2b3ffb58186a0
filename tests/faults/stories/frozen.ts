import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { newId } from '../../../src/platform/text/index.ts';
import type { Anomaly } from '../lab/checker.ts';
import type { Lab, Seat } from '../lab/lab.ts';
import { inLab, type Story, until } from './story.ts';

/**
 * F22: the node that leads the jobs is stopped (SIGSTOP), another one leads and closes, people write, and the first wakes
 * with what it had decided before. The lab's lease lasts a second instead of ten, closing runs each second instead of
 * each minute, and the sleep lasts until the other has led: the long form ends with a few sleeps of a whole minute
 * with nothing changed.
 */

/** So many are due each round; users write to some of them. */
const DUE = 6;
const REAL_MINUTES = 3;

export const frozenLeader: Story = async (options) => {
  const quick = await inLab(options, { nodes: 2, defects: ['quick-lead'] }, async (lab) => {
    const rounds = options.rounds ?? 3;
    const story = await openStory(lab);
    for (let round = 1; round <= rounds; round++) {
      await story.round(0);
      if (round % 20 === 0) options.onRound?.(round, story.anomalies);
    }
    return { ...story, rounds };
  });
  const real = options.isLong
    ? await inLab(options, { nodes: 2 }, async (lab) => {
        const story = await openStory(lab);
        for (let round = 1; round <= REAL_MINUTES; round++) await story.round(60_000);
        return story;
      })
    : null;
  return {
    anomalies: [...quick.anomalies, ...(real?.anomalies ?? [])],
    rounds: quick.rounds,
    facts: {
      ...quick.facts,
      wholeMinutes: real ? REAL_MINUTES : 0,
      closedInWholeMinutes: real?.facts.closed ?? 0,
      lease: 'a second in the rounds, ten in the whole minutes',
    },
  };
};

async function openStory(lab: Lab) {
  const { admin, random } = lab;
  const tenant = await lab.newTenant();
  const tenantId = tenant.tenant.id;
  const anomalies: Anomaly[] = [];
  const facts = { closed: 0, keptOpen: 0, frozenInTheMiddle: 0, endedAfterwards: 0 };
  await admin.query(
    `insert into settings (tenant_id, section, data, updated_at, updated_by)
     values ($1, 'support', '{"autoCloseAfterHours": 24}', now(), 'system')`,
    [tenantId],
  );

  /** The process whose jobs run. */
  async function leader(since = new Date(0)): Promise<number> {
    const { rows } = await admin.query<{ pid: number }>(
      `select split_part(node, ':', 2)::int as pid from job_runs where started_at > $1 order by id desc limit 1`,
      [since],
    );
    return rows[0]?.pid ?? 0;
  }

  /** Conversations that were warned long ago and are due now. */
  async function due(count: number, activity: string): Promise<string[]> {
    const ids = Array.from({ length: count }, newId);
    await admin.query(
      `with person as (
         insert into users (id, tenant_id, user_type, issuer, sub, name, created_at, updated_at)
         select gen_random_uuid(), $1, 'driver', 'lab', id::text, 'x', now(), now() from unnest($2::uuid[]) id
         returning id, sub
       ), conversation as (
         insert into conversations (id, tenant_id, opened_by, user_type, last_seq, version, last_message_at, created_at, updated_at)
         select sub::uuid, $1, id, 'driver', 1, 1, now() - interval '48 hours', now(), now() from person
         returning id
       ), line as (
         insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, message_type, event, client_id, content_hash, created_at)
         select gen_random_uuid(), $1, id, 1, 1, 1, 'system', 'system', 'closing_soon', gen_random_uuid(), gen_random_uuid(), now()
         from conversation
       )
       insert into closing_warnings (conversation_id, tenant_id, activity_at, warned_seq, warned_at)
       select id, $1, now() - $3::interval, 1, now() - interval '30 hours' from conversation`,
      [tenantId, ids, activity],
    );
    return ids;
  }

  /** What a message of the user does to the rows, in the caller's transaction. */
  async function written(client: pg.Pool | pg.PoolClient, id: string): Promise<boolean> {
    const { rowCount } = await client.query(
      `with moved as (
         update conversations set last_seq = last_seq + 1, version = version + 1, last_message_at = now(), waiting_since = now()
         where id = $1 and status = 'open' returning id, last_seq, version, tenant_id, opened_by
       )
       insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id, message_type, body, client_id, content_hash, created_at)
       select gen_random_uuid(), tenant_id, id, last_seq, version, version, 'user', opened_by, 'text', 'here', gen_random_uuid(), gen_random_uuid(), now()
       from moved`,
      [id],
    );
    return rowCount === 1;
  }

  async function stateOf(id: string): Promise<{ status: string; closings: number }> {
    const { rows } = await admin.query<{ status: string; closings: number }>(
      `select status, (select count(*)::int from messages m where m.conversation_id = c.id and m.event = 'closed') as closings
       from conversations c where id = $1`,
      [id],
    );
    return rows[0] ?? { status: 'gone', closings: 0 };
  }

  /** One sleep, as long as it takes for another node to lead, and `pauseMs` at least. */
  async function round(pauseMs: number): Promise<void> {
    const patience = pauseMs + 90_000;
    const seats = () => lab.seats.filter((seat): seat is Seat & { node: NonNullable<Seat['node']> } => !!seat.node);
    let pid = 0;
    await until('somebody leads', async () => {
      pid = await leader();
      return seats().some(({ node }) => node.pid === pid);
    });
    const frozen = seats().find(({ node }) => node.pid === pid)?.node;
    if (!frozen) throw new Error('nobody leads');
    // in half of the rounds a row is held, so that the leader is frozen while it closes; else at any moment
    const holder = random.chance(0.5) && pauseMs === 0 ? await admin.connect() : null;
    const held: string[] = [];
    const ids = await due(DUE, '50 hours');
    if (holder) {
      // the last in order: what comes before it is closed in the same run
      const [id] = await due(1, '400 days');
      if (!id) throw new Error('nothing to hold');
      await holder.query('begin');
      const { rows } = await holder.query<{ status: string }>(
        'select status from conversations where id = $1 for update',
        [id],
      );
      if (rows[0]?.status === 'open') {
        held.push(id);
        await until(
          'it waits for the row',
          async () =>
            (await admin.query(`select 1 from pg_locks where not granted and locktype in ('transactionid', 'tuple')`))
              .rowCount !== 0,
        ).catch(() => {});
        facts.frozenInTheMiddle++;
      }
    } else await sleep(random.between(0, 1_000));
    frozen.kill('SIGSTOP');
    const stoppedAt = new Date();

    // people write meanwhile, to what is still open, and more falls due
    const wrote = new Set<string>();
    for (const id of ids) if (random.chance(0.4) && (await written(admin, id))) wrote.add(id);
    ids.push(...(await due(DUE, '60 hours')));
    if (holder) {
      for (const id of held) if (random.chance(0.6) && (await written(holder, id))) wrote.add(id);
      await holder.query('commit');
      holder.release();
    }
    ids.push(...held);
    await until('another node leads', async () => ![0, pid].includes(await leader(stoppedAt)), patience);
    await sleep(Math.max(0, pauseMs - (Date.now() - stoppedAt.getTime())));

    frozen.kill('SIGCONT');
    const wokeAt = new Date();
    await until(
      'everything due is closed',
      async () => {
        const states = await Promise.all(ids.filter((id) => !wrote.has(id)).map(stateOf));
        return states.every(({ status }) => status === 'closed');
      },
      patience,
    ).catch((error: Error) => anomalies.push({ kind: 'lost', what: error.message }));
    // what the woken one had begun comes to its end
    await sleep(pauseMs === 0 ? 1_500 : 5_000);
    for (const id of ids) {
      const { status, closings } = await stateOf(id);
      if (wrote.has(id)) facts.keptOpen++;
      else facts.closed++;
      if (wrote.has(id) && (status !== 'open' || closings > 0)) {
        anomalies.push({ kind: 'resurrected', what: `${id} was closed over a message` });
      }
      if (!wrote.has(id) && closings !== 1) anomalies.push({ kind: 'duplicate', what: `${id}: ${closings} closings` });
    }
    const { rows } = await admin.query<{ pid: number; runs: number }>(
      `select split_part(node, ':', 2)::int as pid, count(*)::int as runs from job_runs
       where started_at > $1 and job = 'desk.close-idle' group by 1`,
      [wokeAt],
    );
    // a run that had passed the question may still begin, once; a second one is a second leader
    const late = rows.find((row) => row.pid === pid)?.runs ?? 0;
    if (rows.length > 1) facts.endedAfterwards += late;
    if (rows.length > 1 && late > 1) anomalies.push({ kind: 'divergence', what: `two lead: ${JSON.stringify(rows)}` });
  }

  return { round, anomalies, facts };
}
