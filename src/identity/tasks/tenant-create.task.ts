import { z } from 'zod';
import { StartError } from '../../platform/config/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import type { Task } from '../../platform/jobs/index.ts';
import { newId } from '../../platform/text/index.ts';
import { createTenant, NewTenant, openTenancy, systemActor } from '../../tenancy/index.ts';
import { createHostKey } from '../host-keys/create-host-key.ts';
import { createSealer } from '../host-keys/sealed-secret.ts';
import { createPasswordLink } from '../passwords/password-links.ts';
import { createBuiltinRoles, OWNER_ROLE } from '../roles/builtin-roles.ts';
import { assignRoles } from '../roles/set-roles.ts';
import { createLocalAdmin } from '../users/create-local-admin.ts';
import { normaliseEmail } from '../users/normalise-email.ts';

const Options = z.object({
  slug: NewTenant.shape.slug,
  name: NewTenant.shape.name,
  owner: z.string().max(320).transform(normaliseEmail).pipe(z.email()),
  'owner-name': z.string().trim().min(1).max(200).optional(),
  types: z
    .string()
    .transform((list) => list.split(',').map((one) => one.trim()))
    .pipe(z.array(NewTenant.shape.userTypes.unwrap().element).min(1))
    .optional(),
});

/** `npm run task tenant:create`: a tenant, its first host key, its first owner. */
export const tenantCreateTask: Task = {
  name: 'tenant:create',
  summary: 'makes a tenant, its first host key and its first owner (prints the secret and a password link, once)',
  options: {
    slug: { value: 'slug', summary: 'its name in tokens and in the sign-in form', required: true },
    name: { value: 'name', summary: 'as people read it', required: true },
    owner: { value: 'email', summary: 'who manages it', required: true },
    'owner-name': { value: 'name', summary: 'the owner as people read it' },
    types: { value: 'a,b,c', summary: 'its user types (driver,customer,restaurant)' },
  },
  async run({ options, config, log, database: open, print }) {
    const parsed = Options.safeParse(options);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new StartError(`task tenant:create: --${issue?.path[0]?.toString()} ${issue?.message}`);
    }
    const wanted = parsed.data;
    const database = await open();
    const tenancy = await openTenancy({ database, log });
    const isTaken = (await tenancy.bySlug(wanted.slug)) !== null;
    await tenancy.close();
    if (isTaken) throw new StartError(`tenant ${wanted.slug} exists already`);

    const tenant = { id: newId(), slug: wanted.slug };
    const made = await database.withScope(tenant, systemActor(tenant.id), (scope) =>
      transact(scope, async (inside) => {
        await createTenant(inside, {
          slug: wanted.slug,
          name: wanted.name,
          ...(wanted.types && { userTypes: wanted.types }),
        });
        return equip(inside, config.secretKey, wanted.owner, wanted['owner-name'] ?? wanted.owner.split('@')[0] ?? '');
      }),
    );
    const base = config.publicUrl?.origin ?? `http://${config.host}:${config.port}`;
    print(`tenant         ${wanted.slug}`);
    print(`host key       kid ${made.kid}, iss ${wanted.slug}, HS256`);
    print(`secret         ${made.secret}`);
    print(`owner          ${wanted.owner}`);
    print(`password link  ${base}/admin/password/${made.link}`);
    print('The secret and the link are shown this once; the link works once, within 48 hours.');
  },
};

/** First host key, roles and owner of a new tenant. */
async function equip(scope: Scope, secretKey: Buffer, email: string, name: string) {
  const { key, secret } = createHostKey(scope, createSealer(secretKey), {
    kid: `${scope.tenant.slug}-1`,
    issuer: scope.tenant.slug,
    algorithm: 'HS256',
  });
  const ownerRole = createBuiltinRoles(scope).get(OWNER_ROLE);
  const owner = createLocalAdmin(scope, { email, name });
  if (ownerRole) assignRoles(scope, owner.id, [ownerRole]);
  const link = createPasswordLink(scope, owner.id);
  await scope.em.flush();
  return { kid: key.kid, secret, link };
}
