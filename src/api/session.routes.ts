import { z } from 'zod';
import { anyone, type Identity, type Person, type SignedIn, signedIn } from '../identity/index.ts';
import { json, noContent, type Route, route } from '../platform/http/index.ts';

const MAX_TOKEN_LENGTH = 16_384;

/** Either a host's token, or what an admin types. */
const NewSession = z
  .strictObject({
    token: z.string().min(1).max(MAX_TOKEN_LENGTH).optional(),
    tenant: z.string().max(63).optional(),
    email: z.string().max(320).optional(),
    password: z.string().max(1_000).optional(),
  })
  .superRefine((given, ctx) => {
    const needed =
      given.token !== undefined || (given.tenant ?? given.email ?? given.password) === undefined
        ? (['token'] as const)
        : (['tenant', 'email', 'password'] as const);
    for (const name of needed) {
      if (given[name] === undefined) ctx.addIssue({ code: 'custom', path: [name], message: 'required' });
    }
    if (given.token === undefined) return;
    for (const name of ['tenant', 'email', 'password'] as const) {
      if (given[name] !== undefined) ctx.addIssue({ code: 'custom', path: [name], message: 'not_with_token' });
    }
  });

const OpenedSession = z.strictObject({
  accessToken: z.string(),
  expiresAt: z.iso.datetime(),
  user: z.strictObject({ id: z.uuid(), userType: z.string(), name: z.string() }),
});

/** Sessions of programs: opened with a host's token or a password, sent as `Authorization: Bearer`, ended by DELETE. */
export function sessionRoutes({ identity }: { readonly identity: Identity }): Route[] {
  return [
    route({
      name: 'api.session.create',
      method: 'POST',
      path: '/api/support/session',
      policy: anyone(),
      readsSession: false,
      needsEm: false,
      face: 'json',
      body: NewSession,
      bodyKind: 'json',
      reply: OpenedSession,
      summary: 'Signs in with a host token, or with tenant, email and password (admins). The session lives 12 hours.',
      async handle(_scope, { body, clientAddress }) {
        const { token, tenant = '', email = '', password = '' } = body;
        const signedIn =
          token === undefined
            ? await identity.signInByPassword({ tenant, email, password, address: clientAddress }, 'api')
            : await identity.signInByHost(token, 'api');
        return json(openedSession(signedIn), 201);
      },
    }),
    route<Person>({
      name: 'api.session.end',
      method: 'DELETE',
      path: '/api/support/session',
      policy: signedIn(),
      needsEm: false,
      face: 'json',
      summary: 'Ends the session of the request; its sockets close.',
      async handle({ actor }) {
        await identity.signOut(actor);
        return noContent();
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

function openedSession({ token, expiresAt, user }: SignedIn): z.output<typeof OpenedSession> {
  return { accessToken: token, expiresAt: expiresAt.toISOString(), user };
}
