import { z } from 'zod';
import { AVAILABILITY_CHOICES, readAvailability, setAvailability } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { fragment, type Route, route, seeOther } from '../platform/http/index.ts';
import { type DashboardDeps, deskReader } from './dashboard-deps.ts';
import { DESK } from './desk-address.ts';

const AvailabilityBody = z.strictObject({ choice: z.enum(AVAILABILITY_CHOICES) });

/** Saying whether one takes conversations. */
export function availabilityRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, unknown, unknown, z.output<typeof AvailabilityBody>>({
      name: 'dashboard.availability.set',
      method: 'POST',
      path: '/admin/availability',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'page',
      bodyKind: 'form',
      body: AvailabilityBody,
      async handle(scope, input) {
        const { choice } = await setAvailability(scope, input.body.choice);
        if (!input.isFragment) return seeOther(DESK);
        const show = deps.views.for(deskReader(deps, scope, input));
        return fragment(show.partial('/dashboard/_availability', { availability: availabilityView(choice) }));
      },
    }) as Route<Person>, // among others it is a door like any other
  ];
}

/** What `views/dashboard/_availability` draws. */
export interface AvailabilityView {
  readonly choice: string;
  readonly choices: readonly string[];
}

/** The reader's own availability; null for whoever does not answer and so is neither. */
export async function ownAvailability(scope: Scope<Person>): Promise<AvailabilityView | null> {
  if (!scope.actor.can('REPLY_SUPPORT_CHAT')) return null;
  return availabilityView((await readAvailability(scope)).choice);
}

function availabilityView(choice: string): AvailabilityView {
  return { choice, choices: AVAILABILITY_CHOICES };
}
