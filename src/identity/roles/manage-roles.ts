import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { CAPABILITIES, type Capability } from '../person.ts';
import { noteAccessChange } from '../sessions/change-access.ts';
import { Role, RoleAssignment } from './role.entity.ts';
import { mayGrant } from './role.policy.ts';

/** A role as the roles page shows it. */
export interface RoleOverview {
  readonly name: string;
  readonly label: string;
  readonly capabilities: readonly string[];
  readonly isBuiltin: boolean;
  /** How many hold it. */
  readonly holders: number;
  /** True when the actor may give it, take it away and, unless it is built in, change it. */
  readonly isWithinReach: boolean;
}

/** What somebody wants a role to be. */
export interface RoleWish {
  /** As people read it, 1 to 60 characters. */
  readonly label: string;
  readonly capabilities: readonly string[];
}

const MAX_LABEL_LENGTH = 60;
const MAX_ROLES = 100;

/**
 * The tenant's roles: built-in ones by how much they may, then its own by label.
 * @throws Forbidden without MANAGE_ROLES.
 */
export async function listRoles(scope: Scope): Promise<RoleOverview[]> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  const found = await scope.em.find(Role, {}, { orderBy: { label: 'asc' } });
  const weight = (role: Role) => (role.isBuiltin ? role.capabilities.length : CAPABILITIES.length + 1);
  const roles = found.sort((a, b) => weight(a) - weight(b));
  const held = await scope.em.find(RoleAssignment, {}, { fields: ['roleId'] });
  return roles.map((role) => ({
    name: role.name,
    label: role.label,
    capabilities: CAPABILITIES.filter((one) => role.capabilities.includes(one)),
    isBuiltin: role.isBuiltin,
    holders: held.filter((one) => one.roleId === role.id).length,
    isWithinReach: mayGrant(scope.actor, role.capabilities),
  }));
}

/**
 * Makes a role of the tenant's own and returns its name.
 * @throws Forbidden without MANAGE_ROLES, or `role_ceiling` for more than the actor has.
 * @throws Invalid `label` or `capabilities`; Conflict `role_exists`, `too_many_roles`.
 */
export async function createRole(scope: Scope, wish: RoleWish): Promise<string> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  const wanted = checked(scope, wish);
  return transact(scope, async (inside) => {
    const roles = await lockRoles(inside);
    if (roles.length >= MAX_ROLES) throw new Conflict('too_many_roles', 'There are too many roles already.');
    refuseTwin(roles, wanted.label, null);
    const id = newId();
    const name = freeName(roles, wanted.label, id);
    inside.em.persist(
      inside.em.create(Role, {
        id,
        tenantId: inside.tenant.id,
        name,
        label: wanted.label,
        capabilities: wanted.capabilities,
        isBuiltin: false,
        createdAt: inside.now,
        updatedAt: inside.now,
      }),
    );
    record(inside, name, 'created', wanted.capabilities);
    await inside.em.flush();
    return name;
  });
}

/**
 * Changes a role of the tenant's own. Everybody who holds it has the new rights on every node within a second.
 * @throws NotFound; Forbidden `role_ceiling` when it has, or would have, more than the actor.
 * @throws Conflict `role_builtin`, `role_exists`; Invalid `label` or `capabilities`.
 */
export async function changeRole(scope: Scope, name: string, wish: RoleWish): Promise<void> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  await transact(scope, async (inside) => {
    const roles = await lockRoles(inside);
    const role = ownRole(inside, roles, name);
    const wanted = checked(inside, wish);
    refuseTwin(roles, wanted.label, role);
    role.label = wanted.label;
    role.capabilities = wanted.capabilities;
    role.updatedAt = inside.now;
    record(inside, name, 'saved', wanted.capabilities);
    await inside.em.flush();
    const held = await inside.em.find(RoleAssignment, { roleId: role.id });
    for (const { userId } of held) await noteAccessChange(inside, userId, null);
  });
}

/**
 * Removes a role of the tenant's own that nobody holds.
 * @throws NotFound; Forbidden `role_ceiling`; Conflict `role_builtin`, `role_in_use`.
 */
export async function removeRole(scope: Scope, name: string): Promise<void> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  await transact(scope, async (inside) => {
    const role = ownRole(inside, await lockRoles(inside), name);
    const holders = await inside.em.count(RoleAssignment, { roleId: role.id });
    if (holders > 0) throw new Conflict('role_in_use', 'Somebody still holds this role.');
    record(inside, name, 'removed', role.capabilities);
    inside.em.remove(role);
    await inside.em.flush();
  });
}

/**
 * All roles, under a lock that everybody takes who changes roles or who holds them: two owners who remove each other
 * at once come one after the other.
 */
export async function lockRoles(scope: Scope): Promise<Role[]> {
  await scope.em.execute('select 1 from roles where tenant_id = ? order by id for update', [scope.tenant.id]);
  return scope.em.find(Role, {}, { orderBy: { id: 'asc' }, refresh: true });
}

function ownRole(scope: Scope, roles: readonly Role[], name: string): Role {
  const role = roles.find((one) => one.name === name);
  if (!role) throw new NotFound();
  if (role.isBuiltin) throw new Conflict('role_builtin', 'Built-in roles stay as they are.');
  if (!mayGrant(scope.actor, role.capabilities)) throw beyondCeiling();
  return role;
}

function checked(scope: Scope, { label, capabilities }: RoleWish): { label: string; capabilities: Capability[] } {
  const wanted = label.trim().replace(/\s+/g, ' ');
  if (wanted === '' || wanted.length > MAX_LABEL_LENGTH) throw new Invalid({ label: 'label' });
  const known = CAPABILITIES.filter((one) => capabilities.includes(one));
  if (known.length === 0 || known.length !== new Set(capabilities).size)
    throw new Invalid({ capabilities: 'capabilities' });
  if (!mayGrant(scope.actor, known)) throw beyondCeiling();
  return { label: wanted, capabilities: known };
}

function beyondCeiling(): Forbidden {
  return new Forbidden('role_ceiling', 'You may not hand out or take away more than you have.');
}

function refuseTwin(roles: readonly Role[], label: string, itself: Role | null): void {
  const twin = roles.find((one) => one !== itself && one.label.toLowerCase() === label.toLowerCase());
  if (twin) throw new Conflict('role_exists', 'There is a role of that name already.');
}

/** `night_shift` of `Night shift`; of a label without Latin letters the beginning of the id. */
function freeName(roles: readonly Role[], label: string, id: string): string {
  const plain = label
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  const name = plain || `role_${id.slice(-8)}`;
  return roles.some((one) => one.name === name) ? `${name}_${id.slice(-8)}` : name;
}

function record(scope: Scope, name: string, change: string, capabilities: readonly string[]): void {
  recordAudit(scope, {
    action: 'SUPPORT_ROLE_CHANGED',
    entityType: 'role',
    entityId: name,
    metadata: { change, capabilities: capabilities.join(',') },
  });
}
