import { setTimeout as sleep } from 'node:timers/promises';
import { openCrowd } from '../../crowd/crowd.ts';
import { type Inhabitant, settle } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import type { Lab, Seat } from '../lab/lab.ts';
import type { LabNode } from '../lab/node.ts';
import { judgeCrowd, METRICS_TOKEN, metric, sendToAll } from './crowds.ts';
import { inLab, percentile, type Story } from './story.ts';

const MAX_P99_MS = 1_000;
const MAX_LOOP_DELAY_MS = 100;

/** F28: one message to very many sockets of one room, and one to each of very many rooms with ten sockets. */
export const fanOut: Story = (options) =>
  inLab(options, { env: { METRICS_TOKEN } }, async (lab) => {
    const tenant = await lab.newTenant();
    const { token } = await lab.signIn(tenant, 'lead');
    const rounds = options.rounds ?? 3;
    const size = options.isLong ? { sockets: 5_000, rooms: 1_000 } : { sockets: 400, rooms: 40 };
    const people = await settle(lab.admin, tenant.tenant.id, size.rooms);
    // the short form runs beside the whole suite on two cores: what is slow is slow in each round, a neighbour is not
    const worst = options.isLong ? Math.max : Math.min;
    const [first] = people;
    const [seat] = lab.seats;
    if (!first || !seat) throw new Error('nobody is there');
    const one = Array.from({ length: size.sockets }, () => ({ token, room: first.conversation }));
    const many = people.flatMap((person) =>
      Array.from({ length: 10 }, () => ({ token: person.token, room: person.conversation })),
    );
    const facts: Record<string, number> = { sockets: size.sockets, rooms: size.rooms };
    const anomalies = [
      ...(await spread(lab, seat, { name: 'room', members: one, people: [first], rounds, worst }, facts)),
      ...(await spread(lab, seat, { name: 'rooms', members: many, people, rounds, worst }, facts)),
    ];
    return { anomalies, rounds, facts };
  });

async function spread(
  lab: Lab,
  seat: Seat,
  chapter: {
    readonly name: string;
    readonly members: readonly { readonly token: string; readonly room: string }[];
    readonly people: readonly Inhabitant[];
    readonly rounds: number;
    readonly worst: (...rounds: number[]) => number;
  },
  facts: Record<string, number>,
): Promise<Anomaly[]> {
  const { name, members, people, rounds, worst } = chapter;
  const { node } = seat;
  if (!node) throw new Error('no node runs');
  const crowd = openCrowd({
    members: members.map(({ token, room }, at) => ({
      token,
      room: `conversation_${room}`,
      format: 'json',
      from: `127.0.0.${2 + (at % 8)}`,
    })),
    ports: [node.port],
    processes: members.length > 1_000 ? 2 : 1,
  });
  try {
    const { missing } = await crowd.reach(() => 0, 60_000);
    if (missing > 0) throw new Error(`${missing} of ${members.length} never came in`);
    const { rows } = await lab.admin.query<{ id: string; version: number }>(
      'select id, version from conversations where id = any ($1)',
      [people.map((one) => one.conversation)],
    );
    const versions = new Map(rows.map((row) => [row.id, row.version]));
    const late: number[] = [];
    const p99s: number[] = [];
    const delays: number[] = [];
    const anomalies: Anomaly[] = [];
    for (let round = 1; round <= rounds; round++) {
      await sleep(200);
      await loopDelayMs(node);
      await sendToAll(node, people, 8);
      const { missing: deaf } = await crowd.reach((at) => (versions.get(members[at]?.room ?? '') ?? 0) + round, 20_000);
      delays.push(await loopDelayMs(node));
      if (deaf > 0) anomalies.push({ kind: 'stale', what: `${name}: ${deaf} sockets did not hear of it in 20 s` });
      const report = await crowd.report();
      late.push(...report.late);
      p99s.push(percentile(report.late, 0.99));
      if (round === rounds) anomalies.push(...(await judgeCrowd(report.members)));
    }
    const p99 = Math.round(worst(...p99s));
    const delay = Math.round(worst(...delays));
    if (p99 > MAX_P99_MS) anomalies.push({ kind: 'stale', what: `${name}: p99 to ${members.length} is ${p99} ms` });
    if (delay > MAX_LOOP_DELAY_MS) anomalies.push({ kind: 'stale', what: `${name}: loop delay p99 ${delay} ms` });
    facts[`${name}P50Ms`] = Math.round(percentile(late, 0.5));
    facts[`${name}P99Ms`] = p99;
    facts[`${name}Heard`] = late.length;
    facts[`${name}LoopDelayP99Ms`] = delay;
    return anomalies;
  } finally {
    await crowd.close();
  }
}

/** p99 of the delay of the node's event loop since it was asked last. */
async function loopDelayMs(node: LabNode): Promise<number> {
  return (await metric(node, 'nodejs_eventloop_lag_p99_seconds')) * 1_000;
}
