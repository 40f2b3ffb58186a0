/**
 * Socket.IO beside us, from a folder where npm put it: `socket-io-peer.ts <folder> server [recovery]` says its port, takes
 * `{room, number}` from its parent and emits it; `socket-io-peer.ts <folder> clients <port> <clients> <rooms>` listens with
 * every setting as it comes, and tells what each client got. Ends with its parent.
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** What is used of the package `socket.io`. */
interface ServerPackage {
  Server: new (
    http: ReturnType<typeof createServer>,
    options: object,
  ) => {
    on(
      event: 'connection',
      take: (socket: { handshake: { auth: { room: string } }; join(room: string): void }) => void,
    ): void;
    to(room: string): { emit(event: string, number: number): void };
  };
}

/** What is used of the package `socket.io-client`. */
interface ClientPackage {
  io(
    url: string,
    options: object,
  ): { on(event: 'message', take: (number: number) => void): void; on(event: 'connect', take: () => void): void };
}

/** What one client saw. */
export interface SocketIoSeen {
  readonly got: number;
  readonly twice: number;
  readonly outOfOrder: number;
  readonly connects: number;
}

const [folder = '', mode, ...rest] = process.argv.slice(2);
const load = createRequire(join(folder, 'package.json'));
process.on('disconnect', () => process.exit(0));
if (mode === 'server') serve(rest[0] === 'recovery');
else listen(Number(rest[0]), Number(rest[1]), Number(rest[2]));

function serve(recovers: boolean): void {
  // the package as npm has it
  const { Server } = load('socket.io') as ServerPackage;
  const http = createServer();
  const io = new Server(http, recovers ? { connectionStateRecovery: {} } : {});
  io.on('connection', (socket) => socket.join(socket.handshake.auth.room));
  process.on('message', ({ room, number }: { room: string; number: number }) => io.to(room).emit('message', number));
  // it listens on TCP
  http.listen(0, '127.0.0.1', 4_096, () => process.send?.({ port: (http.address() as AddressInfo).port }));
}

function listen(port: number, clients: number, rooms: number): void {
  // the package as npm has it
  const { io } = load('socket.io-client') as ClientPackage;
  const seen: (SocketIoSeen & { all: Set<number>; last: number })[] = [];
  let connected = 0;
  for (let at = 0; at < clients; at++) {
    const one = { got: 0, twice: 0, outOfOrder: 0, connects: 0, all: new Set<number>(), last: 0 };
    seen.push(one);
    setTimeout(() => {
      const socket = io(`http://127.0.0.1:${port}`, { forceNew: true, auth: { room: `room-${at % rooms}` } });
      socket.on('connect', () => {
        one.connects += 1;
        if (one.connects > 1) return;
        connected += 1;
        if (connected === clients) process.send?.({ ready: true });
      });
      socket.on('message', (number) => {
        if (one.all.has(number)) one.twice += 1;
        else one.got += 1;
        if (number < one.last) one.outOfOrder += 1;
        one.all.add(number);
        one.last = number;
      });
    }, at * 4);
  }
  process.on('message', () =>
    process.send?.({
      seen: seen.map(({ got, twice, outOfOrder, connects }) => ({ got, twice, outOfOrder, connects })),
    }),
  );
}
