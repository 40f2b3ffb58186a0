import type { Database } from '../../platform/database/index.ts';
import type { Job } from '../../platform/jobs/index.ts';
import type { Queryable } from '../messages/append-statement.ts';

/** A conversation rests when nobody has written for so long; no transaction lasts as long. */
const REST_MS = 5 * 60_000;
/** Conversations held at once, some 50 ms. */
const AT_ONCE = 50;
/** After an import there is much to do; the next run goes on. */
const RUN_MS = 10_000;

/** The timed work of the search. */
export function wordJobs(): readonly Job[] {
  return [
    {
      name: 'messaging.words',
      schedule: '*/30 * * * * *',
      run: ({ database, now }) => gatherWords(database, new Date(now.getTime() - REST_MS)),
    },
  ];
}

/**
 * Puts what was said in conversations that rest since `restedBefore` into the index of words, for all tenants.
 * Repeatable; resolves to how many conversations there were.
 */
export async function gatherWords(
  { systemPool }: Pick<Database, 'systemPool'>,
  restedBefore: Date,
): Promise<{ readonly conversations: number }> {
  const until = performance.now() + RUN_MS;
  const { rows: tenants } = await systemPool.query<{ id: string }>('select id from tenants_with_words() as id');
  let conversations = 0;
  for (const { id } of tenants) {
    if (performance.now() > until) break;
    conversations += await gatherWordsOf(systemPool, id, restedBefore, until);
  }
  return { conversations };
}

/** The same for one tenant, until all is done or, by `performance.now()`, it is time to stop. */
export async function gatherWordsOf(
  database: Queryable,
  tenantId: string,
  restedBefore: Date,
  until = Number.POSITIVE_INFINITY,
): Promise<number> {
  let conversations = 0;
  let gathered: number;
  do {
    const { rows } = await database.query<{ gathered: number }>({
      name: 'gather-words',
      text: 'select gather_words($1, $2, $3) as gathered',
      values: [tenantId, restedBefore, AT_ONCE],
    });
    gathered = rows[0]?.gathered ?? 0;
    conversations += gathered;
  } while (gathered === AT_ONCE && performance.now() < until);
  return conversations;
}
