import { sql } from 'kysely';
import { z } from 'zod';
import { type Person, readCapabilities, User } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import { type Database, type Log, type Scope, transact } from '../../platform/database/index.ts';
import type { Delivery, DurableQueue, Effect, Job } from '../../platform/jobs/index.ts';
import { type Mail, type MailTransport, UnsafeMail } from '../../platform/outbound/index.ts';
import { intlLocale, newId } from '../../platform/text/index.ts';
import { preferredLanguage, type Views } from '../../platform/views/index.ts';
import { systemActor, type Tenancy, type TenantInfo } from '../../tenancy/index.ts';
import type { ReportFilter } from '../ask/filter.ts';
import { plusDays } from '../ask/period.ts';
import { type Overview, readOverview } from '../overview.ts';

/** What the mails of reports are made with; there are none without a mail server. */
export interface WeeklyReportDeps {
  readonly tenancy: Pick<Tenancy, 'active' | 'byId'>;
  readonly views: Views;
  readonly mail: MailTransport;
  /** Where links in mails lead; never taken from a request. */
  readonly publicUrl: URL;
  readonly log: Log;
}

/** What the queue carries: the rest is read when the mail is sent. `week` is the Monday it comes on. */
interface OwedReport {
  readonly viewId: string;
  readonly week: string;
}

const OwedReport = z.object({ viewId: z.uuid(), week: z.iso.date() });

/** Mails leave on Monday from this hour on, on the tenant's clock: before the day's work. */
const MAILED_FROM_HOUR = 6;
const MAX_OWED_AT_ONCE = 500;

/** What the durable queue does for reports. */
export function weeklyReportEffect(deps: WeeklyReportDeps): Effect<OwedReport> {
  return {
    name: 'reports.weekly-mail',
    data: OwedReport,
    run: (scope, owed, delivery) => sendWeeklyReport(scope, deps, owed, delivery),
  };
}

/** Looks each quarter of an hour for tenants where the week has begun. */
export function weeklyReportJobs(deps: WeeklyReportDeps, queue: DurableQueue, effect: Effect<OwedReport>): Job[] {
  return [
    {
      name: 'reports.owe-weekly-mails',
      schedule: '7 */15 * * * *',
      run: ({ database }) => oweEverywhere(deps, database, queue, effect),
    },
  ];
}

async function oweEverywhere(
  { tenancy, log }: WeeklyReportDeps,
  database: Database,
  queue: DurableQueue,
  effect: Effect<OwedReport>,
): Promise<void> {
  for (const tenant of await tenancy.active()) {
    try {
      await database.withScope(tenant, systemActor(tenant.id), (scope) =>
        oweWeeklyReports(scope, queue, effect, tenant.timeZone),
      );
    } catch (error) {
      log.error({ err: error, tenantId: tenant.id }, 'weekly reports could not be looked through');
    }
  }
}

/**
 * Owes each subscriber this week's mail once its Monday has come: which week was mailed and the jobs are one
 * transaction. A server that was down on Monday makes up for it within the week.
 * @returns how many mails are owed now
 */
export async function oweWeeklyReports(
  scope: Scope,
  queue: DurableQueue,
  effect: Effect<OwedReport>,
  zone: string,
): Promise<number> {
  return transact(scope, async (inside) => {
    const owed = await rows(
      inside,
      sql<{ id: string; week: string }>`
        with clock as (
          select date_trunc('week', local - make_interval(hours => ${MAILED_FROM_HOUR}))::date as week
          from (select ${inside.now}::timestamptz at time zone ${zone} as local) here
        ), due as (
          select v.id, clock.week from report_views v, clock
          where v.tenant_id = ${inside.tenant.id} and v.is_weekly and (v.mailed_week is null or v.mailed_week < clock.week)
          order by v.mailed_week nulls first limit ${MAX_OWED_AT_ONCE}
          for update of v skip locked
        )
        update report_views v set mailed_week = due.week from due where v.id = due.id returning v.id, v.mailed_week::text as week`,
    );
    for (const { id, week } of owed) await queue.enqueue(inside, effect, { id: newId(), data: { viewId: id, week } });
    return owed.length;
  });
}

interface Subscribed {
  readonly name: string;
  readonly ownerId: string;
  readonly filter: ReportFilter;
}

/**
 * Sends one week's numbers to whoever keeps the view, if they still may see them: rights, address and the wish are read
 * again. Runs again after a crash or a refusal, with the same Message-ID.
 */
