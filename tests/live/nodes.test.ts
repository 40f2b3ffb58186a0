import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeSession, setRoles, setUserStatus } from '../../src/identity/index.ts';
import { openNoBackplane } from '../../src/platform/realtime/index.ts';
import { adminUrl, databaseUrl } from '../support/database.ts';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, page, program, startConversation, startNode } from './live-app.ts';

/** `a` and `b` hear each other; `deaf` has no backplane at all. One database. */
let a: LiveNode;
let b: LiveNode;
let deaf: LiveNode;
let home: TestTenant;
let elsewhere: TestTenant;
let rahim: TestSession;
let agent: TestSession;
let dataDir: string;

beforeAll(async () => {
  // there is no scanner, so files that come to `a` stay in the check
  dataDir = mkdtempSync(join(tmpdir(), 'nodes-'));
  const env = { DATA_DIR: dataDir, CLAMD_URL: 'tcp://127.0.0.1:1' };
  [a, b] = await Promise.all([startNode({ env }), startNode()]);
  deaf = await startNode({ backplane: openNoBackplane() });
  [home, elsewhere] = [await newTenant(a.database), await newTenant(a.database)];
  [rahim, agent] = await Promise.all([home.signIn('rahim'), home.signIn('agent')]);
});
afterAll(async () => {
  expect([...a.errors, ...b.errors, ...deaf.errors]).toEqual([]);
  await Promise.all([a.stop(), b.stop(), deaf.stop()]);
  rmSync(dataDir, { recursive: true, force: true });
});

