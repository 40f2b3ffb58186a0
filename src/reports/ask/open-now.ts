import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { narrowed, type ReportFilter } from './filter.ts';

/** Ages of open conversations: the name, and from how many hours on. */
export const AGES = [
  { name: 'hour', fromHours: 0 },
  { name: 'hours4', fromHours: 1 },
  { name: 'day', fromHours: 4 },
  { name: 'days3', fromHours: 24 },
  { name: 'week', fromHours: 72 },
  { name: 'older', fromHours: 168 },
] as const;
export type Age = (typeof AGES)[number]['name'];

/** What is open, whatever the period. */
export interface OpenNow {
  readonly open: number;
  /** Users who wait for an answer. */
  readonly waiting: number;
  readonly ages: readonly { readonly name: Age; readonly count: number }[];
}

/** When a conversation of that age was opened, at `now`: after the first, not after the second. */
export function openedWithin(age: Age, now: Date): { after: Date | null; until: Date } {
  const at = AGES.findIndex(({ name }) => name === age);
  const before = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
  const next = AGES[at + 1];
  return { after: next ? before(next.fromHours) : null, until: before(AGES[at]?.fromHours ?? 0) };
}

/** Counts open conversations by their age at `scope.now`. */
export async function readOpenNow(scope: Scope, filter: ReportFilter): Promise<OpenNow> {
  const [row] = await rows(
    scope,
    sql<{ waiting: number; ages: number[] }>`
      select count(*) filter (where f.waiting_since is not null)::int as waiting, array[${sql.join(
        AGES.map(({ name }) => {
          const { after, until } = openedWithin(name, scope.now);
          // a clock that runs ahead must not hide anything
          const upper = name === 'hour' ? sql`true` : sql`f.opened_at <= ${until}`;
          return sql`count(*) filter (where ${upper} and (${after}::timestamptz is null or f.opened_at > ${after}::timestamptz))::int`;
        }),
      )}] as ages
      from report_conversations f
      where f.tenant_id = ${scope.tenant.id} and f.closed_at is null ${narrowed(filter, 'f')}`,
  );
  const ages = AGES.map(({ name }, at) => ({ name, count: row?.ages[at] ?? 0 }));
  return { open: ages.reduce((sum, { count }) => sum + count, 0), waiting: row?.waiting ?? 0, ages };
}
