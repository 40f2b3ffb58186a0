import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, page, program, startConversation, startNode } from './live-app.ts';

let node: LiveNode;
let home: TestTenant;
let rahim: TestSession;
let rahimsPage: TestSession;
let desk: TestSession;
let agent: TestSession;

beforeAll(async () => {
  node = await startNode();
  home = await newTenant(node.database);
  [rahim, rahimsPage, desk, agent] = await Promise.all([
    home.signIn('rahim'),
    home.signIn('rahim', 'browser'),
    home.signIn('agent', 'browser'),
    home.signIn('agent'),
  ]);
});
afterAll(async () => {
  expect(node.errors).toEqual([]);
  await node.stop();
});

/** One message of a stream. */
interface Event {
  readonly id: string;
  readonly data: string;
}

/** Opens `/events` and collects what comes. */
async function stream(session: TestSession, query: string, headers: Record<string, string> = {}) {
  const leave = new AbortController();
  const answer = await fetch(`${node.base}/events?${query}`, {
    headers: { ...session.cookie, 'sec-fetch-site': 'same-origin', ...headers },
    signal: leave.signal,
  });
  const events: Event[] = [];
  let hasEnded = false;
  void (async () => {
    let text = '';
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const lines = part.split('\n');
        const of = (name: string) =>
          lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
        if (of('data: ').length > 0) events.push({ id: of('id: ')[0] ?? '', data: of('data: ').join('\n') });
      }
    }
  })()
    .catch(() => {})
    .finally(() => {
      hasEnded = true;
    });
  return {
    status: answer.status,
    headers: answer.headers,
    events,
    ended: () => hasEnded,
    async find(part: string): Promise<Event> {
      await expect.poll(() => events.some((event) => event.data.includes(part)), { timeout: 5_000 }).toBe(true);
      return events.find((event) => event.data.includes(part))!;
    },
    close: () => leave.abort(),
  };
}

describe('pages', () => {
  it('get fragments over the socket: where they stand, messages with the new cursor, marks, typing, state', async () => {
    const id = await startConversation(node, rahim, 'First <b>of</b> all');
    const room = `conversation_${id}`;
    const chat = await page(node, rahimsPage, `room=${room}&after=1&room=user_${rahim.person.id}`);
    const welcome = await chat.next((frame) => frame.includes(`<hx-subscribed room="${room}" status="resumed"`));
    expect(welcome).not.toContain('<hx-upsert');
    await chat.next((frame) => frame.includes(`<hx-subscribed room="user_${rahim.person.id}" status="reset" at=""`));
    const list = await page(node, desk, `room=${room}&after=0&room=admin_support`);
    const first = await list.next((frame) => frame.includes('<hx-upsert'));
    expect(first).toMatch(/^<hx-upsert hx-target="#messages" key="data-seq" sort><li id="m1"/);
    expect(first).toMatch(new RegExp(`<hx-cursor room="${room}" at="[0-9a-z]+:1"></hx-cursor>$`));
    expect(first).toContain('First &lt;b&gt;of&lt;/b&gt; all');
    expect(first).not.toContain('<b>');

    list.send({ type: 'typing', conversationId: id, isTyping: true });
    const typing = await chat.next((frame) => frame.startsWith('<hx-typing'));
    expect(typing).toBe(
      `<hx-typing hx-target="#typing" name="${agent.person.name}" side="admin" on="true"></hx-typing>`,
    );
    await call(node, agent, 'POST', `/api/support/conversations/${id}/messages`, {
      body: 'Hi',
      clientId: randomUUID(),
    });
    await chat.next((frame) => frame.includes('<li id="m3"'));
    await chat.next((frame) => frame.includes('<hx-reload hx-target="#conversation-state">'));
    await list.next((frame) => frame.includes(`<hx-changed conversation="${id}"`));
    await chat.next((frame) => frame.includes('<hx-reload hx-target="#unread-badge">'));
    chat.send({ type: 'message:read', conversationId: id, seq: 3 });
    expect(await list.next((frame) => frame.startsWith('<hx-seen'))).toBe(
      '<hx-seen hx-target="#messages" seq="3"></hx-seen>',
    );
    // no frame is ever JSON, so no text of a person can choose where HTML goes
    for (const frame of [...chat.frames, ...list.frames]) expect(frame).toMatch(/^</);
    await Promise.all([chat.close(), list.close()]);
  });

  it('may say nothing upwards but typing and read marks', async () => {
    const id = await startConversation(node, rahim);
    const chat = await page(node, rahimsPage, `room=conversation_${id}&after=0`);
    await chat.next((frame) => frame.includes('<hx-subscribed'));
    const before = await call(node, rahim, 'GET', `/api/support/conversations/${id}`);
    const message = { type: 'message:send', conversationId: id, clientId: randomUUID(), body: 'By the page' };
    chat.send(message);
    chat.send({ type: 'subscribe', room: 'admin_support' });
    chat.send('nonsense');
    await chat.during(300);
    const after = await call(node, rahim, 'GET', `/api/support/conversations/${id}`);
    expect(after.conversation.lastSeq).toBe(before.conversation.lastSeq);
    // the same words from a program are a message
    const robot = await program(node, rahim);
    robot.send(message);
    await robot.next((frame) => frame.type === 'message:ack');
    await chat.next((frame) => frame.includes('By the page'));
    await Promise.all([chat.close(), robot.close()]);
  });

  it('are closed with 4403 when they ask for a room that is not theirs', async () => {
    const other = await startConversation(node, await home.signIn('ayesha'));
    for (const room of [`conversation_${other}`, 'admin_support', `user_${agent.person.id}`, 'nothing', '']) {
      const chat = await page(node, rahimsPage, `room=${room}&after=0`);
      expect([room, await chat.closed]).toEqual([room, 4403]);
      expect(chat.frames).toEqual([]);
    }
  });
});

