import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import type { ReportFilter } from '../ask/filter.ts';

/** Reports that can be kept. */
export const KEPT_REPORTS = ['overview', 'agents', 'conversations'] as const;
export type KeptReport = (typeof KEPT_REPORTS)[number];

/** Characters of a view's name. */
export const MAX_VIEW_NAME = 80;
/** Views of one person. */
const MAX_VIEWS = 50;
/** Views that a list shows: one's own and those that colleagues share. */
const MAX_LISTED = 200;

/** What is kept: where, what is asked there, and for whom. */
export interface NewReportView {
  readonly name: string;
  readonly report: KeptReport;
  /** Query string without `?`, made by the page that is kept. */
  readonly query: string;
  /** What of it narrows the numbers of a mail. */
  readonly filter: ReportFilter;
  /** Seen by everybody who may view reports. */
  readonly isShared: boolean;
  /** Mailed to its owner on Mondays; the overview only. */
  readonly isWeekly: boolean;
}

/** A kept report as lists show it. */
export interface ReportView extends Omit<NewReportView, 'filter'> {
  readonly id: string;
  readonly isOwn: boolean;
  readonly ownerName: string;
}

/**
 * One's own views and those that colleagues share, by name.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS.
 */
export async function listReportViews(scope: Scope<Person>): Promise<ReportView[]> {
  refuseOthers(scope);
  return rows(
    scope,
    sql<ReportView>`
      select v.id, v.name, v.report, v.query, v.is_shared as "isShared", v.is_weekly as "isWeekly",
        v.owner_id = ${scope.actor.id} as "isOwn", u.name as "ownerName"
      from report_views v join users u on u.id = v.owner_id and u.tenant_id = v.tenant_id
      where v.tenant_id = ${scope.tenant.id} and (v.owner_id = ${scope.actor.id} or v.is_shared)
      order by lower(v.name), v.id limit ${MAX_LISTED}`,
  );
}

/**
 * Keeps a report under a name; the same name again takes the place of the first.
 * @param zone the tenant's: its weeks are counted
 * @returns its id
 * @throws Forbidden without VIEW_SUPPORT_REPORTS; Invalid `name`; Conflict `too_many_views`.
 */
export async function saveReportView(scope: Scope<Person>, view: NewReportView, zone: string): Promise<string> {
  refuseOthers(scope);
  const name = view.name.normalize('NFC').replaceAll(/\s+/g, ' ').trim();
  if (name === '') throw new Invalid({ name: 'required' });
  if (name.length > MAX_VIEW_NAME) throw new Invalid({ name: 'too_long' });
  if (/\p{Cc}/u.test(name) || !name.isWellFormed()) throw new Invalid({ name: 'invalid' });
  const { report, query, isShared } = view;
  const isWeekly = view.isWeekly && report === 'overview';
  return transact(scope, async (inside) => {
    const { actor, tenant, now } = inside;
    // so that two saves at once cannot both be the fiftieth
    await rows(inside, sql`select pg_advisory_xact_lock(hashtextextended(${`report-views:${actor.id}`}, 0))`);
    const [others] = await rows(
      inside,
      sql<{ count: number }>`
        select count(*)::integer as count from report_views
        where tenant_id = ${tenant.id} and owner_id = ${actor.id} and lower(name) <> lower(${name})`,
    );
    if ((others?.count ?? 0) >= MAX_VIEWS) {
      throw new Conflict('too_many_views', `You keep ${MAX_VIEWS} reports already. Delete one first.`);
    }
    const [kept] = await rows(
      inside,
      sql<{ id: string }>`
        insert into report_views (id, tenant_id, owner_id, name, report, query, filter, is_shared, is_weekly, mailed_week,
          created_at)
        values (${newId()}, ${tenant.id}, ${actor.id}, ${name}, ${report}, ${query}, ${JSON.stringify(view.filter)}::jsonb,
          ${isShared}, ${isWeekly}, date_trunc('week', ${now}::timestamptz at time zone ${zone})::date, ${now})
        on conflict (tenant_id, owner_id, lower(name)) do update set name = excluded.name, report = excluded.report,
          query = excluded.query, filter = excluded.filter, is_shared = excluded.is_shared, is_weekly = excluded.is_weekly,
          -- who asks for it now gets it next Monday
          mailed_week = case when report_views.is_weekly then report_views.mailed_week else excluded.mailed_week end
        returning id`,
    );
    return kept?.id ?? '';
  });
}

/**
 * Forgets one's own view.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS; NotFound when it is not there, or a colleague's.
 */
export async function deleteReportView(scope: Scope<Person>, id: string): Promise<void> {
  refuseOthers(scope);
  const gone = await rows(
    scope,
    sql`
      delete from report_views
      where id = ${id} and tenant_id = ${scope.tenant.id} and owner_id = ${scope.actor.id} returning id`,
  );
  if (gone.length === 0) throw new NotFound();
}

function refuseOthers(scope: Scope<Person>): void {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
}
