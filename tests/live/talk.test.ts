import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, program, startConversation, startNode } from './live-app.ts';

let node: LiveNode;
let home: TestTenant;
let rahim: TestSession;
let agent: TestSession;
let viewer: TestSession;

beforeAll(async () => {
  node = await startNode();
  home = await newTenant(node.database);
  [rahim, agent, viewer] = await Promise.all([home.signIn('rahim'), home.signIn('agent'), home.signIn('viewer')]);
});
afterAll(async () => {
  expect(node.errors).toEqual([]);
  await node.stop();
});

describe('a driver and an agent talk over sockets', () => {
  it('moves each message into the other window, and answers its sender with an ack', async () => {
    const id = await startConversation(node, rahim);
    const driver = await program(node, rahim);
    const desk = await program(node, agent);
    const room = `conversation_${id}`;
    const welcome = await driver.join(room, 1);
    expect(welcome).toMatchObject({ type: 'subscribed', room, status: 'resumed', version: 1, readMarks: [] });
    expect(welcome.epoch).toMatch(/^[0-9a-z]+$/);
    expect(welcome.conversation).toMatchObject({ id, status: 'open' });
    await desk.join(room, 1);

    const clientId = randomUUID();
    const ack = await driver.say(id, 'Hello\r\nthere', clientId);
    expect(ack).toMatchObject({ type: 'message:ack', clientId, message: { seq: 2, version: 2, body: 'Hello\nthere' } });
    const heard = await desk.next((frame) => frame.type === 'message:new');
    expect(heard).toMatchObject({ room, message: { seq: 2, clientId, sender: { id: rahim.person.id } } });

    const answer = await desk.say(id, 'Let me look.');
    // the first answer claims the conversation: a system line comes first
    expect(answer).toMatchObject({ type: 'message:ack', message: { seq: 4, senderType: 'admin' } });
    const line = await driver.next((frame) => frame.type === 'message:new');
    expect(line.message).toMatchObject({ seq: 3, senderType: 'system', event: 'assigned' });
    expect(JSON.stringify(line)).not.toContain(agent.person.id);
    const reply = await driver.next((frame) => frame.type === 'message:new');
    expect(reply.message).toMatchObject({ seq: 4, sender: { id: null, name: agent.person.name } });
    const assigned = await driver.next((frame) => frame.type === 'conversation:assign');
    expect(assigned.conversation).not.toHaveProperty('assignedAdminId');
    expect((await desk.next((frame) => frame.type === 'conversation:assign')).conversation.assignedAdminId).toBe(
      agent.person.id,
    );
    // the sending socket got acks, and none of its own messages
    expect(driver.frames.filter((frame) => frame.type === 'message:new').map((frame) => frame.message.seq)).toEqual([
      3, 4,
    ]);
    expect(desk.frames.filter((frame) => frame.type === 'message:new').map((frame) => frame.message.seq)).toEqual([
      2, 3,
    ]);
    await Promise.all([driver.close(), desk.close()]);
  });

  it('answers a repeat with what is stored, and other content under its id with an error', async () => {
    const id = await startConversation(node, await home.signIn('driver-2'));
    const driver = await program(node, await home.signIn('driver-2'));
    const clientId = randomUUID();
    const first = await driver.say(id, 'Once', clientId);
    const again = await driver.say(id, 'Once', clientId);
    expect(again.message).toEqual(first.message);
    const other = await driver.say(id, 'Twice', clientId);
    expect(other).toMatchObject({ type: 'error', clientId, code: 'client_id_reused' });
    await driver.close();
  });

  it('acknowledges 200 sends at once in their order, each with the next number', async () => {
    const user = await home.signIn('ayesha');
    const id = await startConversation(node, user);
    const sender = await program(node, user);
    const listener = await program(node, agent);
    await listener.join(`conversation_${id}`, 1);
    const clientIds = Array.from({ length: 200 }, () => randomUUID());
    for (const [index, clientId] of clientIds.entries()) {
      sender.send({ type: 'message:send', conversationId: id, clientId, body: `Number ${index}`, ref: index });
    }
    await sender.next((frame) => frame.ref === 199, 15_000);
    const acks = sender.frames.filter((frame) => frame.type === 'message:ack');
    expect(acks.map((ack) => ack.clientId)).toEqual(clientIds);
    expect(acks.map((ack) => ack.message.seq)).toEqual(clientIds.map((_, index) => index + 2));
    await listener.next((frame) => frame.message?.seq === 201, 15_000);
    const heard = listener.frames.filter((frame) => frame.type === 'message:new');
    expect(heard.map((frame) => frame.message.clientId)).toEqual(clientIds);
    await Promise.all([sender.close(), listener.close()]);
  });

  it('sends POSTed messages and edits down too', async () => {
    const user = await home.signIn('customer-2');
    const id = await startConversation(node, user);
    const desk = await program(node, agent);
    await desk.join(`conversation_${id}`, 1);
    const posted = await call(node, user, 'POST', `/api/support/conversations/${id}/messages`, {
      body: 'By POST',
      clientId: randomUUID(),
    });
    expect(posted.status).toBe(201);
    const heard = await desk.next((frame) => frame.type === 'message:new');
    expect(heard.message).toEqual(posted.message);
    await call(node, user, 'PATCH', `/api/support/conversations/${id}/messages/${posted.message.id}`, {
      body: 'Edited',
    });
    const changed = await desk.next((frame) => frame.type === 'message:changed');
    expect(changed.message).toMatchObject({ seq: 2, version: 3, body: 'Edited' });
    await desk.close();
  });

  it('tells of read marks to both sides, but not of a viewer to the user', async () => {
    const user = await home.signIn('kacchi-house');
    const id = await startConversation(node, user);
    const [driver, desk, watcher] = await Promise.all([
      program(node, user),
      program(node, agent),
      program(node, viewer),
    ]);
    const room = `conversation_${id}`;
    for (const socket of [driver, desk, watcher]) await socket.join(room, 1);
    watcher.send({ type: 'message:read', conversationId: id, seq: 1 });
    const ofViewer = await desk.next((frame) => frame.type === 'message:read');
    expect(ofViewer).toMatchObject({ room, seq: 1, participant: { senderType: 'admin', id: viewer.person.id } });
    desk.send({ type: 'message:read', conversationId: id, seq: 1, ref: 'mark' });
    expect(await desk.next((frame) => frame.ref === 'mark')).toMatchObject({ type: 'message:read', seq: 1 });
    const ofAgent = await driver.next((frame) => frame.type === 'message:read');
    expect(ofAgent.participant).toEqual({ senderType: 'admin', name: agent.person.name });
    expect(driver.frames.filter((frame) => frame.type === 'message:read')).toHaveLength(1);
    // whoever comes later is told with the answer
    const later = await program(node, user);
    expect((await later.join(room)).readMarks).toEqual([
      { participant: { senderType: 'admin', name: agent.person.name }, seq: 1 },
    ]);
    await Promise.all([driver.close(), desk.close(), watcher.close(), later.close()]);
  });

  it('tells that somebody writes to the others there, at most once a second, and never again later', async () => {
    const user = await home.signIn('restaurant-2');
    const id = await startConversation(node, user);
    const [driver, second, desk] = await Promise.all([program(node, user), program(node, user), program(node, agent)]);
    const room = `conversation_${id}`;
    for (const socket of [driver, second, desk]) await socket.join(room, 1);
    const began = Date.now();
    for (let index = 0; index < 1_000; index += 1) {
      driver.send({ type: 'typing', conversationId: id, isTyping: index % 2 === 0 });
    }
    driver.send({ type: 'typing', conversationId: id, isTyping: true });
    expect(await desk.next((frame) => frame.type === 'typing')).toMatchObject({
      room,
      isTyping: true,
      participant: { id: user.person.id, senderType: 'user', name: user.person.name },
    });
    await desk.during(2_500);
    const heard = desk.frames.filter((frame) => frame.type === 'typing').length;
    expect(heard).toBeLessThanOrEqual(1 + Math.ceil((Date.now() - began) / 1_000));
    expect(second.frames.filter((frame) => frame.type === 'typing')).toEqual([]);
    const later = await program(node, agent);
    await later.join(room, 0);
    expect(later.frames.filter((frame) => frame.type === 'typing')).toEqual([]);
    // an admin who may not answer does not write either
    const watcher = await program(node, viewer);
    watcher.send({ type: 'typing', conversationId: id, isTyping: true, ref: 't' });
    expect(await watcher.next((frame) => frame.ref === 't')).toMatchObject({ type: 'error', code: 'not_found' });
    await Promise.all([driver, second, desk, later, watcher].map((socket) => socket.close()));
  });

  it("keeps the desk's room informed of every conversation, and a person's room of their own", async () => {
    const user = await home.signIn('driver-2');
    const own = await program(node, user);
    const desk = await program(node, agent);
    expect(await desk.join('admin_support', 5)).toMatchObject({ status: 'reset', version: null });
    expect(await own.join(`user_${user.person.id}`)).toMatchObject({ status: 'reset' });
    const open = await startConversation(node, user, 'Another matter');
    const heard = await desk.next((frame) => frame.type === 'message:new');
    expect(heard).toMatchObject({ room: 'admin_support', message: { conversationId: open, body: 'Another matter' } });
    await call(node, agent, 'POST', `/api/admin/support/conversations/${open}/assign`, {});
    expect(await desk.next((frame) => frame.type === 'conversation:assign')).toMatchObject({
      conversation: { id: open },
    });
    await call(node, agent, 'POST', `/api/support/conversations/${open}/messages`, {
      body: 'Yes?',
      clientId: randomUUID(),
    });
    expect(await own.next((frame) => frame.type === 'badge')).toMatchObject({ unread: 1 });
    await call(node, agent, 'POST', `/api/admin/support/conversations/${open}/close`);
    await desk.next((frame) => frame.type === 'conversation:close');
    const again = await startConversation(node, user, 'A new one');
    expect(again).not.toBe(open);
    const started = await desk.next((frame) => frame.type === 'conversation:start');
    expect(started).toMatchObject({ room: 'admin_support', conversation: { id: again } });
    expect(await own.next((frame) => frame.type === 'conversation:start')).toMatchObject({
      conversation: { id: again },
    });
    await Promise.all([own.close(), desk.close()]);
  });
});
