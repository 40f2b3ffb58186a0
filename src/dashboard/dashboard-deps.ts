import type { Person } from '../identity/index.ts';
import type { Messaging } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import type { RouteInput } from '../platform/http/index.ts';
import type { Reader, Show, Views } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';
import { DESK } from './desk-address.ts';

/** What the admin's pages are made from. */
export interface DashboardDeps {
  readonly views: Views;
  readonly messaging: Messaging;
  readonly tenancy: Pick<Tenancy, 'tenant'>;
  /** Epoch of this database's logs: the first half of the cursor that a page hands to its live connection. */
  readonly epoch: string;
}

/** The agent's language; times of the desk are in the tenant's zone, so that two agents speak of the same hour. */
export function deskReader(
  deps: Pick<DashboardDeps, 'tenancy'>,
  scope: Scope<Person>,
  input: Pick<RouteInput<unknown, unknown, unknown>, 'reader'>,
): Reader {
  return { ...input.reader, zone: deps.tenancy.tenant(scope.tenant.id).timeZone };
}

/** What surrounds every page of the admins: the menu, as far as this person may enter, and who is here. */
export function deskShell(_deps: DashboardDeps, scope: Scope<Person>, show: Show) {
  return {
    nav: [{ href: DESK, label: show.t('desk.title'), icon: 'chat', current: true }],
    me: { name: scope.actor.name },
  };
}