async function sendWeeklyReport(
  scope: Scope,
  deps: WeeklyReportDeps,
  { viewId, week }: OwedReport,
  delivery: Delivery,
): Promise<void> {
  const tenant = await deps.tenancy.byId(scope.tenant.id);
  const [view] = await rows(
    scope,
    sql<Subscribed>`
      select name, owner_id as "ownerId", filter from report_views
      where id = ${viewId} and tenant_id = ${scope.tenant.id} and is_weekly`,
  );
  if (tenant?.status !== 'active' || !view) return;
  const owner = await scope.em.findOne(User, { id: view.ownerId });
  const capabilities = await readCapabilities(scope, view.ownerId);
  if (!owner?.isActive() || !owner.email || !capabilities.has('VIEW_SUPPORT_REPORTS')) return;
  const period = { from: plusDays(week, -7), to: plusDays(week, -1) };
  const reading = { ...scope, actor: { ...scope.actor, can: (one: string) => capabilities.has(one) } } as Scope<Person>; // rights are all that is asked of it
  const overview = await readOverview(reading, { period, filter: view.filter, targets: tenant.support });
  // the numbers are being made anew: the queue tries again
  if (!overview) throw new Error('the reports are not ready');
  const mail = composeWeeklyReport(deps, tenant, { owner, view, overview, id: delivery.eventId, viewId });
  try {
    await deps.mail.send(mail, delivery.signal);
  } catch (error) {
    if (!(error instanceof UnsafeMail)) throw error;
    deps.log.warn({ tenantId: tenant.id, viewId, fields: error.fields }, 'no mail can be made of this report');
  }
}

/** One line of the mail. */
interface WeeklyLine {
  readonly name: string;
  readonly now: string;
  readonly before: string;
}

/** What `/reach/weekly-report` is made from. */
export interface WeeklyReportView {
  readonly tenant: string;
  readonly name: string;
  readonly during: string;
  readonly lines: readonly WeeklyLine[];
  readonly link: string;
}

function composeWeeklyReport(
  { views, publicUrl }: WeeklyReportDeps,
  tenant: TenantInfo,
  {
    owner,
    view,
    overview,
    id,
    viewId,
  }: { owner: User; view: Subscribed; overview: Overview; id: string; viewId: string },
): Mail {
  const language = preferredLanguage({ locale: owner.locale ?? tenant.languages[0] });
  const show = views.for({ language, zone: tenant.timeZone });
  const { t } = show;
  const locale = intlLocale(language);
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
  const inWords: WeeklyReportView = {
    tenant: tenant.name,
    name: view.name,
    during: day.formatRange(new Date(overview.period.from), new Date(overview.period.to)),
    lines: linesOf(overview, t, locale),
    link: new URL(`/admin/support-reports/views/${viewId}`, publicUrl).href,
  };
  return {
    id,
    fromName: tenant.name,
    to: { address: owner.email ?? '' },
    subject: t('reports.weekly.subject', { tenant: tenant.name, name: view.name }),
    text: [
      `${inWords.name}\n${inWords.during}`,
      inWords.lines
        .map(({ name, now, before }) => `${name}: ${now} (${t('reports.weekly.before', { value: before })})`)
        .join('\n'),
      `${t('reports.weekly.open')}:\n${inWords.link}`,
      t('reports.weekly.why'),
    ].join('\n\n'),
    html: show.page('/reach/weekly-report', inWords),
    language,
  };
}

const COUNTED = ['opened', 'closed', 'reopened', 'abandoned', 'messagesIn', 'messagesOut'] as const;

function linesOf(
  { counters, spreads, rating }: Overview,
  t: (key: string, values?: Readonly<Record<string, unknown>>) => string,
  locale: string,
): WeeklyLine[] {
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const none = t('reports.weekly.none');
  const counts = COUNTED.map((key) => ({
    name: t(`reports.name.${key}`),
    now: number.format(counters[key].now),
    before: number.format(counters[key].before),
  }));
  const durations = spreads
    .filter(({ clock }) => clock === 'open')
    .map(({ duration, now, before }) => ({
      name: t(`reports.weekly.median.${duration}`),
      now: now.median === null ? none : minutes(now.median, locale),
      before: before.median === null ? none : minutes(before.median, locale),
    }));
  const stars = ({ average, rated }: Overview['rating']['now']) =>
    average === null ? none : t('reports.weekly.rated', { average: number.format(average), count: rated });
  return [
    ...counts,
    ...durations,
    { name: t('reports.weekly.rating'), now: stars(rating.now), before: stars(rating.before) },
  ];
}

/** Whole seconds as hours, minutes and seconds; what is smaller is left out, never rounded up. */
function minutes(seconds: number, locale: string): string {
  const whole = Math.floor(seconds);
  const parts =
    whole >= 3_600
      ? { hours: Math.floor(whole / 3_600), minutes: Math.floor(whole / 60) % 60 }
      : { minutes: Math.floor(whole / 60), seconds: whole % 60 };
  return new Intl.DurationFormat(locale, {
    style: 'long',
    ...(whole === 0 ? { secondsDisplay: 'always' } : {}),
  }).format(parts);
}