describe('two nodes over one database', () => {
  it('tells pages on the other node that a file is being checked, and takes it back when nobody asks any more', async () => {
    const sender = await home.signIn('kacchi-house');
    const id = await startConversation(a, sender);
    const room = `room=conversation_${id}&after=1`;
    const desk = await page(b, await home.signIn('agent', 'browser'), room);
    const own = await page(b, await home.signIn('kacchi-house', 'browser'), room);
    for (const one of [desk, own]) await one.next((frame) => frame.includes('<hx-subscribed'));
    const silence = own.during(1_000);
    const form = new FormData();
    form.set('clientId', randomUUID());
    form.set('file', new Blob(['%PDF-1.4\n', 'x'.repeat(5_000)]), 'a.pdf');
    const sent = await fetch(`${a.base}/api/support/conversations/${id}/attachments`, {
      method: 'POST',
      headers: sender.bearer,
      body: form,
    });
    expect(await sent.json()).toMatchObject({ attachment: { state: 'processing' } });
    const line = (on: string) =>
      `<hx-typing hx-target="#typing" name="${sender.person.name}" side="user" on="${on}"></hx-typing>`;
    expect(await desk.next((frame) => frame.startsWith('<hx-typing'))).toBe(line('checking'));
    expect((await silence).filter((frame) => frame.includes('hx-typing'))).toEqual([]);
    await desk.next((frame) => frame === line('checked'), 10_000);
    await Promise.all([desk.close(), own.close()]);
  });

  it('brings messages, read marks, typing and state from the other node at once', async () => {
    const id = await startConversation(a, rahim);
    const room = `conversation_${id}`;
    const driver = await program(a, rahim);
    const desk = await program(b, agent);
    await driver.join(room, 1);
    await desk.join(room, 1);
    await desk.join('admin_support');
    for (let index = 0; index < 20; index += 1) {
      const began = performance.now();
      const ack = driver.say(id, `Number ${index}`);
      const heard = await desk.next((frame) => frame.room === room && frame.message?.body === `Number ${index}`);
      expect(performance.now() - began).toBeLessThan(500);
      expect(heard.message).toEqual((await ack).message);
      await desk.next((frame) => frame.room === 'admin_support' && frame.message?.body === `Number ${index}`);
    }
    await desk.say(id, 'Let me look');
    const heard = await driver.next((frame) => frame.message?.body === 'Let me look');
    expect(heard.message.sender).toEqual({ id: null, userType: 'admin', name: agent.person.name });
    expect((await driver.next((frame) => frame.type === 'conversation:assign')).conversation.status).toBe('open');
    driver.send({ type: 'typing', conversationId: id, isTyping: true });
    expect((await desk.next((frame) => frame.type === 'typing')).participant.id).toBe(rahim.person.id);
    driver.send({ type: 'message:read', conversationId: id, seq: 5 });
    expect(await desk.next((frame) => frame.type === 'message:read')).toMatchObject({ seq: 5, room });
    await call(a, agent, 'POST', `/api/admin/support/conversations/${id}/close`);
    await desk.next((frame) => frame.type === 'conversation:close' && frame.room === room);
    await desk.next((frame) => frame.type === 'conversation:close' && frame.room === 'admin_support');
    await Promise.all([driver.close(), desk.close()]);
  });

  it('finds by its sweep what a dead backplane did not tell, in order and at most two seconds late', async () => {
    const user = await home.signIn('driver-2');
    const id = await startConversation(a, user);
    const driver = await program(a, user);
    const desk = await program(deaf, agent);
    const list = await program(deaf, agent);
    await desk.join(`conversation_${id}`, 1);
    await list.join('admin_support');
    const sent: string[] = [];
    for (let index = 0; index < 30; index += 1) {
      const began = performance.now();
      sent.push((await driver.say(id, `Late ${index}`)).clientId);
      if (index % 10 === 9) {
        await desk.next((frame) => frame.message?.body === `Late ${index}`);
        expect(performance.now() - began).toBeLessThan(2_000);
        await list.next((frame) => frame.message?.body === `Late ${index}`);
        expect(performance.now() - began).toBeLessThan(2_000);
      }
    }
    const heard = (frames: { type: string; message: { clientId: string } }[]) =>
      frames.filter((frame) => frame.type === 'message:new').map((frame) => frame.message.clientId);
    expect(heard(desk.frames)).toEqual(sent);
    expect(heard(list.frames)).toEqual(sent);
    // a conversation that begins meanwhile is found too
    const newcomer = await home.signIn('ayesha');
    const other = await startConversation(a, newcomer, 'I am new');
    const started = await list.next((frame) => frame.type === 'conversation:start');
    expect(started.conversation.id).toBe(other);
    await list.next((frame) => frame.message?.body === 'I am new');
    await Promise.all([driver.close(), desk.close(), list.close()]);
  });

  it('opens a broken line again, and loses nothing meanwhile', async () => {
    const user = await home.signIn('restaurant-2');
    const id = await startConversation(a, user);
    const [driver, desk] = await Promise.all([program(a, user), program(b, agent)]);
    await desk.join(`conversation_${id}`, 1);
    const admin = new pg.Client({ connectionString: adminUrl() });
    await admin.connect();
    const cut = await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_notify%' and pid <> pg_backend_pid()",
    );
    expect(cut.rowCount).toBeGreaterThanOrEqual(2);
    for (let index = 0; index < 10; index += 1) {
      await driver.say(id, `Cut ${index}`);
      await sleep(100);
    }
    await desk.next((frame) => frame.message?.body === 'Cut 9', 2_500);
    expect(desk.frames.filter((frame) => frame.type === 'message:new').map((frame) => frame.message.seq)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 2),
    );
    // and soon the line is quick again
    await expect
      .poll(
        async () => {
          const began = performance.now();
          const { message } = await driver.say(id, 'Quick?');
          await desk.next((frame) => frame.message?.id === message.id);
          return performance.now() - began;
        },
        { timeout: 8_000, interval: 300 },
      )
      .toBeLessThan(150);
    await admin.end();
    await Promise.all([driver.close(), desk.close()]);
  });

  it('lets nothing out for forged, shuffled and doubled hints', async () => {
    const id = await startConversation(a, await home.signIn('customer-2'));
    const other = await startConversation(a, await elsewhere.signIn('rahim'));
    const desk = await program(b, agent);
    await desk.join(`conversation_${id}`, 1);
    await desk.join('admin_support');
    const bus = new pg.Client({ connectionString: databaseUrl() });
    await bus.connect();
    const tenant = home.tenant.id;
    const forged = [
      [tenant, `conversation_${other}`, 99, 0],
      [tenant, `conversation_${id}`, 99, 0],
      [tenant, `conversation_${id}`, 1, 0],
      [elsewhere.tenant.id, `conversation_${id}`, 1, 0],
      [elsewhere.tenant.id, `conversation_${other}`, 1, 0],
      [tenant, `conversation_${other}`, 0, 0, 'started'],
      [tenant, `conversation_${id}`, 0, 0, `read ${elsewhere.people.agent.id}`],
      [tenant, `conversation_${id}`, 0, 0, `typing ${elsewhere.people.rahim.id} 1`],
      [tenant, `conversation_${id}`, 0, 0, `typing ${home.people.rahim.id} 1`],
      [tenant, 'admin_support', 5, 0],
      [tenant, `user_${home.people.agent.id}`, 5, 0],
      [tenant, '*', 1, 0],
    ];
    const silence = desk.during(1_500);
    for (const hint of forged) {
      await bus.query('select pg_notify($1, $2)', ['safego_support_hints', `forger ${JSON.stringify([hint])}`]);
    }
    for (const text of ['', ' ', 'forger', 'forger {', 'forger [1]', 'forger null', `forger ["${tenant}"]`]) {
      await bus.query('select pg_notify($1, $2)', ['safego_support_hints', text]);
    }
    expect(await silence).toEqual([]);
    // the same line carries a true hint: a message sent on the other node
    await call(a, await home.signIn('customer-2'), 'POST', `/api/support/conversations/${id}/messages`, {
      body: 'True',
      clientId: randomUUID(),
    });
    await desk.next((frame) => frame.message?.body === 'True' && frame.room === `conversation_${id}`);
    await bus.end();
    await desk.close();
  });
});

