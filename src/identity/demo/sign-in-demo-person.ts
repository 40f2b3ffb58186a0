import { type Database, transact } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { recordAudit, systemActor, type Tenancy } from '../../tenancy/index.ts';
import type { SignedIn } from '../host-keys/sign-in-by-host.ts';
import { openSession } from '../sessions/open-session.ts';
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
      const side = user.isAdmin() ? 'admin' : 'user';
      const session = openSession(inside, { id: user.id, side }, kind, person.context);
      user.lastSeenAt = inside.now;
      recordAudit(
        { ...inside, actor: { ...inside.actor, id: user.id } },
        {
          action: 'SUPPORT_SIGNED_IN',
          entityType: 'user',
          entityId: user.id,
          metadata: { userType: user.userType, by: 'demo', session: kind },
        },
      );
      await inside.em.flush();
      return {
        ...session,
        tenant: { id: tenant.id, slug: tenant.slug },
        user: { id: user.id, userType: user.userType, name: user.name },
      };
    }),
  );
}
