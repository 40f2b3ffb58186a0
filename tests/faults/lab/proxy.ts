import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `up`: from who connected to the server behind; `down`: back. */
export type Direction = 'up' | 'down';

/** What is done to the bytes of one direction. Everything absent: they pass. */
export interface Toxics {
  /** Each chunk arrives this much later, order kept. */
  latencyMs?: number;
  /** Up to so much more, drawn for each chunk. */
  jitterMs?: number;
  bytesPerSecond?: number;
  /** Chunks are cut into pieces of this size. */
  sliceBytes?: number;
  /** Bytes are taken and thrown away; nobody is told. */
  isBlackHole?: boolean;
  /** Bytes are not read any more, so the sender's buffers fill. */
  isPaused?: boolean;
  /** After so many more bytes of a connection both ends are reset. */
  cutAfterBytes?: number;
}

/** Sees a chunk before it passes; `link` is the same for all chunks of a connection. True resets the connection. */
export type Watcher = (direction: Direction, chunk: Buffer, link: number) => boolean;

/** A TCP proxy that can be made to misbehave. */
export interface FaultProxy {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: number;
  /** How many were ever taken. */
  readonly taken: number;
  /** Bytes that arrived at the proxy, by direction. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Where new connections lead. */
  upstream: number;
  /** New connections: `pass`, `refuse` (reset at once), or `ignore` (taken, never answered). */
  door: 'pass' | 'refuse' | 'ignore';
  /** For present and new connections; replaces what was set. `only` limits it to what it picks of the open ones. */
  poison(direction: Direction, toxics: Toxics, only?: (link: number) => boolean): void;
  /** Both directions swallowed without a word, on open and new connections. */
  blackHole(): void;
  heal(): void;
  /** Resets (RST) every open connection, or those that `only` picks. Returns how many. */
  reset(only?: (link: number) => boolean): number;
  /** Ends every open connection politely (FIN). */
  halfClose(direction: Direction): void;
  watch(watcher: Watcher | null): void;
  close(): Promise<void>;
}

interface Pipe {
  readonly link: number;
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  toxics: Toxics;
  passed: number;
  /** Chunks on their way, so that order holds whatever each waits. */
  line: Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly pipes: Record<Direction, Pipe>;
}

