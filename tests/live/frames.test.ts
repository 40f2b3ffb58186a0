import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPlainSend, readFrame } from '../../src/api/socket-frame.ts';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, program, startConversation, startNode } from './live-app.ts';

let node: LiveNode;
let home: TestTenant;
let other: TestTenant;
let rahim: TestSession;
let agent: TestSession;
let id: string;

beforeAll(async () => {
  node = await startNode();
  [home, other] = [await newTenant(node.database), await newTenant(node.database)];
  [rahim, agent] = await Promise.all([home.signIn('rahim'), home.signIn('agent')]);
  id = await startConversation(node, rahim);
});
afterAll(async () => {
  expect(node.errors).toEqual([]);
  await node.stop();
});

const send = () => ({ type: 'message:send', conversationId: id, clientId: randomUUID(), body: 'Hello' });

describe('rooms', () => {
  it('are only for whom they are: every kind, by every one, in both tenants', async () => {
    const foreign = await startConversation(node, await other.signIn('rahim'));
    const neighbours = await startConversation(node, await home.signIn('driver-2'));
    const rooms = (user: string, conversation: string) => [
      `conversation_${conversation}`,
      `conversation_${conversation}_staff`,
      `user_${user}`,
    ];
    const theirs = rooms(other.people.rahim.id, foreign);
    const staffs = [
      ...rooms(rahim.person.id, id).slice(0, 2),
      ...rooms(home.people['driver-2'].id, neighbours).slice(0, 2),
    ];
    const strange = [
      '*',
      'conversation_*',
      'conversation_',
      'conversation',
      `conversation_${id.toUpperCase()}`,
      `conversation_${id} `,
      `conversation_${id}_staff_staff`,
      `conversation_${id}\u0000`,
      `user_${id}`,
      `${home.tenant.id}:conversation_${id}`,
      `admin_support_${id}`,
      'admin_support ',
      '__proto__',
      'constructor',
      "conversation_' or 1=1",
      '../conversation',
    ];
    const expected: [TestSession, string[]][] = [
      [rahim, [`conversation_${id}`, `user_${rahim.person.id}`]],
      [agent, [...staffs, 'admin_support', `user_${agent.person.id}`]],
      [await home.signIn('viewer'), [...staffs, 'admin_support']],
      [await other.signIn('agent'), [...theirs.slice(0, 2), 'admin_support']],
      [await other.signIn('rahim'), [`conversation_${foreign}`, `user_${other.people.rahim.id}`]],
    ];
    const all = [
      ...new Set([...theirs, ...staffs, 'admin_support', `user_${rahim.person.id}`, `user_${agent.person.id}`]),
    ];
    for (const [session, allowed] of expected) {
      const socket = await program(node, session);
      const heard: string[] = [];
      for (const room of [...all, ...strange]) {
        const answer = await socket.join(room);
        if (answer.type === 'subscribed') heard.push(room);
        else expect(answer).toMatchObject({ type: 'error', code: 'not_found', room });
      }
      expect(heard.sort()).toEqual([...allowed].sort());
      await socket.close();
    }
  });

  it('take only names, and sends and marks only into what is theirs', async () => {
    const foreign = await startConversation(node, await other.signIn('ayesha'));
    const socket = await program(node, rahim);
    for (const room of [['admin_support'], { name: 'admin_support' }, null, 1, '']) {
      socket.send({ type: 'subscribe', room, ref: 'r' });
      expect(await socket.next((frame) => frame.ref === 'r')).toMatchObject({ type: 'error', code: 'invalid' });
    }
    expect(await socket.say(foreign, 'Hello')).toMatchObject({ type: 'error', code: 'not_found' });
    for (const frame of [
      { type: 'message:read', conversationId: foreign, seq: 1 },
      { type: 'typing', conversationId: foreign, isTyping: true },
    ]) {
      socket.send({ ...frame, ref: 'x' });
      expect(await socket.next((answer) => answer.ref === 'x')).toMatchObject({ type: 'error', code: 'not_found' });
    }
    await socket.close();
  });
});

