import { p } from '@mikro-orm/postgresql';

/** The columns every table of a tenant has. The id is a UUIDv7 made by the app. */
export function baseColumns() {
  return {
    id: p.uuid().primary(),
    tenantId: p.uuid(),
  };
}

/** Name of the filter that every entity with a `tenantId` carries. */
export const TENANT_FILTER = 'tenant';

/**
 * The ORM's own fence, besides row-level security: on by default for every entity with a `tenantId`, and strict: without
 * the parameter that `withScope()` sets, a query throws instead of seeing everything.
 */
export const tenantFilter = {
  [TENANT_FILTER]: {
    name: TENANT_FILTER,
    cond(args: { tenantId?: string } | undefined) {
      if (!args?.tenantId) throw new Error('A tenant entity was queried outside of a tenant scope.');
      return { tenantId: args.tenantId };
    },
    default: true,
  },
};

/** The same for the tenants table itself, where the id is the tenant. */
export const ownTenantFilter = {
  [TENANT_FILTER]: {
    name: TENANT_FILTER,
    cond(args: { tenantId?: string } | undefined) {
      if (!args?.tenantId) throw new Error('A tenant entity was queried outside of a tenant scope.');
      return { id: args.tenantId };
    },
    default: true,
  },
};
