import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';

/** More kinds of something than these are no list to choose from. */
const MAX_CHOICES = 100;

/** What reports of this tenant can be narrowed to: topics and countries that occur, '' among them for none. */
export interface ReportChoices {
  readonly topics: readonly string[];
  readonly countries: readonly string[];
}

/** Names of sums that are looked at: each step is one descent into the index. */
const MAX_STEPS = 3_000;

/** Reads the choices from the names of the sums, jumping from one to the next in their index. */
export async function readChoices(scope: Scope): Promise<ReportChoices> {
  const found = await rows(
    scope,
    sql<{ name: string; value: string }>`
      with recursive cells as (
        (select cell, 1 as nth from report_cells
         where tenant_id = ${scope.tenant.id} and grain = 'day' order by cell limit 1)
        union all
        select next.cell, cells.nth + 1 from cells cross join lateral (
          select r.cell from report_cells r
          where r.tenant_id = ${scope.tenant.id} and r.grain = 'day' and r.cell > cells.cell
          order by r.cell limit 1) next
        where cells.nth < ${MAX_STEPS})
      select one.name, cell::jsonb ->> one.name as value from cells cross join (values ('t'), ('c')) one (name)
      where cell <> '{}' and (cell::jsonb - one.name) = '{}'::jsonb`,
  );
  const of = (wanted: string) =>
    found
      .filter(({ name }) => name === wanted)
      .map(({ value }) => value)
      .sort()
      .slice(0, MAX_CHOICES);
  return { topics: of('t'), countries: of('c') };
}
