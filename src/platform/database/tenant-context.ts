import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The one exception to "no ambient state": the ORM's pool is asked for a connection without a word about whom it is
 * for, so the tenant travels here. Set by `withScope()` alone; a connection asked for without it is refused.
 */
const tenantOfThisWork = new AsyncLocalStorage<string>();

/** Runs `work` with every ORM connection it takes bound to `tenantId` (uuid). */
export function runInTenant<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
  return tenantOfThisWork.run(tenantId, work);
}

/** The tenant of the current work; throws outside of `runInTenant`. */
export function currentTenantId(): string {
  const tenantId = tenantOfThisWork.getStore();
  if (!tenantId) throw new Error('A database connection was asked for outside of a tenant scope.');
  return tenantId;
}
