/**
 * API: JSON for programs, over REST and over the JSON dialect of the socket, and its OpenAPI description.
 *
 * Every body and every answer passes a strict schema. A handler parses, calls a use case and replies; nothing is decided
 * here that another door would have to decide again.
 */

import type { Desk } from '../desk/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Live, Messaging } from '../messaging/index.ts';
import type { Route } from '../platform/http/index.ts';
import type { Tenancy } from '../tenancy/index.ts';
import { assignmentRoutes } from './assignment.routes.ts';
import { attachmentRoutes } from './attachments.routes.ts';
import { conversationRoutes } from './conversations.routes.ts';
import { deskRoutes } from './desk.routes.ts';
import { messageRoutes } from './messages.routes.ts';
import { noteRoutes } from './notes.routes.ts';
import { openApiRoutes } from './openapi.routes.ts';
import { sessionRoutes } from './session.routes.ts';
import { settingsRoutes } from './settings.routes.ts';
import { supportStateRoutes } from './support-state.routes.ts';

export { type EventDeps, eventRoutes } from './events.routes.ts';
export { fileRoutes } from './files.routes.ts';
export { pageDialect } from './page-socket.ts';
export { programDialect } from './program-socket.ts';
export { SOCKET_LIMITS, type SocketDeps, socketGate } from './socket-doors.ts';

/** What the JSON routes are made from. */
export interface ApiDeps {
  readonly messaging: Messaging;
  readonly live: Pick<Live, 'checking'>;
  readonly tenancy: Tenancy;
  readonly identity: Identity;
  readonly desk: Pick<Desk, 'supportState'>;
}

/** Every JSON door of this wing. */
export function apiRoutes(deps: ApiDeps): Route[] {
  const routes: Route[] = [
    ...sessionRoutes(deps),
    ...conversationRoutes(deps),
    ...messageRoutes(deps),
    ...attachmentRoutes(deps),
    ...deskRoutes(deps),
    ...assignmentRoutes(),
    ...supportStateRoutes(deps),
    ...noteRoutes(),
    ...settingsRoutes(deps),
  ];
  return [...routes, ...openApiRoutes({ routes: () => routes })];
}
