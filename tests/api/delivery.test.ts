import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type ApiApp, type Caller, deskOf, messagesOf, says, startApiApp } from './api-app.ts';

/** D1 to D4 through REST: nothing lost, nothing doubled, no number left out, whatever happens at once. */

let app: ApiApp;
let rahim: Caller;
let agent: Caller;

beforeAll(async () => {
  app = await startApiApp();
  [rahim, agent] = await Promise.all([app.as('rahim'), app.as('agent')]);
});
afterAll(() => app?.stop());

/** A conversation of the caller's own that the agent holds, so that both may write. */
async function openAndHeld(user: Caller): Promise<string> {
  const { conversation } = (await user.post('/api/support/conversations', {})).body;
  if (conversation.status === 'open') await agent.post(deskOf(conversation.id, 'assign'));
  return conversation.id;
}

async function logOf(id: string): Promise<{ seq: number; version: number; client_id: string; body: string | null }[]> {
  const { rows } = await app.admin.query(
    'select seq, version, client_id, body from messages where conversation_id = $1 order by seq',
    [id],
  );
  return rows;
}

function expectGapless(log: { seq: number }[]): void {
  expect(log.map((one) => one.seq)).toEqual(log.map((_, at) => at + 1));
}

/** Opened conversations of users who exist for this alone, put into the tables. */
async function manyConversations(n: number): Promise<{ id: string; user: Caller }[]> {
  const ids: { id: string; user: Caller }[] = [];
  for (let at = 0; at < n; at++) {
    const token = await app.home.hostToken({ sub: `writer-${randomUUID()}`, userType: 'driver', name: `Writer ${at}` });
    const { body } = await app.nobody.post('/api/support/session', { token });
    const user = app.withToken(body.accessToken);
    const { conversation } = (await user.post('/api/support/conversations', {})).body;
    ids.push({ id: conversation.id, user });
  }
  return ids;
}

describe('repeats', () => {
  test('a repeat is answered with what is stored, also after an edit; other content is refused', async () => {
    const id = await openAndHeld(rahim);
    const said = says('Exactly once');
    const first = await rahim.post(messagesOf(id), said);
    expect(first.status).toBe(201);
    const again = await rahim.post(messagesOf(id), said);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    await rahim.patch(`${messagesOf(id)}/${first.body.message.id}`, { body: 'Exactly once, edited' });
    const afterEdit = await rahim.post(messagesOf(id), said);
    expect([afterEdit.status, afterEdit.body.message.body]).toEqual([200, 'Exactly once, edited']);
    const other = await rahim.post(messagesOf(id), { ...said, body: 'Exactly once, edited' });
    expect([other.status, other.body.error.code]).toEqual([409, 'client_id_reused']);
    // a client id belongs to its sender: the agent may use the same
    expect((await agent.post(messagesOf(id), { ...said, body: 'By somebody else' })).status).toBe(201);
    const log = await logOf(id);
    expectGapless(log);
    expect(log.filter((one) => one.client_id === said.clientId)).toHaveLength(2);
  });

  test('letters of a client id may be written in either case', async () => {
    const id = await openAndHeld(rahim);
    const said = says('Case', 'ABCDEF00-0000-4000-8000-00000000ABCD');
    expect((await rahim.post(messagesOf(id), said)).status).toBe(201);
    expect((await rahim.post(messagesOf(id), { ...said, clientId: said.clientId.toLowerCase() })).status).toBe(200);
  });

  test('200 twins at once are one message, and all of them are told the same (T-HX8)', async () => {
    const id = await openAndHeld(rahim);
    const before = (await logOf(id)).length;
    const said = says('Twins');
    const answers = await Promise.all(Array.from({ length: 200 }, () => rahim.post(messagesOf(id), said)));
    expect(answers.filter((one) => one.status === 201)).toHaveLength(1);
    expect(answers.filter((one) => one.status === 200)).toHaveLength(199);
    expect(new Set(answers.map((one) => one.body.message.id)).size).toBe(1);
    expect(await logOf(id)).toHaveLength(before + 1);
  });

  test('the same id with two contents at once: one is stored, the other is refused (T-HX8)', async () => {
    const id = await openAndHeld(rahim);
    for (let round = 0; round < 50; round++) {
      const clientId = randomUUID();
      const [a, b] = await Promise.all([
        rahim.post(messagesOf(id), says(`a ${round}`, clientId)),
        rahim.post(messagesOf(id), says(`b ${round}`, clientId)),
      ]);
      expect([a.status, b.status].sort()).toEqual([201, 409]);
    }
    expectGapless(await logOf(id));
  });
});

