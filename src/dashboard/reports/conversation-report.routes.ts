import { z } from 'zod';
import { admins, type Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { page, type Reply, type Route, type RouteInput, route } from '../../platform/http/index.ts';
import { readConversationReport } from '../../reports/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { type DashboardDeps, deskReader, deskShell } from '../dashboard-deps.ts';
import { conversationReportDocument, conversationReportView } from './conversation-report.view.ts';

const REPORTS = '/admin/support-reports';
const ConversationPath = z.strictObject({ id: z.uuid() });
type Path = z.output<typeof ConversationPath>;

/** One conversation, to be read, printed or kept: a page, and the same as PDF. */
export function conversationReportRoutes(deps: DashboardDeps): Route<Person>[] {
  const shared = {
    method: 'GET',
    policy: admins('VIEW_SUPPORT_REPORTS'),
    face: 'page',
    params: ConversationPath,
  } as const;
  return [
    route<Person, Path>({
      ...shared,
      name: 'dashboard.reports.conversation',
      path: `${REPORTS}/conversations/:id`,
      async handle(scope, input) {
        const { show, report } = await prepared(deps, scope, input);
        return page(show.page('/dashboard/conversation-report', { ...deskShell(deps, scope, show, REPORTS), report }));
      },
    }),
    route<Person, Path>({
      ...shared,
      name: 'dashboard.reports.conversation-pdf',
      path: `${REPORTS}/conversations/:id/pdf`,
      handle: (scope, input) => download(deps, scope, input),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

type Input = Pick<RouteInput<Path, unknown, unknown>, 'reader' | 'ctx' | 'params'>;

async function prepared(deps: DashboardDeps, scope: Scope<Person>, input: Input) {
  const show = deps.views.for(deskReader(deps, scope, input));
  const report = await readConversationReport(scope, input.params.id);
  return { show, report: conversationReportView(show, report, scope.now), number: report.number };
}

async function download(deps: DashboardDeps, scope: Scope<Person>, input: Input): Promise<Reply> {
  const { show, report, number } = await prepared(deps, scope, input);
  const headers = { 'Content-Disposition': `attachment; filename="conversation-${number.toLowerCase()}.pdf"` };
  const type = 'application/pdf';
  if (input.ctx.method === 'HEAD') return { status: 200, type, body: null, headers };
  const bytes = await deps.press.render(conversationReportDocument(show, report));
  await transact(scope, async (inside) =>
    recordAudit(inside, {
      action: 'SUPPORT_EXPORTED',
      entityType: 'support_conversation',
      entityId: report.id,
      metadata: { what: 'conversation_report', conversationId: report.id },
    }),
  );
  return { status: 200, type, body: Buffer.from(bytes), headers };
}
