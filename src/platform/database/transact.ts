import type { EntityManager } from '@mikro-orm/postgresql';
import type { Actor, DomainEvent, Scope } from './scope.ts';

/** A scope that is inside a transaction keeps its events until the outermost commit. */
interface TransactionScope {
  readonly pending: DomainEvent[];
}

const inTransaction = new WeakMap<EntityManager, TransactionScope>();

/**
 * Runs `work` in one transaction and tells listeners its events after commit. Inside another `transact()` it joins
 * that transaction, so a use case can call another and still commit once. Rolled back: no event is told.
 * Nothing outside the database may be awaited inside.
 */
export async function transact<A extends Actor, T>(scope: Scope<A>, work: (scope: Scope<A>) => Promise<T>): Promise<T> {
  if (inTransaction.has(scope.em)) return work(scope);
  const pending: DomainEvent[] = [];
  const result = await scope.em.transactional(
    async (em) => {
      inTransaction.set(em, { pending });
      return work({ ...scope, em, emit: (event) => void pending.push(event) });
    },
    { propagation: 'required' },
  );
  for (const event of pending) scope.emit(event);
  return result;
}

/** True inside `transact()`; the batching door of `appendMessages` refuses to be awaited there. */
export function isInTransaction(scope: Scope): boolean {
  return inTransaction.has(scope.em);
}
