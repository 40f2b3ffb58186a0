import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import { textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/** F15: a very old cursor is caught up in pages; one from the future or from another history is a reset. */
export const cursors: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const many = options.isLong ? 20_000 : 1_500;
    const tenant = await lab.newTenant();
    const [conversation] = await lab.converse(tenant, 1);
    if (!conversation) throw new Error('no conversation');
    const { id, user } = conversation;
    await fill(lab.admin, id, many, (number) => textOf(user, number));
    const { rows } = await lab.admin.query<{ epoch: string }>('select log_epoch as epoch from installation');
    const epoch = rows[0]?.epoch ?? '';
    const phone = lab.client({ name: 'phone', person: user, rooms: [id] });
    await connected([phone]);

    const anomalies: Anomaly[] = [];
    const asked: [name: string, cursor: string, expected: string][] = [
      ['from-the-start', `${epoch}:0`, 'resumed'],
      ['old', `${epoch}:7`, 'resumed'],
      ['future', `${epoch}:${many + 1_000}`, 'reset'],
      ['other-history', `zzzzzzzz:5`, 'reset'],
    ];
    const began = performance.now();
    const readers = asked.map(([name, cursor]) => {
      const reader = lab.client({ name, person: user, rooms: [id] });
      reader.setCursor(id, cursor);
      return reader;
    });
    await connected(readers);
    for (const [at, [name, , expected]] of asked.entries()) {
      const status = readers[at]?.states.get(id)?.status;
      if (status !== expected) anomalies.push({ kind: 'cursor', what: `${name} was told ${status}, not ${expected}` });
    }
    for (let number = 0; number < 20; number++) void phone.send(id, textOf(user, many + number));
    await until('the oldest cursor has caught up', () => readers[0]?.knows(id, many + 20) === true, 30_000).catch(
      () => {},
    );
    const caughtUpMs = performance.now() - began;
    anomalies.push(...(await lab.judge()));

    // a conversation that is no more is nobody's room
    const ghost = lab.client({ name: 'ghost', person: user, rooms: [randomUUID()], mayRead: [] });
    await until('the ghost is connected', () => ghost.isConnected);
    if (ghost.isSubscribed) anomalies.push({ kind: 'cross', what: 'a room that does not exist let somebody in' });
    ghost.close();
    return { anomalies, rounds: asked.length, facts: { messages: many, caughtUpMs: Math.round(caughtUpMs) } };
  });

/** More than six pages lie behind those that are changed. */
const BEHIND = 1_300;

/**
 * F15: what changes while somebody catches up, page by page, is told to them as changed: they have it, it is not new
 * a second time. Others say new things meanwhile.
 */
export const changesMeanwhile: Story = (options) =>
  inLab(options, { defects: ['slow-pages'] }, async (lab) => {
    const tenant = await lab.newTenant();
    const rounds = options.rounds ?? 2;
    const anomalies: Anomaly[] = [];
    let changes = 0;
    for (let round = 0; round < rounds && anomalies.length === 0; round++) {
      const [conversation] = await lab.converse(tenant, 1);
      if (!conversation) throw new Error('no conversation');
      const { id, user } = conversation;
      const phone = lab.client({ name: 'phone', person: user, rooms: [id] });
      await connected([phone]);
      for (let number = 1; number <= 6; number++) await phone.send(id, textOf(user, number));
      await fill(lab.admin, id, BEHIND, (number) => textOf(user, number), phone.own.at(-1)?.seq);
      const { rows } = await lab.admin.query<{ epoch: string }>('select log_epoch as epoch from installation');
      const reader = lab.client({ name: 'from-the-start', person: user, rooms: [id], silenceMs: 30_000 });
      reader.setCursor(id, `${rows[0]?.epoch}:0`);
      await until('the first page is there', () => phone.own.every(({ seq }) => reader.knows(id, seq)));
      // what is said below becomes the phone's own, too
      for (const [at, message] of [...phone.own].entries()) {
        await phone.change(message, at % 3 === 2 ? null : `${textOf(user, at)} edited`);
        void phone.send(id, textOf(user, 2 * BEHIND + at));
        changes += 1;
        await sleep(lab.random.between(0, 60));
      }
      anomalies.push(...(await lab.judge()));
      options.onRound?.(round + 1, anomalies);
      lab.renew();
    }
    return { anomalies, rounds, facts: { messages: BEHIND, changes } };
  });

/** Messages of nobody put straight into the log, behind the last one there. */
export async function fill(
  admin: { query(text: string, values: unknown[]): Promise<unknown> },
  conversation: string,
  count: number,
  text: (number: number) => string,
  last = 0,
): Promise<void> {
  const end = last + count;
  for (let from = last + 1; from <= end; from += 5_000) {
    const numbers = Array.from({ length: Math.min(5_000, end - from + 1) }, (_, at) => from + at);
    await admin.query(
      `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
         message_type, body, client_id, content_hash, created_at)
       select gen_random_uuid(), c.tenant_id, c.id, n, n, n, 'user', gen_random_uuid(), 'text', body, gen_random_uuid(),
         gen_random_uuid(), clock_timestamp()
       from conversations c, unnest($2::int[], $3::text[]) as row (n, body) where c.id = $1`,
      [conversation, numbers, numbers.map(text)],
    );
  }
  await admin.query(
    'update conversations set last_seq = $2, version = $2, last_message_at = clock_timestamp() where id = $1',
    [conversation, end],
  );
}
