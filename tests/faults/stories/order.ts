import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { callAppend } from '../../../src/messaging/messages/append-statement.ts';
import { newId } from '../../../src/platform/text/index.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { type Lab, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/**
 * F17: another process has stored a message and does not commit. What is sent after it waits for it, whoever reads or
 * resumes meanwhile sees neither; then it commits, or rolls back, and everybody has what there is, without a hole.
 */
export const commitOrder: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const { random, recorder } = lab;
    const tenant = await lab.newTenant();
    const [conversation] = await lab.converse(tenant, 1);
    if (!conversation) throw new Error('no conversation');
    const { id, user } = conversation;
    const lead = await lab.signIn(tenant, 'lead');
    const phone = lab.client({ name: 'phone', person: user, rooms: [id] });
    const readers = lab.seats.map(({ front }, at) =>
      lab.client({ name: `reader-${at}`, person: lead, rooms: [id], ports: () => [front.port] }),
    );
    await connected([phone, ...readers]);
    const person = await lab.admin.query<{ tenant: string; access: number }>(
      'select tenant_id as tenant, access_version as access from users where id = $1',
      [user.id],
    );
    const [{ tenant: tenantId, access: accessVersion } = { tenant: '', access: 0 }] = person.rows;
    const anomalies: Anomaly[] = [];
    const rounds = options.rounds ?? 6;
    let committed = 0;
    recorder.add({ type: 'client', process: 'outside', sender: user.id, tenant: user.tenant, mayRead: [id] });
    for (let round = 0; round < rounds; round++) {
      const outside = await lab.admin.connect();
      const clientId = randomUUID();
      const body = textOf(user, 10_000 + round);
      const willCommit = random.chance(0.5);
      try {
        await outside.query('begin');
        recorder.add({ type: 'invoke', process: 'outside', sender: user.id, conversation: id, clientId, body });
        const sender = { type: 'user', id: user.id, accessVersion, name: '', userType: 'driver' } as const;
        const message = { id: newId(), tenantId, conversationId: id, sender, clientId, messageType: 'text', body };
        const [outcome] = await callAppend(outside, [message], true);
        if (outcome === 'busy' || outcome?.verdict !== 'new') throw new Error('nothing was stored');
        const { seq, version } = outcome.message;
        const sent = phone.send(id, textOf(user, round));
        // who comes now must not go past what is not there yet
        for (const reader of readers) if (random.chance(0.5)) reader.drop();
        await sleep(random.between(30, 250));
        if (phone.waiting === 0) anomalies.push({ kind: 'reorder', what: `a later one was stored before ${seq}` });
        if (readers.some((reader) => reader.knows(id, seq))) {
          anomalies.push({ kind: 'phantom', what: `${seq} was read before it was committed` });
        }
        await outside.query(willCommit ? 'commit' : 'rollback');
        if (willCommit) {
          committed += 1;
          recorder.add({ type: 'ok', process: 'outside', conversation: id, clientId, seq, version, body });
        } else recorder.add({ type: 'fail', process: 'outside', conversation: id, clientId, code: 'rolled back' });
        const answered = await Promise.race([sent, sleep(8_000)]);
        if (answered?.seq !== (willCommit ? seq + 1 : seq)) {
          anomalies.push({
            kind: 'gap',
            what: `behind ${seq} (${willCommit ? 'committed' : 'undone'}) came ${answered?.seq}`,
          });
        }
      } finally {
        outside.release();
      }
    }
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds, facts: { committed, rolledBack: rounds - committed } };
  });

/**
 * F32: lock order inverted until PostgreSQL breaks the deadlock, every transaction serializable so that they fail to
 * serialize, and a table held until every connection of the pools waits. Each is tried again or told to try again:
 * nothing is stored twice or by half, and the process stays well.
 */
