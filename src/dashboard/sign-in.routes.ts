import { z } from 'zod';
import {
  anyone,
  type Identity,
  isPerson,
  MAX_PASSWORD_LENGTH,
  MIN_PASSWORD_LENGTH,
  type Person,
  type SignedIn,
} from '../identity/index.ts';
import type { Actor } from '../platform/database/index.ts';
import { Invalid, NotFound, NotSignedIn, TooMany } from '../platform/errors/index.ts';
import {
  isOwnOrigin,
  page,
  type Reply,
  type Route,
  readCookie,
  route,
  safeRedirect,
  seeOther,
} from '../platform/http/index.ts';
import type { Reader, Views } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';

/** What the doors of signing in and out need. */
export interface SignInDeps {
  readonly identity: Identity;
  readonly tenancy: Tenancy;
  readonly views: Views;
  readonly config: { readonly demo: boolean; readonly publicUrl?: URL };
  /** The same person has a new session in the same browser: what hangs on the old one goes over, before that one ends. */
  keepDevices(before: Person, next: { readonly sessionId: string }): Promise<void>;
}

const DESK = '/admin/support-chat';
const LOGIN = '/admin/login';
/** How long the question "somebody else is signed in here" may stay unanswered. */
const PENDING_MS = 10 * 60_000;
/** A path of ours, or nothing; what leads elsewhere counts as nothing. */
const Destination = z.string().max(2_000).default('');
const Token = z.strictObject({ token: z.string().max(200) });

/** How people come in and leave by browser: from the host's app, with a password, by a link, as a demo person. */
export function signInRoutes(deps: SignInDeps): Route[] {
  return [
    ...hostRoutes(deps),
    ...passwordRoutes(deps),
    ...passwordLinkRoutes(deps),
    ...signOutRoutes(deps),
    ...(deps.config.demo ? demoRoutes(deps) : []),
  ];
}

/**
 * From the host's app. The form comes from another site, and then the browser keeps our Lax cookie to itself: whether
 * somebody is signed in already shows only on the next step, a GET of our own. So a sign-in that came from elsewhere
 * waits in a cookie of its own until that step has looked.
 */
