import { raw } from '@mikro-orm/postgresql';
import { type Scope, transact } from '../../platform/database/index.ts';
import { User, type UserStatus } from '../users/user.entity.ts';
import { AccessChangeRecord, Session } from './session.entity.ts';

/**
 * Tells every node that a person's access must be asked again (`sessionId` null), or that one session ended. Part of
 * the surrounding transaction; whatever changes roles, status or sessions calls it.
 */
export async function noteAccessChange(scope: Scope, userId: string, sessionId: string | null): Promise<void> {
  if (sessionId === null) {
    // the append function compares the version, so a cache that has not heard yet cannot send either
    await scope.em.nativeUpdate(User, { id: userId }, { accessVersion: raw('access_version + 1') });
  }
  scope.em.persist(scope.em.create(AccessChangeRecord, { tenantId: scope.tenant.id, userId, sessionId }));
  await scope.em.flush();
}

/** Ends one session of a person. True when it was alive. */
export async function revokeSession(scope: Scope, userId: string, sessionId: string): Promise<boolean> {
  return transact(scope, async (inside) => {
    const ended = await inside.em.nativeUpdate(
      Session,
      { id: sessionId, userId, revokedAt: null },
      { revokedAt: inside.now },
    );
    if (ended > 0) await noteAccessChange(inside, userId, sessionId);
    return ended > 0;
  });
}

/** Ends all sessions of a person, and the links by which they could come in again, and returns how many sessions there were. */
export async function revokeAllOf(scope: Scope, userId: string): Promise<number> {
  return transact(scope, async (inside) => {
    const ended = await inside.em.nativeUpdate(Session, { userId, revokedAt: null }, { revokedAt: inside.now });
    await inside.em.execute('delete from sign_in_links where tenant_id = ? and user_id = ?', [
      inside.tenant.id,
      userId,
    ]);
    await noteAccessChange(inside, userId, null);
    return ended;
  });
}

/** Lets a person in or out. Deactivating ends all their sessions. */
export async function setUserStatus(scope: Scope, userId: string, status: UserStatus): Promise<void> {
  await transact(scope, async (inside) => {
    await inside.em.nativeUpdate(User, { id: userId }, { status, updatedAt: inside.now });
    if (status === 'active') await noteAccessChange(inside, userId, null);
    else await revokeAllOf(inside, userId);
  });
}
