import type { Database, Log, Scope } from '../../platform/database/index.ts';
import { transact } from '../../platform/database/index.ts';
import { newId } from '../../platform/text/index.ts';
import { createTenant, systemActor } from '../../tenancy/index.ts';
import { createHostKey } from '../host-keys/create-host-key.ts';
import { createSealer, type Sealer } from '../host-keys/sealed-secret.ts';
import { createPasswords } from '../passwords/passwords.ts';
import { createBuiltinRoles } from '../roles/builtin-roles.ts';
import { assignRoles } from '../roles/set-roles.ts';
import { User } from '../users/user.entity.ts';
import { DEMO_ISSUER, DEMO_PASSWORD, DEMO_PEOPLE, DEMO_TENANTS, type DemoPerson } from './demo-people.ts';

/**
 * Fills a database that has no tenant yet with the demo tenants, their people and a host key each. True when it did.
 * Nodes that start together do not do it twice.
 */
export async function seedDemo(deps: {
  readonly database: Database;
  readonly config: { readonly secretKey: Buffer };
  readonly log: Log;
}): Promise<boolean> {
  const { database, config, log } = deps;
  const guard = await database.systemPool.connect();
  try {
    await guard.query("select pg_advisory_lock(hashtext('safego-support:seed'))");
    const { rows } = await guard.query<{ id: string | null }>('select id from tenancy_changes(null) limit 1');
    if (rows[0]?.id) return false;
    const sealer = createSealer(config.secretKey);
    // one hash for all of them: this is no secret, and hashing is slow on purpose
    const passwordHash = await createPasswords().hash(DEMO_PASSWORD);
    for (const tenant of DEMO_TENANTS) {
      const ref = { id: newId(), slug: tenant.slug };
      await database.withScope(ref, systemActor(ref.id), (scope) =>
        transact(scope, async (inside) => {
          await createTenant(inside, { ...tenant, userTypes: [...tenant.userTypes] });
          await seedPeople(inside, sealer, passwordHash);
        }),
      );
    }
    log.info({ tenants: DEMO_TENANTS.map((one) => one.slug) }, 'demo tenants seeded');
    return true;
  } finally {
    // with the connection the lock is gone
    guard.release(true);
  }
}

async function seedPeople(scope: Scope, sealer: Sealer, passwordHash: string): Promise<void> {
  createHostKey(scope, sealer, { kid: 'demo-1', issuer: DEMO_ISSUER, algorithm: 'HS256' });
  const roles = createBuiltinRoles(scope);
  for (const person of DEMO_PEOPLE.filter((one) => one.tenantSlug === scope.tenant.slug)) {
    const user = createDemoUser(scope, person, passwordHash);
    const role = person.role && roles.get(person.role);
    if (role) assignRoles(scope, user.id, [role]);
  }
  await scope.em.flush();
}

function createDemoUser(scope: Scope, person: DemoPerson, passwordHash: string): User {
  const user = scope.em.create(User, {
    id: newId(),
    tenantId: scope.tenant.id,
    userType: person.userType,
    issuer: DEMO_ISSUER,
    sub: person.handle,
    name: person.name,
    email: person.email,
    phone: person.phone,
    country: person.country,
    locale: person.locale,
    profile: person.profile,
    profileAt: scope.now,
    context: person.context,
    contextAt: person.context && scope.now,
    passwordHash: person.role ? passwordHash : null,
    status: 'active',
    accessVersion: 1,
    lastSeenAt: null,
    createdAt: scope.now,
    updatedAt: scope.now,
  });
  scope.em.persist(user);
  return user;
}
