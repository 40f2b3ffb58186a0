import type { Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { NotFound } from '../platform/errors/index.ts';
import { pageReader, type RouteInput } from '../platform/http/index.ts';
import type { Show } from '../platform/views/index.ts';
import type { ChatDeps } from './chat-deps.ts';

/** Templates in the user's language and zone. The path must be of their own kind: a driver has no customer's pages. */
export function showUser(
  deps: ChatDeps,
  scope: Scope<Person>,
  input: Pick<RouteInput<{ readonly userType: string }, unknown, unknown>, 'params' | 'ctx' | 'reader' | 'frame'>,
): Show {
  if (scope.actor.userType !== input.params.userType) throw new NotFound();
  const show = deps.views.for(pageReader(input, deps.tenancy.tenant(scope.tenant.id).timeZone));
  const { frame } = input;
  return frame ? { ...show, page: (name, view) => show.page(name, { ...view, frame }) } : show;
}
