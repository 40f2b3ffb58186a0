import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { lockModel } from './report-state.ts';

/** How many sums were made. */
export interface Refreshed {
  readonly days: number;
  readonly months: number;
  readonly years: number;
}

/** A day of very many conversations takes a second by itself. */
const DAYS_AT_ONCE = 1;
/** Names whose sums one statement adds up: what it may take is bounded, however many there are. */
const NAMES_AT_ONCE = 16;

/** Adds up the days that facts have changed in, and the whole months and years that can be added up then. */
export async function refreshSums(scope: Scope): Promise<Refreshed> {
  let days = 0;
  for (;;) {
    const refreshed = await transact(scope, async (inside) => {
      await lockModel(inside);
      const dirty = await rows(
        inside,
        sql<{ day: string }>`
          select day::text from report_dirty_days where tenant_id = ${inside.tenant.id} order by day limit ${DAYS_AT_ONCE}`,
      );
      if (dirty.length > 0) {
        await rows(
          inside,
          sql`select report_refresh_days(${inside.tenant.id}, ${dirty.map(({ day }) => day)}::date[])`,
        );
      }
      return dirty.length;
    });
    days += refreshed;
    if (refreshed < DAYS_AT_ONCE) break;
  }
  const months = await refreshSpans(scope, 'month');
  return { days, months, years: await refreshSpans(scope, 'year') };
}

/** Months, or years, that are over, have days and no sum of their own. A year follows its months. */
async function refreshSpans(scope: Scope, grain: 'month' | 'year'): Promise<number> {
  const missing = await rows(
    scope,
    sql<{ start: string }>`
      select distinct date_trunc(${grain}, d.start)::date::text as start from report_cells d
      where d.tenant_id = ${scope.tenant.id} and d.grain = 'day' and d.cell = '{}'
        and d.start < date_trunc(${grain}, now() - interval '1 day')::date
        and not exists (
          select from report_cells m where m.tenant_id = d.tenant_id and m.grain = ${grain} and m.cell = '{}'
            and m.start = date_trunc(${grain}, d.start)::date)`,
  );
  for (const { start } of missing) {
    await transact(scope, async (inside) => {
      await lockModel(inside);
      await refreshSpan(inside, grain, start);
    });
  }
  return missing.length;
}

async function refreshSpan(scope: Scope, grain: 'month' | 'year', start: string): Promise<void> {
  const tenantId = scope.tenant.id;
  const [span] = await rows(
    scope,
    sql<{ isClean: boolean }>`select report_begin_span(${tenantId}, ${grain}, ${start}::date) as "isClean"`,
  );
  if (!span?.isClean) return;
  const part = grain === 'year' ? 'month' : 'day';
  for (const [table, column, fill] of [
    ['report_cells', 'cell', 'report_fill_cells'],
    ['report_agent_cells', 'agent', 'report_fill_agents'],
  ] as const) {
    const found = await rows(
      scope,
      sql<{ name: string }>`
        select distinct d.${sql.ref(column)} as name from ${sql.table(table)} d
        where d.tenant_id = ${tenantId} and d.grain = ${part} and d.start >= ${start}::date
          and d.start < ${start}::date + ('1 ' || ${grain}::text)::interval`,
    );
    for (let at = 0; at < found.length; at += NAMES_AT_ONCE) {
      const names = found.slice(at, at + NAMES_AT_ONCE).map(({ name }) => name);
      await rows(scope, sql`select ${sql.ref(fill)}(${tenantId}, ${grain}, ${start}::date, ${names}::text[])`);
    }
  }
}
