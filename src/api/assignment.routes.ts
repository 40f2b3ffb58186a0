import { explainAssignment, listDueResponses, readAvailability, setAvailability } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { AvailabilityBody, AvailabilityReply, DecisionsReply, DueQuery, DueReply } from './desk.schema.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';

/** How the desk runs itself, for staff. */
export function assignmentRoutes(): Route[] {
  return [
    route({
      name: 'api.desk.decisions',
      method: 'GET',
      path: '/api/admin/support/conversations/:id/decisions',
      policy: admins('VIEW_SUPPORT_CHAT_LIST'),
      face: 'json',
      params: ConversationPath,
      reply: DecisionsReply,
      summary: 'Why a conversation was given to whom, newest decision first.',
      async handle(scope: Scope<Person>, { params }) {
        const decisions = await explainAssignment(scope, params.id);
        const items = decisions.map(({ candidates, waitingSince, createdAt, ...decision }) => ({
          ...decision,
          candidates: [...candidates],
          waitingSince: waitingSince?.toISOString() ?? null,
          createdAt: createdAt.toISOString(),
        }));
        return reply(DecisionsReply, { items });
      },
    }),
    route({
      name: 'api.desk.due',
      method: 'GET',
      path: '/api/admin/support/due',
      policy: admins('VIEW_SUPPORT_CHAT_LIST'),
      face: 'json',
      query: DueQuery,
      reply: DueReply,
      summary: 'Who waits for an answer, what is due first coming first.',
      async handle(scope: Scope<Person>, { query }) {
        const due = await listDueResponses(scope, { limit: query.limit });
        const items = due.map(({ waitingSince, dueAt, lateSince, ...one }) => ({
          ...one,
          waitingSince: waitingSince.toISOString(),
          dueAt: dueAt?.toISOString() ?? null,
          lateSince: lateSince?.toISOString() ?? null,
        }));
        return reply(DueReply, { items });
      },
    }),
    route({
      name: 'api.desk.availability.show',
      method: 'GET',
      path: '/api/admin/support/availability',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'json',
      reply: AvailabilityReply,
      summary: 'Whether the caller takes new conversations.',
      async handle(scope: Scope<Person>) {
        return availabilityReply(await readAvailability(scope));
      },
    }),
    route({
      name: 'api.desk.availability.save',
      method: 'PUT',
      path: '/api/admin/support/availability',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'json',
      body: AvailabilityBody,
      reply: AvailabilityReply,
      summary: 'Says whether the caller takes new conversations; what they hold stays with them.',
      async handle(scope: Scope<Person>, { body }) {
        return availabilityReply(await setAvailability(scope, body.choice));
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

function availabilityReply({ choice, chosenAt }: Awaited<ReturnType<typeof readAvailability>>) {
  return reply(AvailabilityReply, { choice, chosenAt: chosenAt?.toISOString() ?? null });
}
