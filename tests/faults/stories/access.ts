import { setTimeout as sleep } from 'node:timers/promises';
import { http } from '../lab/client.ts';
import { textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/**
 * D7 and tenants: a stranger of the same tenant and one of another ask for the room, a session is revoked on one node
 * while its socket is open on the other. Who may hear goes on hearing: that is the control.
 */
export const access: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const tenant = await lab.newTenant();
    const other = await lab.newTenant();
    const [home, away] = await Promise.all([lab.converse(tenant, 2), lab.converse(other, 1)]);
    const [mine, theirs] = home;
    const [foreign] = away;
    if (!mine || !theirs || !foreign) throw new Error('no conversation');
    const [first, second] = lab.seats;
    if (!first || !second) throw new Error('two nodes were asked for');
    const on = (seat: typeof first) => ({ ports: () => [seat.front.port] });

    const phone = lab.client({ name: 'phone', person: mine.user, rooms: [mine.id], ...on(first) });
    const agent = await lab.signIn(tenant, 'agent');
    const control = lab.client({ name: 'agent', person: agent, rooms: [mine.id, theirs.id], ...on(second) });
    const outsider = lab.client({ name: 'outsider', person: foreign.user, rooms: [foreign.id], ...on(second) });
    await connected([phone, control, outsider]);
    // they ask for what is not theirs; an honest server never lets them in
    const intruders = [theirs.user, foreign.user].map((person, at) =>
      lab.client({ name: `intruder-${at}`, person, rooms: [mine.id], mayRead: [], ...on(second) }),
    );
    const lead = await lab.signIn(tenant, 'lead');
    const revoked = lab.client({ name: 'revoked', person: lead, rooms: [mine.id], ...on(second) });
    await connected([revoked]);

    let number = 0;
    let isRunning = true;
    const talking = (async () => {
      while (isRunning) {
        number += 1;
        await phone.send(mine.id, textOf(mine.user, number));
        await sleep(25);
      }
    })();
    await sleep(300);
    const gone = await http({
      port: first.front.port,
      method: 'DELETE',
      path: '/api/support/session',
      token: lead.token,
    });
    if (gone.status >= 300) throw new Error(`the session could not be ended: ${gone.status}`);
    const revokedAt = performance.now();
    lab.recorder.add({ type: 'revoked', process: 'revoked' });
    const cutOff = until('the revoked session is cut off', () => revoked.endedWith !== null, 2_500).then(
      () => performance.now() - revokedAt,
      () => null,
    );
    await sleep(2_600);
    isRunning = false;
    await talking;
    for (const one of intruders) one.close();
    const cutOffMs = await cutOff;
    const anomalies = (await lab.judge(8_000)).filter(({ what }) => !what.startsWith('intruder'));
    // a stranger who is told nothing is what we want; one who was let in is not
    for (const event of lab.recorder.events) {
      if ((event.type === 'subscribed' || event.type === 'frame') && event.process.startsWith('intruder')) {
        anomalies.push({ kind: 'cross', what: `${event.process}: ${event.type}` });
        break;
      }
    }
    if (cutOffMs === null) anomalies.push({ kind: 'cut-off', what: 'the revoked socket stayed open' });
    return { anomalies, rounds: 1, facts: { messages: number, cutOffMs: Math.round(cutOffMs ?? -1) } };
  });
