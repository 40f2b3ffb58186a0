import { z } from 'zod';
import { type Person, users } from '../identity/index.ts';
import { page, type Route, route } from '../platform/http/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { homePage } from './list-page.ts';
import { showUser } from './show-user.ts';

/** A user's home, with the menu that leads to support. */
export function homeRoutes(deps: ChatDeps): Route<Person>[] {
  return [
    route({
      name: 'chat.home',
      method: 'GET',
      path: '/:userType',
      policy: users(),
      face: 'page',
      params: z.strictObject({ userType: z.string() }),
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        return page(show.page('/chat/home', await homePage(deps, scope)));
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}
