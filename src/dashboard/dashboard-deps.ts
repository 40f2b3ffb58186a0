import type { Desk } from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import type { Messaging } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import type { RouteInput } from '../platform/http/index.ts';
import type { PdfPress } from '../platform/pdf/index.ts';
import type { Reader, Show, Views } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';
import { DESK } from './desk-address.ts';

/** What the admin's pages are made from. */
export interface DashboardDeps {
  readonly views: Views;
  readonly messaging: Messaging;
  readonly tenancy: Pick<Tenancy, 'tenant' | 'refresh' | 'active'>;
  readonly desk: Pick<Desk, 'clock'>;
  /** Epoch of this database's logs: the first half of the cursor that a page hands to its live connection. */
  readonly epoch: string;
  /** The origin that browsers see; the one that a request came to when absent. */
  readonly publicUrl?: URL | undefined;
  readonly press: PdfPress;
  /** Whether there is a server that takes mails. */
  readonly sendsMail: boolean;
}

/** The agent's language; times of the desk are in the tenant's zone, so that two agents speak of the same hour. */
export function deskReader(
  deps: { readonly tenancy: Pick<Tenancy, 'tenant'> },
  scope: Scope<Person>,
  input: Pick<RouteInput<unknown, unknown, unknown>, 'reader'>,
): Reader {
  return { ...input.reader, zone: deps.tenancy.tenant(scope.tenant.id).timeZone };
}

/** Places of the menu, in order, each with the right that opens it. */
const MENU = [
  { href: DESK, word: 'desk.title', icon: 'chat', capability: 'SUPPORT_CHAT' },
  { href: '/admin/saved-replies', word: 'replies.title', icon: 'reply', capability: 'MANAGE_SAVED_REPLIES' },
  { href: '/admin/support-reports', word: 'reports.title', icon: 'chart', capability: 'VIEW_SUPPORT_REPORTS' },
  { href: '/admin/audit-log', word: 'audit.title', icon: 'log', capability: 'VIEW_AUDIT_LOG' },
  { href: '/admin/roles', word: 'roles.title', icon: 'people', capability: 'MANAGE_ROLES' },
  { href: '/admin/privacy', word: 'privacy.title', icon: 'shield', capability: 'MANAGE_PRIVACY' },
  { href: '/admin/settings', word: 'settings.title', icon: 'settings', capability: 'MANAGE_SUPPORT_SETTINGS' },
] as const;

/** What surrounds every page of the admins: the menu, as far as this person may enter, and who is here. */
export function deskShell(_deps: DashboardDeps, scope: Scope<Person>, show: Show, current: string = DESK) {
  return {
    nav: MENU.filter(({ capability }) => scope.actor.can(capability)).map(({ href, word, icon }) => ({
      href,
      icon,
      label: show.t(word),
      current: href === current,
    })),
    me: { name: scope.actor.name },
  };
}
