import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Frame, knock, outcomeOf, program, type TestSocket } from '../live/live-app.ts';
import { adminUrl } from '../support/database.ts';
import type { Handle, TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

/** contract.md as a client outside the house sees it: nothing is known here but that document. */

const CONVERSATIONS = '/api/support/conversations';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const FOR_USERS = [
  'id',
  'kind',
  'userId',
  'userType',
  'subject',
  'topic',
  'context',
  'status',
  'priority',
  'lastSeq',
  'version',
  'unreadCount',
  'lastMessageAt',
  'createdAt',
  'updatedAt',
  'closedAt',
].sort();
const FOR_STAFF = [...FOR_USERS, 'assignedAdminId', 'unreadByStaff'].sort();
const MESSAGE = [
  'id',
  'conversationId',
  'seq',
  'version',
  'senderType',
  'sender',
  'messageType',
  'event',
  'data',
  'body',
  'attachments',
  'replyToId',
  'reactions',
  'read',
  'clientId',
  'createdAt',
  'editedAt',
  'deletedAt',
].sort();

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

let app: RunningApp;
let home: TestTenant;
let rahim: TestSession;
let agent: TestSession;
let viewer: TestSession;
let neighbour: TestSession;
let stranger: TestSession;

beforeAll(async () => {
  app = await startApp();
  home = await app.newTenant();
  [rahim, agent, viewer, neighbour] = (await Promise.all(
    (['rahim', 'agent', 'viewer', 'driver-2'] as const).map((handle: Handle) => home.signIn(handle)),
  )) as [TestSession, TestSession, TestSession, TestSession]; // as many as were asked for
  stranger = await (await app.newTenant()).signIn('agent');
});
afterAll(() => app?.stop());

async function ask(session: TestSession | null, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(app.base + path, {
    method,
    headers: {
      ...session?.bearer,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text.startsWith('{') ? JSON.parse(text) : text };
}

function says(body: string) {
  return { body, clientId: randomUUID() };
}

function messagesOf(id: string): string {
  return `${CONVERSATIONS}/${id}/messages`;
}

function deskOf(id: string, verb: string): string {
  return `/api/admin/support/conversations/${id}/${verb}`;
}

/** A driver of whom nobody knew before, so that each story has a conversation of its own. */
async function newDriver(): Promise<TestSession> {
  const token = await home.hostToken({ sub: randomUUID(), userType: 'driver', name: 'Karim' });
  const { status, body } = await ask(null, 'POST', '/api/support/session', { token });
  expect([status, Object.keys(body).sort()]).toEqual([201, ['accessToken', 'expiresAt', 'user']]);
  expect(Object.keys(body.user).sort()).toEqual(['id', 'name', 'userType']);
  const bearer = { authorization: `Bearer ${body.accessToken}` };
  return { ...rahim, token: body.accessToken, bearer, person: { ...rahim.person, ...body.user } };
}

/** A new driver with a conversation of `count` messages. */
async function conversationOf(count: number): Promise<{ driver: TestSession; id: string; messages: Frame[] }> {
  const driver = await newDriver();
  const { body } = await ask(driver, 'POST', CONVERSATIONS, count > 0 ? { message: says('Number 1') } : {});
  const messages = count > 0 ? [body.message] : [];
  for (let seq = 2; seq <= count; seq += 1) {
    messages.push((await ask(driver, 'POST', messagesOf(body.conversation.id), says(`Number ${seq}`))).body.message);
  }
  return { driver, id: body.conversation.id, messages };
}

function expectError({ status, headers, body }: Answer, expected: number, code: string): void {
  expect([status, body.error?.code]).toEqual([expected, code]);
  expect(Object.keys(body).sort()).toEqual(['error', 'requestId']);
  expect(body.error.message).toMatch(/\w/);
  expect(headers.get('content-type')).toMatch(/^application\/json/);
}

describe('shapes', () => {
  test('a conversation and a message have the members of the contract, for each side its own', async () => {
    const driver = await newDriver();
    const started = await ask(driver, 'POST', CONVERSATIONS, { subject: 'Bonus', message: says('Where is it?') });
    expect([started.status, Object.keys(started.body).sort()]).toEqual([201, ['conversation', 'message']]);
    const { conversation, message } = started.body;
    expect(Object.keys(conversation).sort()).toEqual(FOR_USERS);
    expect(Object.keys(message).sort()).toEqual(MESSAGE);
    expect(conversation).toMatchObject({
      kind: 'support',
      userId: driver.person.id,
      userType: 'driver',
      subject: 'Bonus',
      status: 'open',
      priority: 'medium',
      lastSeq: 1,
      version: 1,
      unreadCount: 0,
      closedAt: null,
    });
    for (const time of ['createdAt', 'updatedAt', 'lastMessageAt']) expect(conversation[time]).toMatch(TIME);
    expect(message).toMatchObject({
      seq: 1,
      version: 1,
      senderType: 'user',
      sender: { id: driver.person.id, userType: 'driver', name: 'Karim' },
      messageType: 'text',
      event: null,
      data: null,
      attachments: [],
      read: false,
      editedAt: null,
      deletedAt: null,
    });
    const asStaff = await ask(agent, 'GET', `${CONVERSATIONS}/${conversation.id}`);
    expect(Object.keys(asStaff.body.conversation).sort()).toEqual(FOR_STAFF);
    expect(asStaff.body.conversation).toMatchObject({ assignedAdminId: null, unreadByStaff: 1, unreadCount: 1 });
    const again = await ask(driver, 'POST', CONVERSATIONS, { message: says('And when?') });
    expect([again.status, again.body.conversation.id, again.body.message.seq]).toEqual([200, conversation.id, 2]);
  });

  test('users see staff by name and side, never by id, in answers, lists and lines', async () => {
    const { driver, id } = await conversationOf(1);
    const answered = await ask(agent, 'POST', messagesOf(id), says('Let me look.'));
    expect(answered.body.message.sender.id).toBe(agent.person.id);
    const seen = await ask(driver, 'GET', messagesOf(id));
    expect(seen.body.items.map((one: Frame) => [one.seq, one.senderType, one.event])).toEqual([
      [1, 'user', null],
      [2, 'system', 'assigned'],
      [3, 'admin', null],
    ]);
    expect(JSON.stringify(seen.body)).not.toContain(agent.person.id);
    // it is in what staff get, so it could have been
    expect(JSON.stringify((await ask(viewer, 'GET', messagesOf(id))).body)).toContain(agent.person.id);
    expect(seen.body.items[2].sender).toEqual({ id: null, userType: 'admin', name: agent.person.name });
  });

  test('lists hold items and a cursor that goes through all of them once', async () => {
    const { driver, id, messages } = await conversationOf(7);
    for (const window of ['after=0&', 'changedAfter=0&', '']) {
      const seen: number[] = [];
      let query = `${window}limit=3`;
      for (let page = 0; page < 5; page += 1) {
        const { body } = await ask(driver, 'GET', `${messagesOf(id)}?${query}`);
        expect(Object.keys(body).sort()).toEqual(['items', 'nextCursor']);
        seen.push(...body.items.map((one: Frame) => one.seq));
        if (body.nextCursor === null) break;
        query = `cursor=${encodeURIComponent(body.nextCursor)}&limit=3`;
      }
      expect(seen.sort((a, b) => a - b)).toEqual(messages.map((one) => one.seq));
    }
    const before = await ask(driver, 'GET', `${messagesOf(id)}?before=4&limit=2`);
    expect(before.body.items.map((one: Frame) => one.seq)).toEqual([2, 3]);
    const mine = await ask(driver, 'GET', `${CONVERSATIONS}/me`);
    expect(mine.body).toMatchObject({ items: [{ id }], nextCursor: null });
    const staffs = await ask(agent, 'GET', '/api/admin/support/conversations?userType=driver&limit=1');
    expect([staffs.body.items.length, staffs.body.items[0].id]).toEqual([1, id]);
    expect(Object.keys(staffs.body.items[0])).toEqual(expect.arrayContaining(FOR_STAFF));
    expect(staffs.body.nextCursor).toEqual(expect.any(String));
  });

  test('reading moves forward, never back, and says so to the other side', async () => {
    const { driver, id } = await conversationOf(3);
    for (const [seq, stands] of [
      [2, 2],
      [1, 2],
      [99, 3],
    ]) {
      expect((await ask(agent, 'POST', `${CONVERSATIONS}/${id}/read`, { seq })).body).toEqual({ seq: stands });
    }
    const { items } = (await ask(driver, 'GET', messagesOf(id))).body;
    expect(items.map((one: Frame) => one.read)).toEqual([true, true, true]);
  });
});

describe('errors', () => {
  test('each status has its code in one envelope', async () => {
    const { driver, id } = await conversationOf(1);
    const say = (body: unknown, session: TestSession | null = driver) => ask(session, 'POST', messagesOf(id), body);
    expectError(await say('{"body"'), 400, 'not_parseable');
    const unknown = await say({ ...says('x'), seq: 7 });
    expectError(unknown, 400, 'unknown_field');
    expect(unknown.body.error.fields).toEqual({ seq: 'unknown_field' });
    expectError(await ask(driver, 'GET', `${CONVERSATIONS}/me?foo=1`), 400, 'unknown_field');
    expectError(await ask(driver, 'GET', `${CONVERSATIONS}/me?cursor=xx`), 400, 'bad_cursor');
    expectError(await say(says('x'), null), 401, 'not_signed_in');
    expectError(await say(says('x'), viewer), 403, 'forbidden');
    expectError(await ask(driver, 'GET', '/api/admin/support/conversations'), 403, 'forbidden');
    for (const other of [neighbour, stranger]) expectError(await say(says('x'), other), 404, 'not_found');
    for (const path of ['/api/nothing', `${CONVERSATIONS}/${randomUUID()}`, `${CONVERSATIONS}/1`]) {
      expectError(await ask(driver, 'GET', path), 404, 'not_found');
    }
    for (const bad of [{ body: '' }, { body: 'a\u0000' }, { body: 'a\ud800' }, { body: 'x'.repeat(4_001) }, {}]) {
      const refused = await say({ clientId: randomUUID(), ...bad });
      expectError(refused, 422, 'invalid');
      expect(Object.keys(refused.body.error.fields)).toEqual(['body']);
    }
    expectError(await say({ body: 'x', clientId: 'not-a-uuid' }), 422, 'invalid');
    expectError(await ask(driver, 'GET', `${CONVERSATIONS}/me?limit=101`), 422, 'invalid');
    expectError(await say(says('x'.repeat(1_500_000))), 413, 'too_large');
  });

  test('methods and types that a path does not have', async () => {
    const { driver, id } = await conversationOf(1);
    const wrong = await ask(driver, 'PUT', `${CONVERSATIONS}/${id}`);
    expectError(wrong, 405, 'method_not_allowed');
    expect(wrong.headers.get('allow')).toBe('GET, HEAD');
    const head = await ask(driver, 'HEAD', `${CONVERSATIONS}/${id}`);
    expect([head.status, head.body, Number(head.headers.get('content-length')) > 100]).toEqual([200, '', true]);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16']) {
      const answer = await fetch(app.base + messagesOf(id), {
        method: 'POST',
        headers: { ...driver.bearer, 'content-type': type },
        body: JSON.stringify(says('x')),
      });
      expect([type, answer.status]).toEqual([type, 415]);
    }
  });
});

describe('delivery', () => {
  test('D1, D2: 200 sends at once, half by REST and half by a socket, take every place once and are stored', async () => {
    const { driver, id } = await conversationOf(0);
    const socket = await program(app, driver);
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        if (n % 2) return (await socket.say(id, `n ${n}`)).message;
        return (await ask(driver, 'POST', messagesOf(id), says(`n ${n}`))).body.message;
      }),
    );
    expect(answers.map((one) => one.seq).sort((a, b) => a - b)).toEqual(answers.map((_, at) => at + 1));
    const admin = new pg.Client({ connectionString: adminUrl() });
    await admin.connect();
    const { rows } = await admin.query('select id, seq, body from messages where conversation_id = $1', [id]);
    await admin.end();
    const stored = new Map(rows.map((row) => [row.id, row]));
    for (const { id: messageId, seq, body } of answers) expect(stored.get(messageId)).toMatchObject({ seq, body });
    await socket.close();
  });

  test('D3: a repeat by either door is the stored message, also after closing; other content is refused', async () => {
    const { driver, id } = await conversationOf(1);
    const socket = await program(app, driver);
    const said = says('Once\r\nonly');
    const first = await ask(driver, 'POST', messagesOf(id), said);
    expect([first.status, first.body.message.body]).toEqual([201, 'Once\nonly']);
    const twins = await Promise.all([
      ask(driver, 'POST', messagesOf(id), said).then(({ status, body }) => [status, body.message]),
      socket.say(id, said.body, said.clientId).then(({ type, message }) => [type, message]),
    ]);
    expect(twins).toEqual([
      [200, first.body.message],
      ['message:ack', first.body.message],
    ]);
    expectError(await ask(driver, 'POST', messagesOf(id), { ...said, body: 'More' }), 409, 'client_id_reused');
    expect(await socket.say(id, 'More', said.clientId)).toMatchObject({ type: 'error', code: 'client_id_reused' });
    expect((await ask(agent, 'POST', deskOf(id, 'close'))).body.conversation.status).toBe('closed');
    expectError(await ask(driver, 'POST', messagesOf(id), says('Late')), 409, 'conversation_closed');
    expect(await socket.say(id, 'Late')).toMatchObject({ type: 'error', code: 'conversation_closed' });
    expect((await ask(driver, 'POST', messagesOf(id), said)).status).toBe(200);
    expect(await socket.say(id, said.body, said.clientId)).toMatchObject({
      type: 'message:ack',
      clientId: said.clientId,
    });
    await socket.close();
  });

  test('D3: a start is repeated by the id of its message', async () => {
    const driver = await newDriver();
    const start = { message: says('Hello') };
    const [first, again] = [
      await ask(driver, 'POST', CONVERSATIONS, start),
      await ask(driver, 'POST', CONVERSATIONS, start),
    ];
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body.message).toEqual(first.body.message);
    const other = { message: { ...start.message, body: 'Other' } };
    expectError(await ask(driver, 'POST', CONVERSATIONS, other), 409, 'client_id_reused');
  });

  test('D4: edits, deletions and lines take the next version, and stay where they are', async () => {
    const { driver, id, messages } = await conversationOf(3);
    const at = (n: number) => `${messagesOf(id)}/${messages[n].id}`;
    const edited = (await ask(driver, 'PATCH', at(0), { body: 'Edited' })).body.message;
    expect([edited.seq, edited.version, edited.body, edited.editedAt]).toEqual([1, 4, 'Edited', expect.any(String)]);
    const deleted = (await ask(driver, 'DELETE', at(1))).body.message;
    expect([deleted.seq, deleted.version, deleted.body, deleted.deletedAt]).toEqual([2, 5, null, expect.any(String)]);
    expectError(await ask(agent, 'PATCH', at(2), { body: 'Not mine' }), 403, 'not_your_message');
    await ask(agent, 'POST', deskOf(id, 'assign'));
    const { body } = await ask(driver, 'GET', `${messagesOf(id)}?changedAfter=0`);
    expect(body.items.map((one: Frame) => [one.version, one.seq])).toEqual([
      [3, 3],
      [4, 1],
      [5, 2],
      [6, 4],
    ]);
  });

  test('D5: from every version everything after it comes, and a foreign epoch is a reset', async () => {
    const { driver, id, messages } = await conversationOf(4);
    await ask(driver, 'PATCH', `${messagesOf(id)}/${messages[1].id}`, { body: 'Edited' });
    const log = (await ask(driver, 'GET', `${messagesOf(id)}?changedAfter=0`)).body.items;
    const socket = await program(app, driver);
    for (let after = 0; after <= 5; after += 1) {
      const from = socket.frames.length;
      expect(await socket.join(`conversation_${id}`, after)).toMatchObject({ status: 'resumed', version: 5 });
      if (after < 5) await socket.next((frame) => frame.message?.version === 5);
      const expected = log
        .filter((one: Frame) => one.version > after)
        .map((one: Frame) => [one.seq > after ? 'message:new' : 'message:changed', one]);
      const came = socket.frames.slice(from).filter((frame) => frame.message);
      expect(came.map((frame) => [frame.type, frame.message])).toEqual(expected);
    }
    const { epoch } = await socket.join(`conversation_${id}`, 5);
    expect(await socket.join(`conversation_${id}`, `${epoch}:5`)).toMatchObject({ status: 'resumed' });
    for (const cursor of ['another:5', `${epoch}:6`, undefined]) {
      expect(await socket.join(`conversation_${id}`, cursor)).toMatchObject({ status: 'reset', version: 5, epoch });
    }
    await socket.close();
  });
});

