import { z } from 'zod';
import { type Actor, type Scope, transact } from '../platform/database/index.ts';
import { Tenant } from './tenant.entity.ts';

/** Names that would stand where a page of the product stands (`/{userType}`), or that mean somebody else. */
const RESERVED_USER_TYPES = [
  'admin',
  'api',
  'assets',
  'demo',
  'events',
  'files',
  'healthz',
  'metrics',
  'public',
  'readyz',
  'sign-out',
  'sso',
  'system',
  'ws',
] as const;

/** A user type as the host names it: lower case, a path segment. */
const UserTypeName = z
  .string()
  .regex(/^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/)
  .max(40)
  .refine((name) => !(RESERVED_USER_TYPES as readonly string[]).includes(name), { message: 'reserved' });

/** What a new tenant is made of. */
export const NewTenant = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z0-9](?:-?[a-z0-9])*$/, 'lower-case letters, digits and single hyphens')
    .max(63),
  name: z.string().trim().min(1).max(200),
  userTypes: z.array(UserTypeName).min(1).max(20).default(['driver', 'customer', 'restaurant']),
  timeZone: z.string().default('UTC'),
  languages: z.array(z.string()).min(1).default(['en', 'bn']),
});

/** Acts where no person does: jobs, tasks, seeds. May do everything; entries in the audit log say `system`. */
export function systemActor(tenantId: string): Actor {
  return { id: 'system', tenantId, can: () => true };
}

/** Makes the tenant that the scope is opened for (its id and slug are the scope's). A slug that is taken throws. */
export async function createTenant(scope: Scope, given: z.input<typeof NewTenant>): Promise<Tenant> {
  const input = NewTenant.parse(given);
  return transact(scope, async (inside) => {
    const tenant = inside.em.create(Tenant, {
      id: inside.tenant.id,
      slug: input.slug,
      name: input.name,
      userTypes: [...new Set(input.userTypes)],
      timeZone: input.timeZone,
      languages: input.languages,
      status: 'active',
      createdAt: inside.now,
    });
    inside.em.persist(tenant);
    await inside.em.flush();
    return tenant;
  });
}
