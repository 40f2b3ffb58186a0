import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, NotFound } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { noteAccessChange } from '../sessions/change-access.ts';
import { ADMIN, User } from '../users/user.entity.ts';
import { OWNER_ROLE } from './builtin-roles.ts';
import { lockRoles } from './manage-roles.ts';
import { type Role, RoleAssignment } from './role.entity.ts';
import { mayGrant, wouldLoseLastOwner } from './role.policy.ts';

/**
 * Gives an admin exactly these roles (by name). Effective on every node within a second, open sockets included.
 * @throws NotFound for somebody who is no admin of this tenant, or a role that does not exist.
 * @throws Forbidden when the actor may not manage roles, or hands out or takes away more than they have.
 * @throws Conflict `last_owner` when nobody would be left to manage the tenant.
 */
export async function setRoles(scope: Scope, userId: string, roleNames: readonly string[]): Promise<void> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  await transact(scope, async (inside) => {
    const roles = await lockRoles(inside);
    const user = await inside.em.findOne(User, { id: userId, userType: ADMIN });
    if (!user) throw new NotFound();
    const wanted = roleNames.map((name) => {
      const role = roles.find((one) => one.name === name);
      if (!role) throw new NotFound();
      return role;
    });
    const held = await inside.em.find(RoleAssignment, { userId });
    const heldRoles = roles.filter((role) => held.some((one) => one.roleId === role.id));
    const changed = [
      ...wanted.filter((one) => !heldRoles.includes(one)),
      ...heldRoles.filter((one) => !wanted.includes(one)),
    ];
    if (changed.length === 0) return;
    const mayChange =
      mayGrant(
        inside.actor,
        heldRoles.flatMap((one) => one.capabilities),
      ) &&
      mayGrant(
        inside.actor,
        wanted.flatMap((one) => one.capabilities),
      );
    if (!mayChange) throw new Forbidden('role_ceiling', 'You may not hand out or take away more than you have.');
    const owners = await activeOwners(inside, roles);
    if (
      wouldLoseLastOwner(
        owners,
        userId,
        wanted.some((one) => one.name === OWNER_ROLE),
      )
    ) {
      throw new Conflict('last_owner', 'Somebody must be left to manage this.');
    }
    for (const one of held) if (!wanted.some((role) => role.id === one.roleId)) inside.em.remove(one);
    assignRoles(
      inside,
      userId,
      wanted.filter((one) => !heldRoles.includes(one)),
    );
    recordAudit(inside, {
      action: 'SUPPORT_ROLE_CHANGED',
      entityType: 'user',
      entityId: userId,
      metadata: {
        roles: wanted
          .map((one) => one.name)
          .sort()
          .join(','),
      },
    });
    await noteAccessChange(inside, userId, null);
  });
}

/** Adds assignments without asking; for seeds and `setRoles`. The caller flushes. */
export function assignRoles(scope: Scope, userId: string, roles: readonly Role[]): void {
  for (const role of roles) {
    scope.em.persist(
      scope.em.create(RoleAssignment, {
        id: newId(),
        tenantId: scope.tenant.id,
        userId,
        roleId: role.id,
        assignedBy: scope.actor.id,
        assignedAt: scope.now,
      }),
    );
  }
}

/** Ids of the active admins who hold the owner's role. */
export async function activeOwners(scope: Scope, roles: readonly Role[]): Promise<string[]> {
  const owner = roles.find((one) => one.name === OWNER_ROLE);
  if (!owner) return [];
  const held = await scope.em.find(RoleAssignment, { roleId: owner.id });
  const active = await scope.em.find(User, { id: { $in: held.map((one) => one.userId) }, status: 'active' });
  return active.map((one) => one.id);
}
