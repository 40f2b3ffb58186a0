import { type Person, Role, RoleAssignment, User } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';

/** An admin who may answer, and so may be given a conversation. */
export interface Colleague {
  readonly id: string;
  readonly name: string;
}

/** More admins than this are no list to pick from. */
const MAX_COLLEAGUES = 500;

/** The tenant's active admins who may answer, by name. */
export async function listColleagues(scope: Scope<Person>): Promise<Colleague[]> {
  return withReply(scope, await activeAdmins(scope, {}));
}

/** The admin with that id if they may be given a conversation; null otherwise, whatever the reason. */
export async function findColleague(scope: Scope<Person>, id: string): Promise<Colleague | null> {
  const [colleague] = await withReply(scope, await activeAdmins(scope, { id }));
  return colleague ?? null;
}

function activeAdmins(scope: Scope, narrowed: { id?: string }): Promise<User[]> {
  return scope.em.find(
    User,
    { ...narrowed, userType: 'admin', status: 'active' },
    { orderBy: { name: 'asc', id: 'asc' }, limit: MAX_COLLEAGUES },
  );
}

async function withReply(scope: Scope, admins: readonly User[]): Promise<Colleague[]> {
  if (admins.length === 0) return [];
  const held = await scope.em.find(RoleAssignment, { userId: { $in: admins.map((one) => one.id) } });
  const roles = await scope.em.find(Role, { id: { $in: held.map((one) => one.roleId) } });
  const answering = new Set(
    roles.filter((one) => one.capabilities.includes('REPLY_SUPPORT_CHAT')).map((one) => one.id),
  );
  const mayAnswer = new Set(held.filter((one) => answering.has(one.roleId)).map((one) => one.userId));
  return admins.filter((one) => mayAnswer.has(one.id)).map(({ id, name }) => ({ id, name }));
}
