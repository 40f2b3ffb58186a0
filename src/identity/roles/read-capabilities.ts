import type { Scope } from '../../platform/database/index.ts';

const HELD = `
  select distinct c.capability from role_assignments a
  join roles r on r.tenant_id = a.tenant_id and r.id = a.role_id
  cross join unnest(r.capabilities) as c (capability)
  join users u on u.tenant_id = a.tenant_id and u.id = a.user_id and u.user_type = 'admin' and u.status = 'active'
  where a.tenant_id = ? and a.user_id = ?`;

/** What an admin of the scope's tenant may do now, without a session of theirs: for work done in their name later. */
export async function readCapabilities(scope: Scope, userId: string): Promise<ReadonlySet<string>> {
  const found = await scope.em.execute<{ capability: string }[]>(HELD, [scope.tenant.id, userId]);
  return new Set(found.map(({ capability }) => capability));
}