function hostRoutes(deps: SignInDeps): Route[] {
  const { identity, views, config } = deps;
  const { cookie } = identity;
  return [
    route({
      name: 'dashboard.sso.sign-in',
      method: 'POST',
      path: '/sso',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      crossSite: true,
      bodyKind: 'form',
      body: z.strictObject({ token: z.string().max(16_384), to: Destination }),
      async handle({ actor, now }, { body, ctx }) {
        const signedIn = await identity.signInByHost(body.token, 'browser');
        const isElsewhere = comesFromElsewhere(ctx.req.headers, config.publicUrl);
        if (!isElsewhere && !isSomebodyElse(actor, signedIn.user.id)) return enter(deps, actor, signedIn, body.to);
        return seeOther(`/sso?${new URLSearchParams({ to: body.to })}`, {
          'Set-Cookie': [cookie.set(signedIn.token, new Date(now.getTime() + PENDING_MS), cookie.pendingName)],
        });
      },
    }),
    route({
      name: 'dashboard.sso.continue',
      method: 'GET',
      path: '/sso',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      query: z.object({ to: Destination }),
      async handle({ actor }, { query, ctx, reader }) {
        const pending = await pendingSignIn(identity, ctx.req.headers.cookie);
        if (!pending) throw new NotSignedIn();
        const { token, person } = pending;
        if (!isSomebodyElse(actor, person.id)) return enter(deps, actor, asSignedIn(token, person), query.to);
        const names = { now: (actor as Person).name, next: person.name }; // somebody else is a person
        return page(views.for(reader).page('/dashboard/sign-in-switch', { names, to: safeRedirect(query.to, '') }));
      },
    }),
    route({
      name: 'dashboard.sso.switch',
      method: 'POST',
      path: '/sso/switch',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      bodyKind: 'form',
      body: z.strictObject({ answer: z.enum(['switch', 'stay']), to: Destination }),
      async handle({ actor }, { body, ctx }) {
        const pending = await pendingSignIn(identity, ctx.req.headers.cookie);
        if (!pending) throw new NotSignedIn();
        if (body.answer === 'switch') {
          return enter(deps, actor, asSignedIn(pending.token, pending.person), body.to);
        }
        await identity.signOut(pending.person);
        return seeOther(homeOf(isPerson(actor) ? actor : pending.person), {
          'Set-Cookie': [cookie.clear(cookie.pendingName)],
        });
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

function passwordRoutes(deps: SignInDeps): Route[] {
  const { identity, tenancy, views } = deps;
  async function form(reader: Reader, host: string | undefined, given: Partial<LoginForm>, status = 200, headers = {}) {
    const login: LoginForm = {
      tenant: given.tenant || (await likelyTenant(tenancy, host)),
      email: given.email ?? '',
      to: safeRedirect(given.to, ''),
      problem: given.problem ?? null,
      seconds: given.seconds ?? 0,
      isPasswordSet: given.isPasswordSet ?? false,
    };
    return page(views.for(reader).page('/dashboard/sign-in', { login }), status, headers);
  }
  return [
    route({
      name: 'dashboard.login.form',
      method: 'GET',
      path: LOGIN,
      policy: anyone(),
      needsEm: false,
      face: 'page',
      query: z.object({ to: Destination, tenant: z.string().max(63).default(''), set: z.string().max(1).default('') }),
      handle({ actor }, { query, ctx, reader }) {
        if (isPerson(actor) && actor.side === 'admin') return seeOther(safeRedirect(query.to, DESK));
        const { tenant, to, set } = query;
        return form(reader, ctx.req.headers.host, { tenant, to, isPasswordSet: set === '1' });
      },
    }),
    route({
      name: 'dashboard.login.sign-in',
      method: 'POST',
      path: LOGIN,
      policy: anyone(),
      needsEm: false,
      face: 'page',
      bodyKind: 'form',
      body: z.strictObject({
        tenant: z.string().max(63),
        email: z.string().max(320),
        password: z.string().max(1_000),
        to: Destination,
      }),
      async handle({ actor }, { body, ctx, reader, clientAddress }) {
        const { tenant, email, password, to } = body;
        try {
          const signedIn = await identity.signInByPassword(
            { tenant, email, password, address: clientAddress },
            'browser',
          );
          return await enter(deps, actor, signedIn, to);
        } catch (error) {
          if (!(error instanceof NotSignedIn || error instanceof TooMany)) throw error;
          const seconds = error instanceof TooMany ? error.retryAfterSeconds : 0;
          const headers = seconds > 0 ? { 'Retry-After': String(seconds) } : {};
          return form(
            reader,
            ctx.req.headers.host,
            { tenant, email, to, problem: error.code, seconds },
            error.status,
            headers,
          );
        }
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

/** What the sign-in form shows. */
interface LoginForm {
  readonly tenant: string;
  readonly email: string;
  readonly to: string;
  /** Error code, or null. */
  readonly problem: string | null;
  /** To wait, when there were too many attempts. */
  readonly seconds: number;
  readonly isPasswordSet: boolean;
}

/** The tenant where there is only one, or the one whose slug the host name begins with. */
async function likelyTenant(tenancy: Tenancy, host: string | undefined): Promise<string> {
  const active = await tenancy.active();
  if (active.length === 1) return active[0]?.slug ?? '';
  const label = host?.split(/[.:]/, 1)[0]?.toLowerCase();
  return active.find((one) => one.slug === label)?.slug ?? '';
}

function passwordLinkRoutes({ identity, views }: SignInDeps): Route[] {
  function form(reader: Reader, problem: string | null, status = 200): Reply {
    const link = { problem, min: MIN_PASSWORD_LENGTH, max: MAX_PASSWORD_LENGTH };
    return page(views.for(reader).page('/dashboard/sign-in-password', { link }), status);
  }
  return [
    route({
      name: 'dashboard.password.form',
      method: 'GET',
      path: '/admin/password/:token',
      policy: anyone(),
      needsEm: false,
      readsSession: false,
      face: 'page',
      params: Token,
      async handle(_scope, { params, reader }) {
        if (!(await identity.isPasswordLink(params.token))) throw new NotFound();
        return form(reader, null);
      },
    }),
    route({
      name: 'dashboard.password.set',
      method: 'POST',
      path: '/admin/password/:token',
      policy: anyone(),
      needsEm: false,
      readsSession: false,
      face: 'page',
      params: Token,
      bodyKind: 'form',
      body: z.strictObject({ password: z.string().max(4_000) }),
      async handle(_scope, { params, body, reader }) {
        try {
          const { tenantSlug } = await identity.setPasswordByLink(params.token, body.password);
          return seeOther(`${LOGIN}?${new URLSearchParams({ tenant: tenantSlug, set: '1' })}`);
        } catch (error) {
          if (!(error instanceof Invalid)) throw error;
          return form(reader, error.fields?.['password'] ?? error.code, error.status);
        }
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

function signOutRoutes({ identity, views, config }: SignInDeps): Route[] {
  return [
    route({
      name: 'dashboard.sign-out.end',
      method: 'POST',
      path: '/sign-out',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      bodyKind: 'form',
      body: z.strictObject({}),
      async handle({ actor }) {
        if (isPerson(actor)) await identity.signOut(actor);
        const side = isPerson(actor) ? actor.side : 'user';
        const { cookie } = identity;
        return seeOther(`/sign-out?side=${side}`, {
          'Set-Cookie': [cookie.clear(), cookie.clear(cookie.pendingName)],
        });
      },
    }),
    route({
      name: 'dashboard.sign-out.done',
      method: 'GET',
      path: '/sign-out',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      query: z.object({ side: z.string().max(10).default('user') }),
      handle({ actor }, { query, reader }) {
        const out = { isSignedIn: isPerson(actor), isAdmin: query.side === 'admin', demo: config.demo };
        return page(views.for(reader).page('/dashboard/sign-in-out', { out }));
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

function demoRoutes(deps: SignInDeps): Route[] {
  const { identity } = deps;
  return [
    route({
      name: 'dashboard.demo.sign-in',
      method: 'POST',
      path: '/demo/sign-in',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      bodyKind: 'form',
      body: z.strictObject({ handle: z.string().max(60) }),
      async handle({ actor }, { body }) {
        return enter(deps, actor, await identity.signInDemoPerson(body.handle, 'browser'), '');
      },
    }),
    // keeps its own input types; among the others it is a door
  ] as Route[];
}

/** Puts the new session into the cookie and ends the one that this browser had. */
async function enter(deps: SignInDeps, before: Actor, signedIn: SignedIn, to: string): Promise<Reply> {
  const { identity, keepDevices } = deps;
  const { cookie } = identity;
  if (isPerson(before)) {
    if (before.id === signedIn.user.id) await keepDevices(before, signedIn);
    await identity.signOut(before);
  }
  return seeOther(safeRedirect(to, homeOf(signedIn.user)), {
    'Set-Cookie': [cookie.set(signedIn.token, signedIn.expiresAt), cookie.clear(cookie.pendingName)],
  });
}

function homeOf({ userType }: { readonly userType: string }): string {
  return userType === 'admin' ? DESK : `/${userType}`;
}

function isSomebodyElse(actor: Actor, userId: string): boolean {
  return isPerson(actor) && actor.id !== userId;
}

/** True when a page of another site sent this, so that our Lax cookie may have stayed at home. */
function comesFromElsewhere(
  headers: { readonly 'sec-fetch-site'?: string | string[]; readonly origin?: string; readonly host?: string },
  publicUrl: URL | undefined,
): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'cross-site';
  return headers.origin !== undefined && !isOwnOrigin(headers.origin, publicUrl?.origin ?? null, headers.host);
}

async function pendingSignIn(identity: Identity, header: string | undefined) {
  const token = readCookie(header, identity.cookie.pendingName);
  const person = await identity.authenticate(token);
  return token !== undefined && person ? { token, person } : null;
}

function asSignedIn(token: string, person: Person): SignedIn {
  return {
    token,
    sessionId: person.sessionId,
    expiresAt: person.sessionExpiresAt ?? new Date(0),
    tenant: { id: person.tenantId, slug: person.tenantSlug },
    user: { id: person.id, userType: person.userType, name: person.name },
  };
}
