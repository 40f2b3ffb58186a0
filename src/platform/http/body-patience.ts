import type { Context } from 'koa';
import { hasBody } from './body.ts';
import type { Exchange } from './exchange.ts';

/** How long is waited for bodies. */
export interface BodyPatience {
  /** A body that is no file is here by then. */
  readonly bodyMs: number;
  /** A file may take its time as long as it goes on: at least so much in each window (T-AT8), and not for ever. */
  readonly windowMs: number;
  readonly leastBytesAWindow: number;
}

const PATIENCE: BodyPatience = { bodyMs: 30_000, windowMs: 60_000, leastBytesAWindow: 8 * 1024 };
/** Longest time of one request with a file. */
export const LONGEST_BODY_MS = 15 * 60_000;

/**
 * Ends requests whose body does not come. Node knows one limit for the whole of a request; a file on a slow line needs
 * another than a message. Call when the request begins; gives a function that says it is answered.
 */
export function watchBody(ctx: Context, exchange: Exchange, patience: BodyPatience = PATIENCE): () => void {
  const { bodyMs, windowMs, leastBytesAWindow } = patience;
  const { req, res } = ctx;
  if (!hasBody(req) || req.complete) return () => {};
  const { socket } = req;
  let seen = socket.bytesRead;
  let timer = setTimeout(() => look(bodyMs), bodyMs);

  function look(elapsedMs: number): void {
    if (req.complete || socket.destroyed) return;
    // what is here and was not read waits for us, not we for it
    const isOurTurn = req.readableLength > 0;
    const isGoingOn = isOurTurn || socket.bytesRead - seen >= leastBytesAWindow || elapsedMs === bodyMs;
    if (!takesFiles(ctx, exchange) || !isGoingOn || elapsedMs >= LONGEST_BODY_MS) {
      if (!res.headersSent)
        socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      socket.destroySoon();
      return;
    }
    seen = socket.bytesRead;
    timer = setTimeout(() => look(elapsedMs + windowMs), windowMs);
    timer.unref();
  }

  timer.unref();
  // what is still on its way after the answer has the rest of its time
  return () => void (req.complete && clearTimeout(timer));
}

function takesFiles({ req }: Context, { door }: Exchange): boolean {
  if (!door) return false;
  if (door.bodyKind === 'multipart' || door.bodyKind === 'bytes') return true;
  return door.route.takesFiles === true && (req.headers['content-type'] ?? '').startsWith('multipart/');
}
