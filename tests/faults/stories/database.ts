import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import type { VirtualClient } from '../lab/client.ts';
import { http } from '../lab/client.ts';
import { type Lab, type LabConversation, type LabPerson, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/** A few users who send by socket and by POST, and an agent who reads. */
async function people(lab: Lab, count: number) {
  const tenant = await lab.newTenant();
  const conversations = await lab.converse(tenant, count);
  const agent = await lab.signIn(tenant, 'agent');
  const reader = lab.client({
    name: 'agent',
    person: agent,
    rooms: conversations.map((one) => one.id),
    silenceMs: 30_000,
  });
  const phones = conversations.map((conversation, at) =>
    lab.client({
      name: `phone-${at}`,
      person: conversation.user,
      rooms: [conversation.id],
      via: at % 2 === 1 ? 'post' : 'socket',
      silenceMs: 30_000,
    }),
  );
  await connected([reader, ...phones]);
  return { tenant, conversations, phones, agent };
}

function burst(conversations: readonly LabConversation[], phones: readonly VirtualClient[], from: number): void {
  conversations.forEach((conversation, at) => void phones[at]?.send(conversation.id, textOf(conversation.user, from)));
}

const waitingOf = (phones: readonly VirtualClient[]) => phones.reduce((sum, phone) => sum + phone.waiting, 0);

/** F6: the database swallows everything without a word, then is slow. Nobody waits for ever, the process stays well. */
export const deafDatabase: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const { conversations, phones } = await people(lab, 8);
    const anomalies: Anomaly[] = [];
    burst(conversations, phones, 0);
    await until('the first are stored', () => waitingOf(phones) === 0);

    const holeMs = options.isLong ? 30_000 : 7_000;
    const connectionsBefore = seat.back.taken;
    seat.back.blackHole();
    seat.back.door = 'ignore';
    const began = performance.now();
    burst(conversations, phones, 1);
    let slowestLive = 0;
    const since = lab.recorder.now();
    let ready = 0;
    let number = 2;
    while (performance.now() - began < holeMs) {
      const asked = performance.now();
      const live = await get(seat.front.port, '/healthz');
      slowestLive = Math.max(slowestLive, performance.now() - asked);
      if (live !== 200) anomalies.push({ kind: 'stale', what: `/healthz said ${live} while the database was away` });
      if (performance.now() - began > 3_500) ready = await get(seat.front.port, '/readyz');
      burst(conversations, phones, number++);
      await sleep(250);
    }
    const refusal = lab.recorder.events.find(({ type, at }) => type === 'info' && at > since);
    const firstRefusalMs = refusal ? Math.round(refusal.at - since) : -1;
    if (!refusal || firstRefusalMs > 5_500) {
      anomalies.push({
        kind: 'unanswered',
        what: `who sent was told after ${firstRefusalMs} ms that it does not work`,
      });
    }
    if (ready !== 503) anomalies.push({ kind: 'stale', what: `/readyz said ${ready} while the database was away` });
    if (slowestLive > 1_000) anomalies.push({ kind: 'stale', what: `/healthz took ${Math.round(slowestLive)} ms` });
    const taken = seat.back.taken - connectionsBefore;
    // pools of 20 connections and a few lines of their own, each trying every few seconds
    if (taken > (holeMs / 1_000) * 30) anomalies.push({ kind: 'stale', what: `${taken} connections were tried` });
    seat.back.reset();
    seat.back.heal();
    const healed = performance.now();
    await until('all is acknowledged', () => waitingOf(phones) === 0, 30_000).catch(() => {});
    const recoveredMs = performance.now() - healed;

    // slow, not away: everything on the open connections takes longer and works
    const isOpen = () => true;
    seat.back.poison('down', options.isLong ? { latencyMs: 2_000 } : { latencyMs: 300, jitterMs: 200 }, isOpen);
    const slowAt = performance.now();
    for (let turn = 0; turn < (options.isLong ? 5 : 1); turn++) {
      burst(conversations, phones, number++);
      await until('a slow database still stores', () => waitingOf(phones) === 0, 30_000).catch(() => {
        anomalies.push({ kind: 'unanswered', what: 'a database that is slow stores nothing' });
      });
    }
    const slowMs = Math.round(performance.now() - slowAt);
    // so slow that no connection can be opened within its three seconds: told so, and well as soon as it passes
    if (options.isLong) {
      seat.back.poison('down', { latencyMs: 2_000 });
      for (const end = performance.now() + 20_000; performance.now() < end; await sleep(500)) {
        burst(conversations, phones, number++);
        const asked = performance.now();
        await get(seat.front.port, '/healthz');
        slowestLive = Math.max(slowestLive, performance.now() - asked);
      }
    }
    seat.back.heal();
    anomalies.push(...(await lab.judge()));
    return {
      anomalies,
      rounds: 1,
      facts: {
        holeMs,
        recoveredMs: Math.round(recoveredMs),
        slowMs,
        slowestLiveMs: Math.round(slowestLive),
        firstRefusalMs,
        connectionsTried: taken,
      },
    };
  });

