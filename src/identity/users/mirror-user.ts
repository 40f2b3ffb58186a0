import { type Scope, transact } from '../../platform/database/index.ts';
import { newId } from '../../platform/text/index.ts';
import type { HostContext } from '../person.ts';
import { noteAccessChange } from '../sessions/change-access.ts';
import { User } from './user.entity.ts';

/** A person as their host describes them. */
export interface MirroredUser {
  readonly userType: string;
  readonly issuer: string;
  readonly sub: string;
  readonly name: string;
  readonly email: string | null;
  readonly phone: string | null;
  readonly country: string | null;
  readonly locale: string | null;
  /** Null leaves what an earlier token said. */
  readonly profile: Readonly<Record<string, unknown>> | null;
  readonly context: HostContext | null;
}

/**
 * Stores what the host says of a person and returns the row. A person is (tenant, user type, issuer, sub): an email,
 * whatever it says, never leads to somebody else's row. An admin's password email stays as it is.
 */
export async function mirrorUser(scope: Scope, given: MirroredUser): Promise<User> {
  return transact(scope, async (inside) => {
    const id = newId();
    // the row is made by whoever comes first; everybody else waits for the lock and sees it
    await inside.em.execute(
      `insert into users (id, tenant_id, user_type, issuer, sub, name, status, created_at, updated_at)
       values (?, ?, ?, ?, ?, ?, 'active', ?, ?) on conflict (tenant_id, user_type, issuer, sub) do nothing`,
      [id, inside.tenant.id, given.userType, given.issuer, given.sub, given.name, inside.now, inside.now],
    );
    const user = await inside.em.findOneOrFail(
      User,
      { userType: given.userType, issuer: given.issuer, sub: given.sub },
      { populate: ['passwordHash'] },
    );
    const isShownOtherwise =
      user.id !== id && (user.name !== given.name || user.locale !== given.locale || user.country !== given.country);
    user.name = given.name;
    user.phone = given.phone;
    user.country = given.country;
    user.locale = given.locale;
    if (!user.passwordHash) user.email = given.email;
    if (given.profile) {
      user.profile = given.profile;
      user.profileAt = inside.now;
    }
    if (given.context) {
      user.context = given.context;
      user.contextAt = inside.now;
    }
    user.lastSeenAt = inside.now;
    user.updatedAt = inside.now;
    await inside.em.flush();
    // other sessions of this person show the name; let them be read again
    if (isShownOtherwise) await noteAccessChange(inside, user.id, null);
    return user;
  });
}
