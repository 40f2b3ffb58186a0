import { type Person, Role, RoleAssignment, User } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';

/** An admin who may answer, and so may be given a conversation. */
export interface Colleague {
  readonly id: string;
  readonly name: string;
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
