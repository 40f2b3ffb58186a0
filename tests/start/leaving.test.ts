import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Folder, folder, killLeftovers, run, start, task } from '../support/program.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const NODE = 'node_modules/.bin/node';

let place: Folder;
beforeEach(() => {
  place = folder();
});
afterEach(() => {
  killLeftovers();
  place.remove();
});

describe('SIGTERM', () => {
  test('readiness goes first, the request under way is answered, then the process ends with 0', async () => {
    const program = await start({ env: { DATA_DIR: join(place.path, 'data') } });
    const url = new URL(program.url);
    const body = '{"token":"not a token"}';
    const socket = connect(Number(url.port), url.hostname).setEncoding('utf8');
    let answer = '';
    socket.on('data', (text) => (answer += text));
    socket.write(
      `POST /api/support/session HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);

    const ended = program.stop();
    await expect.poll(async () => (await fetch(`${program.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${program.url}/healthz`)).status).toBe(200);
    socket.write(body.slice(5));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/);
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    await expect(fetch(program.url)).rejects.toThrow();
  });

  test('sockets are told to come back (1012), event streams end', async () => {
    const env = { DATA_DIR: join(place.path, 'data') };
    const program = await start({ env });
    const { stdout, stderr } = await task(['token', '--', '--as', 'rahim'], { env });
    expect(stdout, stderr).not.toBe('');
    const session = await fetch(`${program.url}/api/support/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: stdout.trim() }),
    });
    expect(session.status).toBe(201);
    // The contract's shape of a session.
    const { accessToken, user } = (await session.json()) as { accessToken: string; user: { id: string } };
    const headers = { Authorization: `Bearer ${accessToken}` };
    const socket = new WebSocket(`${program.url.replace('http', 'ws')}/ws`, 'support.v1.json', { headers });
    await once(socket, 'open');
    const stream = await fetch(`${program.url}/events?room=user_${user.id}`, { headers });
    expect(stream.status).toBe(200);

    const closed = once(socket, 'close');
    const streamed = stream.text();
    const begun = performance.now();
    const { code } = await program.stop();
    expect((await closed)[0]).toBe(1012);
    await streamed;
    expect(code).toBe(0);
    expect(performance.now() - begun, 'nobody is waited for').toBeLessThan(9_500);
  });

  test('a request that does not finish holds it up for ten seconds at most', async () => {
    const program = await start({ env: { DATA_DIR: join(place.path, 'data') } });
    const url = new URL(program.url);
    const socket = connect(Number(url.port), url.hostname).on('error', () => {});
    socket.write(
      `POST /api/support/session HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    );
    await fetch(`${program.url}/readyz`);
    const begun = performance.now();
    const { code } = await program.stop();
    const tookMs = performance.now() - begun;
    expect(code).toBe(0);
    expect(tookMs).toBeGreaterThan(9_000);
    expect(tookMs).toBeLessThan(19_000);
  });
});

test('an error that nobody caught is logged, then the process leaves in order and with 1', async () => {
  const lifecycle = join(process.cwd(), 'src/platform/lifecycle/index.ts');
  const script = join(place.path, 'fails.ts');
  writeFileSync(
    script,
    `import { openLifecycle, openLog } from ${JSON.stringify(lifecycle)};
     const lifecycle = openLifecycle(openLog('info'));
     for (const name of ['first', 'second']) lifecycle.onDrain(name, () => console.log('closes ' + name));
     lifecycle.onDrain('broken', () => { throw new Error('does not close'); });
     setTimeout(() => Promise.reject(new Error('nobody caught me')), 10);
     setInterval(() => {}, 1000);`,
  );
  const { code, stdout, stderr } = await run(NODE, [script]).ended;
  expect(code).toBe(1);
  expect(stdout).toBe('closes second\ncloses first\n');
  expect(stderr).toContain('nobody caught me');
  expect(stderr).toContain('"step":"broken"');
});
