import { type Database, type Log, type Scope, transact } from '../../platform/database/index.ts';
import { NotSignedIn } from '../../platform/errors/index.ts';
import { systemActor, type Tenancy } from '../../tenancy/index.ts';
import { letIn, type SignedIn } from '../sessions/let-in.ts';
import type { SessionKind } from '../sessions/session.entity.ts';
import { mirrorUser } from '../users/mirror-user.ts';
import { ADMIN } from '../users/user.entity.ts';
import { type HostTokenClaims, MAX_SKEW_SECONDS } from './host-token.input.ts';
import type { Sealer } from './sealed-secret.ts';
import { readHostToken, type TokenFault, type UnverifiedHostToken, verifyHostToken } from './verify-host-token.ts';

/**
 * Signs in whom a host's token vouches for: checks it, spends its `jti`, mirrors the person and opens a session, all in
 * one transaction, so that of many uses at once, on any nodes, exactly one succeeds.
 * `only` takes nobody but users of one tenant; others' tokens are refused unspent.
 * @throws NotSignedIn `invalid_token`, whatever is wrong with it; the fault goes to the log.
 */
export async function signInByHost(
  deps: { readonly database: Database; readonly tenancy: Tenancy; readonly sealer: Sealer; readonly log: Log },
  token: string,
  kind: SessionKind,
  only?: { readonly usersOf: string },
): Promise<SignedIn> {
  const read = readHostToken(token);
  if (typeof read === 'string') throw refused(deps.log, read);
  if (only && (read.claims.tenant !== only.usersOf || read.claims.user_type === ADMIN))
    throw refused(deps.log, 'tenant');
  const tenant = await deps.tenancy.bySlug(read.claims.tenant);
  if (!tenant) throw refused(deps.log, 'tenant');
  const { userTypes } = tenant;
  return deps.database.withScope(tenant, systemActor(tenant.id), (scope) =>
    transact(scope, async (inside) => {
      const fault = (await verifyHostToken(inside, deps.sealer, read)) ?? userTypeFault(read, userTypes);
      if (fault) throw refused(deps.log, fault, tenant.id);
      if (!(await spend(inside, read.claims))) throw refused(deps.log, 'used', tenant.id);
      const user = await mirrorUser(inside, mirrored(read.claims));
      if (!user.isActive()) throw refused(deps.log, 'deactivated', tenant.id);
      return letIn(inside, user, kind, { by: 'host', context: read.claims.context });
    }),
  );
}

function userTypeFault({ claims }: UnverifiedHostToken, userTypes: readonly string[]): TokenFault | null {
  return claims.user_type === ADMIN || userTypes.includes(claims.user_type) ? null : 'user_type';
}

/** True for the first use of a token; kept until the token could not be used any more. */
async function spend(scope: Scope, claims: HostTokenClaims): Promise<boolean> {
  const keepUntil = new Date((claims.exp + MAX_SKEW_SECONDS) * 1_000);
  const rows = await scope.em.execute<{ jti: string }[]>(
    `insert into host_token_uses (tenant_id, issuer, jti, expires_at) values (?, ?, ?, ?) on conflict do nothing returning jti`,
    [scope.tenant.id, claims.iss, claims.jti, keepUntil],
  );
  return rows.length === 1;
}

function mirrored(claims: HostTokenClaims) {
  const { name, email, phone, country, locale, profile, context, sub } = claims;
  return { userType: claims.user_type, issuer: claims.iss, sub, name, email, phone, country, locale, profile, context };
}

function refused(log: Log, fault: TokenFault, tenantId?: string): NotSignedIn {
  log.info({ fault, tenantId }, 'host token refused');
  return new NotSignedIn(
    'invalid_token',
    'This sign-in is not valid or was used before. Go back to the app and open support again.',
  );
}