describe('frames', () => {
  it('forge nothing: any further field is refused, and nothing is stored', async () => {
    const socket = await program(node, rahim);
    const before = (await call(node, rahim, 'GET', `/api/support/conversations/${id}`)).conversation.lastSeq;
    const forged = {
      sender: { id: agent.person.id },
      senderId: agent.person.id,
      senderType: 'admin',
      seq: 1,
      version: 1,
      createdAt: '2020-01-01T00:00:00Z',
      messageType: 'system',
      event: 'closed',
      data: {},
      html: '<b>x</b>',
      target: 'body',
      swap: 'innerHTML',
      select: '*',
      connectionId: '1',
      tenantId: other.tenant.id,
      refuseNew: null,
      id: randomUUID(),
      read: true,
      attachments: [],
      '': 1,
    };
    for (const [field, value] of Object.entries(forged)) {
      const frame = { ...send(), [field]: value };
      socket.send({ ...frame, ref: field || 'empty' });
      const answer = await socket.next((one) => one.ref === (field || 'empty'));
      expect(answer).toMatchObject({ type: 'error', code: 'invalid', clientId: frame.clientId });
      expect(answer.fields).toEqual({ [field]: 'unknown_field' });
    }
    socket.send(`{"__proto__":{"body":"x"},${JSON.stringify(send()).slice(1)}`);
    expect(await socket.next((one) => one.type === 'error')).toMatchObject({ code: 'invalid' });
    const after = (await call(node, rahim, 'GET', `/api/support/conversations/${id}`)).conversation.lastSeq;
    expect(after).toBe(before);
    // without them it is a message, whose sender, time and place the server sets
    expect(await socket.say(id, '<b>x</b>')).toMatchObject({
      type: 'message:ack',
      message: { seq: before + 1, senderType: 'user', messageType: 'text', body: '<b>x</b>' },
    });
    await socket.close();
  });

  it('that no one can read get an error, and the socket goes on', async () => {
    const socket = await program(node, rahim);
    const texts = [
      '',
      ' ',
      'null',
      '1',
      '"text"',
      '[]',
      '{}',
      '{',
      'undefined',
      '{"type":1}',
      '{"type":"nothing"}',
      '{"type":"constructor"}',
      '{"type":"__proto__"}',
      '['.repeat(60_000),
      `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      `{"type":"message:read","conversationId":"${id}","seq":1e400}`,
      `{"type":"message:read","conversationId":"${id}","seq":${'9'.repeat(400)}}`,
      `{"type":"message:read","conversationId":"${id}","seq":1,"seq":"2"}`,
      `\ufeff${JSON.stringify(send())}`,
      JSON.stringify({ ...send(), body: { $gt: '' } }),
      JSON.stringify({ ...send(), conversationId: `${id}'` }),
      JSON.stringify({ ...send(), clientId: [randomUUID()] }),
    ];
    for (const text of texts) {
      socket.send(text);
      expect([text.slice(0, 60), (await socket.next((frame) => frame.type === 'error')).code]).toEqual([
        text.slice(0, 60),
        expect.stringMatching(/^(not_parseable|unknown_type|invalid)$/),
      ]);
    }
    for (const body of ['\u0000', 'a\ud800b', '\udc00', '', '   ', 'x'.repeat(4_001)]) {
      expect(await socket.say(id, body)).toMatchObject({
        type: 'error',
        code: 'invalid',
        fields: { body: expect.any(String) },
      });
    }
    expect(await socket.say(id, 'Still here')).toMatchObject({ type: 'message:ack' });
    await socket.close();
  });

  it('that are no text close the socket', async () => {
    const socket = await program(node, rahim);
    socket.ws.send(Buffer.from(JSON.stringify(send())), { binary: true });
    expect(await socket.closed).toBe(1008);
    const other = await program(node, rahim);
    other.ws.send(Buffer.from([0xff, 0xfe, 0x7b]), { binary: false });
    expect(await other.closed).toBe(1007);
    const large = await program(node, rahim);
    large.send(JSON.stringify({ ...send(), body: 'x'.repeat(66_000) }));
    expect(await large.closed).toBe(1009);
  });

  it('mutated at random never stop the process, and never pass where the schema would not let them', async () => {
    const valid = [
      () => JSON.stringify(send()),
      () => JSON.stringify({ ...send(), ref: 'r', takeOver: false }),
      () => JSON.stringify({ type: 'subscribe', room: `conversation_${id}`, after: 1 }),
      () => JSON.stringify({ type: 'unsubscribe', room: `conversation_${id}` }),
      () => JSON.stringify({ type: 'message:read', conversationId: id, seq: 1 }),
      () => JSON.stringify({ type: 'typing', conversationId: id, isTyping: true }),
    ];
    const bits = [
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\u0000',
      '\\ud800',
      '0',
      '-',
      'e9',
      'null',
      'true',
      '\u202e',
      '\u{1f600}',
    ];
    const mutation = fc.record({
      at: fc.nat(200),
      cut: fc.nat(12),
      put: fc.oneof(fc.constantFrom(...bits), fc.string({ unit: 'binary', maxLength: 8 })),
    });
    const socket = await program(node, rahim);
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(valid.length - 1),
        fc.array(mutation, { minLength: 1, maxLength: 5 }),
        async (which, changes) => {
          let text = valid[which]!();
          for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
          const { frame, bad } = readFrame(text);
          expect(frame !== undefined || bad !== undefined).toBe(true);
          if (!text.isWellFormed()) return;
          socket.send(text);
          sent += 1;
          if (sent % 200 === 0) await socket.say(id, `after ${sent}`);
        },
      ),
      { numRuns: 4_000, seed: 20261121 },
    );
    expect(await socket.say(id, 'Still here')).toMatchObject({ type: 'message:ack' });
    expect(socket.ws.readyState).toBe(socket.ws.OPEN);
    await socket.close();
  });

  it('of the quick check are frames of the schema', () => {
    const uuid = fc.uuid();
    const mostly = (usual: fc.Arbitrary<unknown>, odd: fc.Arbitrary<unknown>) =>
      fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: odd, weight: 1 });
    const anything = fc.record(
      {
        type: mostly(fc.constant('message:send'), fc.constantFrom('typing', 1)),
        conversationId: mostly(uuid, fc.oneof(fc.string(), fc.constant(null))),
        clientId: mostly(uuid, fc.oneof(fc.string(), fc.nat())),
        body: mostly(fc.string(), fc.nat()),
        ref: mostly(fc.string({ maxLength: 205, size: 'max' }), fc.nat()),
        takeOver: fc.boolean(),
        replyToId: fc.oneof(uuid, fc.constant(null)),
        more: fc.string(),
      },
      { requiredKeys: ['type', 'conversationId', 'clientId', 'body'] },
    );
    let plain = 0;
    fc.assert(
      fc.property(anything, (value) => {
        if (!isPlainSend(value)) return;
        plain += 1;
        // through the schema: a member that the quick check leaves to it does not change anything
        expect(readFrame(JSON.stringify({ ...value, takeOver: undefined, replyToId: null })).frame).toMatchObject(
          value,
        );
      }),
      { numRuns: 5_000, seed: 7 },
    );
    expect(plain).toBeGreaterThan(10);
  });
});
