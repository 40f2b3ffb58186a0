import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { textOf } from '../lab/lab.ts';
import { fill } from './cursors.ts';
import { inLab, percentile, type Story, until } from './story.ts';

/** F27: a very long conversation opens, is paged and resumed as fast as a short one. */
export const longConversation: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const many = options.isLong ? 100_000 : 20_000;
    const tenant = await lab.newTenant();
    const [conversation, short] = await lab.converse(tenant, 2);
    const [seat] = lab.seats;
    if (!conversation || !short || !seat) throw new Error('no conversation');
    const { id, user } = conversation;
    await fill(lab.admin, short.id, 200, (number) => textOf(short.user, number));
    await fill(lab.admin, id, many, (number) => textOf(user, number));
    const base = `/api/support/conversations/${id}/messages`;
    const times: number[] = [];
    const control: number[] = [];
    const asked = [
      base,
      `${base}?before=${many}`,
      `${base}?before=${Math.floor(many / 2)}`,
      `${base}?after=10`,
      `${base}?changedAfter=${many - 50}`,
    ];
    const anomalies: Anomaly[] = [];
    for (let turn = 0; turn < 20; turn++) {
      for (const path of asked) {
        const began = performance.now();
        const { status } = await http({ port: seat.front.port, method: 'GET', path, token: user.token });
        times.push(performance.now() - began);
        if (status !== 200) anomalies.push({ kind: 'lost', what: `${path}: ${status}` });
        const again = performance.now();
        const other = `/api/support/conversations/${short.id}/messages`;
        await http({ port: seat.front.port, method: 'GET', path: other, token: short.user.token });
        control.push(performance.now() - again);
      }
    }
    const p95 = Math.round(percentile(times, 0.95));
    const controlP95 = Math.round(percentile(control, 0.95));
    // on a busy machine a short conversation takes long as well
    if (p95 > Math.max(150, controlP95 * 2)) {
      anomalies.push({ kind: 'stale', what: `p95 of a page is ${p95} ms, of a short conversation's ${controlP95} ms` });
    }
    const { rows } = await lab.admin.query<{ epoch: string }>('select log_epoch as epoch from installation');
    const reader = lab.client({ name: 'reader', person: user, rooms: [id], silenceMs: 60_000 });
    reader.setCursor(id, `${rows[0]?.epoch}:0`);
    const began = performance.now();
    await until('all of it was replayed', () => reader.knows(id, many), 60_000);
    const replayMs = Math.round(performance.now() - began);
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: times.length, facts: { messages: many, p95Ms: p95, shortP95Ms: controlP95, replayMs } };
  });