/** Listens on a free port of 127.0.0.1. `random` draws the jitter. */
export async function openFaultProxy(upstream: number, random: () => number = Math.random): Promise<FaultProxy> {
  const links = new Set<Link>();
  const ignored = new Set<Socket>();
  let future: Record<Direction, Toxics> = { up: {}, down: {} };
  let watcher: Watcher | null = null;
  let taken = 0;
  const bytes = { up: 0, down: 0 };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    taken += 1;
    client.on('error', () => {});
    if (proxy.door === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    if (proxy.door === 'ignore') {
      ignored.add(client);
      client.on('data', () => {});
      client.once('close', () => ignored.delete(client));
      return;
    }
    const target = connect({ port: proxy.upstream, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    target.on('error', () => {});
    const link: Link = {
      client,
      server: target,
      pipes: {
        up: pipe('up', client, target, future.up),
        down: pipe('down', target, client, future.down),
      },
    };
    links.add(link);
    for (const socket of [client, target]) socket.once('close', (hadError) => gone(link, hadError));
  });

  function pipe(direction: Direction, from: Socket, to: Socket, toxics: Toxics): Pipe {
    const made: Pipe = { link: taken, direction, from, to, toxics: { ...toxics }, passed: 0, line: Promise.resolve() };
    if (toxics.isPaused) from.pause();
    from.on('data', (chunk: Buffer) => arrived(made, chunk));
    from.on('end', () => {
      if (made.toxics.isBlackHole) {
        // nobody is told, but this end is over
        from.destroy();
        return;
      }
      made.line = made.line.then(() => void to.end());
    });
    return made;
  }

  function arrived(made: Pipe, chunk: Buffer): void {
    const { toxics, direction, from, to } = made;
    bytes[direction] += chunk.length;
    if (watcher?.(direction, chunk, made.link)) {
      resetPair(from, to);
      return;
    }
    if (toxics.isBlackHole) return;
    const isPlain =
      !toxics.latencyMs &&
      !toxics.jitterMs &&
      !toxics.bytesPerSecond &&
      !toxics.sliceBytes &&
      toxics.cutAfterBytes === undefined;
    if (isPlain) {
      made.line = made.line.then(() => pass(made, chunk));
      return;
    }
    const wait = (toxics.latencyMs ?? 0) + random() * (toxics.jitterMs ?? 0);
    const due = performance.now() + wait;
    made.line = made.line.then(async () => {
      const left = due - performance.now();
      if (left > 0) await sleep(left);
      const size = toxics.sliceBytes ?? chunk.length;
      for (let at = 0; at < chunk.length; at += size) {
        let piece = chunk.subarray(at, at + size);
        const budget = toxics.cutAfterBytes === undefined ? piece.length : toxics.cutAfterBytes - made.passed;
        if (budget < piece.length) {
          piece = piece.subarray(0, Math.max(0, budget));
          if (piece.length > 0) to.write(piece);
          // what was let through gets out before the reset
          await sleep(1);
          return resetPair(from, to);
        }
        made.passed += piece.length;
        pass(made, piece);
        if (toxics.bytesPerSecond) await sleep((piece.length * 1_000) / toxics.bytesPerSecond);
        else if (size < chunk.length) await sleep(0);
      }
    });
  }

  function pass({ from, to, toxics }: Pipe, chunk: Buffer): void {
    if (to.destroyed || toxics.isBlackHole) return;
    // pieces that were on their way when it was paused come here still
    if (to.write(chunk) || to.listenerCount('drain') > 0) return;
    from.pause();
    to.once('drain', () => {
      if (!toxics.isPaused) from.resume();
    });
  }

  function resetPair(one: Socket, other: Socket): void {
    for (const socket of [one, other]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  function gone(link: Link, hadError: boolean): void {
    if (!links.delete(link)) return;
    const isSwallowed = link.pipes.up.toxics.isBlackHole || link.pipes.down.toxics.isBlackHole;
    // a black hole does not tell the other end that somebody left
    if (isSwallowed) {
      ignored.add(link.client).add(link.server);
      return;
    }
    if (hadError) resetPair(link.client, link.server);
    else setTimeout(() => resetPair(link.client, link.server), 200).unref();
  }

  // thousands may come at once
  server.listen(0, '127.0.0.1', 4_096);
  await once(server, 'listening');
  const proxy: FaultProxy = {
    // it listens on TCP
    port: (server.address() as AddressInfo).port,
    upstream,
    door: 'pass',
    get open() {
      return links.size;
    },
    get taken() {
      return taken;
    },
    bytes,
    poison(direction, toxics, only) {
      if (!only) future = { ...future, [direction]: toxics };
      for (const link of links) {
        const made = link.pipes[direction];
        if (only && !only(made.link)) continue;
        // kept as one object, so that what waits in the line sees it too
        for (const key of Object.keys(made.toxics)) delete made.toxics[key as keyof Toxics];
        Object.assign(made.toxics, toxics);
        made.passed = 0;
        if (toxics.isPaused) made.from.pause();
        else made.from.resume();
      }
    },
    blackHole() {
      proxy.poison('up', { isBlackHole: true });
      proxy.poison('down', { isBlackHole: true });
    },
    heal() {
      proxy.door = 'pass';
      proxy.poison('up', {});
      proxy.poison('down', {});
    },
    reset(only) {
      const hit = [...links].filter(({ pipes }) => !only || only(pipes.up.link));
      for (const { client, server: target } of hit) resetPair(client, target);
      return hit.length;
    },
    halfClose(direction) {
      for (const { pipes } of links) pipes[direction].to.end();
    },
    watch(next) {
      watcher = next;
    },
    async close() {
      server.close();
      for (const { client, server: target } of links) resetPair(client, target);
      for (const socket of ignored) socket.destroy();
      links.clear();
    },
  };
  return proxy;
}
