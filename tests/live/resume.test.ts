import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, program, startConversation, startNode } from './live-app.ts';

let node: LiveNode;
let home: TestTenant;
let rahim: TestSession;
let agent: TestSession;
let id: string;
let room: string;
let epoch: string;
let head: number;

/** Seven messages; the third edited, the fifth deleted: nine changes. */
beforeAll(async () => {
  node = await startNode();
  home = await newTenant(node.database);
  [rahim, agent] = await Promise.all([home.signIn('rahim'), home.signIn('agent')]);
  id = await startConversation(node, rahim, 'Number 1');
  room = `conversation_${id}`;
  const driver = await program(node, rahim);
  const ids: string[] = [];
  for (let seq = 2; seq <= 7; seq += 1) ids[seq] = (await driver.say(id, `Number ${seq}`)).message.id;
  await call(node, rahim, 'PATCH', `/api/support/conversations/${id}/messages/${ids[3]}`, { body: 'Edited' });
  await call(node, rahim, 'DELETE', `/api/support/conversations/${id}/messages/${ids[5]}`);
  const welcome = await driver.join(room);
  epoch = welcome.epoch;
  head = welcome.version;
  await driver.close();
});
afterAll(async () => {
  expect(node.errors).toEqual([]);
  await node.stop();
});

describe('resuming', () => {
  it('brings every change after any version, each message once, in the order of versions', async () => {
    expect(head).toBe(9);
    const log = await call(node, agent, 'GET', `/api/support/conversations/${id}/messages?changedAfter=0`);
    for (let after = 0; after <= head; after += 1) {
      for (const cursor of [after, `${epoch}:${after}`]) {
        const socket = await program(node, agent);
        expect(await socket.join(room, cursor)).toMatchObject({ status: 'resumed', version: head });
        const expected = log.items.filter((message: { version: number }) => message.version > after);
        if (expected.length > 0) await socket.next((frame) => frame.message?.version === head);
        const heard = socket.frames.filter((frame) => frame.message);
        expect(heard.map((frame) => frame.message)).toEqual(expected);
        for (const { type, message } of heard) {
          // message 3 came with version 3 and changed with 8; message 5 came with 5 and went with 9
          const first = message.seq;
          expect(type).toBe(first > after ? 'message:new' : 'message:changed');
        }
        await socket.close();
      }
    }
  });

  it('says reset where it cannot know what is missing, and goes on from there', async () => {
    const user = await home.signIn('driver-2');
    const other = await startConversation(node, user);
    const cursors = [undefined, 2, `${epoch}:99`, 'otherepoch:1', 'x', '-1', '9999999999', '1.5', `${epoch}:`, ''];
    for (const cursor of cursors) {
      const socket = await program(node, user);
      const welcome = await socket.join(`conversation_${other}`, cursor);
      expect([cursor, welcome.status, welcome.version]).toEqual([cursor, 'reset', 1]);
      expect(socket.frames.filter((frame) => frame.message)).toEqual([]);
      await socket.close();
    }
    // a cursor of the wrong type is no cursor at all
    const socket = await program(node, user);
    for (const after of [-1, 1.5, 2 ** 63, true, {}, [1]]) {
      socket.send({ type: 'subscribe', room: `conversation_${other}`, after, ref: 'bad' });
      expect(await socket.next((frame) => frame.ref === 'bad')).toMatchObject({ type: 'error', code: 'invalid' });
    }
    await socket.join(`conversation_${other}`, 99);
    await call(node, user, 'POST', `/api/support/conversations/${other}/messages`, {
      body: 'On',
      clientId: randomUUID(),
    });
    expect((await socket.next((frame) => frame.type === 'message:new')).message.version).toBe(2);
    await socket.close();
  });

  it('misses and doubles nothing while messages arrive', async () => {
    const user = await home.signIn('ayesha');
    const busy = await startConversation(node, user);
    const sender = await program(node, user);
    const total = 300;
    for (let index = 0; index < total; index += 1) {
      sender.send({
        type: 'message:send',
        conversationId: busy,
        clientId: randomUUID(),
        body: `n ${index}`,
        ref: index,
      });
      if (index % 30 === 0) await new Promise((done) => setTimeout(done, 5));
    }
    const readers = await Promise.all(
      Array.from({ length: 15 }, async (_, index) => {
        await new Promise((done) => setTimeout(done, index * 12));
        const reader = await program(node, agent);
        const welcome = await reader.join(`conversation_${busy}`, index);
        expect(welcome.status === 'resumed' || welcome.version < index).toBe(true);
        return { reader, from: welcome.status === 'resumed' ? index : welcome.version };
      }),
    );
    await sender.next((frame) => frame.ref === total - 1, 15_000);
    for (const { reader, from } of readers) {
      await reader.next((frame) => frame.message?.version === total + 1, 10_000);
      const versions = reader.frames
        .filter((frame) => frame.type === 'message:new')
        .map((frame) => frame.message.version);
      expect(versions).toEqual(Array.from({ length: total + 1 - from }, (_, index) => from + index + 1));
      await reader.close();
    }
    await sender.close();
  });

  it('pages through a long way', async () => {
    const user = await home.signIn('customer-2');
    const long = await startConversation(node, user);
    const sender = await program(node, user);
    const text = 'A long story. '.repeat(100);
    for (let index = 0; index < 900; index += 1) {
      sender.send({ type: 'message:send', conversationId: long, clientId: randomUUID(), body: text, ref: index });
    }
    await sender.next((frame) => frame.ref === 899, 30_000);
    const reader = await program(node, agent);
    expect(await reader.join(`conversation_${long}`, 0)).toMatchObject({ status: 'resumed', version: 901 });
    await reader.next((frame) => frame.message?.version === 901, 15_000);
    const versions = reader.frames.filter((frame) => frame.message).map((frame) => frame.message.version);
    expect(versions).toEqual(Array.from({ length: 901 }, (_, index) => index + 1));
    await Promise.all([sender.close(), reader.close()]);
  });
});
