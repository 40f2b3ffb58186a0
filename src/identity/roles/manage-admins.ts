import { z } from 'zod';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '../../platform/errors/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { createPasswordLink } from '../passwords/password-links.ts';
import { setUserStatus } from '../sessions/change-access.ts';
import { createLocalAdmin } from '../users/create-local-admin.ts';
import { normaliseEmail } from '../users/normalise-email.ts';
import { ADMIN, LOCAL_ISSUER, User, type UserStatus } from '../users/user.entity.ts';
import { lockRoles } from './manage-roles.ts';
import { type Role, RoleAssignment } from './role.entity.ts';
import { mayGrant, wouldLoseLastOwner } from './role.policy.ts';
import { activeOwners, assignRoles } from './set-roles.ts';

/** An admin as the roles page shows them. */
export interface AdminOverview {
  readonly id: string;
  readonly name: string;
  /** For whoever may see contacts. */
  readonly email: string | null;
  readonly status: UserStatus;
  /** True when they sign in with a password here; others come through their app. */
  readonly isLocal: boolean;
  /** Names of the roles they hold. */
  readonly roles: readonly string[];
  /** True when they hold nothing that the actor lacks. */
  readonly isWithinReach: boolean;
}

/** Whom somebody invites. */
export interface Invitation {
  readonly name: string;
  readonly email: string;
  /** Names of roles, at least one. */
  readonly roles: readonly string[];
}

/**
 * The tenant's admins by name with their roles, 500 at most.
 * @throws Forbidden without MANAGE_ROLES.
 */
export async function listAdminsWithRoles(scope: Scope, roles: readonly RoleLike[]): Promise<AdminOverview[]> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  const admins = await scope.em.find(
    User,
    { userType: ADMIN },
    { orderBy: { status: 'asc', name: 'asc', id: 'asc' }, limit: 500 },
  );
  const held = await scope.em.execute<{ user_id: string; name: string }[]>(
    `select a.user_id, r.name from role_assignments a join roles r on r.tenant_id = a.tenant_id and r.id = a.role_id
     where a.tenant_id = ? order by r.is_builtin desc, r.label`,
    [scope.tenant.id],
  );
  const seesContacts = scope.actor.can('VIEW_USER_CONTACTS');
  return admins.map((admin) => {
    const names = held.filter((one) => one.user_id === admin.id).map(({ name }) => name);
    const capabilities = roles.filter((role) => names.includes(role.name)).flatMap((role) => role.capabilities);
    return {
      id: admin.id,
      name: admin.name,
      email: seesContacts ? (admin.email ?? null) : null,
      status: admin.status,
      isLocal: admin.issuer === LOCAL_ISSUER,
      roles: names,
      isWithinReach: mayGrant(scope.actor, capabilities),
    };
  });
}

/** The part of a role that says what it gives. */
interface RoleLike {
  readonly name: string;
  readonly capabilities: readonly string[];
}

/**
 * Makes an admin with these roles who gets in by the link whose token is returned: once, within 48 hours.
 * @throws Invalid `name`, `email`, `roles`; Forbidden `role_ceiling`; Conflict `email_taken`.
 */
export async function inviteAdmin(scope: Scope, invitation: Invitation): Promise<{ id: string; link: string }> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  const { name, email } = checkedPerson(invitation);
  return transact(scope, async (inside) => {
    const wanted = named(await lockRoles(inside), invitation.roles);
    if (wanted.length === 0) throw new Invalid({ roles: 'roles' });
    refuseBeyond(inside, wanted);
    const twin = await inside.em.findOne(User, { userType: ADMIN, email });
    if (twin) throw new Conflict('email_taken', 'Somebody of that email is an admin already.');
    const admin = createLocalAdmin(inside, { email, name });
    assignRoles(inside, admin.id, wanted);
    const link = createPasswordLink(inside, admin.id);
    record(inside, admin.id, 'invited', { roles: namesOf(wanted) });
    await inside.em.flush();
    return { id: admin.id, link };
  });
}

/**
 * A new link by which an admin with a password here may set another one.
 * @throws NotFound; Forbidden `role_ceiling`; Conflict `not_local` for admins who come through their app.
 */
export async function renewPasswordLink(scope: Scope, userId: string): Promise<string> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  return transact(scope, async (inside) => {
    const { admin, held } = await reachable(inside, userId);
    if (admin.issuer !== LOCAL_ISSUER) throw new Conflict('not_local', 'This admin signs in through their app.');
    const link = createPasswordLink(inside, admin.id);
    record(inside, admin.id, 'link', { roles: namesOf(held) });
    await inside.em.flush();
    return link;
  });
}

/**
 * Lets an admin in or out; out ends their sessions and closes their sockets within a second.
 * @throws NotFound; Forbidden `role_ceiling`; Conflict `last_owner`, or `not_yourself`.
 */
export async function setAdminStatus(scope: Scope, userId: string, status: UserStatus): Promise<void> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  await transact(scope, async (inside) => {
    const { admin, held, roles } = await reachable(inside, userId);
    if (admin.status === status) return;
    if (status === 'deactivated') {
      if (admin.id === inside.actor.id) throw new Conflict('not_yourself', 'Nobody deactivates themselves.');
      if (wouldLoseLastOwner(await activeOwners(inside, roles), admin.id, false)) {
        throw new Conflict('last_owner', 'Somebody must be left to manage this.');
      }
    }
    record(inside, admin.id, status === 'active' ? 'activated' : 'deactivated', { roles: namesOf(held) });
    await inside.em.flush();
    await setUserStatus(inside, admin.id, status);
  });
}

/** An admin whom the actor may manage, and what they hold. */
async function reachable(scope: Scope, userId: string): Promise<{ admin: User; held: Role[]; roles: Role[] }> {
  const roles = await lockRoles(scope);
  const admin = await scope.em.findOne(User, { id: userId, userType: ADMIN });
  if (!admin) throw new NotFound();
  const assignments = await scope.em.find(RoleAssignment, { userId });
  const held = roles.filter((role) => assignments.some((one) => one.roleId === role.id));
  refuseBeyond(scope, held);
  return { admin, held, roles };
}

function checkedPerson({ name, email }: Invitation): { name: string; email: string } {
  const wanted = { name: name.trim().replace(/\s+/g, ' '), email: normaliseEmail(email) };
  const fields: Record<string, string> = {};
  if (wanted.name === '' || wanted.name.length > 200) fields['name'] = 'name';
  if (wanted.email.length > 320 || !z.email().safeParse(wanted.email).success) fields['email'] = 'email';
  if (Object.keys(fields).length > 0) throw new Invalid(fields);
  return wanted;
}

function named(roles: readonly Role[], names: readonly string[]): Role[] {
  const found = roles.filter((role) => names.includes(role.name));
  if (found.length !== new Set(names).size) throw new Invalid({ roles: 'roles' });
  return found;
}

function refuseBeyond(scope: Scope, roles: readonly Role[]): void {
  const capabilities = roles.flatMap((role) => role.capabilities);
  if (!mayGrant(scope.actor, capabilities)) {
    throw new Forbidden('role_ceiling', 'You may not hand out or take away more than you have.');
  }
}

function namesOf(roles: readonly Role[]): string {
  return roles
    .map((role) => role.name)
    .sort()
    .join(',');
}

function record(scope: Scope, userId: string, change: string, metadata: Readonly<Record<string, string>>): void {
  recordAudit(scope, {
    action: 'SUPPORT_ROLE_CHANGED',
    entityType: 'user',
    entityId: userId,
    metadata: { change, ...metadata },
  });
}
