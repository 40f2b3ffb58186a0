import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

/** What a host may sign with; each key has exactly one of them. */
export type HostKeyAlgorithm = 'HS256' | 'RS256' | 'ES256';

const HostKeySchema = defineEntity({
  name: 'HostKey',
  tableName: 'host_keys',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** What the token's header names; unique in the tenant. */
    kid: p.text(),
    /** The one `iss` that this key may speak for. */
    issuer: p.text(),
    algorithm: p.text().$type<HostKeyAlgorithm>(),
    /** HS256: the secret, sealed with SECRET_KEY. */
    sealedSecret: p.blob().nullable().hidden(),
    /** RS256, ES256: SPKI PEM. */
    publicKey: p.text().nullable(),
    createdAt: p.datetime(),
    /** Rotation: the old key works beside the new one until then. Null: no end. */
    expiresAt: p.datetime().nullable(),
  },
});

/** A key by which a host vouches for people. */
export class HostKey extends HostKeySchema.class {
  isLive(now: Date): boolean {
    return this.expiresAt === null || this.expiresAt === undefined || this.expiresAt > now;
  }
}
HostKeySchema.setClass(HostKey);
