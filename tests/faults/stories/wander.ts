import { setTimeout as sleep } from 'node:timers/promises';
import type { VirtualClient } from '../lab/client.ts';
import { type LabConversation, type LabPerson, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story } from './story.ts';

/** Somebody at a device, which may be killed and opened again. */
interface Wanderer {
  readonly name: string;
  readonly person: LabPerson;
  readonly rooms: readonly string[];
  client: VirtualClient;
}

/**
 * Programs over the JSON socket that are killed, cut and resumed at random, for minutes, against two nodes: from their
 * newest cursor, from an older one, or with none at all. Meanwhile they write, edit, delete and send the same again, and
 * lines, and now and then a node, fail under them.
 */
export const wander: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const { random, recorder } = lab;
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, options.isLong ? 12 : 6);
    const lead = await lab.signIn(tenant, 'lead');
    const open = (name: string, person: LabPerson, rooms: readonly string[]): Wanderer => ({
      name,
      person,
      rooms,
      client: lab.client({ name, person, rooms }),
    });
    const writers = conversations.flatMap((conversation, at) =>
      ['phone', 'tablet'].map((device) => ({
        conversation,
        who: open(`${device}-${at}`, conversation.user, [conversation.id]),
      })),
    );
    const ids = conversations.map(({ id }) => id);
    const readers = Array.from({ length: 4 }, (_, at) => open(`lead-${at}`, lead, ids));
    const everybody = [...writers.map(({ who }) => who), ...readers];
    await connected(everybody.map(({ client }) => client));

    const deeds: Record<string, number> = {};
    const did = (what: string) => {
      deeds[what] = (deeds[what] ?? 0) + 1;
    };
    let isRunning = true;
    let number = 0;
    const changing: Promise<void>[] = [];
    /** Two who change one message at once are told apart by their order, so each message is changed by one. */
    const changed = new Set<string>();
    async function write({ conversation, who }: { conversation: LabConversation; who: Wanderer }): Promise<void> {
      while (isRunning) {
        await sleep(random.between(5, 120));
        const { client } = who;
        if (client.waiting > 40) continue;
        number += 1;
        void client.send(conversation.id, textOf(conversation.user, number));
        const own = client.own.at(-random.between(1, 10));
        if (!own || changed.has(own.id) || !random.chance(0.15)) continue;
        changed.add(own.id);
        const isDeletion = random.chance(0.3);
        did(isDeletion ? 'deletions' : 'edits');
        changing.push(client.change(own, isDeletion ? null : `${textOf(conversation.user, number)} edited`));
      }
    }
    async function live(who: Wanderer): Promise<void> {
      while (isRunning) {
        // long enough to get through on a busy machine, or nothing would be said
        await sleep(random.between(100, options.isLong ? 5_000 : 1_500));
        if (!isRunning) return;
        const deed = random.pick(['cut', 'cut', 'kill', 'kill', 'away', 'again', 'older', 'forget'] as const);
        did(deed);
        if (deed === 'cut') who.client.drop();
        else if (deed === 'away') {
          who.client.offline();
          await sleep(random.between(50, 1_200));
          who.client.online();
        } else if (deed === 'kill') {
          const saved = who.client.kill();
          await sleep(random.between(0, 600));
          who.client = lab.client({ name: who.name, person: who.person, rooms: who.rooms, saved });
        } else {
          for (const room of who.rooms) {
            const cursor = who.client.cursor(room);
            if (!cursor || !random.chance(0.6)) continue;
            const older = Math.max(0, cursor.version - random.between(0, 30));
            if (deed === 'forget') who.client.setCursor(room, null);
            else who.client.setCursor(room, `${cursor.epoch}:${deed === 'older' ? older : cursor.version}`);
          }
          who.client.drop();
        }
      }
    }
    async function misfortune(): Promise<void> {
      for (let round = 0; isRunning; round++) {
        await sleep(random.between(300, 2_000));
        const seat = random.pick(lab.seats);
        const what =
          options.isLong && round % 12 === 11 ? 'node' : random.pick(['reset', 'slice', 'slow', 'hole'] as const);
        did(what);
        recorder.add({ type: 'nemesis', what });
        if (what === 'node') {
          await seat.kill();
          await sleep(random.between(0, 300));
          await seat.start();
        } else if (what === 'reset') seat.front.reset(() => random.chance(0.5));
        else if (what === 'slice') seat.front.poison('down', { cutAfterBytes: random.between(10, 4_000) });
        else if (what === 'slow')
          seat.front.poison('down', { latencyMs: 40, jitterMs: 60, sliceBytes: random.between(7, 300) });
        else seat.front.poison(random.pick(['up', 'down'] as const), { isPaused: true });
        await sleep(random.between(50, 500));
        seat.front.heal();
      }
    }
    const seconds = options.isLong ? 300 : 4;
    const busy = [...writers.map(write), ...everybody.map(live), misfortune()];
    for (let left = seconds; left > 0; left -= 20) {
      await sleep(Math.min(left, 20) * 1_000);
      options.onRound?.(Math.round(seconds - Math.max(0, left - 20)), []);
    }
    isRunning = false;
    await Promise.all(busy);
    await Promise.race([Promise.all(changing), sleep(10_000)]);
    const anomalies = await lab.judge(60_000);
    const count = (type: string) => recorder.events.filter((event) => event.type === type).length;
    return {
      anomalies,
      rounds: Object.values(deeds).reduce((sum, times) => sum + times, 0),
      facts: { seconds, messages: number, frames: count('frame'), subscriptions: count('subscribed'), ...deeds },
    };
  });
