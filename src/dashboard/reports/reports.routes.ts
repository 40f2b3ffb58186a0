import { Readable } from 'node:stream';
import type { z } from 'zod';
import { admins, listAdmins, type Person, readNames } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { page, type Reply, type Route, type RouteInput, route } from '../../platform/http/index.ts';
import type { Show } from '../../platform/views/index.ts';
import {
  type BehindAsked,
  isOfNow,
  type Period,
  readAgents,
  readBehind,
  readChoices,
  readOverview,
  readPage,
  targetOf,
} from '../../reports/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { type DashboardDeps, deskReader, deskShell } from '../dashboard-deps.ts';
import { agentsCsv, behindHead, behindLines, csvName, overviewCsv } from './reports.csv.ts';
import {
  BehindQuery,
  filterAsked,
  type GivenBehind,
  type GivenReport,
  periodAsked,
  ReportQuery,
  reportHref,
} from './reports.input.ts';
import { agentView, behindRow, filterView, overviewView, periodInWords } from './reports.view.ts';

const REPORTS = '/admin/support-reports';
const AGENTS = `${REPORTS}/agents`;
const CONVERSATIONS = `${REPORTS}/conversations`;
const ROWS_PER_PAGE = 50;
/** Rows that a download reads at once, each time in a unit of work of its own: nobody's memory grows with it. */
const ROWS_PER_READ = 2_000;

type Input = Pick<RouteInput<unknown, unknown, unknown>, 'reader' | 'ctx'>;

