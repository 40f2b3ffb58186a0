import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, NotFound } from '../../platform/errors/index.ts';
import { recordAudit } from '../../tenancy/index.ts';

/** Of conversations `c`: that nobody holds them. Part of every statement that deletes by age. */
export const NOT_HELD = `not exists (
  select 1 from users h where h.tenant_id = c.tenant_id and h.id = c.opened_by and h.held_since is not null)`;

/**
 * Puts one of the host's users on legal hold, or ends it: while it lasts, neither retention nor erasure deletes anything of
 * theirs. What is so already stays as it is.
 * @throws Forbidden without MANAGE_PRIVACY; NotFound for nobody, and for admins.
 */
export async function setLegalHold(scope: Scope, userId: string, isHeld: boolean): Promise<void> {
  if (!scope.actor.can('MANAGE_PRIVACY')) throw new Forbidden();
  await transact(scope, async (inside) => {
    const [found] = await inside.em.execute<{ held: boolean }[]>(
      `select held_since is not null as held from users
       where tenant_id = ? and id = ?::uuid and user_type <> 'admin' for update`,
      [inside.tenant.id, userId],
    );
    if (!found) throw new NotFound();
    if (found.held === isHeld) return;
    await inside.em.execute('update users set held_since = ?::timestamptz where tenant_id = ? and id = ?::uuid', [
      isHeld ? inside.now.toISOString() : null,
      inside.tenant.id,
      userId,
    ]);
    recordAudit(inside, {
      action: 'SUPPORT_LEGAL_HOLD_CHANGED',
      entityType: 'user',
      entityId: userId,
      metadata: { held: isHeld },
    });
    await inside.em.flush();
  });
}

/** Inside the transaction that deletes: the person stays locked, so that no hold begins meanwhile. @throws Conflict `legal_hold` */
export async function refuseHeld(scope: Scope, userId: string): Promise<void> {
  const [found] = await scope.em.execute<{ held: boolean }[]>(
    'select held_since is not null as held from users where tenant_id = ? and id = ?::uuid for update',
    [scope.tenant.id, userId],
  );
  if (found?.held) throw new Conflict('legal_hold', 'This person is on legal hold: nothing of theirs may be deleted.');
}
