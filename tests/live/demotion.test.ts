import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setRoles } from '../../src/identity/index.ts';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, page, program, startConversation, startNode } from './live-app.ts';

/** An agent loses the right to hear while a room talks a hundred times a second (T-RB5). */

const PER_SECOND = 100;
/** From the demotion on a listener may hear this much longer, milliseconds. */
const GRACE = 1_000;

let node: LiveNode;
let other: LiveNode;
let home: TestTenant;

beforeAll(async () => {
  [node, other] = await Promise.all([startNode(), startNode()]);
  home = await newTenant(node.database);
});
afterAll(async () => {
  expect([...node.errors, ...other.errors]).toEqual([]);
  await Promise.all([node.stop(), other.stop()]);
});

/** Somebody who hears: when each frame about the conversation came, and whether the line still stands. */
interface Listener {
  readonly name: string;
  readonly heard: number[];
  hasEnded: boolean;
  close(): void;
}

function note(listener: Listener, text: string, id: string): void {
  if (text.includes('Flood ') || (text.includes('<hx-changed') && text.includes(id))) listener.heard.push(Date.now());
}

async function bySocket(session: TestSession, id: string): Promise<Listener> {
  const socket = await program(node, session);
  const listener = { name: 'program', heard: [], hasEnded: false, close: () => socket.ws.close() };
  socket.ws.on('message', (data) => note(listener, String(data), id));
  void socket.closed.then(() => Object.assign(listener, { hasEnded: true }));
  // whoever may not gets an error, or is closed
  await Promise.race([Promise.all([socket.join(`conversation_${id}`), socket.join('admin_support')]), socket.closed]);
  return listener;
}

async function byPage(session: TestSession, id: string): Promise<Listener> {
  const socket = await page(node, session, `room=conversation_${id}&after=1&room=admin_support`);
  const listener = { name: 'page', heard: [], hasEnded: false, close: () => socket.ws.close() };
  socket.ws.on('message', (data) => note(listener, String(data), id));
  void socket.closed.then(() => Object.assign(listener, { hasEnded: true }));
  return listener;
}

async function byStream(session: TestSession, id: string): Promise<Listener> {
  const leave = new AbortController();
  const answer = await fetch(`${node.base}/events?room=conversation_${id}&after=1&room=admin_support`, {
    headers: { ...session.cookie, 'sec-fetch-site': 'same-origin' },
    signal: leave.signal,
  });
  const listener: Listener = { name: 'stream', heard: [], hasEnded: false, close: () => leave.abort() };
  void (async () => {
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) note(listener, chunk, id);
  })()
    .catch(() => {})
    .finally(() => {
      listener.hasEnded = true;
    });
  return listener;
}

const ways = (program: TestSession, browser: TestSession, id: string) => [
  bySocket(program, id),
  byPage(browser, id),
  byStream(browser, id),
];

/** Writes a hundred a second until told to stop; gives when each was acknowledged. */
async function flood(id: string) {
  const writer = await program(node, await home.signIn('rahim'));
  const acknowledged: number[] = [];
  writer.ws.on('message', (data) => {
    if (String(data).includes('"message:ack"')) acknowledged.push(Date.now());
  });
  const since = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    // a timer that comes late is made up for: the pace is by the clock
    for (const due = ((performance.now() - since) * PER_SECOND) / 1_000; sent < due; sent += 1) {
      writer.send({ type: 'message:send', conversationId: id, clientId: randomUUID(), body: `Flood ${sent}` });
    }
  }, 10);
  return {
    acknowledged,
    async stop() {
      clearInterval(timer);
      await writer.close();
    },
  };
}

test('a demoted agent hears nothing a second later, by socket, page or stream, while a colleague hears on', {
  timeout: 30_000,
}, async () => {
  const id = await startConversation(node, await home.signIn('rahim'));
  const [agent, agentsBrowser] = [await home.signIn('agent'), await home.signIn('agent', 'browser')];
  const lines = await Promise.all(ways(agent, agentsBrowser, id));
  const colleague = await Promise.all(ways(await home.signIn('lead'), await home.signIn('lead', 'browser'), id));
  const room = await flood(id);
  await sleep(2_000);

  // the role is taken on another node, and nothing but the database is between them and this one
  const write = (body: string) =>
    call(node, agent, 'POST', `/api/support/conversations/${id}/messages`, { body, clientId: randomUUID() });
  expect((await call(node, agent, 'GET', `/api/support/conversations/${id}`)).status).toBe(200);
  await home.asPerson('owner', (scope) => setRoles(scope, agent.person.id, []));
  const demoted = Date.now();
  // the very next one that would change something is refused: who writes is looked up with the row
  expect([403, 404]).toContain((await write('Am I still here?')).status);

  // what a page does whose line ends: it comes back at once, again and again
  const again: Listener[] = [];
  let returns = 0;
  while (Date.now() - demoted < 3_000) {
    const back = lines.every((line) => line.hasEnded) ? await Promise.allSettled(ways(agent, agentsBrowser, id)) : [];
    // a line that is refused at the door hears nothing either
    for (const one of back) if (one.status === 'fulfilled') again.push(one.value);
    returns += back.length;
    await sleep(250);
  }
  await room.stop();

  for (const line of lines) {
    // the control: it did hear, and plenty
    expect([line.name, line.heard.filter((at) => at < demoted).length > 20]).toEqual([line.name, true]);
    expect([line.name, line.hasEnded]).toEqual([line.name, true]);
  }
  expect(returns).toBeGreaterThan(0);
  for (const line of [...lines, ...again]) {
    const late = line.heard.filter((at) => at > demoted + GRACE);
    expect([line.name, late.map((at) => at - demoted)]).toEqual([line.name, []]);
  }
  // and there was something to hear: the room went on, and others heard it
  expect(room.acknowledged.filter((at) => at > demoted + GRACE).length).toBeGreaterThan(PER_SECOND);
  for (const line of colleague) {
    expect([line.name, line.heard.filter((at) => at > demoted + GRACE).length > 20]).toEqual([line.name, true]);
  }
  for (const path of [
    `/api/support/conversations/${id}`,
    `/api/support/conversations/${id}/messages`,
    '/api/admin/support/conversations',
  ]) {
    for (const where of [node, other]) expect([403, 404]).toContain((await call(where, agent, 'GET', path)).status);
  }
  expect([403, 404]).toContain((await write('And now?')).status);
  for (const line of [...lines, ...again, ...colleague]) line.close();
});