describe('server-sent events', () => {
  it('carry the same fragments, and resume by Last-Event-ID', async () => {
    const id = await startConversation(node, rahim);
    const room = `conversation_${id}`;
    const at = (await call(node, rahim, 'GET', `/api/support/conversations/${id}`)).conversation.version;
    const query = `room=user_${rahim.person.id}&room=${room}&after=${at}`;
    const socket = await page(node, rahimsPage, query);
    const first = await stream(rahimsPage, query);
    expect(first.status).toBe(200);
    expect(first.headers.get('content-type')).toContain('text/event-stream');
    expect(first.headers.get('x-accel-buffering')).toBe('no');
    await first.find(`<hx-subscribed room="${room}" status="resumed"`);
    await socket.next((frame) => frame.includes(room));
    const clientId = randomUUID();
    await call(node, rahim, 'POST', `/api/support/conversations/${id}/messages`, { body: 'a\nb', clientId });
    const event = await first.find(clientId);
    expect(event.data).toBe(await socket.next((frame) => frame.includes(clientId)));
    first.close();

    const missed = randomUUID();
    await call(node, rahim, 'POST', `/api/support/conversations/${id}/messages`, { body: 'missed', clientId: missed });
    const again = await stream(rahimsPage, query, { 'last-event-id': event.id });
    await again.find(missed);
    expect(again.events.some(({ data }) => data.includes(clientId))).toBe(false);
    again.close();
    // a position of nobody's making is no position: the address counts, or the answer is reset
    for (const tampered of ['-1', '9223372036854775808', `other:1,other:2`, 'x'.repeat(500), `,,,,`, 'nonsense,']) {
      const strange = await stream(rahimsPage, `room=${room}`, { 'last-event-id': tampered });
      expect((await strange.find('<hx-subscribed')).data).toContain('status="reset"');
      expect(strange.events.some(({ data }) => data.includes('<hx-upsert'))).toBe(false);
      strange.close();
    }
    await socket.close();
  });

  it('are a plain 401 or 403 for who may not, and for other sites', async () => {
    const id = await startConversation(node, await home.signIn('driver-2'));
    const nobody = await fetch(`${node.base}/events?room=admin_support`);
    expect(nobody.status).toBe(401);
    expect((await stream(rahimsPage, `room=conversation_${id}`)).status).toBe(403);
    expect((await stream(rahimsPage, 'room=admin_support')).status).toBe(403);
    const own = `room=user_${rahim.person.id}`;
    for (const site of ['cross-site', 'same-site']) {
      expect((await stream(rahimsPage, own, { 'sec-fetch-site': site })).status).toBe(403);
    }
    const foreign = await fetch(`${node.base}/events?${own}`, {
      headers: { ...rahimsPage.cookie, origin: 'https://evil.example' },
    });
    expect(foreign.status).toBe(403);
    const ours = await stream(rahimsPage, own);
    expect(ours.status).toBe(200);
    ours.close();
  });

  it('end when the session does, and say so when it comes back', async () => {
    const session = await home.signIn('customer-2', 'browser');
    const line = await stream(session, `room=user_${session.person.id}`);
    await line.find('<hx-subscribed');
    await call(
      node,
      { ...session, bearer: { authorization: `Bearer ${session.token}` } },
      'DELETE',
      '/api/support/session',
    );
    await expect.poll(line.ended, { timeout: 1_500 }).toBe(true);
    expect((await stream(session, `room=user_${session.person.id}`)).status).toBe(401);
  });
});

describe('leaving', () => {
  it('closes every socket with 1012 and takes no new one', async () => {
    const leaving = await startNode();
    const sockets = await Promise.all([program(leaving, rahim), page(leaving, desk, 'room=admin_support')]);
    await leaving.stop();
    expect(await Promise.all(sockets.map((socket) => socket.closed))).toEqual([1012, 1012]);
  });
});
