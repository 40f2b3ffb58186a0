import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type FaultProxy, openFaultProxy } from '../lab/proxy.ts';
import type { SocketIoSeen } from './socket-io-peer.ts';

const VERSION = '4.8.4';
const PEER = fileURLToPath(new URL('socket-io-peer.ts', import.meta.url));

/** Socket.IO with its clients behind a fault proxy, to be treated as we are. */
export interface SocketIoRun {
  readonly name: string;
  readonly proxy: FaultProxy;
  publish(room: number, number: number): void;
  seen(): Promise<readonly SocketIoSeen[]>;
  close(): Promise<void>;
}

/**
 * Puts Socket.IO into a folder of its own, which is no part of the product: comparing needs it, nothing else does.
 * @returns the folder, or null and why there is none
 */
export async function installSocketIo(): Promise<{ folder: string; why?: never } | { folder: null; why: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'safego-socket-io-'));
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  try {
    const packages = [`socket.io@${VERSION}`, `socket.io-client@${VERSION}`];
    await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...packages], {
      cwd: folder,
      timeout: 120_000,
    });
    return { folder };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return { folder: null, why: `npm could not install socket.io: ${String(error).split('\n', 1)[0]}` };
  }
}

/** Starts a server and its clients, and waits until all are connected. */
export async function openSocketIo(
  folder: string,
  { clients, rooms, recovers }: { readonly clients: number; readonly rooms: number; readonly recovers: boolean },
): Promise<SocketIoRun> {
  const server = start([folder, 'server', ...(recovers ? ['recovery'] : [])]);
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]; // see socket-io-peer.ts
  const proxy = await openFaultProxy(port);
  const crowd = start([folder, 'clients', String(proxy.port), String(clients), String(rooms)]);
  await once(crowd, 'message', { signal: AbortSignal.timeout(60_000) });
  return {
    name: recovers ? 'Socket.IO with connection state recovery' : 'Socket.IO',
    proxy,
    publish: (room, number) => void server.send({ room: `room-${room}`, number }),
    async seen() {
      crowd.send({});
      const [{ seen }] = (await once(crowd, 'message')) as [{ seen: SocketIoSeen[] }]; // see socket-io-peer.ts
      return seen;
    },
    async close() {
      const ended = [crowd, server].map((child) => once(child, 'exit'));
      for (const child of [crowd, server]) child.disconnect();
      await Promise.all(ended);
      await proxy.close();
    },
  };
}

function start(args: readonly string[]): ChildProcess {
  return fork(PEER, args, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}
