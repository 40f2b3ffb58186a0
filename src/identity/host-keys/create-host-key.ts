import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Scope } from '../../platform/database/index.ts';
import { Invalid } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { HostKey, type HostKeyAlgorithm } from './host-key.entity.ts';
import type { Sealer } from './sealed-secret.ts';

const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2_048;

/** A key to be added. Without a secret an HS256 key gets a random one. */
export type NewHostKey = {
  readonly kid?: string;
  /** The `iss` that its tokens carry. */
  readonly issuer: string;
  /** For rotation: when it stops working. */
  readonly expiresAt?: Date;
} & (
  | { readonly algorithm: 'HS256'; readonly secret?: string }
  | { readonly algorithm: 'RS256' | 'ES256'; readonly publicKey: string }
);

/**
 * Adds a key by which a host vouches; the caller flushes. The secret comes back once (`secret`, null for public keys)
 * and is the UTF-8 text to give to the host's JWT library as it is.
 * @throws Invalid `secret_too_short` (under 32 bytes of UTF-8), `public_key` (not the algorithm's kind: RSA of 2,048
 * bits or more, P-256).
 */
export function createHostKey(
  scope: Scope,
  sealer: Sealer,
  wanted: NewHostKey,
): { key: HostKey; secret: string | null } {
  const id = newId();
  const secret = wanted.algorithm === 'HS256' ? (wanted.secret ?? randomBytes(32).toString('base64url')) : null;
  if (secret !== null && Buffer.byteLength(secret) < MIN_SECRET_BYTES)
    throw new Invalid({ secret: 'secret_too_short' });
  const key = scope.em.create(HostKey, {
    id,
    tenantId: scope.tenant.id,
    kid: wanted.kid ?? id,
    issuer: wanted.issuer,
    algorithm: wanted.algorithm,
    sealedSecret: secret === null ? null : sealer.seal(secret, id),
    publicKey: wanted.algorithm === 'HS256' ? null : checkedPublicKey(wanted.algorithm, wanted.publicKey),
    createdAt: scope.now,
    expiresAt: wanted.expiresAt ?? null,
  });
  scope.em.persist(key);
  return { key, secret };
}

/** The key as SPKI PEM, if it is one for the algorithm. A private key given by mistake is refused, not stored. */
function checkedPublicKey(algorithm: Exclude<HostKeyAlgorithm, 'HS256'>, pem: string): string {
  if (/PRIVATE KEY/.test(pem)) throw new Invalid({ publicKey: 'private_key' });
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new Invalid({ publicKey: 'public_key' });
  }
  const details = key.asymmetricKeyDetails;
  const fits =
    algorithm === 'RS256'
      ? key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS
      : key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1';
  if (!fits) throw new Invalid({ publicKey: 'public_key' });
  return key.export({ type: 'spki', format: 'pem' }).toString();
}
