import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import type { VirtualClient } from '../lab/client.ts';
import { type Lab, type LabConversation, type Seat, textOf } from '../lab/lab.ts';
import type { LabNode } from '../lab/node.ts';
import { connected, inLab, type Story, type StoryOptions, until } from './story.ts';

/** After so many rounds everything is judged, and the next ones begin with new people. */
const ROUNDS_A_CHAPTER = 20;
const SENDERS = 32;

interface Crowd {
  readonly conversations: readonly LabConversation[];
  readonly phones: readonly VirtualClient[];
  /** Everybody sends so many. */
  burst(each: number): void;
  inFlight(): number;
  /** Those that were written to a line of this node. */
  onTheWayTo(seat: Seat): number;
}

/** Users who send, each in their own conversation, and one agent who reads all. */
async function gather(lab: Lab, senders: number, ports = lab.ports): Promise<Crowd> {
  const tenant = await lab.newTenant();
  const conversations = await lab.converse(tenant, senders);
  const agent = await lab.signIn(tenant, 'agent');
  const reader = lab.client({ name: 'agent', person: agent, rooms: conversations.map((one) => one.id), ports });
  const phones = conversations.map((conversation, at) =>
    lab.client({
      name: `phone-${at}`,
      person: conversation.user,
      rooms: [conversation.id],
      ports,
      // a quarter sends by POST
      via: at % 4 === 3 ? 'post' : 'socket',
    }),
  );
  await connected([reader, ...phones], 30_000);
  let number = 0;
  return {
    conversations,
    phones,
    burst(each) {
      for (let turn = 0; turn < each; turn++) {
        phones.forEach((phone, at) => {
          const conversation = conversations[at];
          number += 1;
          if (conversation) void phone.send(conversation.id, textOf(conversation.user, number));
        });
      }
    },
    inFlight: () => phones.reduce((sum, phone) => sum + phone.waiting, 0),
    onTheWayTo: ({ front }) => phones.reduce((sum, phone) => sum + phone.onTheWay(front.port), 0),
  };
}

/** Tells rounds in chapters: after each chapter all is judged. Anomalies end it. */
async function inChapters(
  lab: Lab,
  options: StoryOptions,
  rounds: number,
  round: (crowd: Crowd, number: number, isLastOfChapter: boolean) => Promise<void>,
  ports = lab.ports,
): Promise<{ anomalies: Anomaly[]; done: number; acked: number }> {
  const anomalies: Anomaly[] = [];
  let acked = 0;
  let done = 0;
  while (done < rounds && anomalies.length === 0) {
    const crowd = await gather(lab, SENDERS, ports);
    const upTo = Math.min(rounds, done + ROUNDS_A_CHAPTER);
    for (; done < upTo; done++) await round(crowd, done, done === upTo - 1);
    anomalies.push(...(await lab.judge(60_000)));
    acked += lab.recorder.events.filter((event) => event.type === 'ok').length;
    options.onRound?.(done, anomalies);
    if (anomalies.length === 0) lab.renew();
  }
  return { anomalies, done, acked };
}

/** At least so many sends are on their way to the node that is killed. */
const IN_FLIGHT = 50;

/**
 * F1: kill -9 of a node with at least 50 unanswered sends on its own lines, at a random moment; it comes back, all is
 * sent again.
 */
export const killNode: Story = (options) =>
  inLab(options, { nodes: options.isLong ? 2 : 1 }, async (lab) => {
    const { random, recorder } = lab;
    const onTheWay: number[] = [];
    const { anomalies, done, acked } = await inChapters(lab, options, options.rounds ?? 3, async (crowd) => {
      await until('everybody is back', () => crowd.phones.every((phone) => phone.isConnected), 30_000);
      const strikeAt = performance.now() + random.between(0, 60);
      const busiest = () =>
        lab.seats.reduce((best, seat) => (crowd.onTheWayTo(seat) > crowd.onTheWayTo(best) ? seat : best));
      crowd.burst(5);
      await sleep(0);
      let seat = busiest();
      // they are answered quickly, so there are always more to come
      while (performance.now() < strikeAt || crowd.onTheWayTo(seat) < IN_FLIGHT) {
        if (crowd.onTheWayTo(seat) < IN_FLIGHT) crowd.burst(2);
        await sleep(1);
        seat = busiest();
      }
      onTheWay.push(crowd.onTheWayTo(seat));
      recorder.add({ type: 'nemesis', what: `kill -9 with ${crowd.onTheWayTo(seat)} in flight` });
      await seat.kill();
      await sleep(random.between(0, 100));
      await seat.start();
      await until('all is acknowledged', () => crowd.inFlight() === 0, 30_000).catch(() => {});
    });
    const sorted = onTheWay.sort((a, b) => a - b);
    return {
      anomalies,
      rounds: done,
      facts: { acked, inFlightLeast: sorted[0] ?? 0, inFlightMedian: sorted[Math.floor(sorted.length / 2)] ?? 0 },
    };
  });

const PLACES = ['before-tx', 'after-insert', 'after-commit', 'before-ack', 'after-ack', 'during-fan-out'] as const;

/** So long a node may live after everybody began to send to it. */
const PATIENCE_MS = 15_000;

/**
 * F2: a node kills itself at six places of a message's way; the next one takes what is sent again, gives the same
 * places, and kills itself at the next. In half of the rounds it dies among those who come back to it, in the other
 * half with at least 50 sends on their way to it. Mostly the next node runs already, and takes what is sent again while
 * the database still works for the dead one; in every fourth round it is started afterwards.
 */
