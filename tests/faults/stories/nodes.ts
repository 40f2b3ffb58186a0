import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { textOf } from '../lab/lab.ts';
import { connected, inLab, percentile, type Story } from './story.ts';

/** F4: the same message by two devices through two nodes at once is one message, and both are told the same place. */
export const twins: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 8);
    const pairs = conversations.map((conversation, at) =>
      lab.seats.map((seat, side) =>
        lab.client({
          name: `device-${at}-${side}`,
          person: conversation.user,
          rooms: [conversation.id],
          ports: () => [seat.front.port],
          via: at % 4 === 0 && side === 1 ? 'post' : 'socket',
        }),
      ),
    );
    const agentPerson = await lab.signIn(tenant, 'agent');
    const agent = lab.client({ name: 'agent', person: agentPerson, rooms: conversations.map(({ id }) => id) });
    await connected([agent, ...pairs.flat()]);
    const rounds = options.rounds ?? 100;
    const anomalies: Anomaly[] = [];
    let done = 0;
    for (let turn = 0; done < rounds; turn++) {
      await Promise.all(
        conversations.map(async (conversation, at) => {
          const clientId = randomUUID();
          const text = textOf(conversation.user, turn);
          const answers = await Promise.all(
            pairs[at]?.map((device) => device.send(conversation.id, text, clientId)) ?? [],
          );
          // the id is theirs alone: somebody else who has the same one says something else
          if (at === turn % conversations.length) {
            const other = await agent.send(conversation.id, textOf(agentPerson, turn), clientId);
            if (other.outcome !== 'ok')
              anomalies.push({ kind: 'lost', what: `another's client id was refused: ${other.code}` });
          }
          done += 1;
          if (new Set(answers.map(({ seq }) => seq)).size !== 1) {
            anomalies.push({
              kind: 'duplicate',
              what: `twins were told ${answers.map(({ seq }) => seq).join(' and ')}`,
            });
          }
        }),
      );
    }
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: done, facts: {} };
  });

/** So many at a time, not all at once. */
async function inTens<T>(count: number, make: (count: number) => Promise<T[]>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(...(await make(Math.min(10, count - made.length))));
  return made;
}

/** F21: agents on two nodes claim at once: one wins and the others are told. What comes after closing is refused. */
export const races: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const tenant = await lab.newTenant();
    const agents = await tenant.moreAgents(20);
    const rounds = options.rounds ?? 12;
    const conversations = await inTens(rounds, (count) => lab.converse(tenant, count));
    const anomalies: Anomaly[] = [];
    const wins = new Map<string, number>();
    const port = (at: number) => lab.seats[at % lab.seats.length]?.front.port ?? 0;
    const desk = (at: number, verb: string, id: string) =>
      http({
        port: port(at),
        method: 'POST',
        path: `/api/admin/support/conversations/${id}/${verb}`,
        token: agents[at % agents.length]?.token ?? '',
        body: {},
      });
    let claims = 0;
    for (const [round, { id, user }] of conversations.entries()) {
      // everybody at once, each time another one first, on every node
      const order = agents.map((_, at) => (at * 7 + round) % agents.length);
      const answers = await Promise.all(order.map((at) => desk(at, 'assign', id)));
      claims += answers.length;
      const { rows } = await lab.admin.query<{ holder: string; lines: number }>(
        `select c.assigned_admin_id as holder, (select count(*)::int from messages m where m.conversation_id = c.id and m.event = 'assigned') as lines
         from conversations c where c.id = $1`,
        [id],
      );
      const winners = new Set(
        answers.flatMap(({ status }, at) => (status === 200 ? [agents[order[at] ?? 0]?.id] : [])),
      );
      const others = answers.filter(({ status }) => status !== 200 && status !== 409);
      if (others.length > 0) anomalies.push({ kind: 'lost', what: `a claim was answered ${others[0]?.status}` });
      if (winners.size !== 1 || !winners.has(rows[0]?.holder)) {
        anomalies.push({ kind: 'divergence', what: `${winners.size} were told that they hold it` });
      }
      if (rows[0]?.lines !== 1) anomalies.push({ kind: 'duplicate', what: `${rows[0]?.lines} lines say who holds it` });
      for (const id of winners) wins.set(id ?? '', (wins.get(id ?? '') ?? 0) + 1);

      const holder = agents.findIndex((agent) => winners.has(agent.id));

      // closing against sending: what is acknowledged stands before the line that closes, or was refused
      const sends = Array.from({ length: 6 }, (_, at) =>
        sleep(at).then(() =>
          http({
            port: port(at),
            method: 'POST',
            path: `/api/support/conversations/${id}/messages`,
            token: user.token,
            body: { body: `at ${at}`, clientId: randomUUID() },
          }),
        ),
      );
      const [closed, ...sent] = await Promise.all([sleep(2).then(() => desk(holder, 'close', id)), ...sends]);
      const log = await lab.admin.query<{ seq: number; event: string | null }>(
        'select seq, event from messages where conversation_id = $1 order by seq',
        [id],
      );
      const end = log.rows.find(({ event }) => event === 'closed')?.seq ?? 0;
      if (closed.status !== 200 || end === 0)
        anomalies.push({ kind: 'lost', what: `closing was answered ${closed.status}` });
      if (log.rows.some(({ seq }) => seq > end))
        anomalies.push({ kind: 'resurrected', what: 'something stands behind the end' });
      const acked = sent.filter(({ status }) => status === 201).length;
      const stored = log.rows.filter(({ event }) => event === null).length;
      if (acked !== stored) anomalies.push({ kind: 'lost', what: `${acked} acknowledged, ${stored} stored` });
      if (sent.some(({ status }) => status !== 201 && status !== 409)) {
        anomalies.push({ kind: 'lost', what: `a send was answered ${sent.map(({ status }) => status).join()}` });
      }
    }
    return {
      anomalies,
      rounds,
      facts: { claims, closings: rounds, agents: agents.length, differentWinners: wins.size },
    };
  });