describe('many at once', () => {
  test('200 sends into one conversation: 200 places, none missing', async () => {
    const [own] = await manyConversations(1);
    const { id, user } = own!;
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => user.post(messagesOf(id), says(`n ${n}`))));
    expect(answers.every((one) => one.status === 201)).toBe(true);
    const log = await logOf(id);
    expect(log).toHaveLength(200);
    expectGapless(log);
    // acknowledged means stored: every answer's place holds its text
    for (const one of answers) expect(log[one.body.message.seq - 1]?.body).toBe(one.body.message.body);
  });

  test.each([1, 100])(
    '100 writers on %i conversations, repeats and refusals mixed in',
    async (n) => {
      const places = await manyConversations(n);
      const other = await app.as('driver-2');
      const closed = (await other.post('/api/support/conversations', { message: says('soon closed') })).body
        .conversation.id;
      await agent.post(deskOf(closed, 'close'));
      const rounds = 6;
      const kept: Answer[] = [];

      async function writer(at: number): Promise<void> {
        const { id, user } = places[at % n]!;
        for (let round = 0; round < rounds; round++) {
          const said = says(`writer ${at} round ${round}`);
          const [first, twin, conflicting, refused, lost, empty] = await Promise.all([
            user.post(messagesOf(id), said),
            user.post(messagesOf(id), said),
            round % 3 === 0 ? user.post(messagesOf(id), { ...said, body: 'other content' }) : null,
            round % 4 === 0 ? other.post(messagesOf(closed), says('refused')) : null,
            round % 4 === 1 ? user.post(messagesOf(randomUUID()), says('lost')) : null,
            round % 4 === 2 ? user.post(messagesOf(id), says('   ')) : null,
          ]);
          const won = [first, twin, conflicting].filter((one) => one?.status === 201);
          expect(won).toHaveLength(1);
          for (const one of [first, twin, conflicting]) if (one) expect([200, 201, 409]).toContain(one.status);
          if (refused) expect(refused.body.error.code).toBe('conversation_closed');
          if (lost) expect(lost.status).toBe(404);
          if (empty) expect([empty.status, empty.body.error.fields]).toEqual([422, { body: 'required' }]);
          kept.push(won[0]!);
        }
      }
      await Promise.all(Array.from({ length: 100 }, (_, at) => writer(at)));

      const logs = await Promise.all(places.map((one) => logOf(one.id)));
      for (const log of logs) {
        expectGapless(log);
        expect(new Set(log.map((one) => one.client_id)).size).toBe(log.length);
      }
      expect(logs.reduce((sum, log) => sum + log.length, 0)).toBe(100 * rounds);
      const byId = new Map(places.map((one, at) => [one.id, logs[at]!]));
      for (const { body } of kept) {
        expect(byId.get(body.message.conversationId)?.[body.message.seq - 1]?.client_id).toBe(body.message.clientId);
      }
      // the counters are those of the log
      const { rows } = await app.admin.query(
        `select count(*)::int as n from conversations c where c.id = any ($1) and (c.last_seq <> c.version
         or c.last_seq <> (select count(*) from messages m where m.conversation_id = c.id) or c.unread_by_staff <> c.last_seq)`,
        [places.map((one) => one.id)],
      );
      expect(rows[0].n).toBe(0);
    },
    120_000,
  );

  test('writing, editing, reading, assigning and closing at once leave one gapless log', async () => {
    const [own] = await manyConversations(1);
    const { id, user } = own!;
    const lead = await app.as('lead');
    const first = (await user.post(messagesOf(id), says('edited all the time'))).body.message;
    const answers = await Promise.all([
      ...Array.from({ length: 40 }, (_, n) => user.post(messagesOf(id), says(`u ${n}`))),
      ...Array.from({ length: 20 }, (_, n) => user.patch(`${messagesOf(id)}/${first.id}`, { body: `edit ${n}` })),
      ...Array.from({ length: 20 }, (_, n) => agent.post(messagesOf(id), says(`a ${n}`))),
      ...Array.from({ length: 10 }, () => lead.post(deskOf(id, 'assign'), { adminId: lead.person.id })),
      ...Array.from({ length: 10 }, () => agent.post(deskOf(id, 'assign'))),
      ...Array.from({ length: 20 }, (_, n) => user.post(`/api/support/conversations/${id}/read`, { seq: n })),
      ...Array.from({ length: 20 }, (_, n) => agent.post(`/api/support/conversations/${id}/read`, { seq: n })),
      agent.post(deskOf(id, 'close')),
      agent.post(deskOf(id, 'reopen')),
    ]);
    expect(answers.filter((one) => one.status >= 500)).toEqual([]);
    const log = await logOf(id);
    expectGapless(log);
    const versions = log.map((one) => one.version);
    expect(new Set(versions).size).toBe(versions.length);
    const { conversation } = (await agent.get(`/api/support/conversations/${id}`)).body;
    expect(conversation.lastSeq).toBe(log.length);
    expect(conversation.version).toBe(Math.max(...versions));
    const { rows } = await app.admin.query(
      `select c.unread_by_user - (select count(*) from messages m where m.conversation_id = c.id and m.sender_type = 'admin' and m.seq > c.user_read_seq) as by_user,
         c.unread_by_staff - (select count(*) from messages m where m.conversation_id = c.id and m.sender_type = 'user' and m.seq > c.staff_read_seq) as by_staff
       from conversations c where c.id = $1`,
      [id],
    );
    expect(rows[0]).toEqual({ by_user: '0', by_staff: '0' });
  });
});

