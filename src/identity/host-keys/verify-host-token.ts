import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import type { Scope } from '../../platform/database/index.ts';
import { HostKey } from './host-key.entity.ts';
import { HostTokenClaims, HostTokenHeader, MAX_LIFETIME_SECONDS, MAX_SKEW_SECONDS } from './host-token.input.ts';
import type { Sealer } from './sealed-secret.ts';

const MAX_TOKEN_LENGTH = 16_384;

/** Why a token is refused; for the log and the tests. Whoever sent it is told `invalid_token` and nothing more. */
export type TokenFault =
  | 'malformed'
  | 'header'
  | 'claims'
  | 'tenant'
  | 'key'
  | 'signature'
  | 'lifetime'
  | 'not_yet'
  | 'expired'
  | 'user_type'
  | 'used'
  | 'deactivated';

/** A token taken apart, before anything in it is believed. */
export interface UnverifiedHostToken {
  readonly token: string;
  readonly header: HostTokenHeader;
  readonly claims: HostTokenClaims;
}

/** Takes a token apart and checks the form of header and claims; only `claims.tenant` may be used before `verify`. */
export function readHostToken(token: string): UnverifiedHostToken | TokenFault {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return 'malformed';
  const parts = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
  if (!parts) return 'malformed';
  const header = HostTokenHeader.safeParse(jsonOf(parts[1]));
  if (!header.success) return 'header';
  const claims = HostTokenClaims.safeParse(jsonOf(parts[2]));
  if (!claims.success) return 'claims';
  return { token, header: header.data, claims: claims.data };
}

/**
 * Whether a key of this tenant vouches for the token now. What is valid, exactly:
 * - the header has `alg`, `kid` and `typ: JWT` at most. `kid` names a live key of the tenant; it may be missing while
 *   the tenant has exactly one live key;
 * - `alg` is that key's one algorithm, `iss` its one issuer, the signature verifies;
 * - `exp` is after `iat`, by 300 seconds at most; `iat` (and `nbf`) no more than 60 seconds ahead of our clock, `exp`
 *   less than 60 seconds behind it.
 */
export async function verifyHostToken(
  scope: Scope,
  sealer: Sealer,
  { token, header, claims }: UnverifiedHostToken,
): Promise<TokenFault | null> {
  const key = await hostKeyFor(scope, header.kid);
  if (!key || key.algorithm !== header.alg || key.issuer !== claims.iss) return 'key';
  if (!isSignedBy(key, sealer, token)) return 'signature';
  return lifetimeFault(claims, scope.now);
}

async function hostKeyFor(scope: Scope, kid: string | undefined): Promise<HostKey | null> {
  const keys = await scope.em.find(HostKey, kid === undefined ? {} : { kid }, { limit: 50, orderBy: { id: 'desc' } });
  const live = keys.filter((key) => key.isLive(scope.now));
  return live.length === 1 ? (live[0] ?? null) : null;
}

function isSignedBy(key: HostKey, sealer: Sealer, token: string): boolean {
  try {
    // times are judged below, by our own rules
    jwt.verify(token, verificationKey(key, sealer), {
      algorithms: [key.algorithm],
      ignoreExpiration: true,
      ignoreNotBefore: true,
    });
    return true;
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError) return false;
    throw error;
  }
}

function verificationKey(key: HostKey, sealer: Sealer): KeyObject {
  if (key.sealedSecret) return createSecretKey(sealer.open(key.sealedSecret, key.id), 'utf8');
  return createPublicKey(key.publicKey ?? '');
}

function lifetimeFault(claims: HostTokenClaims, now: Date): TokenFault | null {
  const seconds = now.getTime() / 1_000;
  const lifetime = claims.exp - claims.iat;
  if (lifetime <= 0 || lifetime > MAX_LIFETIME_SECONDS) return 'lifetime';
  if (Math.max(claims.iat, claims.nbf ?? 0) > seconds + MAX_SKEW_SECONDS) return 'not_yet';
  if (claims.exp <= seconds - MAX_SKEW_SECONDS) return 'expired';
  return null;
}

function jsonOf(part: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
