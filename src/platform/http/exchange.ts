import type { Context } from 'koa';
import type { Door } from './route-table.ts';

/** What the middlewares know of one request while it runs. */
export interface Exchange {
  readonly id: string;
  readonly startedAt: number;
  /** The door it came to, once found. */
  door: Door | null;
  /** Name for logs and metrics: the route's, or `asset`, `none`. */
  name: string;
  /** Other sites' origins that may show the answer in a frame. */
  frameOrigins: readonly string[];
  /** The same where the answer is for a frame; null in a window of its own. */
  frame: readonly string[] | null;
  /** The language that whoever asks has chosen, once they are known. */
  locale: string | null;
}

/** Request ids: a prefix of this process and a number, unique enough to find a line in a log. */
export function createRequestIds(prefix: string): () => string {
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}

/** Begins the record of one request; later stages fill it in (`exchangeOf`). */
export function beginExchange(ctx: Context, id: string): Exchange {
  const exchange: Exchange = {
    id,
    startedAt: performance.now(),
    door: null,
    name: 'none',
    frameOrigins: [],
    frame: null,
    locale: null,
  };
  ctx.state['exchange'] = exchange;
  return exchange;
}

/** Begun by the first middleware, so every other one finds it. */
export function exchangeOf(ctx: Context): Exchange {
  return ctx.state['exchange'];
}