describe('starting', () => {
  test('50 starts at once open one conversation and lose no message', async () => {
    const ayesha = await app.as('ayesha');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => ayesha.post('/api/support/conversations', { message: says(`start ${n}`) })),
    );
    expect(answers.filter((one) => one.status === 201)).toHaveLength(1);
    expect(answers.filter((one) => one.status === 200)).toHaveLength(49);
    expect(new Set(answers.map((one) => one.body.conversation.id)).size).toBe(1);
    const log = await logOf(answers[0]!.body.conversation.id);
    expect(log).toHaveLength(50);
    expectGapless(log);
  });

  test('50 twins of one start are one conversation with one message', async () => {
    const emily = await app.as('customer-2');
    const start = { message: says('only once') };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => emily.post('/api/support/conversations', start)),
    );
    expect(answers.filter((one) => one.status === 201)).toHaveLength(1);
    expect(new Set(answers.map((one) => one.body.message.id)).size).toBe(1);
    expect(await logOf(answers[0]!.body.conversation.id)).toHaveLength(1);
  });

  test('a repeated start finds its conversation, whatever became of it; a new one opens the next', async () => {
    const kacchi = await app.as('kacchi-house');
    const start = { subject: 'Order', message: says('first words') };
    const opened = await kacchi.post('/api/support/conversations', start);
    const joined = { message: says('second words') };
    const reused = await kacchi.post('/api/support/conversations', joined);
    expect([reused.status, reused.body.conversation.id, reused.body.message.seq]).toEqual([
      200,
      opened.body.conversation.id,
      2,
    ]);
    await agent.post(deskOf(opened.body.conversation.id, 'close'));

    for (const [again, of] of [
      [await kacchi.post('/api/support/conversations', start), opened],
      [await kacchi.post('/api/support/conversations', joined), reused],
    ] as const) {
      expect(again.status).toBe(200);
      expect(again.body.message.id).toBe(of.body.message.id);
      expect(again.body.conversation).toMatchObject({ id: opened.body.conversation.id, status: 'closed' });
    }
    const other = await kacchi.post('/api/support/conversations', {
      message: { ...start.message, body: 'other words' },
    });
    expect([other.status, other.body.error.code]).toEqual([409, 'client_id_reused']);
    const next = await kacchi.post('/api/support/conversations', { message: says('a new matter') });
    expect(next.status).toBe(201);
    expect(next.body.conversation.id).not.toBe(opened.body.conversation.id);
  });

  test('without a message a start is repeated by the open conversation alone', async () => {
    const green = await app.as('restaurant-2');
    const first = await green.post('/api/support/conversations');
    expect([first.status, first.body.conversation.lastMessageAt]).toEqual([201, null]);
    const second = await green.post('/api/support/conversations', {});
    expect([second.status, second.body.conversation.id]).toEqual([200, first.body.conversation.id]);
  });
});

describe('text', () => {
  test('is stored and shown as typed, to the last byte', async () => {
    const id = await openAndHeld(rahim);
    for (const body of [
      '  spaces around  ',
      'tab\there, zero\u200bwidth, \u202Eright to left\u202C',
      '<script>alert(1)</script> & "quotes" \\ back',
      'বাংলা লেখা, Ελληνικά, 漢字, e\u0301 is not \u00e9',
      '\u{1F600} outside of the plane',
      '\u0001\u001f controls',
      '% _ \\0 $1 {{name}} <%= it %>',
    ]) {
      const sent = await rahim.post(messagesOf(id), says(body));
      expect(sent.body.message.body).toBe(body);
      expect((await rahim.get(`${messagesOf(id)}?limit=1`)).body.items[0].body).toBe(body);
    }
    expect((await rahim.post(messagesOf(id), says('a\r\nb\rc\nd'))).body.message.body).toBe('a\nb\rc\nd');
  });

  test('what cannot be stored is refused by name, and its neighbours are not', async () => {
    const id = await openAndHeld(rahim);
    const answers = await Promise.all([
      rahim.post(messagesOf(id), says('fine')),
      rahim.post(messagesOf(id), says('nul \u0000 inside')),
      rahim.post(messagesOf(id), `{"body":"lone \\ud800 surrogate","clientId":"${randomUUID()}"}`),
      rahim.post(messagesOf(id), says('x'.repeat(4_001))),
      rahim.post(messagesOf(id), says('')),
      rahim.post(messagesOf(id), says('x'.repeat(4_000))),
      rahim.post(messagesOf(id), says('\u{1F600}'.repeat(4_000))),
    ]);
    expect(answers.map((one) => [one.status, one.body.error?.fields ?? null])).toEqual([
      [201, null],
      [422, { body: 'nul' }],
      [422, { body: 'lone_surrogate' }],
      [422, { body: 'too_long' }],
      [422, { body: 'required' }],
      [201, null],
      [201, null],
    ]);
  });
});
