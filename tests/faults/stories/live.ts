import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { type Lab, type LabConversation, textOf } from '../lab/lab.ts';
import { connected, inLab, percentile, type Story, until } from './story.ts';

/** The line between nodes is one of the connections to the database: the one that listens. */
function listeningLinks(lab: Lab, seat: number): Set<number> {
  const found = new Set<number>();
  lab.seats[seat]?.back.watch((direction, chunk, link) => {
    if (direction === 'up' && chunk.includes('safego_support_hints')) found.add(link);
    return false;
  });
  return found;
}

/** One writes on the first node, another reads on the second; gives how late each message came. */
async function twoNodes(lab: Lab) {
  const tenant = await lab.newTenant();
  const conversations = await lab.converse(tenant, 4);
  const agent = await lab.signIn(tenant, 'agent');
  const on = (seat: number) => ({ ports: () => [lab.seats[seat]?.front.port ?? 0] });
  const reader = lab.client({ name: 'agent', person: agent, rooms: conversations.map(({ id }) => id), ...on(1) });
  const phones = conversations.map((conversation, at) =>
    lab.client({ name: `phone-${at}`, person: conversation.user, rooms: [conversation.id], ...on(0) }),
  );
  await connected([reader, ...phones]);
  const sentAt = new Map<string, number>();
  let number = 0;
  return {
    conversations,
    phones,
    async talk(ms: number, everyMs = 40) {
      const end = performance.now() + ms;
      while (performance.now() < end) {
        number += 1;
        const at = number % conversations.length;
        const conversation = conversations[at] as LabConversation;
        const text = textOf(conversation.user, number);
        sentAt.set(text, lab.recorder.now());
        void phones[at]?.send(conversation.id, text);
        await sleep(everyMs);
      }
    },
    /** How late the agent saw each message that was sent after a moment of the history. */
    late(since = 0): number[] {
      return lab.recorder.events.flatMap((event) => {
        const at =
          event.type === 'frame' && event.process === 'agent' && event.body ? sentAt.get(event.body) : undefined;
        return at !== undefined && at >= since && event.type === 'frame' ? [event.at - at] : [];
      });
    },
  };
}

/** F9: hints come late, twice, shuffled, some not at all. It costs delay, two seconds at most. */
export const wildHints: Story = (options) =>
  inLab(options, { nodes: 2, defects: ['wild-hints'] }, async (lab) => {
    const talk = await twoNodes(lab);
    await sleep(2_500);
    await talk.talk(options.isLong ? 60_000 : 3_000);
    const anomalies = await lab.judge();
    const slowest = Math.max(...talk.late());
    if (slowest > 2_500) anomalies.push({ kind: 'stale', what: `a message came ${Math.round(slowest)} ms late` });
    return {
      anomalies,
      rounds: 1,
      facts: { slowestMs: Math.round(slowest), p50Ms: Math.round(percentile(talk.late(), 0.5)) },
    };
  });

/** F9, F10: the line between the nodes swallows everything without a reset. The sweep delivers; the line is opened anew. */
export const deafLine: Story = (options) =>
  inLab(options, { nodes: 0 }, async (lab) => {
    await lab.addSeat();
    await lab.addSeat();
    const links = [listeningLinks(lab, 0), listeningLinks(lab, 1)];
    for (const seat of lab.seats) await seat.start();
    const talk = await twoNodes(lab);
    await sleep(2_500);
    await talk.talk(500);
    const holeFrom = lab.recorder.now();
    lab.recorder.add({ type: 'nemesis', what: 'the line between the nodes is swallowed' });
    const before = links.map((found) => found.size);
    for (const [at, seat] of lab.seats.entries()) {
      const dead = new Set(links[at]);
      for (const direction of ['up', 'down'] as const)
        seat.back.poison(direction, { isBlackHole: true }, (link) => dead.has(link));
    }
    await talk.talk(options.isLong ? 60_000 : 9_500, 80);
    const late = talk.late(holeFrom);
    const anomalies: Anomaly[] = await lab.judge();
    const slowest = Math.max(...late);
    if (slowest > 2_500) anomalies.push({ kind: 'stale', what: `a message came ${Math.round(slowest)} ms late` });
    const reopened = links.every((found, at) => found.size > (before[at] ?? 0));
    if (!reopened) anomalies.push({ kind: 'stale', what: 'the dead line was not opened anew' });
    if (late.length === 0) anomalies.push({ kind: 'stale', what: 'nothing was measured' });
    return { anomalies, rounds: 1, facts: { slowestMs: Math.round(slowest), messages: late.length } };
  });