export const failpoints: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const { random, recorder } = lab;
    const spare = await lab.addSeat();
    const [first] = lab.seats;
    if (!first) throw new Error('no node');
    /** Where everybody goes. */
    let seat: Seat = first;
    const ports = () => (seat.node && !seat.node.hasEnded() ? [seat.front.port] : []);
    const other = () => (seat === first ? spare : first);
    const rounds = options.rounds ?? PLACES.length;
    const counts: Record<string, number> = {};
    const onTheWay: number[] = [];

    const placeOf = (number: number) => PLACES[number % PLACES.length] ?? 'before-tx';
    const isLateOf = (number: number) => (number + Math.floor(number / PLACES.length)) % 2 === 1;
    const isColdOf = (number: number) => number % 4 === 3;
    /** A node that dies: in a late round not before it is told that enough is on its way. */
    const doomed = (where: Seat, number: number) => {
      const isLate = isLateOf(number);
      return where.start({
        failpoint: { place: placeOf(number), at: isLate ? random.between(1, 4) : random.between(3, 12), isLate },
      });
    };

    let next: Promise<LabNode> | null = null;
    const { anomalies, done, acked } = await inChapters(
      lab,
      options,
      rounds,
      async (crowd, number, isLastOfChapter) => {
        // a chapter begins with a node that is well, and a round with the one that died
        const starting = next ?? doomed(other(), number);
        const before = seat;
        const node = await starting;
        await before.kill();
        seat = other();
        const isColdNext = isLastOfChapter || isColdOf(number + 1);
        next = isColdNext ? null : doomed(other(), number + 1);
        // it is awaited in the next round, unless this one throws
        next?.catch(() => {});

        let isTold = !isLateOf(number);
        for (const end = performance.now() + PATIENCE_MS; !node.hasEnded() && performance.now() < end; ) {
          const written = crowd.onTheWayTo(seat);
          if (crowd.inFlight() < 100 || (!isTold && written < IN_FLIGHT && crowd.inFlight() < 400)) crowd.burst(1);
          if (!isTold && crowd.onTheWayTo(seat) >= IN_FLIGHT) {
            isTold = true;
            onTheWay.push(crowd.onTheWayTo(seat));
            node.kill('SIGUSR2');
          }
          await sleep(isTold ? 15 : 1);
        }
        const place = placeOf(number);
        if (!node.hasEnded()) throw new Error(`the node does not die ${place}`);
        recorder.add({ type: 'nemesis', what: `kill -9 ${place}` });
        counts[place] = (counts[place] ?? 0) + 1;
        if (!isLastOfChapter) return;
        seat = other();
        await seat.start();
        await until('all is acknowledged', () => crowd.inFlight() === 0, 30_000).catch(() => {});
      },
      ports,
    );
    const sorted = onTheWay.sort((a, b) => a - b);
    return {
      anomalies,
      rounds: done,
      facts: {
        acked,
        ...counts,
        toldInFlight: sorted.length,
        inFlightLeast: sorted[0] ?? 0,
        inFlightMedian: sorted[Math.floor(sorted.length / 2)] ?? 0,
      },
    };
  });

/** F5: PostgreSQL dies (`-m immediate`, kill -9 of the postmaster or of a backend) with sends in flight. */
export const killPostgres: Story = (options) => {
  const { database: _shared, ...own } = options;
  return inLab(own, {}, async (lab) => {
    const { random, recorder, postgres } = lab;
    const [seat] = lab.seats;
    if (!postgres || !seat) throw new Error('the lab has a PostgreSQL of its own');
    const pid = seat.node?.pid;
    const recoveries: number[] = [];
    const { anomalies, done, acked } = await inChapters(lab, own, options.rounds ?? 3, async (crowd, number) => {
      const how = (['immediate', 'kill', 'backend'] as const)[number % 3] ?? 'kill';
      await until('everybody is back', () => crowd.phones.every((phone) => phone.isConnected), 30_000);
      crowd.burst(3);
      await sleep(random.between(0, 40));
      recorder.add({ type: 'nemesis', what: `PostgreSQL ${how} with ${crowd.inFlight()} in flight` });
      if (how === 'backend') await killBackend(lab);
      else {
        await postgres.crash(how);
        crowd.burst(1);
        await sleep(random.between(50, 600));
        await postgres.start();
        lab.follow();
      }
      const up = performance.now();
      await until('all is acknowledged', () => crowd.inFlight() === 0, 30_000);
      recoveries.push(performance.now() - up);
    });
    if (seat.node?.pid !== pid) anomalies.push({ kind: 'unanswered', what: 'the node died with its database' });
    const slowest = Math.round(Math.max(...recoveries));
    if (slowest > 5_000) anomalies.push({ kind: 'stale', what: `sends were taken again only after ${slowest} ms` });
    return { anomalies, rounds: done, facts: { acked, slowestRecoveryMs: slowest } };
  });
};

/** kill -9 of one backend: PostgreSQL ends all of them and recovers. */
async function killBackend(lab: Lab): Promise<void> {
  const { rows } = await lab.admin.query<{ pid: number }>(
    `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() and usename <> 'postgres'`,
  );
  const pid = rows.length > 0 ? lab.random.pick(rows).pid : undefined;
  if (pid === undefined) throw new Error('no backend to kill');
  process.kill(pid, 'SIGKILL');
  await until(
    'PostgreSQL has recovered',
    () =>
      lab.admin.query('select 1').then(
        () => true,
        () => false,
      ),
    20_000,
  );
}