/** F20: each node is replaced under load, the new one first. Nobody who sends by POST sees an error. */
export const rolling: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 8);
    const phones = conversations.map((conversation, at) =>
      lab.client({
        name: `phone-${at}`,
        person: conversation.user,
        rooms: [conversation.id],
        via: at % 2 === 0 ? 'socket' : 'post',
      }),
    );
    await connected(phones);
    let isRunning = true;
    let number = 0;
    const talking = conversations.map(async (conversation, at) => {
      while (isRunning) {
        number += 1;
        await phones[at]?.send(conversation.id, textOf(conversation.user, number));
        await sleep(10);
      }
    });
    const rounds = options.rounds ?? 2;
    const stops: number[] = [];
    const anomalies: Anomaly[] = [];
    for (let round = 0; round < rounds; round++) {
      const seat = lab.seats[round % lab.seats.length];
      const old = seat?.node;
      if (!seat || !old) throw new Error('no node');
      await seat.start();
      const began = performance.now();
      old.kill('SIGTERM');
      const { code } = await old.ended;
      stops.push(performance.now() - began);
      if (code !== 0) anomalies.push({ kind: 'stale', what: `a node that was told to leave ended with ${code}` });
    }
    isRunning = false;
    await Promise.all(talking);
    const troubles = lab.recorder.events.filter((event) => event.type === 'info');
    const seen = troubles.filter((event) => Number(event.process.split('-')[1]) % 2 === 1);
    for (const trouble of seen.slice(0, 3)) {
      anomalies.push({
        kind: 'unanswered',
        what: `${trouble.process} saw an error: ${trouble.cause} ${trouble.code ?? ''}`,
      });
    }
    const codes = new Set(lab.recorder.events.flatMap((event) => (event.type === 'closed' ? [event.code] : [])));
    if (!codes.has(1012))
      anomalies.push({ kind: 'stale', what: `sockets were closed with ${[...codes].join()}, not 1012` });
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds, facts: { messages: number, slowestStopMs: Math.round(Math.max(...stops)) } };
  });

