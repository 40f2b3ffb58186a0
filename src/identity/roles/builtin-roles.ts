import type { Scope } from '../../platform/database/index.ts';
import { newId } from '../../platform/text/index.ts';
import { CAPABILITIES, type Capability } from '../person.ts';
import { Role } from './role.entity.ts';

const VIEWER: readonly Capability[] = ['SUPPORT_CHAT', 'VIEW_SUPPORT_CHAT_LIST'];
const AGENT: readonly Capability[] = [...VIEWER, 'REPLY_SUPPORT_CHAT', 'ASSIGN_SUPPORT_CHAT', 'CLOSE_SUPPORT_CHAT'];
const LEAD: readonly Capability[] = [
  ...AGENT,
  'VIEW_USER_CONTACTS',
  'MANAGE_SAVED_REPLIES',
  'VIEW_SUPPORT_REPORTS',
  'VIEW_AUDIT_LOG',
];

/** The role whose last active holder cannot be taken away. */
export const OWNER_ROLE = 'tenant_admin';

/** The roles every tenant begins with, as the contract's table has them. */
export const BUILTIN_ROLES = [
  { name: 'support_viewer', label: 'Support viewer', capabilities: VIEWER },
  { name: 'support_agent', label: 'Support agent', capabilities: AGENT },
  { name: 'support_lead', label: 'Support lead', capabilities: LEAD },
  { name: OWNER_ROLE, label: 'Tenant admin', capabilities: CAPABILITIES },
] as const;

export type BuiltinRoleName = (typeof BUILTIN_ROLES)[number]['name'];

/** Adds the roles to a tenant that has none yet; the caller flushes. */
export function createBuiltinRoles(scope: Scope): Map<BuiltinRoleName, Role> {
  const made = new Map<BuiltinRoleName, Role>();
  for (const { name, label, capabilities } of BUILTIN_ROLES) {
    const role = scope.em.create(Role, {
      id: newId(),
      tenantId: scope.tenant.id,
      name,
      label,
      capabilities: [...capabilities],
      isBuiltin: true,
      createdAt: scope.now,
      updatedAt: scope.now,
    });
    scope.em.persist(role);
    made.set(name, role);
  }
  return made;
}
