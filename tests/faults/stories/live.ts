import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/** F12: the network forgot the connections: nobody is told. Server and client each find out, and resume. */
export const halfOpen: Story = (options) => {
  // a long run waits for the beats of the product; who has not answered one is let go with the next
  const beatSeconds = options.isLong ? 20 : 2;
  return inLab(options, options.isLong ? {} : { defects: ['quick-beat'] }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, Math.max(6, options.rounds ?? 6));
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const phones = conversations.map((conversation, at) =>
      // they would not find out by themselves: they show what the server does
      lab.client({ name: `phone-${at}`, person: conversation.user, rooms: [conversation.id], silenceMs: 600_000 }),
    );
    await connected(phones);
    for (const [at, { id, user }] of conversations.entries()) await phones[at]?.send(id, textOf(user, 1));
    const anomalies: Anomaly[] = [];
    const swallowed = seat.front.open;
    seat.front.blackHole();
    const began = performance.now();
    const patience = (2 * beatSeconds + 5) * 1_000;
    await until('the server lets go of dead sockets', () => seat.front.open === 0, patience).catch(() => {
      anomalies.push({ kind: 'stale', what: `${seat.front.open} of ${swallowed} dead sockets are still open` });
    });
    const noticedMs = Math.round(performance.now() - began);
    seat.front.heal();
    for (const phone of phones) phone.drop();
    for (const [at, { id, user }] of conversations.entries()) void phones[at]?.send(id, textOf(user, 2));
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: swallowed, facts: { noticedMs, beatSeconds } };
  });
};

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
