import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHttpServer } from '../../src/platform/http/index.ts';
import { type SmallApp, startSmallApp, TOKEN } from './small-app.ts';

let app: SmallApp;
beforeAll(async () => {
  app = await startSmallApp();
});
afterAll(() => app.close());
beforeEach(() => {
  app.effects.length = 0;
});

/** Sends bytes and gives back what comes until the server closes or is silent for 300 ms. */
async function talk(port: number, text: string): Promise<{ reply: string; closed: boolean; statuses: number[] }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let reply = '';
  let closed = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  let silence = setTimeout(resolve, 300);
  socket.on('data', (chunk) => {
    reply += chunk.toString('latin1');
    clearTimeout(silence);
    silence = setTimeout(resolve, 300);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
    resolve();
  });
  socket.write(text.replaceAll('\n', '\r\n'), 'latin1');
  await promise;
  socket.destroy();
  return { reply, closed, statuses: [...reply.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1])) };
}

const BODY = '{"body":"x"}';
const POST = `POST /api/notes HTTP/1.1\nHost: localhost\nAuthorization: Bearer ${TOKEN}\nContent-Type: application/json\n`;
const SMUGGLED = `GET /api/who HTTP/1.1\nHost: localhost\n\n`;

describe('requests that two readers could read differently (T-HX10)', () => {
  it('takes an honest one, with a length and in chunks', async () => {
    expect((await talk(app.port, `${POST}Content-Length: 12\n\n${BODY}`)).statuses).toEqual([201]);
    expect((await talk(app.port, `${POST}Transfer-Encoding: chunked\n\nc\n${BODY}\n0\n\n`)).statuses).toEqual([201]);
    expect(app.effects).toHaveLength(2);
  });

  const corpus: Record<string, string> = {
    'Content-Length and Transfer-Encoding': `${POST}Content-Length: 12\nTransfer-Encoding: chunked\n\n0\n\n${SMUGGLED}`,
    'Transfer-Encoding and Content-Length': `${POST}Transfer-Encoding: chunked\nContent-Length: 4\n\nc\n${BODY}\n0\n\n`,
    'two Content-Lengths': `${POST}Content-Length: 12\nContent-Length: 0\n\n${BODY}`,
    'a list of Content-Lengths': `${POST}Content-Length: 12, 0\n\n${BODY}`,
    'a signed Content-Length': `${POST}Content-Length: +12\n\n${BODY}`,
    'a negative Content-Length': `${POST}Content-Length: -1\n\n${BODY}`,
    'a hexadecimal Content-Length': `${POST}Content-Length: 0xc\n\n${BODY}`,
    'a Transfer-Encoding nobody knows': `${POST}Transfer-Encoding: xchunked\n\nc\n${BODY}\n0\n\n`,
    'chunked, but not last': `${POST}Transfer-Encoding: chunked, identity\n\nc\n${BODY}\n0\n\n`,
    'a space before the colon': `${POST}Transfer-Encoding : chunked\n\nc\n${BODY}\n0\n\n`,
    'a folded header': `${POST}X-Long: one\n two\nContent-Length: 12\n\n${BODY}`,
    'a folded Transfer-Encoding': `${POST}Transfer-Encoding:\n chunked\n\nc\n${BODY}\n0\n\n`,
    'a chunk size that is none': `${POST}Transfer-Encoding: chunked\n\nzz\n${BODY}\n0\n\n`,
    'a chunk size beyond all bounds': `${POST}Transfer-Encoding: chunked\n\nfffffffffffffffff\n${BODY}\n0\n\n`,
    'a chunk longer than it says': `${POST}Transfer-Encoding: chunked\n\n1\n${BODY}\n0\n\n`,
    'a header without a name': `${POST}: x\nContent-Length: 12\n\n${BODY}`,
    'a NUL in a header': `${POST}X: a\0b\nContent-Length: 12\n\n${BODY}`,
    'no Host': `GET /api/who HTTP/1.1\n\n`,
    'two Hosts': `GET /api/who HTTP/1.1\nHost: localhost\nHost: evil.example\n\n`,
    'two equal Hosts': `GET /api/who HTTP/1.1\nHost: localhost\nHOST: localhost\n\n`,
    'a Host that is none': `GET /api/who HTTP/1.1\nHost: localhost/@evil.example\n\n`,
    'a Host with a user': `GET /api/who HTTP/1.1\nHost: a@localhost\n\n`,
    'a list of Hosts': `GET /api/who HTTP/1.1\nHost: localhost, evil.example\n\n`,
    'an empty Host': `GET /api/who HTTP/1.1\nHost: \n\n`,
    'an absolute target': `GET http://evil.example/api/who HTTP/1.1\nHost: localhost\n\n`,
    'a method nobody knows': `STEAL /api/who HTTP/1.1\nHost: localhost\n\n`,
    'a lower-case method': `get /api/who HTTP/1.1\nHost: localhost\n\n`,
    'another protocol': `GET /api/who HTTP/3.7\nHost: localhost\n\n`,
    'a space in the target': `GET /api/who x HTTP/1.1\nHost: localhost\n\n`,
    'headers without end': `GET /api/who HTTP/1.1\nHost: localhost\nX: ${'x'.repeat(20_000)}\n\n`,
  };

  it.each(Object.entries(corpus))('refuses %s and closes', async (_name, text) => {
    const { statuses, closed, reply } = await talk(app.port, text);
    expect(statuses).toHaveLength(1);
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    expect(statuses[0]).toBeLessThan(500);
    expect(closed).toBe(true);
    expect(reply).not.toContain('evil');
    expect(app.effects.filter((effect) => JSON.stringify(effect) !== BODY)).toEqual([]);
  });

  it('answers TRACE with 405 and does not echo it; CONNECT gets nothing (T-HX9)', async () => {
    const trace = await talk(app.port, 'TRACE /api/who HTTP/1.1\nHost: localhost\nX-Secret: abc\n\n');
    expect(trace.statuses).toEqual([405]);
    expect(trace.reply).not.toContain('abc');
    const tunnel = await talk(app.port, 'CONNECT evil.example:443 HTTP/1.1\nHost: evil.example\n\n');
    expect(tunnel).toMatchObject({ closed: true, statuses: [] });
    expect((await talk(app.port, 'OPTIONS * HTTP/1.1\nHost: localhost\n\n')).statuses).toEqual([400]);
  });

  it('answers the request after a refused one on the same connection as its own', async () => {
    const refused = `POST /api/notes HTTP/1.1\nHost: localhost\nContent-Type: text/plain\nContent-Length: ${SMUGGLED.length + 3}\n\n`;
    const { statuses } = await talk(app.port, `${refused}${SMUGGLED}${SMUGGLED}`);
    // the first body is not read as a request, whatever stands in it
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(1);
    expect(statuses[0]).toBe(401);
  });

  it('gives the head of a request 10 seconds', () => {
    const server = createHttpServer(() => {});
    expect([server.headersTimeout, server.requestTimeout]).toEqual([10_000, 16 * 60_000]);
    server.close();
  });
});

