import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { closedLoop, type LineEvents, type Lines, type LoopResult } from './closed-loop.ts';
import type { Figure } from './figures.ts';
import { openHttp, sendJson } from './http.ts';
import type { RunningServer } from './servers.ts';
import { BODY, CONVERSATIONS } from './workload.ts';

/** What a sending measurement needs. */
export interface SendBench {
  readonly product: RunningServer;
  /** One INSERT a message, and what arrives together in one INSERT. */
  readonly bare: { readonly single: RunningServer; readonly batch: RunningServer };
  /** Host tokens: one a user, one for the agent. */
  readonly userTokens: readonly string[];
  readonly agentToken: string;
  /** The postmaster. */
  readonly databasePid: number;
}

/**
 * Sent, stored and shown by the other side's socket, in a closed loop over 100 conversations: by POST and by the JSON
 * socket, against bare servers that insert the same texts.
 */
export async function measureSending(bench: SendBench): Promise<Figure[]> {
  const people = await signIn(bench);
  const run = (server: RunningServer, open: (events: LineEvents) => Promise<Lines>): Promise<LoopResult> =>
    closedLoop(CONVERSATIONS, open, [server.pid, bench.databasePid]);
  const single = await run(bench.bare.single, (events) => bareLines(bench.bare.single.base, events));
  const batch = await run(bench.bare.batch, (events) => bareLines(bench.bare.batch.base, events));
  const post = await run(bench.product, (events) => productLines(bench.product.base, people, 'post', events));
  const socket = await run(bench.product, (events) => productLines(bench.product.base, people, 'socket', events));
  const figure = (what: string, ours: LoopResult, raw: LoopResult, rawIs: string): Figure => ({
    what,
    unit: 'messages/s',
    ours: ours.perSecond,
    raw: raw.perSecond,
    rawIs,
    note: `${describe('ours', ours)}; ${describe('raw', raw)}`,
  });
  return [
    figure('POST → stored → shown', post, single, 'http + pg + ws, one INSERT a message'),
    figure('POST → stored → shown', post, batch, 'the same, batched INSERT'),
    figure('socket → stored → shown', socket, batch, 'POST to the bare server, batched INSERT'),
  ];
}

function describe(whose: string, { p50, p99, cpuMicros }: LoopResult): string {
  const [server = 0, database = 0] = cpuMicros;
  return `${whose} p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms, CPU ${server.toFixed(0)} + ${database.toFixed(0)} us`;
}

interface People {
  readonly agent: string;
  readonly conversations: readonly { readonly id: string; readonly user: string }[];
}

async function signIn({ product, userTokens, agentToken }: SendBench): Promise<People> {
  const http = openHttp(product.base, 8);
  // Answers 2xx have the contract's shape.
  const session = async (token: string): Promise<string> =>
    ((await sendJson(http, '/api/support/session', null, { token })) as { accessToken: string }).accessToken;
  const agent = await session(agentToken);
  const conversations: { id: string; user: string }[] = [];
  for (const token of userTokens.slice(0, CONVERSATIONS)) {
    const user = await session(token);
    const message = { body: 'start', clientId: randomUUID() };
    const started = await sendJson(http, '/api/support/conversations', user, { message });
    conversations.push({ id: (started as { conversation: { id: string } }).conversation.id, user });
  }
  http.close();
  return { agent, conversations };
}

async function bareLines(base: string, events: LineEvents): Promise<Lines> {
  const http = openHttp(base);
  const sockets = await Promise.all(
    Array.from({ length: 2 * CONVERSATIONS }, async (_, index) => {
      const conversation = index >> 1;
      const address = `${base.replace('http', 'ws')}/?conversation=${conversation}&side=${index & 1}`;
      return openSocket(address, {}, (frame) => {
        events.shown(conversation, (frame as { message: { clientId: string } }).message.clientId); // bare-server.ts
      });
    }),
  );
  return {
    send(conversation, side, clientId) {
      const body = JSON.stringify({ conversation, side, clientId, body: BODY });
      http.send('POST', '/messages', {}, body).then(() => events.acked(conversation, clientId), events.failed);
    },
    async close() {
      for (const socket of sockets) socket.terminate();
      http.close();
    },
  };
}

async function productLines(
  base: string,
  { agent, conversations }: People,
  by: 'post' | 'socket',
  events: LineEvents,
): Promise<Lines> {
  const http = openHttp(base);
  const sockets = new Map<string, WebSocket>();
  let closing = false;
  async function join(conversation: number, side: 0 | 1): Promise<void> {
    const one = conversations[conversation];
    if (!one) return;
    const token = side === 0 ? one.user : agent;
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = await openSocket(
      `${base.replace('http', 'ws')}/ws`,
      { authorization: `Bearer ${token}` },
      (frame) => {
        const { type, message } = frame as { type: string; message?: { clientId: string } | string }; // contract.md, Live
        if (type === 'subscribed') resolve();
        if (type === 'error') events.failed(new Error(JSON.stringify(frame)));
        if (typeof message !== 'object') return;
        if (type === 'message:ack') events.acked(conversation, message.clientId);
        // A sender by POST is shown its own message too; the loop counts what the other side sees.
        if (type === 'message:new' && sender.get(message.clientId) === 1 - side)
          events.shown(conversation, message.clientId);
      },
    );
    socket.on('close', (code) => closing || events.failed(new Error(`a socket was closed with ${code}`)));
    socket.send(JSON.stringify({ type: 'subscribe', room: `conversation_${one.id}`, after: 1_000_000_000 }));
    sockets.set(`${conversation}:${side}`, socket);
    await promise;
  }
  const sender = new Map<string, number>();
  for (let index = 0; index < conversations.length; index += 1) await Promise.all([join(index, 0), join(index, 1)]);
  return {
    send(conversation, side, clientId) {
      const one = conversations[conversation];
      if (!one) return;
      sender.set(clientId, side);
      if (by === 'socket') {
        const frame = { type: 'message:send', conversationId: one.id, clientId, body: BODY };
        sockets.get(`${conversation}:${side}`)?.send(JSON.stringify(frame));
        return;
      }
      const token = side === 0 ? one.user : agent;
      sendJson(http, `/api/support/conversations/${one.id}/messages`, token, { clientId, body: BODY }).then(
        () => events.acked(conversation, clientId),
        events.failed,
      );
    },
    async close() {
      closing = true;
      for (const socket of sockets.values()) socket.terminate();
      http.close();
    },
  };
}

function openSocket(
  address: string,
  headers: Record<string, string>,
  onFrame: (frame: unknown) => void,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, headers['authorization'] ? ['support.v1.json'] : [], {
      headers,
      perMessageDeflate: false,
    });
    socket.on('message', (data) => onFrame(JSON.parse(String(data))));
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}
