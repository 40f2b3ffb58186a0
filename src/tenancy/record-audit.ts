import type { Actor, Database, Log, Scope, TenantRef } from '../platform/database/index.ts';
import { AuditRecord } from './audit-record.entity.ts';
import type { AuditEntry } from './types.ts';

/**
 * Adds a line to the audit log with the scope's actor. Written by the flush of the surrounding transaction, so it
 * stands or falls with the change it tells of. Ids only: never text, names, emails, phone numbers, URLs or tokens.
 */
export function recordAudit(scope: Scope, entry: AuditEntry): void {
  const record = scope.em.create(AuditRecord, {
    tenantId: scope.tenant.id,
    action: entry.action,
    entityType: entry.entityType,
    entityId: entry.entityId,
    actorId: scope.actor.id,
    metadata: { ...entry.metadata },
  });
  scope.em.persist(record);
}

/** What was refused: the door (`route` or room name pattern, never a URL) and the code of the refusal. */
export interface Refusal {
  readonly door: string;
  readonly code: string;
}

/**
 * Records that somebody signed in was refused (`SUPPORT_ACCESS_REFUSED`), in a transaction of its own: what was
 * refused has rolled back. Never throws; a refusal must not become an error because it could not be written down.
 */
export async function recordRefusal(
  database: Database,
  log: Log,
  tenant: TenantRef,
  actor: Actor,
  refusal: Refusal,
): Promise<void> {
  try {
    await database.withScope(tenant, actor, async (scope) => {
      recordAudit(scope, {
        action: 'SUPPORT_ACCESS_REFUSED',
        entityType: 'door',
        entityId: refusal.door.slice(0, 200),
        metadata: { code: refusal.code },
      });
      await scope.em.flush();
    });
  } catch (error) {
    log.error({ err: error, door: refusal.door }, 'a refused access could not be recorded');
  }
}
