import { setTimeout as sleep } from 'node:timers/promises';
import { textOf } from '../lab/lab.ts';
import { connected, inLab, type Story } from './story.ts';

/**
 * F14 and F16 in one: people with two devices each, and an agent who reads all, talk over two nodes (or as many as
 * `options` say) while lines are reset, cut in the middle of a frame, slowed and dropped. Half of the devices send by POST.
 */
export const churn: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const { random, recorder } = lab;
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, 4);
    const agent = await lab.signIn(tenant, 'agent');
    const people = conversations.flatMap((conversation, at) =>
      ['phone', 'tablet'].map((device, number) => ({
        conversation,
        client: lab.client({
          name: `${device}-${at}`,
          person: conversation.user,
          rooms: [conversation.id],
          via: number === 1 && at % 2 === 1 ? 'post' : 'socket',
          // each device stays with one node as long as it can, so that what they send meets in the database
          ports: () => (random.chance(0.8) ? [lab.seats[number % lab.seats.length]?.front.port ?? 0] : lab.ports()),
        }),
      })),
    );
    const reader = lab.client({ name: 'agent', person: agent, rooms: conversations.map((one) => one.id) });
    await connected([reader, ...people.map((one) => one.client)]);

    const rounds = options.rounds ?? 12;
    let number = 0;
    for (let round = 0; round < rounds; round++) {
      const wait = random.between(60, 180);
      const steps = 6;
      for (let step = 0; step < steps; step++) {
        for (const { conversation, client } of people) {
          number += 1;
          void client.send(conversation.id, textOf(conversation.user, number));
        }
        await sleep(wait / steps);
      }
      const { front } = random.pick(lab.seats);
      const fault = random.pick(['reset', 'cut', 'some', 'slow', 'drop'] as const);
      recorder.add({ type: 'nemesis', what: fault });
      if (fault === 'reset') front.reset();
      if (fault === 'some') front.reset(() => random.chance(0.5));
      if (fault === 'cut') front.poison('down', { cutAfterBytes: random.between(10, 4_000) });
      if (fault === 'slow') front.poison('down', { latencyMs: 20, jitterMs: 40, sliceBytes: random.between(7, 300) });
      if (fault === 'drop') reader.drop();
      await sleep(random.between(10, 60));
      front.heal();
    }
    const anomalies = await lab.judge();
    const connects = people.reduce((sum, { client }) => sum + client.connects, reader.connects);
    return { anomalies, rounds, facts: { messages: number, connects } };
  });
