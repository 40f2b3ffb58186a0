import { CompiledQuery } from 'kysely';
import { isInTransaction, type Scope } from '../../platform/database/index.ts';
import { callAppend, type Queryable } from './append-statement.ts';
import type { AppendOutcome, NewMessage } from './stored-message.ts';

/**
 * Stores messages as part of the caller's transaction, by the same function as the batching door. The caller holds the
 * conversation's lock already, and hands what was stored to `appender.announce` after commit.
 * @returns one outcome a message, in order
 */
export async function appendInTransaction(scope: Scope, messages: readonly NewMessage[]): Promise<AppendOutcome[]> {
  if (!isInTransaction(scope)) throw new Error('appendInTransaction was called outside of a transaction.');
  const kysely = scope.em.getKysely();
  const connection: Queryable = {
    async query<R>({ text, values }: { text: string; values: unknown[] }) {
      const result = await kysely.executeQuery<R>(CompiledQuery.raw(text, values));
      return { rows: result.rows };
    },
  };
  const outcomes = await callAppend(connection, messages, true);
  return outcomes.map((outcome) => {
    if (outcome === 'busy') throw new Error('append_messages was busy although it waits');
    return outcome;
  });
}
