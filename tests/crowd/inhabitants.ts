import type pg from 'pg';
import { newSecretToken, tokenHash } from '../../src/identity/sessions/secret-token.ts';
import { newId } from '../../src/platform/text/index.ts';

/** Somebody with a session and an open conversation. */
export interface Inhabitant {
  readonly id: string;
  readonly token: string;
  readonly conversation: string;
}

/**
 * Puts many users of a tenant straight into the database, each with a session for programs and an open conversation of
 * their own: thousands of sign-ins by the doors would take longer than what is to be measured. As superuser.
 */
export async function settle(
  admin: Pick<pg.Pool, 'query'>,
  tenantId: string,
  count: number,
  userType = 'driver',
): Promise<Inhabitant[]> {
  const people: Inhabitant[] = [];
  for (let from = 0; from < count; from += 1_000) {
    const some = Array.from({ length: Math.min(1_000, count - from) }, () => ({
      id: newId(),
      token: newSecretToken('sgs_'),
      conversation: newId(),
    }));
    people.push(...some);
    const ids = some.map((one) => one.id);
    await admin.query(
      `insert into users (id, tenant_id, user_type, issuer, sub, name, created_at, updated_at)
       select id, $1, $2, 'crowd', id::text, 'Crowd ' || left(id::text, 8), now(), now() from unnest($3::uuid[]) as id`,
      [tenantId, userType, ids],
    );
    await admin.query(
      `insert into sessions (id, tenant_id, user_id, token_hash, kind, created_at, expires_at)
       select gen_random_uuid(), $1, id, hash, 'api', now(), now() + interval '12 hours'
       from unnest($2::uuid[], $3::bytea[]) as row (id, hash)`,
      [tenantId, ids, some.map((one) => tokenHash(one.token))],
    );
    await admin.query(
      `insert into conversations (id, tenant_id, opened_by, user_type, last_message_at, created_at, updated_at)
       select id, $1, owner, $2, now(), now(), now() from unnest($3::uuid[], $4::uuid[]) as row (id, owner)`,
      [tenantId, userType, some.map((one) => one.conversation), ids],
    );
  }
  return people;
}
