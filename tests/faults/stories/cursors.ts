import { randomUUID } from 'node:crypto';
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

/** Messages of nobody put straight into the log. */
export async function fill(
  admin: { query(text: string, values: unknown[]): Promise<unknown> },
  conversation: string,
  count: number,
  text: (number: number) => string,
): Promise<void> {
  for (let from = 1; from <= count; from += 5_000) {
    const numbers = Array.from({ length: Math.min(5_000, count - from + 1) }, (_, at) => from + at);
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
    [conversation, count],
  );
}
