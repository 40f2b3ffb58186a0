import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

const RoleSchema = defineEntity({
  name: 'Role',
  tableName: 'roles',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** `support_agent`; unique in the tenant. */
    name: p.text(),
    /** As people read it. */
    label: p.text(),
    capabilities: p.array(),
    /** Comes with every tenant. */
    isBuiltin: p.boolean(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});

/** What an admin may do, under a name. */
export class Role extends RoleSchema.class {}
RoleSchema.setClass(Role);

const RoleAssignmentSchema = defineEntity({
  name: 'RoleAssignment',
  tableName: 'role_assignments',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    userId: p.uuid(),
    roleId: p.uuid(),
    /** User id, or `system`. */
    assignedBy: p.text(),
    assignedAt: p.datetime(),
  },
});

/** That an admin holds a role, since when and by whom. */
export class RoleAssignment extends RoleAssignmentSchema.class {}
RoleAssignmentSchema.setClass(RoleAssignment);
