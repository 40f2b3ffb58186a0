import { z } from 'zod';
import { admins, type Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { AppError, NotFound } from '../../platform/errors/index.ts';
import { page, type Reply, type Route, type RouteInput, route, seeOther } from '../../platform/http/index.ts';
import {
  deleteReportView,
  KEPT_REPORTS,
  type KeptReport,
  listReportViews,
  MAX_VIEW_NAME,
  type ReportView,
  saveReportView,
} from '../../reports/index.ts';
import { type DashboardDeps, deskReader, deskShell } from '../dashboard-deps.ts';
import { BehindQuery, filterAsked, ReportQuery } from './reports.input.ts';

const REPORTS = '/admin/support-reports';
const VIEWS = `${REPORTS}/views`;

const ViewPath = z.strictObject({ id: z.uuid() });
/** A report's own query string, or nothing: what does not parse as one is not kept. */
const query = z.string().max(1_000).default('');
const NewQuery = z.object({ report: z.enum(KEPT_REPORTS).default('overview'), query });
const ViewForm = z.strictObject({
  report: z.enum(KEPT_REPORTS),
  query,
  // longer than it may be: the use case says so in a sentence
  name: z.string().max(1_000),
  shared: z.literal('yes').optional(),
  weekly: z.literal('yes').optional(),
});
type Form = z.output<typeof ViewForm>;
type Input = Pick<RouteInput<unknown, unknown, unknown>, 'reader'>;

/** Reports under a name: the list of them, keeping one, forgetting one. Each opens as the report it is. */
export function reportViewRoutes(deps: DashboardDeps): Route<Person>[] {
  const shared = { policy: admins('VIEW_SUPPORT_REPORTS'), face: 'page' } as const;
  return [
    route<Person, unknown, z.output<typeof NewQuery>>({
      ...shared,
      name: 'dashboard.report-views.list',
      method: 'GET',
      path: VIEWS,
      query: NewQuery,
      handle: (scope, input) => showViews(deps, scope, input, { ...input.query, name: '' }),
    }),
    route<Person, z.output<typeof ViewPath>>({
      ...shared,
      name: 'dashboard.report-views.open',
      method: 'GET',
      path: `${VIEWS}/:id`,
      params: ViewPath,
      async handle(scope, input) {
        const view = (await listReportViews(scope)).find(({ id }) => id === input.params.id);
        if (!view) throw new NotFound();
        return seeOther(addressOf(view));
      },
    }),
    route<Person, unknown, unknown, Form>({
      ...shared,
      name: 'dashboard.report-views.save',
      method: 'POST',
      path: VIEWS,
      bodyKind: 'form',
      body: ViewForm,
      async handle(scope, input) {
        const { report, name, shared: isShared, weekly } = input.body;
        const kept = keptQuery(report, input.body.query);
        const zone = deps.tenancy.tenant(scope.tenant.id).timeZone;
        const view = {
          name,
          report,
          query: kept,
          filter: filterAsked(ReportQuery.parse(Object.fromEntries(new URLSearchParams(kept)))),
          isShared: isShared === 'yes',
          isWeekly: weekly === 'yes',
        };
        try {
          await saveReportView(scope, view, zone);
        } catch (error) {
          if (!(error instanceof AppError) || (error.status !== 409 && error.status !== 422)) throw error;
          return showViews(deps, scope, input, { ...input.body, query: kept }, error);
        }
        return seeOther(VIEWS);
      },
    }),
    route<Person, z.output<typeof ViewPath>>({
      ...shared,
      name: 'dashboard.report-views.delete',
      method: 'POST',
      path: `${VIEWS}/:id/delete`,
      params: ViewPath,
      async handle(scope, input) {
        await deleteReportView(scope, input.params.id);
        return seeOther(VIEWS);
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

type Given = Pick<Form, 'report' | 'query' | 'name' | 'shared' | 'weekly'>;

async function showViews(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  given: Given,
  error?: AppError,
): Promise<Reply> {
  const show = deps.views.for(deskReader(deps, scope, input));
  const views = await listReportViews(scope);
  const problem = error && (error.code === 'too_many_views' ? 'too_many' : (error.fields?.['name'] ?? 'invalid'));
  return page(
    show.page('/reports/views', {
      ...deskShell(deps, scope, show, REPORTS),
      views: views.map((view) => ({ ...view, href: addressOf(view), deleteHref: `${VIEWS}/${view.id}/delete` })),
      given: { ...given, query: keptQuery(given.report, given.query) },
      problem: problem ?? null,
      maxName: MAX_VIEW_NAME,
      mails: deps.sendsMail,
    }),
    error?.status ?? 200,
  );
}

function addressOf({ report, query: asked }: Pick<ReportView, 'report' | 'query'>): string {
  const path = report === 'overview' ? REPORTS : `${REPORTS}/${report}`;
  return asked ? `${path}?${asked}` : path;
}

/** The query string of a report as it would be asked again: known names with values that parse, and no place in a list. */
function keptQuery(report: KeptReport, asked: string): string {
  const schema = report === 'conversations' ? BehindQuery : ReportQuery;
  const parsed = schema.safeParse(Object.fromEntries(new URLSearchParams(asked)));
  if (!parsed.success) return '';
  const kept = Object.entries(parsed.data).filter(([name, value]) => value !== '' && name !== 'before');
  return new URLSearchParams(kept.map(([name, value]): [string, string] => [name, String(value)])).toString();
}
