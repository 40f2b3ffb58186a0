import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';
import { type LiveNode, program, startConversation, startNode } from './live-app.ts';

let node: LiveNode;
let home: TestTenant;
let rahim: TestSession;
let agent: TestSession;
let id: string;

beforeAll(async () => {
  node = await startNode();
  home = await newTenant(node.database);
  [rahim, agent] = await Promise.all([home.signIn('rahim'), home.signIn('agent')]);
  id = await startConversation(node, rahim);
});
afterAll(async () => {
  expect(node.errors).toEqual([]);
  await node.stop();
});

/** A raw peer after a handshake of its own, so that it may break every rule. */
async function rawPeer(session: TestSession, at = node): Promise<Socket> {
  const { socket, head } = await handshake(session, at);
  expect(head).toContain('101 Switching Protocols');
  return socket;
}

/** What a handshake is answered. */
async function shakeHands(session: TestSession, at: LiveNode): Promise<string> {
  const { socket, head } = await handshake(session, at);
  socket.destroy();
  return head;
}

async function handshake(session: TestSession, at: LiveNode): Promise<{ socket: Socket; head: string }> {
  const { hostname, port, host } = new URL(at.base);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(
    [
      'GET /ws HTTP/1.1',
      `Host: ${host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      'Sec-WebSocket-Protocol: support.v1.json',
      `Authorization: ${session.bearer.authorization}`,
      '\r\n',
    ].join('\r\n'),
  );
  const [head] = await once(socket, 'data');
  return { socket, head: String(head) };
}

/** A masked frame of a client; the mask is zero, which is allowed. */
function frame(opcode: number, payload: string, isFinal: boolean): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([Buffer.from([(isFinal ? 0x80 : 0) | opcode, 0x80 | body.length, 0, 0, 0, 0]), body]);
}

/** The close code in what the server last sent, or null. */
function closeCode(received: Buffer): number | null {
  const at = received.lastIndexOf(0x88);
  return at < 0 || received.length < at + 4 ? null : received.readUInt16BE(at + 2);
}

async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  // whoever is cut in the middle of a flood is reset
  await Promise.race([once(socket, 'close').catch(() => {}), sleep(4_000)]);
  return Buffer.concat(chunks);
}

describe('hostile peers', () => {
  it('may cut a message into some fragments, but not into endlessly many', async () => {
    const text = JSON.stringify({ type: 'nothing' });
    const patient = await rawPeer(rahim);
    patient.write(frame(1, text.slice(0, 1), false));
    for (const letter of text.slice(1, -1)) patient.write(frame(0, letter, false));
    patient.write(frame(0, text.slice(-1), true));
    const [answer] = await once(patient, 'data');
    expect(String(answer)).toContain('unknown_type');
    patient.destroy();

    const endless = await rawPeer(rahim);
    const all = received(endless);
    endless.write(frame(1, '"', false));
    for (let index = 0; index < 2_000; index += 1) endless.write(frame(0, 'x', false));
    expect(closeCode(await all)).toBe(1008);
  });

  it('that send fragments, pings and unfinished messages in crowds cost the others little', async () => {
    const before = process.memoryUsage().rss;
    const peers = await Promise.all(Array.from({ length: 40 }, () => rawPeer(agent)));
    let isOn = true;
    const floods = peers.map(async (peer, index) => {
      peer.resume();
      peer.write(frame(1, 'x', false));
      while (isOn && !peer.destroyed) {
        for (let count = 0; count < 20; count += 1) {
          peer.write(index % 2 === 0 ? frame(9, 'ping', true) : frame(0, '', false));
        }
        await sleep(5);
      }
      peer.destroy();
    });
    const driver = await program(node, rahim);
    const times: number[] = [];
    for (let index = 0; index < 40; index += 1) {
      const began = performance.now();
      expect((await driver.say(id, `Through the noise ${index}`)).type).toBe('message:ack');
      times.push(performance.now() - began);
    }
    isOn = false;
    await Promise.all(floods);
    times.sort((a, b) => a - b);
    expect(times[37]!).toBeLessThan(1_000);
    // peers and server share this process; the bound is for both
    expect(process.memoryUsage().rss - before).toBeLessThan(120e6);
    await driver.close();
  });

  it('that do not read are cut with 1013, lose nothing, and hold up nobody', async () => {
    const user = await home.signIn('ayesha');
    const busy = await startConversation(node, user);
    const room = `conversation_${busy}`;
    const [sender, slow, reader] = await Promise.all([program(node, user), program(node, agent), program(node, agent)]);
    const { epoch } = await slow.join(room, 1);
    await reader.join(room, 1);
    slow.ws.pause();
    const text = 'A long text. '.repeat(300);
    const total = 2_600;
    for (let index = 0; index < total; index += 1) {
      sender.send({ type: 'message:send', conversationId: busy, clientId: randomUUID(), body: text, ref: index });
    }
    await sender.next((one) => one.ref === total - 1, 40_000);
    await reader.next((one) => one.message?.version === total + 1, 20_000);
    slow.ws.resume();
    expect(await slow.closed).toBe(1013);
    const heard = slow.frames.filter((one) => one.type === 'message:new').map((one) => one.message.version);
    const last = heard.at(-1) ?? 1;
    expect(heard).toEqual(Array.from({ length: last - 1 }, (_, index) => index + 2));
    expect(last).toBeLessThan(total);

    const again = await program(node, agent);
    expect(await again.join(room, `${epoch}:${last}`)).toMatchObject({ status: 'resumed' });
    await again.next((one) => one.message?.version === total + 1, 20_000);
    const rest = again.frames.filter((one) => one.type === 'message:new').map((one) => one.message.version);
    expect(rest).toEqual(Array.from({ length: total + 1 - last }, (_, index) => last + index + 1));
    await Promise.all([sender, reader, again].map((socket) => socket.close()));
  }, 90_000);

  it('that ping by the thousand are cut, and get no other socket for a while, which they are told late', async () => {
    const limited = await startNode({ env: { LIMITS: 'on' } });
    const { signIn } = await newTenant(limited.database);
    const [flooder, other] = await Promise.all([signIn('rahim'), signIn('ayesha')]);
    for (const [session, opcode] of [
      [flooder, 9],
      [other, 10],
    ] as const) {
      const peer = await rawPeer(session, limited);
      const isCut = received(peer);
      const began = performance.now();
      for (let round = 0; round < 20; round += 1) {
        peer.write(Buffer.concat(Array.from({ length: 1_000 }, () => frame(opcode, 'x', true))));
      }
      await isCut;
      expect(performance.now() - began).toBeLessThan(3_500);
    }
    for (const session of [flooder, other]) {
      const began = performance.now();
      expect(await shakeHands(session, limited)).toContain('429 Too Many Requests');
      expect(performance.now() - began).toBeGreaterThan(900);
    }
    const third = await signIn('agent');
    expect(await shakeHands(third, limited)).toContain('101 Switching Protocols');
    await limited.stop();
  });

  it('that ask for too much in one go wait in their line, and get every answer', async () => {
    const limited = await startNode({ env: { LIMITS: 'on' } });
    const socket = await program(limited, rahim);
    for (let index = 0; index < 500; index += 1) socket.send({ type: 'nothing', ref: index });
    await socket.next((one) => one.ref === 499, 10_000);
    expect(socket.frames.map((one) => one.ref)).toEqual(Array.from({ length: 500 }, (_, index) => index));
    await socket.close();
    await limited.stop();
  });
});