/** F12: the network forgot the connections: nobody is told. Server and client each find out, and resume. */
export const halfOpen: Story = (options) =>
  inLab(options, { defects: ['quick-beat'] }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 6);
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const phones = conversations.map((conversation, at) =>
      // they would not find out by themselves: they show what the server does
      lab.client({ name: `phone-${at}`, person: conversation.user, rooms: [conversation.id], silenceMs: 60_000 }),
    );
    await connected(phones);
    for (const [at, { id, user }] of conversations.entries()) await phones[at]?.send(id, textOf(user, 1));
    const anomalies: Anomaly[] = [];
    const swallowed = seat.front.open;
    seat.front.blackHole();
    const began = performance.now();
    // beats of 2 seconds here, 20 in the product: the second unanswered one ends it
    await until('the server lets go of dead sockets', () => seat.front.open === 0, 9_000).catch(() => {
      anomalies.push({ kind: 'stale', what: `${seat.front.open} of ${swallowed} dead sockets are still open` });
    });
    const noticedMs = Math.round(performance.now() - began);
    seat.front.heal();
    for (const phone of phones) phone.drop();
    for (const [at, { id, user }] of conversations.entries()) void phones[at]?.send(id, textOf(user, 2));
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: swallowed, facts: { noticedMs, beatSeconds: 2 } };
  });

/** F16: a page and its stream are one: state at a version, plus what comes after it, is the state of now. */
export const snapshots: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const tenant = await lab.newTenant();
    const [conversation] = await lab.converse(tenant, 1);
    const [seat] = lab.seats;
    if (!conversation || !seat) throw new Error('no conversation');
    const { id, user } = conversation;
    const { port } = seat.front;
    const base = `/api/support/conversations/${id}`;
    const writer = lab.client({ name: 'writer', person: user, rooms: [id], window: 4 });
    await connected([writer]);
    let isRunning = true;
    let number = 0;
    const sent: number[] = [];
    const writing = (async () => {
      while (isRunning) {
        number += 1;
        const { seq } = await writer.send(id, textOf(user, number));
        sent.push(seq ?? 0);
        await sleep(lab.random.between(0, 6));
      }
    })();
    const anomalies: Anomaly[] = [];
    const rounds = options.rounds ?? 60;
    const watchers: { page: Set<number>; name: string; version: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const shown = (await http({ port, method: 'GET', path: base, token: user.token })).body as {
        conversation: { version: number };
      };
      const { items } = (await http({ port, method: 'GET', path: `${base}/messages?limit=100`, token: user.token }))
        .body as {
        items: { seq: number; version: number }[];
      };
      const { rows } = await lab.admin.query<{ epoch: string }>('select log_epoch as epoch from installation');
      const name = `page-${round}`;
      const { version } = shown.conversation;
      const watcher = lab.client({ name, person: user, rooms: [id], silenceMs: 30_000 });
      watcher.setCursor(id, `${rows[0]?.epoch}:${version}`);
      watchers.push({
        page: new Set(items.filter((one) => one.version <= version).map(({ seq }) => seq)),
        name,
        version,
      });
      await sleep(lab.random.between(0, 30));
    }
    await sleep(200);
    isRunning = false;
    await writing;
    anomalies.push(...(await lab.judge()));
    const last = Math.max(...sent);
    for (const { page, name, version } of watchers) {
      const first = page.size > 0 ? Math.min(...page) : 1;
      const seen = lab.recorder.events.flatMap((event) =>
        event.type === 'frame' && event.process === name ? [event.seq] : [],
      );
      const all = new Set([...page, ...seen]);
      for (let seq = first; seq <= last; seq++) {
        if (!all.has(seq)) {
          anomalies.push({ kind: 'gap', what: `${name} (version ${version}) has no ${seq} of ${last}` });
          break;
        }
      }
    }
    return { anomalies, rounds, facts: { messages: number } };
  });
