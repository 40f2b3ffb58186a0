import { type Database, type Scope, type TenantRef, transact } from '../../platform/database/index.ts';
import { Invalid, NotFound } from '../../platform/errors/index.ts';
import { newId } from '../../platform/text/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { revokeAllOf } from '../sessions/change-access.ts';
import { isSecretToken, newSecretToken, tokenHash } from '../sessions/secret-token.ts';
import { User } from '../users/user.entity.ts';
import { PasswordLink } from './password-link.entity.ts';
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, type Passwords } from './passwords.ts';

const PREFIX = 'sgp_';
const LIVES_HOURS = 48;

/** Makes a link's token by which an admin may set a password, once, within 48 hours; the caller flushes. */
export function createPasswordLink(scope: Scope, userId: string): string {
  const token = newSecretToken(PREFIX);
  scope.em.persist(
    scope.em.create(PasswordLink, {
      id: newId(),
      tenantId: scope.tenant.id,
      userId,
      tokenHash: tokenHash(token),
      createdAt: scope.now,
      expiresAt: new Date(scope.now.getTime() + LIVES_HOURS * 3_600_000),
      usedAt: null,
    }),
  );
  return token;
}

interface LinkRow {
  link_id: string;
  tenant_id: string;
  tenant_slug: string;
  user_id: string;
}

/** Whose link this is; looking does not use it up. Null when it is unknown, used or too old. */
export async function findPasswordLink(
  database: Database,
  token: unknown,
): Promise<{ tenant: TenantRef; userId: string; linkId: string } | null> {
  if (!isSecretToken(PREFIX, token)) return null;
  const { rows } = await database.systemPool.query<LinkRow>('select * from password_link_by_token($1)', [
    tokenHash(token),
  ]);
  const row = rows[0];
  if (!row) return null;
  return { tenant: { id: row.tenant_id, slug: row.tenant_slug }, userId: row.user_id, linkId: row.link_id };
}

/**
 * Sets the password of the link's admin and uses the link up. All sessions of the admin end: whoever had the old
 * password is out.
 * @throws NotFound when the link is unknown, used or too old; Invalid `password` (`too_short`, `too_long`).
 */
export async function setPasswordByLink(
  deps: { readonly database: Database; readonly passwords: Passwords },
  token: unknown,
  password: string,
): Promise<{ tenant: TenantRef; userId: string }> {
  const link = await findPasswordLink(deps.database, token);
  if (!link) throw new NotFound();
  const length = [...password].length;
  if (length < MIN_PASSWORD_LENGTH) throw new Invalid({ password: 'too_short' });
  if (length > MAX_PASSWORD_LENGTH) throw new Invalid({ password: 'too_long' });
  const passwordHash = await deps.passwords.hash(password);
  await deps.database.withScope(link.tenant, systemActor(link.tenant.id), (scope) =>
    transact(scope, async (inside) => {
      const used = await inside.em.nativeUpdate(
        PasswordLink,
        { id: link.linkId, usedAt: null },
        { usedAt: inside.now },
      );
      if (used !== 1) throw new NotFound();
      await inside.em.nativeUpdate(User, { id: link.userId }, { passwordHash, updatedAt: inside.now });
      await revokeAllOf(inside, link.userId);
    }),
  );
  return { tenant: link.tenant, userId: link.userId };
}
