import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';
import type { HostContext } from '../person.ts';

/** User type of admins, whoever vouches for them. */
export const ADMIN = 'admin';

/** Issuer of admins who were made here and sign in with a password only. */
export const LOCAL_ISSUER = 'local';

/** A deactivated person keeps their conversations and cannot come in. */
export type UserStatus = 'active' | 'deactivated';

const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** One of the tenant's user types, or `admin`. */
    userType: p.text(),
    /** Who vouches: `iss` of the host's tokens, or `local`. */
    issuer: p.text(),
    /** The person's id there. */
    sub: p.text(),
    name: p.text(),
    /** Trimmed and lower case. Never an identity. */
    email: p.text().nullable(),
    phone: p.text().nullable(),
    /** ISO 3166-1 alpha-2. */
    country: p.text().nullable(),
    /** BCP 47. */
    locale: p.text().nullable(),
    /** What the host wants shown in the details panel, e.g. completed trips. */
    profile: p.json().$type<Readonly<Record<string, unknown>>>(),
    profileAt: p.datetime().nullable(),
    /** What the last visit was about. */
    context: p.json().$type<HostContext>().nullable(),
    contextAt: p.datetime().nullable(),
    /** Admins with a password only. */
    passwordHash: p.text().nullable().hidden().lazy(),
    status: p.text().$type<UserStatus>(),
    /** Grows with every change of roles, status, sessions or what a session shows of the person. */
    accessVersion: p.integer(),
    lastSeenAt: p.datetime().nullable(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});

/** A person of a tenant: one of the host's users, or an admin. Identified by (tenant, user type, issuer, sub). */
export class User extends UserSchema.class {
  isAdmin(): boolean {
    return this.userType === ADMIN;
  }

  isActive(): boolean {
    return this.status === 'active';
  }
}
UserSchema.setClass(User);
