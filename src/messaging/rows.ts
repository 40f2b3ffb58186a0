import type { Kysely, RawBuilder } from 'kysely';
import type { Scope } from '../platform/database/index.ts';

/**
 * Runs a statement on the scope's connection (inside its transaction, if there is one) and gives the rows. The tenant
 * filter of the ORM does not reach here: every statement names `tenant_id` itself, besides row-level security.
 */
export async function rows<R>(scope: Scope, statement: RawBuilder<R>): Promise<R[]> {
  // the inferred table types of every entity are of no use to a statement written out in SQL
  const kysely = scope.em.getKysely() as unknown as Kysely<unknown>;
  const result = await statement.execute(kysely);
  return result.rows;
}
