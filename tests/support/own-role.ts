import { randomUUID } from 'node:crypto';
import type { Handle, TestTenant } from './people.ts';

/** Gives somebody one role of the tenant's own making in place of what they held; open sockets hear of it as of any change. */
export async function giveOwnRole(tenant: TestTenant, handle: Handle, capabilities: readonly string[]): Promise<void> {
  const { id: userId } = tenant.people[handle];
  await tenant.asPerson('system', async (scope) => {
    const sql = scope.em.getConnection();
    const id = randomUUID();
    await sql.execute(
      `insert into roles (id, tenant_id, name, label, capabilities, created_at, updated_at)
       values (?, ?, ?, ?, ?::text[], now(), now())`,
      [id, tenant.tenant.id, `own_${handle.replace('-', '_')}`, `Own of ${handle}`, `{${capabilities.join(',')}}`],
    );
    await sql.execute('update role_assignments set role_id = ? where user_id = ?', [id, userId]);
    await sql.execute('insert into access_changes (tenant_id, user_id) values (?, ?)', [tenant.tenant.id, userId]);
  });
}