/** F23: one node's clock jumps between ten minutes ahead and behind, the other's is ten behind. Order and times do not care. */
export const clocks: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const seats = lab.seats;
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 4);
    const lead = await lab.signIn(tenant, 'lead');
    await seats[0]?.kill();
    const [ahead, behind] = await Promise.all([
      seats[0]?.start({ defects: ['clock-off'], env: { CLOCK_OFF_MS: '600000', CLOCK_JUMPS_MS: '700' } }),
      // a second process behind the same database, on a line of its own
      lab.addSeat().then((seat) => seat.start({ defects: ['clock-off'], env: { CLOCK_OFF_MS: '-600000' } })),
    ]);
    if (!ahead || !behind) throw new Error('no nodes');
    const phones = conversations.flatMap((conversation) =>
      lab.seats.map((seat, side) =>
        lab.client({
          name: `device-${conversation.id.slice(-4)}-${side}`,
          person: conversation.user,
          rooms: [conversation.id],
          ports: () => [seat.front.port],
        }),
      ),
    );
    const reader = lab.client({ name: 'lead', person: lead, rooms: conversations.map(({ id }) => id) });
    await connected([...phones, reader]);
    const anomalies: Anomaly[] = [];
    const rounds = options.rounds ?? 10;
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        phones.map((phone, at) => {
          const conversation = conversations[Math.floor(at / 2)];
          return conversation ? phone.send(conversation.id, textOf(conversation.user, round * 10 + at)) : undefined;
        }),
      );
    }
    const { rows } = await lab.admin.query<{ off: number; backwards: number }>(
      `select max(abs(extract(epoch from clock_timestamp() - created_at)))::int as off,
         (select count(*)::int from messages a join messages b on b.conversation_id = a.conversation_id and b.seq = a.seq + 1
          where a.conversation_id = any ($1) and b.created_at < a.created_at) as backwards
       from messages where conversation_id = any ($1)`,
      [conversations.map(({ id }) => id)],
    );
    if ((rows[0]?.off ?? 999) > 120) anomalies.push({ kind: 'divergence', what: `a message is ${rows[0]?.off} s off` });
    if (rows[0]?.backwards !== 0) anomalies.push({ kind: 'reorder', what: 'times go back with the places' });
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds, facts: {} };
  });

/** How late a message may be on another node, at so many a second. The short form is too short to say. */
const PER_SECOND = 200;
const MAX_CROSSING_P99_MS = 150;

/** Two nodes or more: how late a message that is sent on the first is seen on the last. */
export const crossing: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 20);
    const [here] = lab.seats;
    const there = lab.seats.at(-1);
    const agent = await lab.signIn(tenant, 'agent');
    lab.client({
      name: 'agent',
      person: agent,
      rooms: conversations.map(({ id }) => id),
      ports: () => [there?.front.port ?? 0],
    });
    const phones = conversations.map((conversation, at) =>
      lab.client({
        name: `phone-${at}`,
        person: conversation.user,
        rooms: [conversation.id],
        ports: () => [here?.front.port ?? 0],
      }),
    );
    await connected(phones);
    // the nodes get to know each other by their pings
    await sleep(2_500);
    const seconds = options.isLong ? 30 : 3;
    const sentAt = new Map<string, number>();
    const began = performance.now();
    for (let number = 0; number < seconds * PER_SECOND; number++) {
      const due = began + (number * 1_000) / PER_SECOND;
      if (due > performance.now()) await sleep(due - performance.now());
      const at = number % conversations.length;
      const conversation = conversations[at];
      const phone = phones[at];
      if (!conversation || !phone) continue;
      const text = textOf(conversation.user, number);
      sentAt.set(text, lab.recorder.now());
      void phone.send(conversation.id, text);
    }
    const perSecond = Math.round((seconds * PER_SECOND * 1_000) / (performance.now() - began));
    const anomalies = await lab.judge();
    const late: number[] = [];
    for (const event of lab.recorder.events) {
      const at = event.type === 'frame' && event.process === 'agent' && event.body ? sentAt.get(event.body) : undefined;
      if (at !== undefined) late.push(event.at - at);
    }
    const p99Ms = Math.round(percentile(late, 0.99));
    if (options.isLong && p99Ms > MAX_CROSSING_P99_MS) {
      anomalies.push({ kind: 'stale', what: `p99 from node to node was ${p99Ms} ms at ${perSecond} a second` });
    }
    return {
      anomalies,
      rounds: 1,
      facts: { messages: late.length, perSecond, p50Ms: Math.round(percentile(late, 0.5)), p99Ms },
    };
  });