/** The reports and their downloads: all that they show is in the address. */
export function reportRoutes(deps: DashboardDeps): Route<Person>[] {
  const policy = admins('VIEW_SUPPORT_REPORTS');
  const shared = { method: 'GET', policy, face: 'page' } as const;
  type Report = z.output<typeof ReportQuery>;
  type List = z.output<typeof BehindQuery>;
  return [
    route<Person, unknown, Report>({
      ...shared,
      name: 'dashboard.reports.overview',
      path: REPORTS,
      query: ReportQuery,
      handle: (scope, input) => showOverview(deps, scope, input, input.query),
    }),
    route<Person, unknown, Report>({
      ...shared,
      name: 'dashboard.reports.overview-export',
      path: `${REPORTS}/export`,
      query: ReportQuery,
      handle: (scope, input) => downloadOverview(deps, scope, input, input.query),
    }),
    route<Person, unknown, Report>({
      ...shared,
      name: 'dashboard.reports.agents',
      path: AGENTS,
      query: ReportQuery,
      handle: (scope, input) => showAgents(deps, scope, input, input.query),
    }),
    route<Person, unknown, Report>({
      ...shared,
      name: 'dashboard.reports.agents-export',
      path: `${AGENTS}/export`,
      query: ReportQuery,
      handle: (scope, input) => downloadAgents(deps, scope, input, input.query),
    }),
    route<Person, unknown, List>({
      ...shared,
      name: 'dashboard.reports.conversations',
      path: CONVERSATIONS,
      query: BehindQuery,
      handle: (scope, input) => showBehind(deps, scope, input, input.query),
    }),
    route<Person, unknown, List>({
      ...shared,
      name: 'dashboard.reports.conversations-export',
      path: `${CONVERSATIONS}/export`,
      query: BehindQuery,
      handle: (scope, input) => downloadBehind(deps, scope, input, input.query),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** What every report is read with. */
function askedOf(deps: DashboardDeps, scope: Scope<Person>, input: Input, given: GivenReport) {
  const tenant = deps.tenancy.tenant(scope.tenant.id);
  const show = deps.views.for(deskReader(deps, scope, input));
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: tenant.timeZone }).format(scope.now);
  return { tenant, show, period: periodAsked(given, today), filter: filterAsked(given), targets: tenant.support };
}

async function showOverview(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  given: GivenReport,
): Promise<Reply> {
  const { show, ...asked } = askedOf(deps, scope, input, given);
  const overview = await readOverview(scope, asked);
  const view = overview && {
    ...overviewView(show, given, overview),
    state: overview.state,
    exportHref: reportHref(`${REPORTS}/export`, given),
  };
  return page(
    show.page('/reports/overview', {
      ...(await surroundings(deps, scope, show, { action: REPORTS, given, period: asked.period })),
      report: view,
    }),
  );
}

async function showAgents(deps: DashboardDeps, scope: Scope<Person>, input: Input, given: GivenReport): Promise<Reply> {
  const { show, ...asked } = askedOf(deps, scope, input, given);
  const { period } = asked;
  const admin = await listAdmins(scope);
  const found = await readAgents(scope, {
    ...asked,
    agents: admin.map(({ id }) => id),
  });
  const names = new Map(admin.map((one) => [one.id, one]));
  const report = found && {
    state: found.state,
    during: periodInWords(show, period),
    rows: found.rows.map((row) => agentView(show, given, names, row)),
    exportHref: reportHref(`${AGENTS}/export`, given),
  };
  const around = await surroundings(deps, scope, show, { action: AGENTS, given, period });
  return page(show.page('/reports/agents', { ...around, report }));
}

async function showBehind(deps: DashboardDeps, scope: Scope<Person>, input: Input, given: GivenBehind): Promise<Reply> {
  const { show, ...asked } = askedOf(deps, scope, input, given);
  const about = behindAsked(given, asked);
  const found = await readBehind(scope, about, { before: given.before || null, limit: ROWS_PER_PAGE });
  const names = await readNames(
    scope,
    found.rows.flatMap(({ agentId }) => agentId ?? []),
  );
  const mayRead = scope.actor.can('VIEW_SUPPORT_CHAT_LIST');
  const kept = keptOf(given);
  const report = {
    of: given.of,
    during: isOfNow(given.of) ? null : periodInWords(show, asked.period),
    total: found.total,
    isOfMessages: given.of === 'messagesIn' || given.of === 'messagesOut',
    narrower: kept.filter(({ name }) => name !== 'of'),
    rows: found.rows.map((row) => behindRow(show, names, mayRead, row)),
    olderHref: found.next && reportHref(CONVERSATIONS, given, { ...entriesOf(kept), before: found.next }),
    newestHref: given.before ? reportHref(CONVERSATIONS, given, entriesOf(kept)) : null,
    exportHref: reportHref(`${CONVERSATIONS}/export`, given, entriesOf(kept)),
    overviewHref: reportHref(REPORTS, given),
  };
  const around = await surroundings(deps, scope, show, { action: CONVERSATIONS, given, period: asked.period, kept });
  return page(show.page('/reports/conversations', { ...around, report }));
}

/** The menu, the form and where the other reports are. */
async function surroundings(
  deps: DashboardDeps,
  scope: Scope<Person>,
  show: Show,
  asked: {
    readonly action: string;
    readonly given: GivenReport;
    readonly period: Period;
    readonly kept?: readonly { readonly name: string; readonly value: string }[];
  },
) {
  const tenant = deps.tenancy.tenant(scope.tenant.id);
  const form = filterView(show, {
    ...asked,
    userTypes: tenant.userTypes,
    agents: await listAdmins(scope),
    choices: await readChoices(scope),
  });
  const tabs = [
    { href: reportHref(REPORTS, asked.given), word: 'reports.overview', isCurrent: asked.action === REPORTS },
    { href: reportHref(AGENTS, asked.given), word: 'reports.agents', isCurrent: asked.action === AGENTS },
    {
      href: reportHref(CONVERSATIONS, asked.given),
      word: 'reports.conversations',
      isCurrent: asked.action === CONVERSATIONS,
    },
    { href: `${REPORTS}/live`, word: 'reportLive.tab', isCurrent: false },
    { href: `${REPORTS}/views`, word: 'reportViews.tab', isCurrent: false },
  ];
  const [, query = ''] = reportHref(
    '',
    asked.given,
    Object.fromEntries((asked.kept ?? []).map((one) => [one.name, one.value])),
  ).split('?');
  const report = asked.action === REPORTS ? 'overview' : asked.action.slice(REPORTS.length + 1);
  const keepHref = `${REPORTS}/views?${new URLSearchParams({ report, query })}#keep`;
  return {
    ...deskShell(deps, scope, show, REPORTS),
    form,
    tabs,
    keepHref,
    timeZone: tenant.timeZone,
    company: tenant.name,
  };
}

/** What of the address says which number it is. */
function keptOf({ of, slot, score, age, side, clock }: GivenBehind): { name: string; value: string }[] {
  return Object.entries({ of, slot, score, age, side, clock: side === '' ? '' : clock })
    .filter(([, value]) => value !== '')
    .map(([name, value]) => ({ name, value: String(value) }));
}

function entriesOf(kept: readonly { readonly name: string; readonly value: string }[]): Record<string, string> {
  return Object.fromEntries(kept.map(({ name, value }) => [name, value]));
}

function behindAsked(
  { of, slot, score, age, side, clock }: GivenBehind,
  { period, filter, targets }: Omit<ReturnType<typeof askedOf>, 'show'>,
): BehindAsked {
  const isDuration = of === 'first' || of === 'response' || of === 'resolution';
  return {
    behind: of,
    period,
    filter,
    slot: slot === '' ? null : slot,
    score: score === '' ? null : score,
    age: age === '' ? null : age,
    target: isDuration && side !== '' ? { side, clock: clock || 'all', seconds: targetOf(of, targets) } : null,
  };
}

async function downloadOverview(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  given: GivenReport,
): Promise<Reply> {
  const { show, ...asked } = askedOf(deps, scope, input, given);
  const overview = await readOverview(scope, asked);
  await auditExport(scope, input);
  return csv(
    overview ? overviewCsv(overview, overviewView(show, given, overview)) : '',
    csvName('overview', asked.period),
  );
}

async function downloadAgents(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  given: GivenReport,
): Promise<Reply> {
  const { show, ...asked } = askedOf(deps, scope, input, given);
  const { period } = asked;
  const admin = await listAdmins(scope);
  const found = await readAgents(scope, {
    ...asked,
    agents: admin.map(({ id }) => id),
  });
  await auditExport(scope, input);
  const names = new Map(admin.map((one) => [one.id, one]));
  return csv(found ? agentsCsv(show, names, found.rows) : '', csvName('agents', period));
}

/** What is behind a number as CSV, streamed: each read is a unit of work of its own, and stops when nobody listens. */
async function downloadBehind(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  given: GivenBehind,
): Promise<Reply> {
  const { show, ...asked } = askedOf(deps, scope, input, given);
  const about = behindAsked(given, asked);
  await auditExport(scope, input);
  const names = new Map((await listAdmins(scope)).map((one) => [one.id, one]));
  const { tenant, actor, now } = scope;
  const read = (before: string | null) =>
    deps.messaging.database.withScope(tenant, actor, (own) => readPage({ ...own, now }, about, before, ROWS_PER_READ));
  async function* lines() {
    yield behindHead();
    let before: string | null = null;
    do {
      const { rows, next }: Awaited<ReturnType<typeof read>> = await read(before);
      yield behindLines(show, names, rows);
      before = next;
    } while (before);
  }
  return csv(Readable.from(lines()), csvName(given.of, asked.period));
}

function csv(body: string | Readable, name: string): Reply {
  return {
    status: 200,
    type: 'text/csv; charset=utf-8',
    body,
    headers: { 'Content-Disposition': `attachment; filename="${name}"` },
  };
}

async function auditExport(scope: Scope<Person>, input: Input): Promise<void> {
  if (input.ctx.method === 'HEAD') return;
  await transact(scope, async (inside) =>
    recordAudit(inside, {
      action: 'SUPPORT_EXPORTED',
      entityType: 'support_reports',
      entityId: inside.tenant.id,
      metadata: { what: 'report' },
    }),
  );
}
