import type { RedisOptions } from 'ioredis';
import type { Log } from '../database/index.ts';
import { type Line, openHintLine } from './hint-line.ts';
import type { Backplane } from './room.ts';

const CHANNEL = 'safego-support:hints';
/** Redis would take more; a batch this long is a millisecond of parsing already. */
const MAX_PAYLOAD_BYTES = 32_000;
const CONNECT_TIMEOUT_MS = 3_000;

/** Whoever keeps the line opens it anew, so that it knows what was lost; the client must not do it behind its back. */
const OPTIONS: RedisOptions = {
  lazyConnect: true,
  retryStrategy: () => null,
  reconnectOnError: () => false,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  keepAlive: 10_000,
};

/**
 * Hints over Redis: one connection a process to listen, one to speak. Nothing is kept in Redis: like over PostgreSQL,
 * what is lost is found by the next sweep.
 */
export function openRedisBackplane({
  url,
  log,
  node,
}: {
  readonly url: string;
  readonly log: Log;
  /** This process among the nodes. */
  readonly node?: string;
}): Backplane {
  async function connect(heard: (payload: string) => void): Promise<Line> {
    // 5 MB, for those who have a Redis
    const { Redis } = await import('ioredis');
    const ears = new Redis(url, OPTIONS);
    const mouth = new Redis(url, OPTIONS);
    const clients = [ears, mouth];
    const ended = new Promise<void>((done) => {
      for (const client of clients) {
        client.on('error', () => {});
        client.once('end', () => done());
      }
    });
    try {
      await Promise.all(clients.map((client) => client.connect()));
      ears.on('message', (_channel, payload) => heard(payload));
      await ears.subscribe(CHANNEL);
    } catch (error) {
      for (const client of clients) client.disconnect();
      throw error;
    }
    return {
      ended,
      async send(payload) {
        await mouth.publish(CHANNEL, payload);
      },
      async close() {
        for (const client of clients) client.disconnect();
      },
    };
  }

  return openHintLine({ connect, maxPayloadBytes: MAX_PAYLOAD_BYTES, log, ...(node ? { node } : {}) });
}
