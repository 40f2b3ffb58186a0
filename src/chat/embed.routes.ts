import { z } from 'zod';
import { anyone, isPerson, type Person, readSub, users } from '../identity/index.ts';
import type { Actor, Scope } from '../platform/database/index.ts';
import { Conflict, NotFound } from '../platform/errors/index.ts';
import { noContent, page, type Reply, type Route, route, seeOther } from '../platform/http/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { unreadOf } from './list-page.ts';
import { supportPath } from './paths.ts';

const Door = z.strictObject({ tenant: z.string().regex(/^[a-z0-9-]{1,63}$/) });

/** The token, and whether browsers take the host for a site of its own (`Sec-Fetch-Site` of the door as it was opened). */
const Vouched = z.strictObject({ token: z.string().max(16_384), site: z.enum(['own', 'other']) });

/**
 * The entry from host apps: what public/embed.js shows in its frame before the chat. The door may be framed by the
 * origins that the tenant has named and by nobody else; a tenant that has named none has no door.
 */
export function embedRoutes(deps: ChatDeps): Route<Person>[] {
  return [
    route<Person>({
      name: 'chat.embed.mine',
      method: 'GET',
      path: '/embed',
      policy: users(),
      needsEm: false,
      face: 'page',
      framed: true,
      // for links that do not know what kind of user clicks
      handle: ({ actor }) => seeOther(supportPath(actor.userType)),
    }),

    route<Person, z.infer<typeof Door>>({
      name: 'chat.embed.door',
      method: 'GET',
      path: '/embed/:tenant',
      policy: anyone(),
      face: 'page',
      params: Door,
      async handle(scope, { params, ctx, reader }): Promise<Reply> {
        const origins = await frameOrigins(deps, params.tenant);
        const site = ctx.req.headers['sec-fetch-site'] === 'cross-site' ? 'other' : 'own';
        const inside = isUserOf(scope.actor, params.tenant) ? await waiting(scope) : null;
        const html = deps.views.for(reader).page('/chat/embed-door', { door: { origins, site, inside } });
        return { ...page(html), frameOrigins: origins };
      },
    }),

    route<Person, z.infer<typeof Door>, unknown, z.infer<typeof Vouched>>({
      name: 'chat.embed.sign-in',
      method: 'POST',
      path: '/embed/:tenant',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      params: Door,
      bodyKind: 'form',
      body: Vouched,
      async handle({ actor }, { params, body }) {
        await frameOrigins(deps, params.tenant);
        const { identity } = deps;
        const before: Actor = actor;
        // in a frame of its own site a window's session is seen, and an admin's is not ours to end
        if (isPerson(before) && before.side === 'admin') throw new Conflict('signed_in_as_other', 'Somebody is here.');
        const signedIn = await identity.signInByHost(body.token, 'browser', { usersOf: params.tenant });
        const { token, expiresAt } = signedIn;
        if (isPerson(before)) {
          if (before.id === signedIn.user.id) await deps.keepDevices(before, signedIn);
          await identity.signOut(before);
        }
        const { cookie } = identity;
        const isOwnSite = body.site === 'own';
        const kept = isOwnSite ? cookie.set(token, expiresAt) : cookie.frame.set(token, params.tenant, expiresAt);
        return noContent({ 'Set-Cookie': [kept] });
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

async function frameOrigins({ tenancy }: ChatDeps, slug: string): Promise<readonly string[]> {
  const tenant = await tenancy.bySlug(slug);
  const origins = tenant ? tenancy.supportSettings(tenant.id).frameOrigins : [];
  if (origins.length === 0) throw new NotFound();
  return origins;
}

function isUserOf(actor: Actor, slug: string): boolean {
  return isPerson(actor) && actor.side === 'user' && actor.tenantSlug === slug;
}

/** Who is signed in, by the host's own id, and how many messages wait. */
async function waiting(scope: Scope<Person>): Promise<object> {
  const { actor } = scope;
  const [sub, count] = [await readSub(scope, actor.id), await unreadOf(scope)];
  return { sub, count, room: `user_${actor.id}`, href: supportPath(actor.userType) };
}
