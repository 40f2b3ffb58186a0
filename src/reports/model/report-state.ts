import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';

/** First key of the advisory lock under which a tenant's model is written; deleting takes it too (migration 55). */
const MODEL_LOCK = 7259;

/**
 * Looked at again besides what the transactions under way may still bring: a conversation without a message has its
 * time from a node's clock, and those may differ by ten minutes.
 */
export const CLOCKS_MAY_DIFFER = '15 minutes';

/** Held until the end of the surrounding transaction; taken before anything is read. */
export async function lockModel(scope: Scope): Promise<void> {
  await rows(scope, sql`select pg_advisory_xact_lock(${MODEL_LOCK}, hashtext(${scope.tenant.id}::text))`);
}

/** How far a tenant's reports are. */
export interface ReportState {
  /** Everything that happened before this is counted; null while they are made for the first time. */
  readonly asOf: Date | null;
  /** Facts are being made anew because zone or opening hours have changed. */
  readonly isRefolding: boolean;
  /** Days that are read from their facts, because their sums are older. */
  readonly dirtyDays: number;
}

/** How far this tenant's reports are. */
export async function readReportState(scope: Scope): Promise<ReportState> {
  const [state] = await rows(
    scope,
    sql<{ asOf: Date | string | null; isRefolding: boolean; dirtyDays: number }>`
      select s.as_of as "asOf", s.refold_after is not null as "isRefolding",
        (select count(*)::int from (
          select from report_dirty_days d where d.tenant_id = s.tenant_id limit 1000) dirty) as "dirtyDays"
      from report_states s where s.tenant_id = ${scope.tenant.id}`,
  );
  if (!state) return { asOf: null, isRefolding: false, dirtyDays: 0 };
  return { ...state, asOf: state.asOf === null ? null : new Date(state.asOf) };
}
