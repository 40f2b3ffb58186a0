import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { StartError } from '../../platform/config/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { HostKey } from './host-key.entity.ts';
import { AUDIENCE, MAX_LIFETIME_SECONDS } from './host-token.input.ts';
import type { Sealer } from './sealed-secret.ts';

/** What a host would say of a person. */
export interface HostStatement {
  readonly sub: string;
  readonly userType: string;
  readonly name: string;
  readonly email?: string | null;
  readonly phone?: string | null;
  readonly country?: string | null;
  readonly locale?: string | null;
  readonly profile?: Readonly<Record<string, unknown>> | null;
  readonly context?: { readonly type: string; readonly id: string; readonly label: string } | null;
}

/** Signs host tokens with one of the tenant's own HS256 keys, as the host would: for the command line, demo and tests. */
export async function hostTokenSigner(
  scope: Scope,
  sealer: Sealer,
): Promise<(statement: HostStatement, ttlSeconds?: number) => string> {
  const keys = await scope.em.find(HostKey, { algorithm: 'HS256' }, { orderBy: { id: 'desc' } });
  const key = keys.find((one) => one.isLive(scope.now));
  if (!key?.sealedSecret) throw new StartError(`tenant ${scope.tenant.slug} has no live HS256 host key to sign with`);
  const secret = sealer.open(key.sealedSecret, key.id);
  const issuedAt = Math.floor(scope.now.getTime() / 1_000);
  return ({ userType, ...person }, ttlSeconds = MAX_LIFETIME_SECONDS) => {
    const claims = {
      iss: key.issuer,
      aud: AUDIENCE,
      tenant: scope.tenant.slug,
      user_type: userType,
      ...Object.fromEntries(Object.entries(person).filter(([, value]) => value !== null && value !== undefined)),
      iat: issuedAt,
      exp: issuedAt + ttlSeconds,
      jti: randomUUID(),
    };
    return jwt.sign(claims, secret, { algorithm: 'HS256', keyid: key.kid });
  };
}
