/**
 * Dashboard: the pages of the admins. How they sign in, the desk, the profiles.
 *
 * Promises that what a person may not do is not on the page, and that every page works by links and forms alone; htmx
 * gets the piece that it swaps, at the same address. Never decides who may do what: use cases of desk and messaging do.
 */
export type { DashboardDeps } from './dashboard-deps.ts';
export { signInRoutes } from './sign-in.routes.ts';

import type { Person } from '../identity/index.ts';
import type { Route } from '../platform/http/index.ts';
import { auditRoutes } from './audit.routes.ts';
import { availabilityRoutes } from './availability.routes.ts';
import type { DashboardDeps } from './dashboard-deps.ts';
import { deskRoutes } from './desk.routes.ts';
import { deskActionRoutes } from './desk-actions.routes.ts';
import { jobsPageRoutes } from './jobs-page.routes.ts';
import { noteRoutes } from './notes.routes.ts';
import { privacyRoutes } from './privacy.routes.ts';
import { profileRoutes } from './profile.routes.ts';
import { conversationReportRoutes } from './reports/conversation-report.routes.ts';
import { liveReportRoutes } from './reports/live-report.routes.ts';
import { reportViewRoutes } from './reports/report-views.routes.ts';
import { reportRoutes } from './reports/reports.routes.ts';
import { rolesRoutes } from './roles.routes.ts';
import { savedReplyRoutes } from './saved-replies.routes.ts';
import { settingsRoutes } from './settings.routes.ts';

/** The doors of the desk and the profiles; signing in has its own (`signInRoutes`). */
export function dashboardRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    ...deskRoutes(deps),
    ...deskActionRoutes(deps),
    ...noteRoutes(deps),
    ...availabilityRoutes(deps),
    ...savedReplyRoutes(deps),
    ...profileRoutes(deps),
    ...settingsRoutes(deps),
    ...jobsPageRoutes(deps),
    ...reportRoutes(deps),
    ...auditRoutes(deps),
    ...rolesRoutes(deps),
    ...privacyRoutes(deps),
    ...conversationReportRoutes(deps),
    ...liveReportRoutes(deps),
    ...reportViewRoutes(deps),
  ];
}
