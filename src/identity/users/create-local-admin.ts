import type { Scope } from '../../platform/database/index.ts';
import { newId } from '../../platform/text/index.ts';
import { normaliseEmail } from './normalise-email.ts';
import { ADMIN, LOCAL_ISSUER, User } from './user.entity.ts';

/** Makes an admin whom no host vouches for; they get in by a password link. The caller flushes. */
export function createLocalAdmin(scope: Scope, given: { readonly email: string; readonly name: string }): User {
  const id = newId();
  const user = scope.em.create(User, {
    id,
    tenantId: scope.tenant.id,
    userType: ADMIN,
    issuer: LOCAL_ISSUER,
    sub: id,
    name: given.name,
    email: normaliseEmail(given.email),
    phone: null,
    country: null,
    locale: null,
    profile: {},
    profileAt: null,
    context: null,
    contextAt: null,
    passwordHash: null,
    status: 'active',
    accessVersion: 1,
    lastSeenAt: null,
    createdAt: scope.now,
    updatedAt: scope.now,
  });
  scope.em.persist(user);
  return user;
}
