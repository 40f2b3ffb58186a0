import type { Scope } from '../../platform/database/index.ts';
import { ADMIN, User } from './user.entity.ts';

/** Who an id is, as far as the reader may know. */
export interface KnownName {
  readonly id: string;
  readonly name: string;
  readonly userType: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Names of people of the tenant by id; ids of nobody are left out. Users' names are for whoever may see profiles
 * (`VIEW_SUPPORT_CHAT_LIST`); admins know each other.
 */
export async function readNames(scope: Scope, ids: Iterable<string>): Promise<ReadonlyMap<string, KnownName>> {
  const asked = [...new Set(ids)].filter((id) => UUID.test(id));
  if (asked.length === 0) return new Map();
  const seesUsers = scope.actor.can('VIEW_SUPPORT_CHAT_LIST');
  const found = await scope.em.find(
    User,
    { id: { $in: asked }, ...(seesUsers ? {} : { userType: ADMIN }) },
    { fields: ['id', 'name', 'userType'] },
  );
  return new Map(found.map(({ id, name, userType }) => [id, { id, name, userType }]));
}

/** The tenant's admins by name, deactivated ones too, 500 at most. */
export async function listAdmins(scope: Scope): Promise<KnownName[]> {
  const found = await scope.em.find(
    User,
    { userType: ADMIN },
    { fields: ['id', 'name', 'userType'], orderBy: { name: 'asc', id: 'asc' }, limit: 500 },
  );
  return found.map(({ id, name, userType }) => ({ id, name, userType }));
}

/** The host's own id of a user; null for nobody. */
export async function readSub(scope: Scope, userId: string): Promise<string | null> {
  const found = await scope.em.findOne(User, { id: userId }, { fields: ['sub'] });
  return found?.sub ?? null;
}
