import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What came down to the browser so far, TCP payload, heads and frames included. */
export interface Counted {
  /** Over connections that became a WebSocket. */
  readonly socket: number;
  /** Over all others. */
  readonly plain: number;
}

/** Stands between browser and server and counts bytes: a weight from the wire, not from file sizes. */
export interface CountingProxy {
  readonly base: string;
  counted(): Counted;
  /** Once nothing has come for a moment. */
  settled(): Promise<Counted>;
  close(): void;
}

/** So long nothing comes: then it was all. Shorter than the server's beat. */
const QUIET_MS = 700;

export async function openCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const ends = new Set<Socket>();
  const total = { socket: 0, plain: 0 };
  let lastAt = 0;

  const server = createServer((down) => {
    const up = connect(Number(port), hostname);
    let isSocket = false;
    for (const [from, to] of [
      [down, up],
      [up, down],
    ] as const) {
      ends.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        ends.delete(from);
        to.destroy();
      });
    }
    down.on('data', (data) => {
      isSocket ||= /^GET \/ws\?/.test(data.toString('latin1', 0, 8));
      up.write(data);
    });
    up.on('data', (data) => {
      total[isSocket ? 'socket' : 'plain'] += data.length;
      lastAt = performance.now();
      down.write(data);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on TCP
    counted: () => ({ ...total }),
    async settled() {
      lastAt = performance.now();
      while (performance.now() - lastAt < QUIET_MS) await new Promise((done) => setTimeout(done, 50));
      return { ...total };
    },
    close() {
      server.close();
      for (const end of ends) end.destroy();
    },
  };
}
