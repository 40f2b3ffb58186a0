import { type Desk, queueFor } from '../desk/index.ts';
import { type Person, signedIn } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { QueueReply, SupportStateReply } from './desk.schema.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';

/** What users may know of the desk: whether somebody is there, and how long it will take. */
export function supportStateRoutes({ desk }: { readonly desk: Pick<Desk, 'supportState'> }): Route[] {
  return [
    route({
      name: 'api.support.state',
      method: 'GET',
      path: '/api/support/state',
      policy: signedIn(),
      face: 'json',
      reply: SupportStateReply,
      summary: 'Whether support is switched on and open, and what is said while it is not.',
      async handle(scope: Scope<Person>) {
        const { opensAt, closesAt, ...state } = desk.supportState(scope);
        return reply(SupportStateReply, {
          ...state,
          opensAt: opensAt?.toISOString() ?? null,
          closesAt: closesAt?.toISOString() ?? null,
        });
      },
    }),
    route({
      name: 'api.conversations.queue',
      method: 'GET',
      path: '/api/support/conversations/:id/queue',
      policy: signedIn(),
      face: 'json',
      params: ConversationPath,
      reply: QueueReply,
      summary: 'The place among those who wait for an agent, and how long people waited lately.',
      async handle(scope: Scope<Person>, { params }) {
        return reply(QueueReply, await queueFor(scope, params.id));
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}