describe('support.v1.json', () => {
  let driver: TestSession;
  let id: string;
  let theirs: TestSocket;
  let ours: TestSocket;

  beforeAll(async () => {
    ({ driver, id } = await conversationOf(1));
    [theirs, ours] = await Promise.all([program(app, driver), program(app, agent)]);
  });

  test('subscribed carries state, with ref; what others say comes, what one says is acknowledged', async () => {
    expect(theirs.ws.protocol).toBe('support.v1.json');
    await ask(agent, 'POST', `${CONVERSATIONS}/${id}/read`, { seq: 1 });
    const room = `conversation_${id}`;
    const [welcome, staffs] = [await theirs.join(room), await ours.join(room)];
    expect(Object.keys(welcome).sort()).toEqual(
      ['conversation', 'epoch', 'readMarks', 'ref', 'room', 'status', 'type', 'version'].sort(),
    );
    expect(Object.keys(welcome.conversation).sort()).toEqual(FOR_USERS);
    expect(Object.keys(staffs.conversation).sort()).toEqual(FOR_STAFF);
    expect(welcome.readMarks).toContainEqual({ participant: { senderType: 'admin', name: agent.person.name }, seq: 1 });
    expect(staffs.readMarks).toContainEqual({
      participant: { id: agent.person.id, senderType: 'admin', name: agent.person.name },
      seq: 1,
    });
    expect(await ours.join('admin_support')).toMatchObject({ type: 'subscribed', status: 'reset' });
    expect(await theirs.join(`user_${driver.person.id}`)).toMatchObject({ type: 'subscribed', status: 'reset' });

    const clientId = randomUUID();
    const ack = await theirs.say(id, 'Anybody?', clientId);
    expect(Object.keys(ack).sort()).toEqual(['clientId', 'message', 'ref', 'type']);
    expect([ack.type, ack.clientId, Object.keys(ack.message).sort()]).toEqual(['message:ack', clientId, MESSAGE]);
    for (const where of [room, 'admin_support']) {
      const came = await ours.next((frame) => frame.type === 'message:new' && frame.room === where);
      expect(came).toEqual({ type: 'message:new', room: where, message: ack.message });
    }
    expect(await theirs.during(200, (frame) => frame.type === 'message:new')).toEqual([]);
  });

  test('marks, typing and state are told to the other side', async () => {
    const room = `conversation_${id}`;
    ours.send({ type: 'message:read', conversationId: id, seq: 2, ref: 7 });
    expect(await ours.next((frame) => frame.ref === 7)).toMatchObject({ type: 'message:read', seq: 2 });
    expect(await theirs.next((frame) => frame.type === 'message:read')).toEqual({
      type: 'message:read',
      room,
      participant: { senderType: 'admin', name: agent.person.name },
      seq: 2,
    });
    ours.send({ type: 'typing', conversationId: id, isTyping: true });
    expect(await theirs.next((frame) => frame.type === 'typing')).toEqual({
      type: 'typing',
      room,
      participant: { senderType: 'admin', name: agent.person.name },
      isTyping: true,
    });
    for (const [verb, type] of [
      ['assign', 'conversation:assign'],
      ['close', 'conversation:close'],
      ['reopen', 'conversation:reopen'],
    ] as const) {
      await ask(agent, 'POST', deskOf(id, verb));
      const told = await theirs.next((frame) => frame.type === type);
      expect([told.room, Object.keys(told.conversation).sort()]).toEqual([room, FOR_USERS]);
      const desk = await ours.next((frame) => frame.type === type && frame.room === 'admin_support');
      expect(Object.keys(desk.conversation).sort()).toEqual(FOR_STAFF);
    }
    const fresh = await conversationOf(1);
    const start = await ours.next((one) => one.type === 'conversation:start' && one.conversation.id === fresh.id);
    expect(start.room).toBe('admin_support');
  });

  test('frames that are none are errors, with their ref, and the socket stays', async () => {
    for (const [frame, code] of [
      ['{', 'not_parseable'],
      [{ type: 'nothing', ref: 'a' }, 'unknown_type'],
      [{ type: 'message:send', conversationId: id, clientId: 'x', body: 'x', ref: 'b' }, 'invalid'],
      [{ type: 'message:send', conversationId: id, clientId: randomUUID(), body: 'x', seq: 1, ref: 'c' }, 'invalid'],
      [{ type: 'subscribe', room: 'admin_support', ref: 'd' }, 'not_found'],
    ] as const) {
      theirs.send(frame);
      const answer = await theirs.next((one) => one.type === 'error');
      expect([answer.code, answer.ref, typeof answer.message]).toEqual([
        code,
        typeof frame === 'string' ? undefined : frame.ref,
        'string',
      ]);
    }
    expect(await theirs.say(id, 'Still here')).toMatchObject({ type: 'message:ack' });
  });

  test('close codes: 4401 when the session ends or there is none', async () => {
    const driverOnly = await newDriver();
    const socket = await program(app, driverOnly);
    expect((await ask(driverOnly, 'DELETE', '/api/support/session')).status).toBe(204);
    const late = new Promise((resolve) => setTimeout(resolve, 2_000, 'still open'));
    expect(await Promise.race([socket.closed, late])).toBe(4401);
    expectError(await ask(driverOnly, 'GET', `${CONVERSATIONS}/me`), 401, 'not_signed_in');
    expect(await outcomeOf(knock(app, '/ws', {}, ['support.v1.json']))).toBe(4401);
  });

  test('close codes: 4403 when a page asks for what is not for it', async () => {
    const session = await home.signIn('ayesha', 'browser');
    const open = (room: string) => knock(app, `/ws?room=${room}`, { headers: { ...session.cookie, origin: app.base } });
    const own = open(`user_${session.person.id}`);
    await once(own.ws, 'open');
    expect(await own.next(() => true)).toContain('hx-subscribed');
    expect(await outcomeOf(open('admin_support'))).toBe(4403);
    await own.close();
  });
});

