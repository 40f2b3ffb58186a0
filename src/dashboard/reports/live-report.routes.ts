import { admins, type Person } from '../../identity/index.ts';
import { page, type Route, route } from '../../platform/http/index.ts';
import { readDeskNow } from '../../reports/index.ts';
import { type DashboardDeps, deskReader, deskShell } from '../dashboard-deps.ts';
import { DESK } from '../desk-address.ts';

const REPORTS = '/admin/support-reports';
const LIVE = `${REPORTS}/live`;

/** The desk now: the page asks for itself again when the event stream says that something changed. */
export function liveReportRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person>({
      name: 'dashboard.reports.live',
      method: 'GET',
      path: LIVE,
      policy: admins('VIEW_SUPPORT_REPORTS'),
      face: 'page',
      async handle(scope, input) {
        const show = deps.views.for(deskReader(deps, scope, input));
        const { longestSince, agents, waits, ...counts } = await readDeskNow(scope);
        const mayOpen = scope.actor.can('VIEW_SUPPORT_CHAT_LIST');
        const desk = {
          ...counts,
          at: scope.now.toISOString(),
          longest: secondsSince(longestSince, scope.now),
          agents: agents.map((agent) => ({ ...agent, longest: secondsSince(agent.waitingSince, scope.now) })),
          // who may not see conversations learns that somebody of that type waits, not who
          waits: waits.map((wait) => ({
            ...wait,
            name: mayOpen ? wait.name : null,
            seconds: secondsSince(wait.waitingSince, scope.now),
            href: mayOpen ? `${DESK}/${wait.conversationId}` : null,
          })),
        };
        const live = { rooms: [{ room: 'admin_support', after: '' }], pauses: true, first: 'sse' };
        return page(show.page('/reports/live', { ...deskShell(deps, scope, show, REPORTS), desk, live }));
      },
    }),
  ] as Route<Person>[]; // among others it is a door like any other
}

/** Whole seconds; null for nobody. A clock that runs ahead makes none of them negative. */
function secondsSince(since: string | null, now: Date): number | null {
  return since === null ? null : Math.max(0, Math.floor((now.getTime() - Date.parse(since)) / 1_000));
}
