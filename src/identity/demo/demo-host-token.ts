import type { Database } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { systemActor, type Tenancy } from '../../tenancy/index.ts';
import type { Sealer } from '../host-keys/sealed-secret.ts';
import { hostTokenSigner } from '../host-keys/sign-host-token.ts';
import { demoPerson } from './demo-people.ts';

/** A token as the demo person's host app makes it on its own server. @throws NotFound outside demo mode, and for admins. */
export async function demoHostToken(
  deps: { readonly database: Database; readonly tenancy: Tenancy; readonly sealer: Sealer; readonly demo: boolean },
  handle: string,
): Promise<string> {
  const person = deps.demo ? demoPerson(handle) : null;
  const tenant = person && !person.role && (await deps.tenancy.bySlug(person.tenantSlug));
  if (!person || !tenant) throw new NotFound();
  return deps.database.withScope(tenant, systemActor(tenant.id), async (scope) => {
    const sign = await hostTokenSigner(scope, deps.sealer);
    const { handle: sub, userType, name, email, phone, country, locale, profile, context } = person;
    return sign({ sub, userType, name, email, phone, country, locale, profile, context });
  });
}
