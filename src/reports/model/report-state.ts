import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';

/** First key of the advisory lock under which a tenant's model is written; deleting takes it too (migration 55). */
const MODEL_LOCK = 7259;

/** Held until the end of the surrounding transaction; taken before anything is read. */
export async function lockModel(scope: Scope): Promise<void> {
  await rows(scope, sql`select pg_advisory_xact_lock(${MODEL_LOCK}, hashtext(${scope.tenant.id}::text))`);
}
