import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { newTenant } from '../support/people.ts';
import { type LiveNode, startConversation, startNode } from './live-app.ts';

let node: LiveNode;

beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node.stop());

/** What a page's script hears from our sockets and streams with its visitor's cookie. */
function listening([base, room]: [string, string]): Promise<{ socket: number; stream: number }> {
  const heard = { socket: 0, stream: 0 };
  const socket = new WebSocket(`${base.replace('http', 'ws')}/ws?room=${room}&after=0`);
  socket.onmessage = () => {
    heard.socket += 1;
  };
  const stream = new EventSource(`${base}/events?room=${room}&after=0`, { withCredentials: true });
  stream.onmessage = () => {
    heard.stream += 1;
  };
  return new Promise((resolve) => setTimeout(() => resolve(heard), 1_500));
}

it('a page on another port of the same machine hears nothing, though the cookie goes along', async () => {
  const home = await newTenant(node.database);
  const id = await startConversation(node, await home.signIn('rahim'));
  const session = await home.signIn('rahim', 'browser');
  const foreign = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>Hi'));
  foreign.listen(0, '127.0.0.1');
  await once(foreign, 'listening');
  const browser = await launchBrowser();
  try {
    const context = await browser.newContext();
    await context.addCookies([
      { name: 'safego', value: session.token, url: node.base, httpOnly: true, sameSite: 'Lax' },
    ]);
    const page = await context.newPage();
    const room = `conversation_${id}`;
    // beside a page of ours
    await page.goto(`${node.base}/driver/support/conversations/${id}`);
    const own = await page.evaluate(listening, [node.base, room] as [string, string]);
    expect(own.socket).toBeGreaterThan(0);
    expect(own.stream).toBeGreaterThan(0);
    await page.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`);
    expect(await page.evaluate(listening, [node.base, room] as [string, string])).toEqual({ socket: 0, stream: 0 });
  } finally {
    await browser.close();
    foreign.close();
  }
});
