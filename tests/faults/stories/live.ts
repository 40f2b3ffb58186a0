import type { Anomaly } from '../lab/checker.ts';
import { type LabConversation, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/** F12: the network forgot the connections: nobody is told. Server and client each find out, and resume. */
export const halfOpen: Story = (options) => {
  // a long run waits for the beats of the product; who has not answered one is let go with the next
  const beatSeconds = options.isLong ? 20 : 2;
  return inLab(options, options.isLong ? {} : { defects: ['quick-beat'] }, async (lab) => {
    const tenant = await lab.newTenant();
    const conversations: LabConversation[] = [];
    // a few at a time: this is about silence, not about a crowd that comes at once
    for (let left = Math.max(6, options.rounds ?? 6); left > 0; left -= 20) {
      conversations.push(...(await lab.converse(tenant, Math.min(left, 20))));
    }
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const phones = conversations.map((conversation, at) =>
      // they would not find out by themselves: they show what the server does
      lab.client({ name: `phone-${at}`, person: conversation.user, rooms: [conversation.id], silenceMs: 600_000 }),
    );
    await connected(phones, 60_000);
    for (const [at, { id, user }] of conversations.entries()) await phones[at]?.send(id, textOf(user, 1));
    const anomalies: Anomaly[] = [];
    const swallowed = seat.front.open;
    seat.front.blackHole();
    const began = performance.now();
    const patience = (2 * beatSeconds + 5) * 1_000;
    await until('the server lets go of dead sockets', () => seat.front.open === 0, patience).catch(() => {
      anomalies.push({ kind: 'stale', what: `${seat.front.open} of ${swallowed} dead sockets are still open` });
    });
    const noticedMs = Math.round(performance.now() - began);
    seat.front.heal();
    for (const phone of phones) phone.drop();
    for (const [at, { id, user }] of conversations.entries()) void phones[at]?.send(id, textOf(user, 2));
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: swallowed, facts: { noticedMs, beatSeconds } };
  });
};
