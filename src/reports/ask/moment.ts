import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';

/** No report may hold a connection for longer, whatever is asked. */
const MAX_MS = 4_000;

/** Everything that `work` reads is of one moment, so that card, table and chart agree; nothing is written. */
export async function atOneMoment<T>(scope: Scope, work: (scope: Scope) => Promise<T>): Promise<T> {
  return transact(scope, async (inside) => {
    await rows(inside, sql`set transaction isolation level repeatable read, read only`);
    await rows(inside, sql`select set_config('statement_timeout', ${String(MAX_MS)}, true)`);
    return work(inside);
  });
}
