import { setTimeout as sleep } from 'node:timers/promises';
import { type Crowd, openCrowd } from '../../crowd/crowd.ts';
import { type Inhabitant, settle } from '../../crowd/inhabitants.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import type { Seat } from '../lab/lab.ts';
import { judgeCrowd, sendToAll } from './crowds.ts';
import { inLab, percentile, type Story } from './story.ts';

/** Everybody is signed in, resumed and without a gap within this time; the short form runs beside the whole suite. */
const MAX_BACK_MS = { long: 10_000, short: 25_000 };
/** What the node may open to the database: the ORM's pool, two more, the line between nodes, the lock of the jobs. */
const MAX_CONNECTIONS = 10 + 6 + 4 + 1 + 1;
/** Statements of the live channel by their names, which stand in every Bind message. */
const RESUME_STATEMENTS = ['open-conversations', 'changes-of-conversations', 'session-by-token'] as const;

/**
 * F19: thousands of people, each with a conversation of their own, are cut at once while messages go on: first the
 * network drops everybody, then the node is killed and started. All are signed in, resumed and without a gap within ten
 * seconds; pages answer meanwhile; the pool holds, and resuming is asked in batches.
 */
export const storm: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const sockets = options.isLong ? 5_000 : 400;
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const tenant = await lab.newTenant();
    const people = await settle(lab.admin, tenant.tenant.id, sockets);
    const crowd = openCrowd({
      members: people.map((one) => ({ token: one.token, room: `conversation_${one.conversation}`, format: 'json' })),
      ports: [seat.front.port],
      processes: options.isLong ? 2 : 1,
      perSecond: 1_500,
    });
    const anomalies: Anomaly[] = [];
    const facts: Record<string, number> = { sockets };
    const maxBackMs = options.isLong ? MAX_BACK_MS.long : MAX_BACK_MS.short;
    try {
      const { missing } = await crowd.reach(() => 0, 60_000);
      if (missing > 0) throw new Error(`${missing} of ${sockets} never came in`);
      let version = 0;
      for (let round = 0; round < (options.rounds ?? 1); round++) {
        for (const how of ['cut', 'killed'] as const) {
          version += 1;
          anomalies.push(...(await strike(seat, crowd, people, how, version, { facts, maxBackMs })));
          // whoever is there hears of what comes next, too
          version += 1;
          await sendToAll(seat.node, people);
          const { missing: deaf } = await crowd.reach(() => version, 15_000);
          if (deaf > 0) anomalies.push({ kind: 'stale', what: `${deaf} were back and did not hear the next message` });
        }
      }
      anomalies.push(...(await judgeCrowd(crowd)));
    } finally {
      await crowd.close();
    }
    return { anomalies, rounds: options.rounds ?? 1, facts };
  });

async function strike(
  seat: Seat,
  crowd: Crowd,
  people: readonly Inhabitant[],
  how: 'cut' | 'killed',
  version: number,
  { facts, maxBackMs }: { readonly facts: Record<string, number>; readonly maxBackMs: number },
): Promise<Anomaly[]> {
  const anomalies: Anomaly[] = [];
  seat.front.door = 'refuse';
  seat.front.reset();
  await sendToAll(seat.node, people);
  if (how === 'killed') {
    await seat.kill();
    await seat.start();
  }
  const counted = countStatements(seat);
  const pages = askForPages(seat, people);
  const began = performance.timeOrigin + performance.now();
  seat.front.door = 'pass';
  const { missing, backAt } = await crowd.reach(() => version, 30_000);
  const times = backAt.map((at) => at - began);
  const { slowest, failed, asked, connections } = await pages.stop();
  seat.back.watch(null);
  const backMs = Math.round(percentile(times, 1));
  if (missing > 0) anomalies.push({ kind: 'stale', what: `${how}: ${missing} did not come back in 30 s` });
  if (backMs > maxBackMs) anomalies.push({ kind: 'stale', what: `${how}: it took ${backMs} ms until all were back` });
  if (failed > 0) anomalies.push({ kind: 'stale', what: `${how}: ${failed} of ${asked} pages failed meanwhile` });
  if (connections > MAX_CONNECTIONS) {
    anomalies.push({ kind: 'stale', what: `${how}: ${connections} connections to the database` });
  }
  facts[`${how}BackMs`] = Math.max(facts[`${how}BackMs`] ?? 0, backMs);
  facts[`${how}BackP50Ms`] = Math.round(percentile(times, 0.5));
  facts[`${how}SlowestPageMs`] = Math.max(facts[`${how}SlowestPageMs`] ?? 0, Math.round(slowest));
  facts[`${how}Pages`] = asked;
  facts[`${how}Connections`] = connections;
  for (const name of RESUME_STATEMENTS) facts[`${how} ${name}`] = counted.get(name) ?? 0;
  const resumes = counted.get('open-conversations') ?? 0;
  if (resumes > people.length) {
    anomalies.push({
      kind: 'stale',
      what: `${how}: ${resumes} statements to open ${people.length} rooms`,
    });
  }
  return anomalies;
}

/** Somebody keeps opening conversations, as a page and as a program; counts the node's connections to the database. */
function askForPages(seat: Seat, people: readonly Inhabitant[]) {
  let isOn = true;
  let slowest = 0;
  let failed = 0;
  let asked = 0;
  let connections = 0;
  const port = seat.node?.port ?? 0;
  const running = (async () => {
    while (isOn) {
      const { token, conversation } = people[asked % people.length] as Inhabitant; // a place in the list
      const paths = [
        `/api/support/conversations/${conversation}/messages`,
        `/driver/support/conversations/${conversation}`,
      ];
      const began = performance.now();
      const status = await http({ port, method: 'GET', path: paths[asked % 2] ?? '', token }).then(
        (answer) => answer.status,
        () => 0,
      );
      asked += 1;
      connections = Math.max(connections, seat.back.open);
      if (status !== 200) failed += 1;
      slowest = Math.max(slowest, performance.now() - began);
      await sleep(20);
    }
  })();
  return {
    async stop() {
      isOn = false;
      await running;
      return { slowest, failed, asked, connections };
    },
  };
}

/** How often the node asks what it asks for those who come. */
function countStatements(seat: Seat): Map<string, number> {
  const counted = new Map<string, number>();
  seat.back.watch((direction, chunk) => {
    if (direction === 'down') return false;
    const text = chunk.toString('latin1');
    // Bind: an empty portal name, then the statement's name
    for (const name of RESUME_STATEMENTS) {
      const times = text.split(`\0${name}\0`).length - 1;
      if (times > 0) counted.set(name, (counted.get(name) ?? 0) + times);
    }
    return false;
  });
  return counted;
}
