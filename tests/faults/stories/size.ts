import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { textOf } from '../lab/lab.ts';
import { fill } from './cursors.ts';
import { connected, inLab, percentile, type Story, until } from './story.ts';

/** F27: a very long conversation opens, is paged and resumed as fast as a short one. */
export const longConversation: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const many = options.isLong ? 100_000 : 20_000;
    const tenant = await lab.newTenant();
    const [conversation, short] = await lab.converse(tenant, 2);
    const [seat] = lab.seats;
    if (!conversation || !short || !seat) throw new Error('no conversation');
    const { id, user } = conversation;
    await fill(lab.admin, short.id, 200, (number) => textOf(short.user, number));
    await fill(lab.admin, id, many, (number) => textOf(user, number));
    const base = `/api/support/conversations/${id}/messages`;
    const times: number[] = [];
    const control: number[] = [];
    const asked = [
      base,
      `${base}?before=${many}`,
      `${base}?before=${Math.floor(many / 2)}`,
      `${base}?after=10`,
      `${base}?changedAfter=${many - 50}`,
    ];
    const anomalies: Anomaly[] = [];
    for (let turn = 0; turn < 20; turn++) {
      for (const path of asked) {
        const began = performance.now();
        const { status } = await http({ port: seat.front.port, method: 'GET', path, token: user.token });
        times.push(performance.now() - began);
        if (status !== 200) anomalies.push({ kind: 'lost', what: `${path}: ${status}` });
        const again = performance.now();
        const other = `/api/support/conversations/${short.id}/messages`;
        await http({ port: seat.front.port, method: 'GET', path: other, token: short.user.token });
        control.push(performance.now() - again);
      }
    }
    const p95 = Math.round(percentile(times, 0.95));
    const controlP95 = Math.round(percentile(control, 0.95));
    // on a busy machine a short conversation takes long as well
    if (p95 > Math.max(150, controlP95 * 2)) {
      anomalies.push({ kind: 'stale', what: `p95 of a page is ${p95} ms, of a short conversation's ${controlP95} ms` });
    }
    const { rows } = await lab.admin.query<{ epoch: string }>('select log_epoch as epoch from installation');
    const reader = lab.client({ name: 'reader', person: user, rooms: [id], silenceMs: 60_000 });
    reader.setCursor(id, `${rows[0]?.epoch}:0`);
    const began = performance.now();
    await until('all of it was replayed', () => reader.knows(id, many), 60_000);
    const replayMs = Math.round(performance.now() - began);
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: times.length, facts: { messages: many, p95Ms: p95, shortP95Ms: controlP95, replayMs } };
  });

/** A socket that only listens, as cheap as it can be in this process. */
interface Listener {
  seenAt: number;
  close(): void;
}

/** F28: one message to very many sockets of one room. */
export const fanOut: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const sockets = options.isLong ? 5_000 : 400;
    const tenant = await lab.newTenant();
    const [conversation] = await lab.converse(tenant, 1);
    const [seat] = lab.seats;
    if (!conversation || !seat?.node) throw new Error('no conversation');
    const lead = await lab.signIn(tenant, 'lead');
    const phone = lab.client({ name: 'phone', person: conversation.user, rooms: [conversation.id], silenceMs: 60_000 });
    await connected([phone]);
    const listeners = await listen(seat.node.port, lead.token, conversation.id, sockets);
    const late: number[] = [];
    const rounds = options.rounds ?? 5;
    for (let round = 0; round < rounds; round++) {
      for (const one of listeners) one.seenAt = 0;
      const began = performance.now();
      void phone.send(conversation.id, textOf(conversation.user, round));
      await until('everybody has it', () => listeners.every(({ seenAt }) => seenAt > 0), 15_000);
      for (const { seenAt } of listeners) late.push(seenAt - began);
      await sleep(50);
    }
    for (const one of listeners) one.close();
    const p99 = Math.round(percentile(late, 0.99));
    const anomalies = await lab.judge();
    if (p99 > 1_000) anomalies.push({ kind: 'stale', what: `p99 of a message to ${sockets} sockets is ${p99} ms` });
    return { anomalies, rounds, facts: { sockets, p99Ms: p99, p50Ms: Math.round(percentile(late, 0.5)) } };
  });

/** F19: the node with very many sockets is killed. All are signed in, resumed and complete within ten seconds; pages answer. */
export const storm: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const rooms = options.isLong ? 200 : 40;
    const each = options.isLong ? 25 : 10;
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, rooms);
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const phones = conversations.flatMap((conversation, at) =>
      Array.from({ length: each }, (_, device) =>
        lab.client({
          name: `phone-${at}-${device}`,
          person: conversation.user,
          rooms: [conversation.id],
          silenceMs: 120_000,
          maxBackoffMs: 2_000,
        }),
      ),
    );
    await connected(phones, 90_000);
    for (const [at, { id, user }] of conversations.entries()) await phones[at * each]?.send(id, textOf(user, 1));
    await seat.kill();
    await sleep(300);
    await seat.start();
    const back = performance.now();
    let slowestPage = 0;
    let failedPages = 0;
    let isStorm = true;
    const pages = (async () => {
      while (isStorm) {
        const began = performance.now();
        const { id, user } = lab.random.pick(conversations);
        const path = `/api/support/conversations/${id}/messages`;
        const status = await http({ port: seat.front.port, method: 'GET', path, token: user.token }).then(
          (answer) => answer.status,
          () => 0,
        );
        if (status !== 200) failedPages += 1;
        slowestPage = Math.max(slowestPage, performance.now() - began);
        await sleep(20);
      }
    })();
    for (const [at, { id, user }] of conversations.entries()) void phones[at * each]?.send(id, textOf(user, 2));
    const anomalies: Anomaly[] = [];
    await connected(phones, 60_000).catch(() => {
      anomalies.push({ kind: 'stale', what: 'not everybody came back' });
    });
    const backMs = Math.round(performance.now() - back);
    isStorm = false;
    await pages;
    if (backMs > 10_000) anomalies.push({ kind: 'stale', what: `it took ${backMs} ms until everybody was back` });
    if (failedPages > 0) anomalies.push({ kind: 'stale', what: `${failedPages} pages failed meanwhile` });
    anomalies.push(...(await lab.judge(60_000)));
    return { anomalies, rounds: 1, facts: { sockets: phones.length, backMs, slowestPageMs: Math.round(slowestPage) } };
  });

async function listen(port: number, token: string, room: string, count: number): Promise<Listener[]> {
  const listeners: Listener[] = [];
  let subscribed = 0;
  for (let from = 0; from < count; from += 200) {
    for (let at = from; at < Math.min(count, from + 200); at++) {
      const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['support.v1.json'], {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
      });
      const listener: Listener = { seenAt: 0, close: () => ws.terminate() };
      ws.on('error', () => {});
      ws.on('open', () => ws.send(JSON.stringify({ type: 'subscribe', room: `conversation_${room}` })));
      ws.on('message', (data) => {
        // one buffer a message with ws's default binaryType
        if ((data as Buffer).includes('"subscribed"')) subscribed += 1;
        else listener.seenAt = performance.now();
      });
      listeners.push(listener);
    }
    await until('they are in', () => subscribed >= Math.min(count, from + 200), 20_000);
  }
  return listeners;
}