export const collisions: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 4);
    const lead = await lab.signIn(tenant, 'lead');
    const reader = lab.client({
      name: 'lead',
      person: lead,
      rooms: conversations.map(({ id }) => id),
      silenceMs: 30_000,
    });
    // every conversation is written on by two devices, each on a node of its own
    const devices = conversations.flatMap((conversation, at) =>
      lab.seats.map(({ front }, side) => ({
        conversation,
        client: lab.client({
          name: `device-${at}-${side}`,
          person: conversation.user,
          rooms: [conversation.id],
          ports: () => [front.port],
          via: (at + side) % 2 === 0 ? 'socket' : 'post',
          silenceMs: 30_000,
        }),
      })),
    );
    const clients = devices.map(({ client }) => client);
    await connected([reader, ...clients]);
    const anomalies: Anomaly[] = [];
    let number = 0;
    const burst = (each: number) => {
      for (let turn = 0; turn < each; turn++) {
        for (const { conversation, client } of devices)
          void client.send(conversation.id, textOf(conversation.user, number++));
      }
    };
    const drained = (what: string) =>
      until(what, () => clients.every(({ waiting }) => waiting === 0), 30_000).catch(() => {
        anomalies.push({ kind: 'unanswered', what: `not everything is stored: ${what}` });
      });
    const rounds = options.rounds ?? 1;
    const before = await troubles(lab);
    let refusals = 0;
    let slowestLiveMs = 0;
    for (let round = 0; round < rounds; round++) {
      // a deadlock: we hold what they need second, and ask for what they hold
      const holder = await lab.admin.connect();
      try {
        await holder.query('begin');
        await holder.query('lock table audit_log in share mode');
        burst(1);
        await sleep(300);
        await holder.query("set local lock_timeout = '20s'");
        await holder.query('set local deadlock_timeout = 20000');
        await holder.query('select 1 from conversations where id = any ($1) for update', [
          conversations.map(({ id }) => id),
        ]);
        await holder.query('commit');
      } finally {
        await holder.query('rollback').catch(() => {});
        holder.release();
      }
      await drained('after a deadlock');

      // everything waits for one table, and more comes than there are connections
      const wall = await lab.admin.connect();
      try {
        await wall.query('begin');
        await wall.query('lock table messages in access exclusive mode');
        const since = lab.recorder.events.length;
        const until = performance.now() + (options.isLong ? 8_000 : 2_500);
        const pages: Promise<unknown>[] = [];
        while (performance.now() < until) {
          burst(1);
          for (const { id, user } of conversations) {
            for (const { front } of lab.seats) {
              const path = `/api/support/conversations/${id}/messages`;
              const page = http({ port: front.port, method: 'GET', path, token: user.token, timeoutMs: 30_000 });
              pages.push(
                page.then(
                  ({ status, headers }) => {
                    if (status !== 200 && (status !== 503 || !headers['retry-after'])) {
                      anomalies.push({ kind: 'unanswered', what: `a page was answered ${status}` });
                    }
                  },
                  () => void anomalies.push({ kind: 'unanswered', what: 'a page was not answered in 30 s' }),
                ),
              );
            }
          }
          const asked = performance.now();
          const live = await http({ port: lab.seats[0]?.front.port ?? 0, method: 'GET', path: '/healthz' });
          slowestLiveMs = Math.max(slowestLiveMs, performance.now() - asked);
          if (live.status !== 200) anomalies.push({ kind: 'stale', what: `/healthz said ${live.status}` });
          await sleep(100);
        }
        await wall.query('commit');
        await Promise.all(pages);
        refusals += lab.recorder.events.slice(since).filter((event) => event.type === 'info').length;
      } finally {
        await wall.query('rollback').catch(() => {});
        wall.release();
      }
      await drained('after the pools were exhausted');
    }

    // from here on every transaction is serializable, so that they run into each other for real
    await lab.admin.query(
      `do $$ begin execute format('alter database %I set default_transaction_isolation to serializable', current_database()); end $$`,
    );
    for (const seat of lab.seats) seat.back.reset();
    for (let round = 0; round < rounds * 5; round++) {
      burst(5);
      await sleep(100);
    }
    await drained('while transactions fail to serialize');
    const after = await troubles(lab);
    const deadlocks = after.deadlocks - before.deadlocks;
    const rollbacks = after.rollbacks - before.rollbacks;
    const failedToSerialize = lab.seats.reduce(
      (sum, { node }) => sum + (node?.log().match(/"code":"40001"/g)?.length ?? 0),
      0,
    );
    if (deadlocks < rounds) anomalies.push({ kind: 'stale', what: `only ${deadlocks} deadlocks came about` });
    if (failedToSerialize === 0) anomalies.push({ kind: 'stale', what: 'nothing failed to serialize' });
    if (slowestLiveMs > 1_500) anomalies.push({ kind: 'stale', what: `/healthz took ${Math.round(slowestLiveMs)} ms` });
    anomalies.push(...(await lab.judge()));
    const { rows } = await lab.admin.query<{ halves: number }>(
      `select count(*)::int as halves from messages m
       full join audit_log a on a.entity_id = m.id::text and a.action = 'SUPPORT_MESSAGE_SENT'
       where (m.id is null and a.action = 'SUPPORT_MESSAGE_SENT') or (a.entity_id is null and m.sender_type <> 'system')`,
    );
    if (rows[0]?.halves !== 0)
      anomalies.push({ kind: 'divergence', what: `${rows[0]?.halves} messages without their line in the audit log` });
    return {
      anomalies,
      rounds,
      facts: {
        messages: number,
        deadlocks,
        failedToSerialize,
        rollbacks,
        refusals,
        slowestLiveMs: Math.round(slowestLiveMs),
      },
    };
  });

async function troubles(lab: Lab): Promise<{ deadlocks: number; rollbacks: number }> {
  // PostgreSQL counts with some delay
  await sleep(1_100);
  const { rows } = await lab.admin.query<{ deadlocks: number; rollbacks: number }>(
    'select deadlocks::int as deadlocks, xact_rollback::int as rollbacks from pg_stat_database where datname = current_database()',
  );
  return rows[0] ?? { deadlocks: 0, rollbacks: 0 };
}
