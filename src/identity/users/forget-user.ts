import type { Scope } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { noteAccessChange } from '../sessions/change-access.ts';
import { Session } from '../sessions/session.entity.ts';
import { User } from './user.entity.ts';

/** Issuer of those who were forgotten: whoever comes again with the old id is somebody new. */
const FORGOTTEN = 'erased';

/**
 * Takes everything from one of the host's users that says who they are; what stays is an id that nobody can come in
 * with. Their sessions go. Part of the surrounding transaction, under the row's lock: nothing new of theirs begins.
 * @throws NotFound for nobody, and for admins.
 */
export async function forgetUser(scope: Scope, userId: string): Promise<void> {
  await scope.em.execute('select 1 from users where tenant_id = ? and id = ? for update', [scope.tenant.id, userId]);
  const user = await scope.em.findOne(User, { id: userId }, { refresh: true });
  if (!user || user.isAdmin()) throw new NotFound();
  await scope.em.nativeDelete(Session, { userId });
  await scope.em.execute('delete from sign_in_links where tenant_id = ? and user_id = ?', [scope.tenant.id, userId]);
  await scope.em.nativeUpdate(
    User,
    { id: userId },
    {
      issuer: FORGOTTEN,
      sub: userId,
      name: 'Erased',
      email: null,
      phone: null,
      country: null,
      locale: null,
      profile: {},
      profileAt: null,
      context: null,
      contextAt: null,
      passwordHash: null,
      lastSeenAt: null,
      status: 'deactivated',
      updatedAt: scope.now,
    },
  );
  await noteAccessChange(scope, userId, null);
}
