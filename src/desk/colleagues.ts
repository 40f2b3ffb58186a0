import { sql } from 'kysely';
import { type Person, Role, RoleAssignment, User } from '../identity/index.ts';
import { rows } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';

/** An admin who may answer, and so may be given a conversation. */
export interface Colleague {
  readonly id: string;
  readonly name: string;
}

/** More admins than this are no list to pick from. */
const MAX_COLLEAGUES = 200;

/** The tenant's active admins who may answer, by name; two hundred at most. */
export async function listColleagues(scope: Scope<Person>): Promise<Colleague[]> {
  return rows(
    scope,
    sql<Colleague>`
      select u.id, u.name from users u
      where u.tenant_id = ${scope.tenant.id} and u.user_type = 'admin' and u.status = 'active' and u.id in (
        select held.user_id from role_assignments held
        join roles r on r.id = held.role_id and r.tenant_id = held.tenant_id
        where held.tenant_id = ${scope.tenant.id} and r.capabilities @> array['REPLY_SUPPORT_CHAT'])
      order by u.name, u.id limit ${MAX_COLLEAGUES}`,
  );
}

/** The admin with that id if they may be given a conversation; null otherwise, whatever the reason. */
export async function findColleague(scope: Scope<Person>, id: string): Promise<Colleague | null> {
  const admin = await scope.em.findOne(User, { id, userType: 'admin', status: 'active' });
  if (!admin) return null;
  const held = await scope.em.find(RoleAssignment, { userId: admin.id });
  const roles = await scope.em.find(Role, { id: { $in: held.map((one) => one.roleId) } });
  const mayAnswer = roles.some((one) => one.capabilities.includes('REPLY_SUPPORT_CHAT'));
  return mayAnswer ? { id: admin.id, name: admin.name } : null;
}
