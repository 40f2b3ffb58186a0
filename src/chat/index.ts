/**
 * Chat: the pages of the host's users. Home with the entry to support, their conversations, one conversation, and in demo
 * mode the page that offers the demo people; and the way in from the pages of host apps.
 *
 * Promises that every page works by links and forms alone, that what was typed is shown again when it could not be
 * taken, and that htmx gets pieces, never pages. Never decides anything: use cases of messaging and desk do.
 */
export type { ChatDeps } from './chat-deps.ts';
export { type DemoDeps, demoRoutes } from './demo.routes.ts';

import type { Person } from '../identity/index.ts';
import type { Route } from '../platform/http/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { conversationRoutes } from './conversations.routes.ts';
import { embedRoutes } from './embed.routes.ts';
import { homeRoutes } from './home.routes.ts';
import { languageRoutes } from './language.routes.ts';
import { mailLinkRoutes } from './mail-links.routes.ts';
import { manifestRoutes } from './manifest.routes.ts';
import { noticeRoutes } from './notices.routes.ts';

/** The doors of the user's pages. `/:userType` gives way to every literal path. */
export function chatRoutes(deps: ChatDeps): Route<Person>[] {
  return [
    ...homeRoutes(deps),
    ...conversationRoutes(deps),
    ...noticeRoutes(deps),
    ...mailLinkRoutes(deps),
    ...manifestRoutes(deps),
    ...languageRoutes(),
    ...embedRoutes(deps),
  ];
}