describe('what was taken away is gone within a second, on every node, without a backplane', () => {
  async function watched(session: TestSession) {
    const sockets = await Promise.all([program(a, session), program(deaf, session)]);
    for (const socket of sockets) expect(await socket.join('admin_support')).toMatchObject({ type: 'subscribed' });
    const desk = await page(deaf, await home.signIn(session.person.handle, 'browser'), 'room=admin_support');
    return { sockets, desk };
  }

  async function codesWithin(ms: number, sockets: { closed: Promise<number> }[]): Promise<(number | 'open')[]> {
    const late = new Promise<'open'>((done) => setTimeout(() => done('open'), ms));
    return Promise.all(sockets.map((socket) => Promise.race([socket.closed, late])));
  }

  it('a revoked session', async () => {
    const session = await home.signIn('agent-2');
    const { sockets, desk } = await watched(session);
    await home.asPerson('system', (scope) => revokeSession(scope, session.person.id, session.sessionId));
    expect(await codesWithin(1_000, sockets)).toEqual([4401, 4401]);
    // another session of the same person is none of that
    expect(await codesWithin(300, [desk])).toEqual(['open']);
    await desk.close();
  });

  it('a role', async () => {
    const session = await home.signIn('lead');
    const { sockets, desk } = await watched(session);
    await home.asPerson('owner', (scope) => setRoles(scope, session.person.id, []));
    expect(await codesWithin(1_000, [...sockets, desk])).toEqual([4403, 4403, 4403]);
    // coming back with the old name does not help
    const again = await program(deaf, session);
    expect(await again.join('admin_support')).toMatchObject({ type: 'error', code: 'not_found' });
    await again.close();
    await home.asPerson('owner', (scope) => setRoles(scope, session.person.id, ['support_lead']));
    const back = await program(deaf, session);
    await expect.poll(async () => (await back.join('admin_support')).type).toBe('subscribed');
    await back.close();
  });

  it('a person', async () => {
    const session = await home.signIn('viewer');
    const { sockets, desk } = await watched(session);
    await home.asPerson('system', (scope) => setUserStatus(scope, session.person.id, 'deactivated'));
    expect(await codesWithin(1_000, [...sockets, desk])).toEqual([4401, 4401, 4401]);
  });

  it('a session that expires', async () => {
    const session = await home.signIn('restaurant-2');
    const admin = new pg.Client({ connectionString: adminUrl() });
    await admin.connect();
    await admin.query("update sessions set expires_at = clock_timestamp() + interval '1200 ms' where id = $1", [
      session.sessionId,
    ]);
    await admin.end();
    const socket = await program(deaf, session);
    await socket.join(`user_${session.person.id}`);
    expect(await codesWithin(900, [socket])).toEqual(['open']);
    expect(await codesWithin(2_000, [socket])).toEqual([4401]);
  });
});
