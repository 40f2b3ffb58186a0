import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../config/index.ts';

/** Who keeps a connection and does not use it for this long loses it. */
const FAREWELL_MS = 1_000;
/** After a restart thousands connect at once; who does not find a place in the kernel's line tries again a second later. */
const BACKLOG = 4_096;

/** A server that listens. */
interface Listening {
  /** `http://HOST:PORT` as it came to be, e.g. with the port that was free. */
  readonly url: string;
  /**
   * Waits for the requests under way, `graceMs` at most, and answers others until then (503 from `/readyz`); then for
   * connections that are kept alive, a second at most, so that whoever uses one is told to go by an answer and not by
   * a cut. Then takes no connection any more.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Takes the port for a server made by platform/http.
 * @throws StartError in one line when it is taken, forbidden, or the host is not ours.
 */
export async function listen(server: Server, where: { host: string; port: number }): Promise<Listening> {
  const underWay = trackRequests(server);
  const keptAlive = trackKeptAlive(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, where)));
    server.listen(where.port, where.host, BACKLOG, resolve);
  });
  const address = server.address();
  const port = address && typeof address === 'object' ? address.port : where.port;
  const host = where.host.includes(':') ? `[${where.host}]` : where.host;
  return {
    url: `http://${host}:${port}`,
    async close(graceMs) {
      const deadline = Date.now() + graceMs;
      const begun = new Set(underWay);
      for (const response of begun) announceClose(response);
      // A connection that is kept alive would wait for a next request: it ends with the present one.
      server.prependListener('request', (_request, response) => announceClose(response));
      while ([...begun].some((response) => underWay.has(response)) && Date.now() < deadline) await sleep(20);
      const farewell = Math.min(deadline, Date.now() + FAREWELL_MS);
      while (keptAlive.size > 0 && Date.now() < farewell) await sleep(20);
      server.close();
      while (underWay.size > 0 && Date.now() < deadline) await sleep(20);
      server.closeAllConnections();
    },
  };
}

/** Connections that have been answered and may be used again. Upgraded sockets are not among them. */
function trackKeptAlive(server: Server): ReadonlySet<Socket> {
  const keptAlive = new Set<Socket>();
  server.prependListener('request', ({ socket }, response) => {
    if (keptAlive.has(socket)) return;
    response.once('finish', () => {
      if (!socket.destroyed) keptAlive.add(socket);
    });
    socket.once('close', () => keptAlive.delete(socket));
  });
  return keptAlive;
}

/** The answers that are not complete yet. Upgraded sockets are not among them. */
function trackRequests(server: Server): ReadonlySet<ServerResponse> {
  const underWay = new Set<ServerResponse>();
  server.prependListener('request', (_request, response) => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
  });
  return underWay;
}

function announceClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

function explain(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): Error {
  if (error.code === 'EADDRINUSE') {
    return new StartError(`PORT ${port} on ${host} is taken: stop the program there or set PORT (0 takes a free one)`);
  }
  if (error.code === 'EACCES') return new StartError(`PORT ${port} may not be used by this user`);
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
    return new StartError(`HOST ${host} is no address of this machine`);
  }
  return error;
}
