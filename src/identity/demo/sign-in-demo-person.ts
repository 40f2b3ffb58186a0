import { type Database, transact } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { systemActor, type Tenancy } from '../../tenancy/index.ts';
import { letIn, type SignedIn } from '../sessions/let-in.ts';
import type { SessionKind } from '../sessions/session.entity.ts';
import { User } from '../users/user.entity.ts';
import { DEMO_ISSUER, demoPerson } from './demo-people.ts';

/** Signs in a demo person by one click. @throws NotFound outside demo mode, and for anybody else. */
export async function signInDemoPerson(
  deps: { readonly database: Database; readonly tenancy: Tenancy; readonly demo: boolean },
  handle: string,
  kind: SessionKind,
): Promise<SignedIn> {
  const person = deps.demo ? demoPerson(handle) : null;
  const tenant = person && (await deps.tenancy.bySlug(person.tenantSlug));
  if (!person || !tenant) throw new NotFound();
  return deps.database.withScope(tenant, systemActor(tenant.id), (scope) =>
    transact(scope, async (inside) => {
      const user = await inside.em.findOne(User, {
        userType: person.userType,
        issuer: DEMO_ISSUER,
        sub: handle,
        status: 'active',
      });
      if (!user) throw new NotFound();
      user.lastSeenAt = inside.now;
      return letIn(inside, user, kind, { by: 'demo', context: person.context });
    }),
  );
}
