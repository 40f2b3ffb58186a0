import { Readable } from 'node:stream';
import { z } from 'zod';
import { admins, type KnownName, listAdmins, type Person, readNames } from '../identity/index.ts';
import { type Scope, transact } from '../platform/database/index.ts';
import { page, type Reply, type Route, type RouteInput, route } from '../platform/http/index.ts';
import { csvLine } from '../platform/text/index.ts';
import type { Show } from '../platform/views/index.ts';
import { type AuditFilters, type AuditLine, readAudit, recordAudit } from '../tenancy/index.ts';
import { AUDIT_ACTIONS, auditRow, idsOf } from './audit.view.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';

const AUDIT = '/admin/audit-log';
const LINES_PER_PAGE = 50;
/** Lines that the download reads at once: nobody's memory grows with the log. */
const LINES_PER_READ = 1_000;

const id = z
  .string()
  .max(200)
  .refine((text) => !text.includes('\0') && text.isWellFormed(), { message: 'invalid' });
const day = z.union([
  z.literal(''),
  z.iso.date().refine((date) => date >= '1970-01-01' && date < '9999-01-01', { message: 'invalid' }),
]);

/** Filters as the form sends them: what is empty does not narrow. */
const Filters = {
  action: z.union([z.literal(''), z.enum(AUDIT_ACTIONS)]).default(''),
  actor: id.default(''),
  entity: id.default(''),
  from: day.default(''),
  to: day.default(''),
};
const AuditQuery = z.object({
  ...Filters,
  before: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
});
const ExportQuery = z.object(Filters);
type Given = z.output<typeof ExportQuery>;

/** `/admin/audit-log` and its download. */
export function auditRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, unknown, z.output<typeof AuditQuery>>({
      name: 'dashboard.audit.list',
      method: 'GET',
      path: AUDIT,
      policy: admins('VIEW_AUDIT_LOG'),
      face: 'page',
      query: AuditQuery,
      handle: (scope, input) => showLog(deps, scope, input, input.query),
    }),
    route<Person, unknown, Given>({
      name: 'dashboard.audit.export',
      method: 'GET',
      path: `${AUDIT}/export`,
      policy: admins('VIEW_AUDIT_LOG'),
      face: 'page',
      query: ExportQuery,
      handle: (scope, input) => download(deps, scope, input, input.query),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

type Input = Pick<RouteInput<unknown, unknown, unknown>, 'reader' | 'ctx'>;

async function showLog(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  query: z.output<typeof AuditQuery>,
): Promise<Reply> {
  const reader = deskReader(deps, scope, input);
  const show = deps.views.for(reader);
  const { lines, next } = await readAudit(scope, filtersOf(query), {
    before: query.before,
    limit: LINES_PER_PAGE,
    zone: reader.zone,
  });
  const names = await readNames(scope, [...idsOf(lines), query.actor]);
  const log = {
    rows: lines.map((line) => auditRow(show, names, line)),
    given: query,
    actions: AUDIT_ACTIONS,
    actors: actorChoices(await listAdmins(scope), names.get(query.actor), query.actor),
    olderHref: next && address(AUDIT, query, { before: next }),
    newestHref: query.before ? address(AUDIT, query) : null,
    exportHref: address(`${AUDIT}/export`, query),
    filtered: address('', query) !== '',
    zone: reader.zone,
  };
  return page(show.page('/dashboard/audit', { ...deskShell(deps, scope, show, AUDIT), log }));
}

/** Admins and the system, and whoever is asked for now. */
function actorChoices(known: readonly KnownName[], asked: KnownName | undefined, askedId: string) {
  const choices = known.map(({ id: value, name }) => ({ value, name }));
  if (askedId && askedId !== 'system' && !known.some((one) => one.id === askedId)) {
    choices.push({ value: askedId, name: asked?.name ?? askedId });
  }
  return choices;
}

function filtersOf(given: Given): AuditFilters {
  return {
    action: given.action || undefined,
    actorId: given.actor || undefined,
    entityId: given.entity.trim() || undefined,
    dateFrom: given.from || undefined,
    dateTo: given.to || undefined,
  };
}

/** A path with the filters that narrow, and what else is given. */
function address(path: string, given: Given, more: Readonly<Record<string, string>> = {}): string {
  const names = Object.keys(Filters) as (keyof Given)[]; // the very keys it was made of
  const query = new URLSearchParams([
    ...names.filter((name) => given[name] !== '').map((name): [string, string] => [name, given[name]]),
    ...Object.entries(more),
  ]);
  return query.size > 0 ? `${path}?${query}` : path;
}

/** The filtered log as CSV, streamed: each read is a unit of work of its own, and stops when nobody listens any more. */
async function download(deps: DashboardDeps, scope: Scope<Person>, input: Input, given: Given): Promise<Reply> {
  const reader = deskReader(deps, scope, input);
  const show = deps.views.for(reader);
  if (input.ctx.method !== 'HEAD') {
    await transact(scope, async (inside) =>
      recordAudit(inside, {
        action: 'SUPPORT_EXPORTED',
        entityType: 'audit_log',
        entityId: inside.tenant.id,
        metadata: { what: 'audit_log' },
      }),
    );
  }
  const { tenant, actor } = scope;
  const { database } = deps.messaging;
  const lines = csvLines(show, (before) =>
    database.withScope(tenant, actor, async (own) => {
      const found = await readAudit(own, filtersOf(given), { before, limit: LINES_PER_READ, zone: reader.zone });
      return { ...found, names: await readNames(own, idsOf(found.lines)) };
    }),
  );
  return {
    status: 200,
    type: 'text/csv; charset=utf-8',
    body: Readable.from(lines),
    headers: { 'Content-Disposition': `attachment; filename="audit-log-${scope.now.toISOString().slice(0, 10)}.csv"` },
  };
}

type Read = (before: string | undefined) => Promise<{
  readonly lines: readonly AuditLine[];
  readonly next: string | null;
  readonly names: ReadonlyMap<string, KnownName>;
}>;

async function* csvLines(show: Show, read: Read): AsyncGenerator<string> {
  // spreadsheets read UTF-8 only behind a byte order mark
  yield `\uFEFF${csvLine(['id', 'time', 'action', 'actor', 'actorId', 'entityType', 'entityId', 'sentence', 'metadata'])}`;
  let before: string | undefined;
  do {
    const { lines, next, names } = await read(before);
    yield lines
      .map((line) => {
        const row = auditRow(show, names, line);
        const { id: number, action, actorId, entityType, entityId } = line;
        const metadata = JSON.stringify(line.metadata);
        return csvLine([number, row.at, action, row.actorName, actorId, entityType, entityId, row.sentence, metadata]);
      })
      .join('');
    before = next ?? undefined;
  } while (before);
}
