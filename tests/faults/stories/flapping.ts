import { rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCrowd, textNow } from '../../crowd/crowd.ts';
import { settle } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import type { FaultProxy } from '../lab/proxy.ts';
import { installSocketIo, openSocketIo, type SocketIoRun } from '../peers/socket-io.ts';
import { judgeCrowd } from './crowds.ts';
import { inLab, percentile, type Story } from './story.ts';

/** The network is gone for so long, in every period of so long; each room gets so many messages a second. */
const LONG = { clients: 1_000, rooms: 100, perSecond: 0.4, downMs: 2_000, periodMs: 5_000 };
const SHORT = { clients: 60, rooms: 6, perSecond: 1, downMs: 500, periodMs: 1_200 };
/** After the last drop everybody may come back: longer than the longest wait of Socket.IO's clients (5 s, and half of it). */
const AFTER_MS = 15_000;
/** Sends under way at once: on a machine that cannot keep up less is said, and the story still ends. */
const MAX_UNDER_WAY = 32;
/** Tried again for so long; a sender that is not answered by then is an anomaly. */
const PATIENCE_MS = 60_000;

/**
 * F14: every five seconds the network is gone for two (open connections are reset, new ones refused), five minutes long,
 * while 100 rooms of ten clients get 40 messages a second. The long form puts Socket.IO beside us, with its
 * defaults and with connection state recovery, behind proxies that do the same at the same time.
 */
export const flapping: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const { clients, rooms, perSecond, downMs, periodMs } = options.isLong ? LONG : SHORT;
    const [seat] = lab.seats;
    if (!seat?.node) throw new Error('no node');
    const { node } = seat;
    const tenant = await lab.newTenant();
    const people = await settle(lab.admin, tenant.tenant.id, rooms);
    const { token } = await lab.signIn(tenant, 'lead');
    const crowd = openCrowd({
      members: Array.from({ length: clients }, (_, at) => ({
        token,
        room: `conversation_${people[at % rooms]?.conversation}`,
        format: 'json',
      })),
      ports: [seat.front.port],
      processes: 1,
      perSecond: 500,
    });
    const facts: Record<string, number | string> = { clients, rooms, perSecond, downMs, periodMs };
    const peers = options.isLong ? await openPeers(clients, rooms, facts) : { runs: [], close: async () => {} };
    const rounds = options.rounds ?? 3;
    const anomalies: Anomaly[] = [];
    try {
      const { missing } = await crowd.reach(() => 0, 60_000);
      if (missing > 0) throw new Error(`${missing} clients never came in`);
      // as many lines as sends: one that waited for a line would be given up before it was begun
      const agent = new Agent({ keepAlive: true, maxSockets: MAX_UNDER_WAY });
      let number = 0;
      let isOn = true;
      let heldUp = 0;
      const underWay = new Set<Promise<void>>();
      const send = (one: { token: string; conversation: string }) => {
        const sent = say(node.port, agent, one)
          .catch((error: Error) => void anomalies.push({ kind: 'unanswered', what: error.message }))
          .finally(() => underWay.delete(sent));
        underWay.add(sent);
      };
      const talking = (async () => {
        const began = performance.now();
        for (; isOn; number += 1) {
          const room = number % rooms;
          const due = began + (number * 1_000) / (rooms * perSecond);
          if (due > performance.now()) await sleep(due - performance.now());
          if (underWay.size >= MAX_UNDER_WAY) {
            heldUp += 1;
            await Promise.race(underWay);
          }
          for (const run of peers.runs) run.publish(room, number + 1);
          const one = people[room];
          if (one) send(one);
        }
      })();
      const proxies = [seat.front, ...peers.runs.map((run) => run.proxy)];
      for (let round = 0; round < rounds; round++) {
        await sleep(periodMs - downMs);
        for (const proxy of proxies) drop(proxy);
        await sleep(downMs);
        for (const proxy of proxies) proxy.door = 'pass';
        if (round % 10 === 9) options.onRound?.(round + 1, anomalies);
      }
      isOn = false;
      await talking;
      await Promise.all(underWay);
      agent.destroy();
      const sent = (room: number) => Math.ceil((number - room) / rooms);
      const { missing: behind } = await crowd.reach((at) => sent(at % rooms), AFTER_MS);
      if (behind > 0) anomalies.push({ kind: 'stale', what: `${behind} of ${clients} do not have everything` });
      const { members, late } = await crowd.report();
      anomalies.push(...(await judgeCrowd(members)));
      const expected = members.reduce((sum, _, at) => sum + sent(at % rooms), 0);
      const delivered = members.reduce((sum, one) => sum + one.frames - one.duplicates, 0);
      if (delivered !== expected) anomalies.push({ kind: 'lost', what: `${delivered} of ${expected} were delivered` });
      Object.assign(facts, {
        messages: number,
        heldUp,
        expected,
        deliveredPercent: percent(delivered, expected),
        cuts: members.reduce((sum, one) => sum + one.connects - 1, 0),
        p50Ms: Math.round(percentile(late, 0.5)),
        p99Ms: Math.round(percentile(late, 0.99)),
      });
      if (peers.runs.length > 0) await sleep(AFTER_MS);
      for (const run of peers.runs) {
        const seen = await run.seen();
        const sum = (count: (one: (typeof seen)[number]) => number) => seen.reduce((all, one) => all + count(one), 0);
        facts[`${run.name}: delivered percent`] = percent(
          sum((one) => one.got),
          expected,
        );
        facts[`${run.name}: twice`] = sum((one) => one.twice);
        facts[`${run.name}: out of order`] = sum((one) => one.outOfOrder);
        facts[`${run.name}: cuts`] = sum((one) => one.connects - 1);
      }
    } finally {
      await crowd.close();
      await peers.close();
    }
    return { anomalies, rounds, facts };
  });

function drop(proxy: FaultProxy): void {
  proxy.door = 'refuse';
  proxy.reset();
}

/** As any sender does: again, under the same client id, until it is acknowledged. @throws when it is refused, or never answered */
async function say(port: number, agent: Agent, one: { token: string; conversation: string }): Promise<void> {
  const path = `/api/support/conversations/${one.conversation}/messages`;
  const body = { body: `${textNow()}through thick and thin`, clientId: crypto.randomUUID() };
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; ) {
    const status = await http({ agent, port, method: 'POST', path, token: one.token, body }).then(
      (answer) => answer.status,
      () => 503,
    );
    if (status === 201 || status === 200) return;
    if (status !== 503) throw new Error(`a message was answered with ${status}`);
    await sleep(200);
  }
  throw new Error(`a message had no answer for ${PATIENCE_MS / 1_000} s`);
}

async function openPeers(
  clients: number,
  rooms: number,
  facts: Record<string, number | string>,
): Promise<{ runs: SocketIoRun[]; close(): Promise<void> }> {
  const { folder, why } = await installSocketIo();
  if (folder === null) {
    facts['peers'] = why;
    return { runs: [], close: async () => {} };
  }
  const runs = [
    await openSocketIo(folder, { clients, rooms, recovers: false }),
    await openSocketIo(folder, { clients, rooms, recovers: true }),
  ];
  return {
    runs,
    async close() {
      await Promise.all(runs.map((run) => run.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Two places, rounded down: 100 is said only of all. */
function percent(part: number, whole: number): number {
  return Math.floor((part / whole) * 10_000) / 100;
}
