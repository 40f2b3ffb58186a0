import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settle } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import { type Lab, textOf } from '../lab/lab.ts';
import { rssBytes, sendToAll } from './crowds.ts';
import { connected, inLab, percentile, type Story } from './story.ts';

const PEERS = fileURLToPath(new URL('../peers/hostile-process.ts', import.meta.url));
/** People who talk, one message a second each, which every limit allows. */
const TALKING = 20;
/** What forty peers may cost the server in memory, at its highest, beside what it has grown to by talking alone. */
const MAX_GROWTH_MB = 60;
/** Others who each say something eight times before: an ordinary minute. */
const VISITORS = 250;
/** The short form has seen enough sooner: a server of its size has some 200 MB. */
const TOO_MUCH_BYTES = { long: 1_500 * 2 ** 20, short: 600 * 2 ** 20 };
/** Others' p95 stays within twice what it was without the peers, and so much. */
const MAX_MORE_MS = 50;
/** The short form runs beside other tests: what the peers cost they cost each time, a neighbour does not. */
const TRIES = { long: 1, short: 3 };

/**
 * Forty hostile peers (endless fragments, floods of pings and pongs, half handshakes, slow heads, never reading, frames
 * that are too large) beside people who talk: nobody else loses anything or waits for long, and the server does not grow.
 */
export const hostilePeers: Story = (options) =>
  inLab(options, { env: { LIMITS: 'on' } }, async (lab) => {
    const seconds = options.isLong ? 30 : 5;
    const tenant = await lab.newTenant();
    const people = await settle(lab.admin, tenant.tenant.id, TALKING);
    const villains = await settle(lab.admin, tenant.tenant.id, 20, 'customer');
    const lead = await lab.signIn(tenant, 'lead');
    const { slug } = tenant.tenant;
    const rooms = people.map((one) => one.conversation);
    const reader = lab.client({ name: 'lead', person: lead, rooms, silenceMs: 60_000 });
    const phones = people.map(({ id, token, conversation }, at) => ({
      conversation,
      person: { id, token, tenant: slug, sub: id },
      client: lab.client({
        name: `phone-${at}`,
        person: { id, token, tenant: slug, sub: id },
        rooms: [conversation],
        silenceMs: 60_000,
      }),
    }));
    await connected([reader, ...phones.map((one) => one.client)]);
    const node = lab.seats[0]?.node;
    if (!node) throw new Error('no node runs');

    const sentAt = new Map<string, number>();
    let number = 0;
    async function talk(): Promise<number> {
      const since = lab.recorder.now();
      for (let turn = 0; turn < TALKING * seconds; turn++) {
        const phone = phones[turn % TALKING];
        if (!phone) break;
        number += 1;
        const text = textOf(phone.person, number);
        sentAt.set(text, lab.recorder.now());
        void phone.client.send(phone.conversation, text);
        await sleep(1_000 / TALKING);
      }
      return since;
    }

    /** The highest that the server has grown to; one that takes all there is is ended before it takes the machine with it. */
    let most = 0;
    const tooMuch = options.isLong ? TOO_MUCH_BYTES.long : TOO_MUCH_BYTES.short;
    const watch = setInterval(() => {
      if (node.hasEnded()) return;
      most = Math.max(most, rssBytes(node.pid));
      if (most > tooMuch) node.kill('SIGKILL');
    }, 20);
    watch.unref();
    // a process that has done nothing yet grows at its first requests, whoever sends them
    const visitors = await settle(lab.admin, tenant.tenant.id, VISITORS);
    for (let turn = 0; turn < 8; turn++) await sendToAll(node, visitors);
    const quietSince = await talk();
    await lab.settle();
    const before = most;
    most = 0;
    const quiet = late(lab, sentAt, quietSince);
    const quietP95 = percentile(quiet, 0.95);
    const allowedMs = 2 * quietP95 + MAX_MORE_MS;
    const villain = fork(PEERS, [String(node.port), ...villains.map((one) => one.token)], { execArgv: [] });
    let noisy: number[] = [];
    let cuts = 0;
    try {
      await sleep(1_000);
      for (let left = options.isLong ? TRIES.long : TRIES.short; left > 0 && !node.hasEnded(); left--) {
        const since = await talk();
        // who has died answers nobody: there is nothing to wait for
        await Promise.race([lab.settle(), node.ended]);
        noisy = late(lab, sentAt, since);
        if (percentile(noisy, 0.95) <= allowedMs) break;
      }
      villain.send({});
      [{ cuts }] = (await once(villain, 'message')) as [{ cuts: number }]; // see hostile-process.ts
    } finally {
      clearInterval(watch);
      villain.disconnect();
    }
    const grownMb = Math.round((most - before) / 2 ** 20);
    const anomalies: Anomaly[] = [];
    if (node.hasEnded()) anomalies.push({ kind: 'stale', what: 'the server died' });
    else anomalies.push(...(await lab.judge()));
    const noisyP95 = percentile(noisy, 0.95);
    if (noisyP95 > allowedMs) {
      const what = `p95 was ${Math.round(quietP95)} ms, beside the peers ${Math.round(noisyP95)} ms`;
      anomalies.push({ kind: 'stale', what });
    }
    if (grownMb > MAX_GROWTH_MB) anomalies.push({ kind: 'stale', what: `the server grew by ${grownMb} MB` });
    const facts = {
      messages: quiet.length + noisy.length,
      quietP50Ms: Math.round(percentile(quiet, 0.5)),
      quietP95Ms: Math.round(quietP95),
      quietP99Ms: Math.round(percentile(quiet, 0.99)),
      noisyP50Ms: Math.round(percentile(noisy, 0.5)),
      noisyP95Ms: Math.round(noisyP95),
      noisyP99Ms: Math.round(percentile(noisy, 0.99)),
      beforeMb: Math.round(before / 2 ** 20),
      grownMb,
      cuts,
    };
    return { anomalies, rounds: 1, facts };
  });

/** How late the reader saw what was sent since a moment of the history. */
function late(lab: Lab, sentAt: ReadonlyMap<string, number>, since: number): number[] {
  return lab.recorder.events.flatMap((event) => {
    const at = event.type === 'frame' && event.process === 'lead' && event.body ? sentAt.get(event.body) : undefined;
    return at !== undefined && at >= since && event.type === 'frame' ? [event.at - at] : [];
  });
}
