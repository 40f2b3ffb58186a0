import { z } from 'zod';
import { type GivenRating, listRatings, readPerson } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import { NotFound } from '../platform/errors/index.ts';
import { page, type Route, route } from '../platform/http/index.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';
import { deskHref, profileType } from './desk-address.ts';
import { readList } from './desk-page.ts';
import { personDetails } from './person-details.view.ts';

const ProfilePath = z.strictObject({ id: z.uuid() });

/** `/admin/drivers/:id` and its like: what the host tells of somebody, and their conversations. */
export function profileRoutes(deps: DashboardDeps): Route<Person>[] {
  return ['drivers', 'customers', 'restaurants'].map((plural) => profileRoute(deps, plural));
}

function profileRoute(deps: DashboardDeps, plural: string): Route<Person> {
  return route<Person, z.output<typeof ProfilePath>>({
    name: `dashboard.${plural}.profile`,
    method: 'GET',
    path: `/admin/${plural}/:id`,
    policy: admins('VIEW_SUPPORT_CHAT_LIST'),
    face: 'page',
    params: ProfilePath,
    async handle(scope, input) {
      const person = await readPerson(scope, input.params.id);
      if (person.userType !== profileType(plural)) throw new NotFound();
      const reader = deskReader(deps, scope, input);
      const show = deps.views.for(reader);
      const list = await readList(scope, deps, { filters: { q: person.id }, openId: null, reader });
      const view = { ...personDetails(person, reader.language), lastSeenAt: person.lastSeenAt?.toISOString() ?? null };
      const ratings = (await listRatings(scope, person.id)).map(ratingView);
      return page(show.page('/dashboard/profile', { ...deskShell(deps, scope, show), person: view, list, ratings }));
    },
  }) as Route<Person>; // among others it is a door like any other
}

function ratingView({ conversationId, score, comment, ratedAt }: GivenRating) {
  return { href: deskHref(conversationId, {}), score, comment, ratedAt: ratedAt.toISOString() };
}