test('an id may be written in capitals: it is the same conversation for everybody who hears it', async () => {
  const { driver, id } = await conversationOf(1);
  const shouted = id.toUpperCase();
  expect(shouted).not.toBe(id);
  const [theirs, ours] = await Promise.all([program(app, driver), program(app, agent)]);
  await Promise.all([theirs.join(`conversation_${id}`), ours.join(`conversation_${id}`)]);
  const posted = await ask(driver, 'POST', messagesOf(shouted), says('By REST'));
  expect([posted.status, posted.body.message.conversationId]).toEqual([201, id]);
  // within the time of a frame, not of the sweep that repairs lost ones
  expect((await ours.next((frame) => frame.type === 'message:new', 500)).message).toEqual(posted.body.message);
  const clientId = randomUUID().toUpperCase();
  const ack = await theirs.say(shouted, 'By socket', clientId);
  expect([ack.clientId, ack.message.conversationId, ack.message.clientId]).toEqual([
    clientId,
    id,
    clientId.toLowerCase(),
  ]);
  await ask(agent, 'POST', `${CONVERSATIONS}/${shouted}/read`, { seq: 3 });
  expect((await theirs.next((frame) => frame.type === 'message:read', 500)).seq).toBe(3);
  // a reply names a message in either case, and so does its repeat
  const reply = { ...says('To this'), replyToId: posted.body.message.id.toUpperCase() };
  expect((await ask(driver, 'POST', messagesOf(id), reply)).body.message.replyToId).toMatch(UUID);
  const repeat = { ...reply, replyToId: posted.body.message.id };
  expect((await ask(driver, 'POST', messagesOf(id), repeat)).status).toBe(200);
  const given = await ask(agent, 'POST', deskOf(id, 'assign'), { adminId: agent.person.id.toUpperCase() });
  expect([given.status, given.body.conversation.assignedAdminId]).toEqual([200, agent.person.id]);
  await Promise.all([theirs.close(), ours.close()]);
});
