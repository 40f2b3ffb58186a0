import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCrowd, textNow } from '../../crowd/crowd.ts';
import { settle } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import type { LabNode } from '../lab/node.ts';
import { judgeCrowd, METRICS_TOKEN, metric, rssBytes } from './crowds.ts';
import { inLab, percentile, type Story, until } from './story.ts';

/** What the server keeps for one reader who does not read, and what its own work may take on top of all of them. */
const KEPT_BYTES = 1_048_576;
const OWN_GROWTH_BYTES = 120e6;
/** Sent at most; the kernel's buffers take some megabytes before the server notices anything. */
const MOST_MESSAGES = 700;
const AT_ONCE = 10;

/**
 * F18: a tenth of the readers of a busy room stop reading. Only they are cut, with 1013, and resume without a gap; the
 * others lose nothing, and the server keeps no more than its cap for each.
 */
export const slowReaders: Story = (options) =>
  inLab(options, { env: { METRICS_TOKEN } }, async (lab) => {
    const count = options.isLong ? 1_000 : 60;
    const tenant = await lab.newTenant();
    const { token } = await lab.signIn(tenant, 'lead');
    const [writer] = await settle(lab.admin, tenant.tenant.id, 1);
    const node = lab.seats[0]?.node;
    if (!writer || !node) throw new Error('nobody is there');
    const room = `conversation_${writer.conversation}`;
    const crowd = openCrowd({
      members: Array.from({ length: count }, () => ({ token, room, format: 'json' })),
      ports: [node.port],
      processes: options.isLong ? 2 : 1,
    });
    const anomalies: Anomaly[] = [];
    try {
      const { missing } = await crowd.reach(() => 0, 30_000);
      if (missing > 0) throw new Error(`${missing} readers never came in`);
      const slow = Array.from({ length: count / 10 }, (_, at) => at * 10);
      const readers = await connections(node);
      crowd.pause(slow);
      const before = rssBytes(node.pid);
      let most = before;
      let sent = 0;
      // four bytes a character: the most that a message may weigh
      const big = '𝄞'.repeat(3_900);
      const agent = new Agent({ keepAlive: true });
      while (sent < MOST_MESSAGES && (await connections(node)) > readers - slow.length) {
        await Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            const path = `/api/support/conversations/${writer.conversation}/messages`;
            const body = { body: textNow() + big, clientId: crypto.randomUUID() };
            const { status } = await http({ agent, port: node.port, method: 'POST', path, token: writer.token, body });
            if (status !== 201) throw new Error(`a message was answered with ${status}`);
          }),
        );
        sent += AT_ONCE;
        most = Math.max(most, rssBytes(node.pid));
      }
      agent.destroy();
      const cut = readers - (await connections(node));
      if (cut !== slow.length) anomalies.push({ kind: 'stale', what: `${cut} were cut, ${slow.length} did not read` });
      crowd.resume(slow);
      const { missing: behind } = await crowd.reach(() => sent, 60_000);
      if (behind > 0) anomalies.push({ kind: 'stale', what: `${behind} of ${count} do not have everything` });
      await until('all are there', async () => (await connections(node)) === readers, 10_000).catch(() => {});
      await sleep(200);
      const { members, late } = await crowd.report();
      anomalies.push(...(await judgeCrowd(members)));
      const isSlow = new Set(slow);
      for (const [at, { codes, connects }] of members.entries()) {
        const wanted = isSlow.has(at) ? '{"1013":1}' : '{}';
        if (JSON.stringify(codes) === wanted && connects === (isSlow.has(at) ? 2 : 1)) continue;
        const what = `${isSlow.has(at) ? 'who did not read' : 'who read'} was cut with ${JSON.stringify(codes)}`;
        anomalies.push({ kind: 'stale', what });
      }
      const grown = most - before;
      if (grown > slow.length * KEPT_BYTES + OWN_GROWTH_BYTES) {
        anomalies.push({ kind: 'stale', what: `the server grew by ${Math.round(grown / 2 ** 20)} MB` });
      }
      const facts = {
        readers: count,
        slow: slow.length,
        cut,
        messages: sent,
        kilobytesEach: Math.round(Buffer.byteLength(big) / 1_024),
        grownMb: Math.round(grown / 2 ** 20),
        p50Ms: Math.round(percentile(late, 0.5)),
      };
      return { anomalies, rounds: 1, facts };
    } finally {
      await crowd.close();
    }
  });

function connections(node: LabNode): Promise<number> {
  return metric(node, 'live_connections');
}