describe('the Host once the public address is known (T-TEN8)', () => {
  it('is ours or 421, whatever forwarded headers say', async () => {
    const known = await startSmallApp({
      publicUrl: new URL('https://support.example'),
      filesUrl: new URL('https://files.example'),
      proxyHops: 1,
    });
    const ask = async (host: string, more = '') =>
      (await talk(known.port, `GET /healthz HTTP/1.1\nHost: ${host}\nConnection: close\n${more}\n`)).statuses;
    for (const host of ['support.example', 'SUPPORT.example']) expect(await ask(host)).toEqual([200]);
    // the files' own origin is ours, and serves nothing but files
    for (const host of ['files.example', 'FILES.example']) expect(await ask(host)).toEqual([404]);
    const foreign = [
      'evil.example',
      'localhost',
      '127.0.0.1',
      'support.example.evil.example',
      'support.example:8080',
      '[::1]',
    ];
    for (const host of foreign) {
      expect([host, await ask(host)]).toEqual([host, [421]]);
      expect(await ask(host, 'X-Forwarded-Host: support.example\n')).toEqual([421]);
      expect(await ask(host, 'Forwarded: host=support.example\n')).toEqual([421]);
    }
    expect(await ask('support.example', 'X-Forwarded-Host: evil.example\n')).toEqual([200]);
    await known.close();
  });
});

describe('the client address (T-DS2)', () => {
  const asked = async (hops: number, forwarded: string[]) => {
    const small = await startSmallApp({ proxyHops: hops });
    try {
      const headers = forwarded.map((value) => `X-Forwarded-For: ${value}\n`).join('');
      const { reply } = await talk(
        small.port,
        `GET /api/who HTTP/1.1\nHost: localhost\nConnection: close\n${headers}\n`,
      );
      return JSON.parse(reply.slice(reply.indexOf('{'), reply.lastIndexOf('}') + 1)).clientAddress;
    } finally {
      await small.close();
    }
  };

  it('is the socket without trusted proxies, whatever a client claims', async () => {
    expect(await asked(0, [])).toBe('127.0.0.1');
    expect(await asked(0, ['1.2.3.4'])).toBe('127.0.0.1');
  });

  it('is what the outermost trusted proxy saw, never what stands left of it', async () => {
    expect(await asked(1, ['203.0.113.9'])).toBe('203.0.113.9');
    expect(await asked(1, ['1.1.1.1, 203.0.113.9'])).toBe('203.0.113.9');
    expect(await asked(1, ['1.1.1.1', '203.0.113.9'])).toBe('203.0.113.9');
    expect(await asked(2, ['6.6.6.6, 203.0.113.9, 10.0.0.1'])).toBe('203.0.113.9');
    expect(await asked(1, ['2001:db8::7'])).toBe('2001:db8::7');
    expect(await asked(1, ['[2001:db8::7]:443'])).toBe('2001:db8::7');
    expect(await asked(1, ['::ffff:203.0.113.9'])).toBe('203.0.113.9');
  });

  it('is the socket when what stands there is no address or the list is too short', async () => {
    for (const forged of ['unknown', '1.2.3', "1.2.3.4' or 1=1", '<b>', '', '999.1.1.1', 'evil.example']) {
      expect([forged, await asked(1, [forged])]).toEqual([forged, '127.0.0.1']);
    }
    expect(await asked(2, ['203.0.113.9'])).toBe('127.0.0.1');
  });
});
