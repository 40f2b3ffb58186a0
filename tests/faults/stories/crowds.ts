import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { type Crowd, type MemberReport, textNow } from '../../crowd/crowd.ts';
import type { Inhabitant } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import type { LabNode } from '../lab/node.ts';

/** For nodes whose metrics are read. */
export const METRICS_TOKEN = 'for-the-figures-of-the-fault-lab';

/** Nobody saw a gap, anything twice, or a reset. Give the members of a report, or the crowd. */
export async function judgeCrowd(crowd: Crowd | readonly MemberReport[]): Promise<Anomaly[]> {
  const members = 'report' in crowd ? (await crowd.report()).members : crowd;
  const sum = (count: (one: MemberReport) => number) => members.reduce((all, one) => all + count(one), 0);
  const anomalies: Anomaly[] = [];
  const gaps = sum((one) => one.gaps);
  const duplicates = sum((one) => one.duplicates);
  const resets = sum((one) => one.resets);
  if (gaps > 0) anomalies.push({ kind: 'gap', what: `${gaps} gaps` });
  if (duplicates > 0) anomalies.push({ kind: 'duplicate', what: `${duplicates} messages came twice` });
  if (resets > 0) anomalies.push({ kind: 'cursor', what: `${resets} could not resume` });
  return anomalies;
}

/** A message into every conversation by POST, past the proxy. @throws when one is refused */
export async function sendToAll(node: LabNode | null, people: readonly Inhabitant[], atOnce = 32): Promise<void> {
  if (!node) throw new Error('no node runs');
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const waiting = [...people];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let one = waiting.pop(); one; one = waiting.pop()) {
        const path = `/api/support/conversations/${one.conversation}/messages`;
        const body = { body: `${textNow()}to everybody here`, clientId: crypto.randomUUID() };
        const { status } = await http({ agent, port: node.port, method: 'POST', path, token: one.token, body });
        if (status !== 201) throw new Error(`a message was answered with ${status}`);
      }
    }),
  );
  agent.destroy();
}

/** One of the node's metrics without labels; it was started with `METRICS_TOKEN`. */
export async function metric({ port }: LabNode, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { authorization: `Bearer ${METRICS_TOKEN}` },
  });
  const found = new RegExp(`^${name} (\\S+)`, 'm').exec(await answer.text())?.[1];
  if (found === undefined) throw new Error(`no ${name}: ${answer.status}`);
  return Number(found);
}

/** Resident bytes of a process. */
export function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024;
}
