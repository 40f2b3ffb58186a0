import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { type Lab, type LabConversation, textOf } from '../lab/lab.ts';
import { connected, inLab, percentile, type Story } from './story.ts';

/** What sweeping promises (two seconds), and what a busy machine takes besides. */
const SWEPT_MS = 2_500;
/** Nodes know each other by their pings, which go out each two seconds. */
const ACQUAINTED_MS = 2_500;
const METRICS_TOKEN = 'metrics-of-the-fault-lab';

/** One writes on the first node, another reads on the second; gives how late each message came. */
async function twoNodes(lab: Lab) {
  const tenant = await lab.newTenant();
  const conversations = await lab.converse(tenant, 4);
  const agent = await lab.signIn(tenant, 'agent');
  const on = (seat: number) => ({ ports: () => [lab.seats[seat]?.front.port ?? 0] });
  const reader = lab.client({
    name: 'agent',
    person: agent,
    rooms: conversations.map(({ id }) => id),
    ...on(lab.seats.length - 1),
  });
  const phones = conversations.map((conversation, at) =>
    lab.client({ name: `phone-${at}`, person: conversation.user, rooms: [conversation.id], ...on(0) }),
  );
  await connected([reader, ...phones]);
  const sentAt = new Map<string, number>();
  let number = 0;
  return {
    conversations,
    phones,
    async talk(ms: number, everyMs = 40) {
      const end = performance.now() + ms;
      while (performance.now() < end) {
        number += 1;
        const at = number % conversations.length;
        const conversation = conversations[at] as LabConversation;
        const text = textOf(conversation.user, number);
        sentAt.set(text, lab.recorder.now());
        void phones[at]?.send(conversation.id, text);
        await sleep(everyMs);
      }
    },
    /** How late the agent saw each message that was sent after a moment of the history. */
    late(since = 0): number[] {
      return lab.recorder.events.flatMap((event) => {
        const at =
          event.type === 'frame' && event.process === 'agent' && event.body ? sentAt.get(event.body) : undefined;
        return at !== undefined && at >= since && event.type === 'frame' ? [event.at - at] : [];
      });
    },
  };
}

/** F9: hints come late, twice, shuffled, some not at all. It costs delay, two seconds at most. */
export const wildHints: Story = (options) =>
  inLab(options, { nodes: 2, defects: ['wild-hints'] }, async (lab) => {
    const talk = await twoNodes(lab);
    await sleep(ACQUAINTED_MS);
    await talk.talk(options.isLong ? 60_000 : 2_000);
    const anomalies = await lab.judge();
    const slowest = Math.max(...talk.late());
    if (slowest > SWEPT_MS) anomalies.push({ kind: 'stale', what: `a message came ${Math.round(slowest)} ms late` });
    return {
      anomalies,
      rounds: 1,
      facts: { slowestMs: Math.round(slowest), p50Ms: Math.round(percentile(talk.late(), 0.5)) },
    };
  });

/** F9: the line between the nodes is dead (new connections too), then flaps, then is half a minute late. */
export const deadLine: Story = (options) =>
  inLab(options, { nodes: 2, env: { METRICS_TOKEN } }, async (lab) => {
    const talk = await twoNodes(lab);
    await sleep(ACQUAINTED_MS);
    await talk.talk(300);
    const facts: Record<string, number> = {};
    const anomalies: Anomaly[] = [];
    async function stage(name: string, ms: number, begin: () => void): Promise<void> {
      const since = lab.recorder.now();
      lab.recorder.add({ type: 'nemesis', what: `the line between the nodes: ${name}` });
      begin();
      await talk.talk(ms, 50);
      await sleep(SWEPT_MS);
      const late = talk.late(since);
      const slowest = Math.round(Math.max(...late));
      facts[`${name}SlowestMs`] = slowest;
      if (late.length === 0) anomalies.push({ kind: 'stale', what: `${name}: nothing was measured` });
      if (slowest > SWEPT_MS) anomalies.push({ kind: 'stale', what: `${name}: a message came ${slowest} ms late` });
    }
    const each = (work: (line: Lab['seats'][number]['line']) => void) => {
      for (const { line } of lab.seats) work(line);
    };
    await stage('dead', options.isLong ? 60_000 : 1_500, () => each((line) => line.swallow(true)));
    const silent = await silentSeconds(lab);
    facts['silentSeconds'] = silent;
    if (silent < 2) anomalies.push({ kind: 'stale', what: `/metrics says the dead line was silent for ${silent} s` });
    each((line) => line.heal());
    await stage('delayed', options.isLong ? 45_000 : 1_500, () => each((line) => line.delay(30_000)));
    each((line) => line.heal());
    let isFlapping = true;
    const flapping = (async () => {
      while (isFlapping) {
        each((line) => line.reset());
        await sleep(lab.random.between(50, 700));
      }
    })();
    await stage('flapping', options.isLong ? 30_000 : 1_500, () => {});
    isFlapping = false;
    await flapping;
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: 1, facts: { ...facts, messages: talk.late().length } };
  });

/** What a node says of the silence on its line, in seconds. */
async function silentSeconds(lab: Lab): Promise<number> {
  const [seat] = lab.seats;
  const { body } = await http({ port: seat?.front.port ?? 0, method: 'GET', path: '/metrics', token: METRICS_TOKEN });
  return Math.round(Number(/^backplane_silent_seconds(?:\{[^}]*\})? ([\d.]+)/m.exec(String(body))?.[1] ?? -1));
}

/** F10: the open line swallows everything without a reset. The sweep delivers; within ten seconds it is opened anew. */
export const deafLine: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const talk = await twoNodes(lab);
    await sleep(ACQUAINTED_MS);
    await talk.talk(300);
    const holeFrom = lab.recorder.now();
    const before = lab.seats.map(({ line }) => line.opened);
    const isOpenedAnew = () => lab.seats.every(({ line }, at) => line.opened > (before[at] ?? 0));
    lab.recorder.add({ type: 'nemesis', what: 'the line between the nodes is swallowed' });
    for (const { line } of lab.seats) line.swallow();
    let openedAnewMs = 0;
    while (!isOpenedAnew() && lab.recorder.now() - holeFrom < 15_000) {
      await talk.talk(250, 80);
      openedAnewMs = Math.round(lab.recorder.now() - holeFrom);
    }
    if (options.isLong) await talk.talk(60_000, 80);
    const anomalies: Anomaly[] = await lab.judge();
    const late = talk.late(holeFrom);
    const slowest = Math.max(...late);
    if (slowest > SWEPT_MS) anomalies.push({ kind: 'stale', what: `a message came ${Math.round(slowest)} ms late` });
    if (!isOpenedAnew() || openedAnewMs > 10_000) {
      anomalies.push({ kind: 'stale', what: `the dead line was not opened anew within ${openedAnewMs} ms` });
    }
    if (late.length === 0) anomalies.push({ kind: 'stale', what: 'nothing was measured' });
    return { anomalies, rounds: 1, facts: { slowestMs: Math.round(slowest), openedAnewMs, messages: late.length } };
  });
