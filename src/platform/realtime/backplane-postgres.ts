import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../database/index.ts';
import { type Line, openHintLine } from './hint-line.ts';
import type { Backplane } from './room.ts';

const CHANNEL = 'safego_support_hints';
/** PostgreSQL takes 8,000 bytes a notification. */
const MAX_PAYLOAD_BYTES = 7_600;

/** Hints over LISTEN/NOTIFY: one connection of its own a process. */
export function openPostgresBackplane({
  connection,
  log,
  node,
}: {
  /** As the app's pools connect. */
  readonly connection: pg.ClientConfig;
  readonly log: Log;
  /** This process among the nodes. */
  readonly node?: string;
}): Backplane {
  async function connect(heard: (payload: string) => void): Promise<Line> {
    const client = new pg.Client({ ...connection, keepAlive: true });
    client.on('error', () => {});
    const ended = new Promise<void>((done) => void client.once('end', () => done()));
    try {
      await client.connect();
      client.on('notification', ({ payload }) => heard(payload ?? ''));
      // every notification is a transaction with an id, whose commit would wait for the disk; hints may be lost
      await client.query('set synchronous_commit = off');
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      destroy(client);
      throw error;
    }
    return {
      ended,
      async send(payload) {
        await client.query({ name: 'notify', text: 'select pg_notify($1, $2)', values: [CHANNEL, payload] });
      },
      async close(how) {
        // a dead line does not answer a polite end
        if (how === 'politely') await Promise.race([client.end().catch(() => {}), sleep(200)]);
        else destroy(client);
      },
    };
  }

  return openHintLine({ connect, maxPayloadBytes: MAX_PAYLOAD_BYTES, log, ...(node ? { node } : {}) });
}

function destroy(client: pg.Client): void {
  // pg has no way to drop a connection that does not answer; the stream is what it calls its socket
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}
