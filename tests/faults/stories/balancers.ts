import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { openSession } from '../../../src/identity/index.ts';
import { type BalancerKind, balancersHere, startBalancer } from '../lab/balancer.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import { type LabConversation, type LabPerson, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/** Longer than the minute after which proxies take a silent connection for dead. */
const IDLE_MS = 70_000;
/** A buffered stream shows nothing for much longer. */
const PROMPT_MS = 2_000;

/** A page's stream of server-sent events. */
interface Stream {
  readonly text: () => string;
  readonly isOpen: () => boolean;
  readonly headers: IncomingMessage['headers'];
  readonly status: number;
  close(): void;
}

/**
 * F35: nginx and haproxy of Debian's packages, as they come, in front of two nodes, without stickiness. Where the
 * upgrade is refused the stream works, unbuffered; where it passes, programs talk through it; a minute of idleness
 * closes neither. Where they are not installed the row says so and is not shown.
 */
export const balancers: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const anomalies: Anomaly[] = [];
    const facts: Record<string, number | string> = {};
    const kinds = balancersHere();
    for (const kind of ['nginx', 'haproxy'] as const) {
      if (!kinds.includes(kind)) {
        process.stderr.write(
          `tests/faults: ${kind} is not installed (Debian: apt-get install ${kind}); it is skipped\n`,
        );
        facts[kind] = 'not installed';
      }
    }
    const tenant = await lab.newTenant();
    for (const kind of kinds) {
      const balancer = await startBalancer(
        kind,
        lab.seats.map(({ node }) => node?.port ?? 0),
      );
      try {
        await through(kind, balancer.port);
      } finally {
        await balancer.close();
      }
    }
    anomalies.push(...(await lab.judge()));
    return { anomalies, rounds: kinds.length, facts };

    async function through(kind: BalancerKind, port: number): Promise<void> {
      const [conversation] = await lab.converse(tenant, 1);
      if (!conversation) throw new Error('no conversation');
      const { id, user } = conversation;
      lab.recorder.add({
        type: 'client',
        process: `page-${id}`,
        sender: user.id,
        tenant: user.tenant,
        mayRead: [id],
      });
      const say = (what: string) => void anomalies.push({ kind: 'stale', what: `${kind}: ${what}` });
      const upgraded = await canUpgrade(port, user);
      facts[`${kind}Upgrades`] = upgraded ? 'yes' : 'no';
      // nginx needs two lines more for it; whoever installs it without them gets the stream
      if (upgraded !== (kind === 'haproxy')) say(`an upgrade is ${upgraded ? 'passed' : 'refused'}`);

      const stream = await openStream(port, conversation, await cookieOf(user));
      if (stream.status !== 200) say(`the stream was answered ${stream.status}`);
      // both nodes in turn: what is sent on one is heard from the other
      let slowestMs = 0;
      for (let number = 0; number < 6; number++) {
        const body = textOf(user, number);
        const began = performance.now();
        const answer = await post(port, conversation, body);
        if (answer !== 201) say(`a message was answered ${answer}`);
        await until('it is in the stream', () => stream.text().includes(`message ${number} canary`), PROMPT_MS).catch(
          () => say(`message ${number} was not in the stream after ${PROMPT_MS} ms`),
        );
        slowestMs = Math.max(slowestMs, performance.now() - began);
      }
      facts[`${kind}StreamSlowestMs`] = Math.round(slowestMs);
      const clients = upgraded
        ? Array.from({ length: 4 }, (_, at) =>
            lab.client({ name: `${kind}-${at}`, person: user, rooms: [id], ports: () => [port], silenceMs: 600_000 }),
          )
        : [];
      await connected(clients);
      const connects = () => clients.reduce((sum, client) => sum + client.connects, 0);
      const before = connects();
      if (options.isLong) {
        await sleep(IDLE_MS);
        facts[`${kind}IdleSeconds`] = IDLE_MS / 1_000;
      }
      if (!stream.isOpen()) say('the idle stream was closed');
      if (connects() > before) say(`idle sockets were closed (${connects() - before})`);
      await post(port, conversation, textOf(user, 99));
      await until('it is heard after the rest', () => stream.text().includes('message 99 canary'), PROMPT_MS).catch(
        () => say('nothing came after the rest'),
      );
      await Promise.all(clients.map((client, at) => client.send(id, textOf(user, 100 + at))));
      stream.close();
      await lab.settle();
      for (const client of clients) client.close();
    }

    /** As a page does: each request by itself. */
    async function post(port: number, { id, user }: LabConversation, body: string): Promise<number> {
      const path = `/api/support/conversations/${id}/messages`;
      const send = { process: `page-${id}`, conversation: id, clientId: randomUUID() };
      lab.recorder.add({ type: 'invoke', ...send, sender: user.id, body });
      const answer = await http({
        port,
        method: 'POST',
        path,
        token: user.token,
        body: { body, clientId: send.clientId },
      });
      const { message } = answer.body as { message?: { seq: number; version: number; body: string } };
      if (message) {
        lab.recorder.add({ type: 'ok', ...send, seq: message.seq, version: message.version, body: message.body });
      }
      return answer.status;
    }

    /** A browser's session of the same person. */
    function cookieOf({ id }: LabPerson): Promise<string> {
      return tenant.asPerson('system', async (scope) => {
        const { token } = openSession(scope, { id, side: 'user' }, 'browser');
        await scope.em.flush();
        return token;
      });
    }
  });

async function canUpgrade(port: number, { token }: LabPerson): Promise<boolean> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['support.v1.json'], {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: 5_000,
  });
  const isOpen = await Promise.race([once(ws, 'open').then(() => true), once(ws, 'error').then(() => false)]).catch(
    () => false,
  );
  ws.on('error', () => {});
  ws.terminate();
  return isOpen;
}

async function openStream(port: number, { id }: LabConversation, cookie: string): Promise<Stream> {
  let text = '';
  let isOpen = true;
  const asked: ClientRequest = request({
    host: '127.0.0.1',
    port,
    path: `/events?room=conversation_${id}`,
    headers: { cookie: `safego=${cookie}`, accept: 'text/event-stream', 'accept-encoding': 'gzip' },
  });
  asked.on('error', () => {
    isOpen = false;
  });
  asked.end();
  const [response] = (await once(asked, 'response', { signal: AbortSignal.timeout(10_000) })) as [IncomingMessage];
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  response.once('close', () => {
    isOpen = false;
  });
  return {
    text: () => text,
    isOpen: () => isOpen,
    headers: response.headers,
    status: response.statusCode ?? 0,
    close: () => void asked.destroy(),
  };
}
