import pg from 'pg';
import { StartError } from '../config/index.ts';

/** The oldest PostgreSQL that we run on, as `server_version_num` says it. */
const OLDEST_VERSION = 150_000;

const CONNECT_TIMEOUT_MS = 5_000;

/** Which environment variable names which connection. */
export interface NamedUrl {
  variable: 'DATABASE_URL' | 'MIGRATE_DATABASE_URL';
  url: string;
}

/**
 * Sees to it that a database that we were given can be reached and is new enough, before anything else is tried on it.
 * @throws StartError in one line that names the variable and never the password.
 */
export async function tryExternalPostgres({ variable, url }: NamedUrl): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ number: number; name: string }>(
      `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
    );
    const version = rows[0];
    if (version && version.number < OLDEST_VERSION) {
      throw new StartError(`${variable}: PostgreSQL 15 or newer is needed, this is ${version.name}`);
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${variable}: the database ${place(client)} cannot be reached: ${reason(error)}`);
  } finally {
    await client.end().catch(() => {});
  }
}

function place(client: pg.Client): string {
  return `${client.host}:${client.port}/${client.database ?? ''}`;
}

/** The first line of what went wrong; several addresses that failed alike come as one error without a message. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return reason(error.errors[0]);
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
}
