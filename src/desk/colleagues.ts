import { type Person, Role, RoleAssignment, User } from '../identity/index.ts';
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
  const roles = await scope.em.find(Role, { capabilities: { $contains: ['REPLY_SUPPORT_CHAT'] } });
  const held = await scope.em.find(RoleAssignment, { roleId: { $in: roles.map((one) => one.id) } });
  const admins = await scope.em.find(
    User,
    { id: { $in: held.map((one) => one.userId) }, userType: 'admin', status: 'active' },
    { orderBy: { name: 'asc', id: 'asc' }, limit: MAX_COLLEAGUES },
  );
  return admins.map(({ id, name }) => ({ id, name }));
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
