import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settle } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import { type Lab, textOf } from '../lab/lab.ts';
import { rssBytes } from './crowds.ts';
import { connected, inLab, percentile, type Story } from './story.ts';

const PEERS = fileURLToPath(new URL('../peers/hostile-process.ts', import.meta.url));
/** People who talk, one message a second each, which every limit allows. */
const TALKING = 20;
/** What forty peers may cost the server in memory, most of it room for garbage: they come back hundreds of times a second. */
const MAX_GROWTH_MB = 150;
/** Two cores for the server, the database, the peers and whatever else runs: others may wait a little, nobody is stuck. */
const MAX_MORE_MS = { long: 250, short: 2_000 };

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

    const quietSince = await talk();
    await lab.settle();
    const before = rssBytes(node.pid);
    const villain = fork(PEERS, [String(node.port), ...villains.map((one) => one.token)], { execArgv: [] });
    let noisySince: number;
    let cuts = 0;
    try {
      await sleep(1_000);
      noisySince = await talk();
      await lab.settle();
      villain.send({});
      [{ cuts }] = (await once(villain, 'message')) as [{ cuts: number }]; // see hostile-process.ts
    } finally {
      villain.disconnect();
    }
    const grownMb = Math.round((rssBytes(node.pid) - before) / 2 ** 20);
    const anomalies: Anomaly[] = await lab.judge();
    const quiet = late(lab, sentAt, quietSince, noisySince);
    const noisy = late(lab, sentAt, noisySince, Number.POSITIVE_INFINITY);
    const [quietP99, noisyP99] = [percentile(quiet, 0.99), percentile(noisy, 0.99)];
    if (noisyP99 > 3 * quietP99 + (options.isLong ? MAX_MORE_MS.long : MAX_MORE_MS.short)) {
      const what = `p99 was ${Math.round(quietP99)} ms, beside the peers ${Math.round(noisyP99)} ms`;
      anomalies.push({ kind: 'stale', what });
    }
    if (grownMb > MAX_GROWTH_MB) anomalies.push({ kind: 'stale', what: `the server grew by ${grownMb} MB` });
    const facts = {
      messages: quiet.length + noisy.length,
      quietP50Ms: Math.round(percentile(quiet, 0.5)),
      quietP99Ms: Math.round(quietP99),
      noisyP50Ms: Math.round(percentile(noisy, 0.5)),
      noisyP99Ms: Math.round(noisyP99),
      grownMb,
      cuts,
    };
    return { anomalies, rounds: 1, facts };
  });

/** How late the reader saw what was sent in a time of the history. */
function late(lab: Lab, sentAt: ReadonlyMap<string, number>, since: number, until: number): number[] {
  return lab.recorder.events.flatMap((event) => {
    const at = event.type === 'frame' && event.process === 'lead' && event.body ? sentAt.get(event.body) : undefined;
    return at !== undefined && at >= since && at < until && event.type === 'frame' ? [event.at - at] : [];
  });
}
