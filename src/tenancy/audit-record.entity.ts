import { defineEntity, p } from '@mikro-orm/postgresql';
import { tenantFilter } from '../platform/database/index.ts';
import type { AuditEntry } from './types.ts';

const AuditRecordSchema = defineEntity({
  name: 'AuditRecord',
  tableName: 'audit_log',
  filters: tenantFilter,
  properties: {
    id: p.bigint().primary().autoincrement(),
    tenantId: p.uuid(),
    action: p.text().$type<AuditEntry['action']>(),
    entityType: p.text(),
    entityId: p.text(),
    /** User id, or `system`. */
    actorId: p.text(),
    metadata: p.json().$type<AuditEntry['metadata']>(),
    createdAt: p.datetime().defaultRaw('clock_timestamp()'),
  },
});

/** One line of the audit log. The app's role may read and append, never change or remove. */
export class AuditRecord extends AuditRecordSchema.class {}
AuditRecordSchema.setClass(AuditRecord);
