import type { Scope } from '../platform/database/index.ts';
import { Forbidden } from '../platform/errors/index.ts';
import type { AuditEntry } from './types.ts';

/** One line of the log, as it is read. */
export interface AuditLine {
  /** Decimal; grows. */
  readonly id: string;
  readonly action: string;
  readonly entityType: string;
  readonly entityId: string;
  /** User id, or `system`. */
  readonly actorId: string;
  readonly metadata: AuditEntry['metadata'];
  readonly createdAt: Date;
}

/** What narrows the log; what is absent does not. Days are days of `zone`, inclusive, `YYYY-MM-DD`. */
export interface AuditFilters {
  readonly action?: string | undefined;
  readonly actorId?: string | undefined;
  readonly entityId?: string | undefined;
  readonly dateFrom?: string | undefined;
  readonly dateTo?: string | undefined;
}

interface Row {
  readonly id: string;
  readonly action: string;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly actor_id: string;
  readonly metadata: AuditEntry['metadata'];
  readonly created_at: Date;
}

const MESSAGE_SENT = 'SUPPORT_MESSAGE_SENT';

/**
 * A page of the tenant's audit log, newest first. `before` is the id of the last line seen; `next` is what to give for
 * the page after, null at the end.
 * @throws Forbidden without VIEW_AUDIT_LOG.
 */
export async function readAudit(
  scope: Scope,
  filters: AuditFilters,
  page: { readonly before?: string | undefined; readonly limit: number; readonly zone: string },
): Promise<{ lines: AuditLine[]; next: string | null }> {
  if (!scope.actor.can('VIEW_AUDIT_LOG')) throw new Forbidden();
  const { where, values } = conditions(scope, filters, page);
  const found = await scope.em.execute<Row[]>(
    `select l.id::text as id, l.action, l.entity_type, l.entity_id, l.actor_id, l.metadata, l.created_at
     from audit_log l where ${where.join(' and ')} order by l.id desc limit ?`,
    [...values, page.limit + 1],
  );
  const shown = found.slice(0, page.limit).map(lineOf);
  return { lines: shown, next: found.length > page.limit ? (shown.at(-1)?.id ?? null) : null };
}

/** Conditions and their values; only the values come from outside. */
function conditions(
  scope: Scope,
  filters: AuditFilters,
  { before, zone }: { readonly before?: string | undefined; readonly zone: string },
): { where: string[]; values: unknown[] } {
  const where = ['l.tenant_id = ?'];
  const values: unknown[] = [scope.tenant.id];
  const add = (condition: string, ...given: unknown[]) => {
    where.push(condition);
    values.push(...given);
  };
  if (before) add('l.id < ?::bigint', before);
  if (filters.action) add('l.action = ?', filters.action);
  // messages are not in the index by action: the planner must see that they are not asked for
  if (filters.action && filters.action !== MESSAGE_SENT) add(`l.action <> '${MESSAGE_SENT}'`);
  if (filters.actorId) add('l.actor_id = ?', filters.actorId);
  if (filters.entityId) add('l.entity_id = ?', filters.entityId);
  // the start of a day in the tenant's zone, summer time included, is the database's to know
  if (filters.dateFrom) {
    const start = '(?::date)::timestamp at time zone ?';
    const day = [filters.dateFrom, zone];
    add(`l.created_at >= ${start}`, ...day);
    add(`l.id >= (select audit_id_at((${start}) - interval '1 minute'))`, ...day);
  }
  if (filters.dateTo) {
    const end = '(?::date + 1)::timestamp at time zone ?';
    const day = [filters.dateTo, zone];
    add(`l.created_at < ${end}`, ...day);
    add(`l.id <= (select audit_id_at((${end}) + interval '1 minute'))`, ...day);
  }
  return { where, values };
}

function lineOf(row: Row): AuditLine {
  return {
    id: row.id,
    action: row.action,
    entityType: row.entity_type,
    entityId: row.entity_id,
    actorId: row.actor_id,
    metadata: row.metadata,
    createdAt: new Date(row.created_at),
  };
}