/** F7: the line to the database breaks while the answer of the commit is on its way; nobody knows, the resend does. */
export const unknownCommit: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const { random } = lab;
    const { conversations, phones } = await people(lab, 8);
    const rounds = options.rounds ?? 20;
    let cuts = 0;
    const asked = new Set<number>();
    seat.back.watch((direction, chunk, link) => {
      if (direction === 'up') {
        if (chunk.includes('append_messages')) asked.add(link);
        // half of the time the request itself is cut: then it was not stored
        if (asked.has(link) && cuts < rounds && random.chance(0.15)) return hit(link);
        return false;
      }
      return asked.has(link) && cuts < rounds && random.chance(0.3) ? hit(link) : false;
    });
    function hit(link: number): boolean {
      cuts += 1;
      asked.delete(link);
      return true;
    }
    let number = 0;
    while (cuts < rounds) {
      if (waitingOf(phones) < 64) burst(conversations, phones, number++);
      await sleep(20);
    }
    seat.back.watch(null);
    await until('all is acknowledged', () => waitingOf(phones) === 0, 30_000).catch(() => {});
    return { anomalies: await lab.judge(), rounds: cuts, facts: { messages: number * 8 } };
  });

/** F17: a conversation is held by somebody else, connections are ended, neighbours go on. */
export const heldRows: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const { conversations, phones } = await people(lab, 6);
    const anomalies: Anomaly[] = [];
    const [held, ...others] = conversations;
    if (!held) throw new Error('no conversation');
    const rounds = options.rounds ?? 2;
    let slowestNeighbour = 0;
    for (let round = 0; round < rounds; round++) {
      const holder = await lab.admin.connect();
      try {
        await holder.query('begin');
        await holder.query('select 1 from conversations where id = $1 for update', [held.id]);
        burst(conversations, phones, round * 10);
        const began = performance.now();
        await until('the neighbours are stored', () => waitingOf(phones.slice(1)) === 0, 5_000).catch(() => {});
        slowestNeighbour = Math.max(slowestNeighbour, performance.now() - began);
        if (phones[0]?.waiting === 0) anomalies.push({ kind: 'lost', what: 'the held conversation took a message' });
        // longer than the lock timeout of two seconds in one of the rounds
        await sleep(round % 2 === 0 ? 200 : 2_600);
        // connections end under whoever waits
        await lab.admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where pid <> pg_backend_pid() and query like '%append_messages%' and state = 'active' and datname = current_database()`,
        );
        burst(others, phones.slice(1), round * 10 + 1);
        await sleep(100);
        await holder.query('commit');
      } finally {
        holder.release();
      }
      await until('the held one is stored', () => waitingOf(phones) === 0, 15_000).catch(() => {});
    }
    if (slowestNeighbour > 1_500) {
      anomalies.push({
        kind: 'stale',
        what: `a neighbour waited ${Math.round(slowestNeighbour)} ms for a row that is not its own`,
      });
    }
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds, facts: { slowestNeighbourMs: Math.round(slowestNeighbour) } };
  });

async function get(port: number, path: string, person?: LabPerson): Promise<number> {
  return http({ port, method: 'GET', path, timeoutMs: 5_000, ...(person ? { token: person.token } : {}) }).then(
    ({ status }) => status,
    () => 0,
  );
}
