import { type Person, signedIn } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Forbidden, TooMany, Unavailable } from '../platform/errors/index.ts';
import { eventStream, isOwnOrigin, type Route, type RouteInput, route } from '../platform/http/index.ts';
import { askedRooms, resumedRooms, streamRooms } from '../platform/realtime/index.ts';
import { BEAT_FRAGMENT, welcomeFragment } from './page-socket.ts';
import { credential, type SocketDeps, visitor } from './socket-doors.ts';

/** What the stream's door needs beside the sockets' parts. */
export interface EventDeps extends SocketDeps {
  readonly config: { readonly publicUrl?: URL; readonly limits: boolean };
}

/**
 * `GET /events`: the rooms of a page where a WebSocket cannot pass. Trouble with signing in is a plain 401 or 403, which
 * a page sees here. Other sites may not open it, whatever cookie their visitor has.
 */
export function eventRoutes({ hub, identity, config }: EventDeps): Route[] {
  return [
    route({
      name: 'api.events.stream',
      method: 'GET',
      path: '/events',
      policy: signedIn(),
      face: 'page',
      needsEm: false,
      summary: 'Server-sent events: the same rooms, cursors and fragments as /ws.',
      async handle(scope: Scope<Person>, { ctx, reader }) {
        refuseOtherSites(ctx.req, config.publicUrl?.origin ?? null);
        if (hub.isDraining) throw new Unavailable(1);
        const { actor } = scope;
        const guest = visitor(identity, actor, credential(identity, ctx.req.headers)?.token, reader.language);
        const asked = askedRooms(ctx.querystring, hub.epoch);
        for (const { room } of asked) if (!(await hub.mayHear(actor, room))) throw new Forbidden();
        // after the last wait: or many that come at once would all find room
        if (config.limits && hub.connectionsOf(actor.tenantId, actor.id) >= guest.maxConnections) throw new TooMany(5);
        const lastEventId = ctx.req.headers['last-event-id'];
        const rooms = resumedRooms(asked, typeof lastEventId === 'string' ? lastEventId : undefined, hub.epoch);
        return eventStream((stream) =>
          streamRooms(hub, stream, guest, rooms, { welcome: welcomeFragment, beat: BEAT_FRAGMENT }),
        );
      },
    }),
  ] as Route[]; // its own actor type; together with the others it is a door
}

function refuseOtherSites(
  request: RouteInput<unknown, unknown, unknown>['ctx']['req'],
  publicOrigin: string | null,
): void {
  const { 'sec-fetch-site': site, origin, host } = request.headers;
  const isForeign =
    site === undefined
      ? origin !== undefined && !isOwnOrigin(origin, publicOrigin, host)
      : site !== 'same-origin' && site !== 'none';
  if (isForeign) throw new Forbidden('cross_site', 'This may only be opened from our own pages.');
}
