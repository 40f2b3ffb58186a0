import type { Database, Log } from '../platform/database/index.ts';
import { systemActor, type Tenancy } from '../tenancy/index.ts';
import { demoHostToken } from './demo/demo-host-token.ts';
import { signInDemoPerson } from './demo/sign-in-demo-person.ts';
import { createSealer } from './host-keys/sealed-secret.ts';
import { signInByHost } from './host-keys/sign-in-by-host.ts';
import { findPasswordLink, setPasswordByLink } from './passwords/password-links.ts';
import { createPasswords } from './passwords/passwords.ts';
import { type PasswordSignIn, signInByPassword } from './passwords/sign-in-by-password.ts';
import type { Person } from './person.ts';
import { type Authentication, openAuthentication } from './sessions/authentication.ts';
import { revokeSession } from './sessions/change-access.ts';
import type { SignedIn } from './sessions/let-in.ts';
import type { SessionKind } from './sessions/session.entity.ts';
import { type SessionCookie, sessionCookie } from './sessions/session-cookie.ts';
import { createSignInLinks, type SignInLinks } from './sign-in-links/sign-in-links.ts';

/** Who people are, for one process: how they come in, who they are while they stay, how they leave. */
export interface Identity extends Authentication {
  /** Name and attributes of the cookie, and how a request's token is found. */
  readonly cookie: SessionCookie;
  /** See `sign-in-by-host.ts`. */
  signInByHost(token: string, kind: SessionKind, only?: { readonly usersOf: string }): Promise<SignedIn>;
  /** Demo mode only (NotFound otherwise): what the person's host would vouch with. */
  demoHostToken(handle: string): Promise<string>;
  /** See `sign-in-by-password.ts`. */
  signInByPassword(given: PasswordSignIn, kind: SessionKind): Promise<SignedIn>;
  /** Demo mode only (NotFound otherwise): one click on the first page. */
  signInDemoPerson(handle: string, kind: SessionKind): Promise<SignedIn>;
  /** See `sign-in-links.ts`. */
  readonly signInLinks: SignInLinks;
  /** Ends the person's session; its sockets close on every node. */
  signOut(person: Person): Promise<void>;
  /** True while a link may be used to set a password. */
  isPasswordLink(token: string): Promise<boolean>;
  /** Sets the password and returns the tenant's slug, for the sign-in form. See `password-links.ts`. */
  setPasswordByLink(token: string, password: string): Promise<{ tenantSlug: string }>;
}

/** What identity is made from. */
export interface IdentityDeps {
  readonly database: Database;
  readonly tenancy: Tenancy;
  readonly log: Log;
  readonly config: {
    readonly secretKey: Buffer;
    readonly publicUrl?: URL;
    readonly limits: boolean;
    readonly demo: boolean;
  };
  /** Milliseconds since 1970; tests move it. */
  readonly clock?: () => number;
}

/** Opens identity for one process and begins to follow access changes. */
export async function openIdentity(deps: IdentityDeps): Promise<Identity> {
  const { database, tenancy, log, config } = deps;
  const sealer = createSealer(config.secretKey);
  const passwords = createPasswords();
  const authentication = await openAuthentication(deps);
  return {
    ...authentication,
    cookie: sessionCookie(config.publicUrl),
    signInLinks: createSignInLinks({ database, secretKey: config.secretKey }),
    signInByHost: (token, kind, only) => signInByHost({ database, tenancy, sealer, log }, token, kind, only),
    demoHostToken: (handle) => demoHostToken({ database, tenancy, sealer, demo: config.demo }, handle),
    signInByPassword: (given, kind) => signInByPassword({ database, passwords, log, ...config }, given, kind),
    signInDemoPerson: (handle, kind) => signInDemoPerson({ database, tenancy, demo: config.demo }, handle, kind),
    async signOut(person) {
      const tenant = { id: person.tenantId, slug: person.tenantSlug };
      await database.withScope(tenant, systemActor(tenant.id), (scope) =>
        revokeSession(scope, person.id, person.sessionId),
      );
      await authentication.refresh();
    },
    isPasswordLink: async (token) => (await findPasswordLink(database, token)) !== null,
    async setPasswordByLink(token, password) {
      const { tenant } = await setPasswordByLink({ database, passwords }, token, password);
      await authentication.refresh();
      return { tenantSlug: tenant.slug };
    },
  };
}
