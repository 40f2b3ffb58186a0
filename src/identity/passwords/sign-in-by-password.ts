import { createHmac } from 'node:crypto';
import { type Database, type Log, transact } from '../../platform/database/index.ts';
import { NotSignedIn, TooMany } from '../../platform/errors/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { DEMO_ISSUER } from '../demo/demo-people.ts';
import { letIn, type SignedIn } from '../sessions/let-in.ts';
import type { SessionKind } from '../sessions/session.entity.ts';
import { normaliseEmail } from '../users/normalise-email.ts';
import { User } from '../users/user.entity.ts';
import type { Passwords } from './passwords.ts';

/** What an admin types. */
export interface PasswordSignIn {
  /** Slug. */
  readonly tenant: string;
  readonly email: string;
  readonly password: string;
  /** The client's address, for the delay after failures; one stranger cannot lock somebody else out. */
  readonly address: string;
}

interface AdminRow {
  tenant_id: string;
  tenant_slug: string;
  user_id: string;
  issuer: string;
  password_hash: string;
}

/**
 * Signs in an admin with email and password. Unknown tenant, unknown email and wrong password take the same steps and
 * get the same answer. After five failures per account and address each further one doubles the wait, up to 5 minutes.
 * @throws NotSignedIn `wrong_credentials`; TooMany while the wait lasts; Unavailable when too many sign in at once.
 */
export async function signInByPassword(
  deps: {
    readonly database: Database;
    readonly passwords: Passwords;
    readonly secretKey: Buffer;
    readonly limits: boolean;
    readonly demo: boolean;
    readonly log: Log;
  },
  given: PasswordSignIn,
  kind: SessionKind,
): Promise<SignedIn> {
  const { database, passwords, limits } = deps;
  const tenantSlug = given.tenant.trim().toLowerCase().slice(0, 100);
  const email = normaliseEmail(given.email).slice(0, 320);
  const attempt = attemptKey(deps.secretKey, tenantSlug, email, given.address);
  if (limits) await waitOrRefuse(database, attempt);
  const admin = await adminByEmail(database, tenantSlug, email);
  if (!(await passwords.matches(admin?.password_hash ?? null, given.password)) || !admin) {
    throw wrongCredentials();
  }
  // everybody can read the demo people's password
  if (admin.issuer === DEMO_ISSUER && !deps.demo) throw wrongCredentials();
  if (limits) await database.systemPool.query('select sign_in_succeeded($1)', [attempt]);
  const tenant = { id: admin.tenant_id, slug: admin.tenant_slug };
  return database.withScope(tenant, systemActor(tenant.id), (scope) =>
    transact(scope, async (inside) => {
      const user = await inside.em.findOneOrFail(User, { id: admin.user_id });
      user.lastSeenAt = inside.now;
      return letIn(inside, user, kind, { by: 'password' });
    }),
  );
}

function wrongCredentials(): NotSignedIn {
  return new NotSignedIn('wrong_credentials', 'Tenant, email or password is not right.');
}

/** Nobody can look up who tried to sign in: the key is a keyed hash. */
function attemptKey(secretKey: Buffer, tenant: string, email: string, address: string): Buffer {
  return createHmac('sha256', secretKey)
    .update(JSON.stringify(['sign-in', tenant, email, address]))
    .digest();
}

async function waitOrRefuse(database: Database, key: Buffer): Promise<void> {
  const { rows } = await database.systemPool.query<{ wait: number }>('select sign_in_attempt($1) as wait', [key]);
  const waitMs = rows[0]?.wait ?? 0;
  if (waitMs > 0) throw new TooMany(Math.ceil(waitMs / 1_000), 'too_many', 'Too many attempts. Wait a moment.');
}

/** One query for every case, so that an unknown tenant takes no less time than a known one. */
async function adminByEmail(database: Database, slug: string, email: string): Promise<AdminRow | null> {
  if (/\0/.test(slug + email) || !(slug + email).isWellFormed()) return null;
  const { rows } = await database.systemPool.query<AdminRow>({
    name: 'admin-by-email',
    text: 'select * from admin_by_email($1, $2)',
    values: [slug, email],
  });
  return rows[0] ?? null;
}
