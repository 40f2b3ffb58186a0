import { createHmac, hkdfSync } from 'node:crypto';
import { type Database, type Scope, type TenantRef, transact } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { letIn, type SignedIn } from '../sessions/let-in.ts';
import { isSecretToken, tokenHash } from '../sessions/secret-token.ts';

const PREFIX = 'sgl_';
const HOURS = 3_600_000;
/** Until it is used; whoever reads their mail later comes from their app. */
const LIVES_MS = 24 * HOURS;
/** Shorter than a session that the host vouched for: mails are forwarded. */
const SESSION_MS = 24 * HOURS;

/** Whose a link is and where it leads. */
export interface SignInLink {
  readonly linkId: string;
  readonly tenant: TenantRef;
  readonly user: { readonly id: string; readonly userType: string; readonly name: string };
  readonly conversationId: string;
  /** False when it was used, or is too old. */
  readonly isAlive: boolean;
}

/** Links that sign a user in once, sent to the address that their host vouches for. */
export interface SignInLinks {
  /**
   * The token of a link for this user to this conversation. The same `id` is the same link, also when it is asked for
   * again, which gives it its time again; part of the surrounding transaction, if there is one.
   */
  issue(
    scope: Scope,
    link: { readonly id: string; readonly userId: string; readonly conversationId: string },
  ): Promise<string>;
  /** Looking does not use it up. Null when it is unknown, or its person or tenant is not active any more. */
  find(token: unknown): Promise<SignInLink | null>;
  /**
   * Uses the link up and opens a session with the user's usual rights, for a day. Of many uses at once one succeeds.
   * @throws NotFound when it is unknown, used or too old
   */
  spend(token: unknown): Promise<SignedIn & { readonly conversationId: string }>;
}

/**
 * Makes links whose tokens follow from their id by a key derived from SECRET_KEY for this purpose alone: a mail that is
 * tried again bears the same one, and stored is only its hash.
 */
export function createSignInLinks({
  database,
  secretKey,
}: {
  readonly database: Database;
  readonly secretKey: Buffer;
}): SignInLinks {
  const key = Buffer.from(hkdfSync('sha256', secretKey, '', 'safego-support sign-in links v1', 32));
  const tokenOf = (id: string) => PREFIX + createHmac('sha256', key).update(id).digest('base64url');

  async function find(token: unknown): Promise<SignInLink | null> {
    if (!isSecretToken(PREFIX, token)) return null;
    const { rows } = await database.systemPool.query<LinkRow>('select * from sign_in_link_by_token($1)', [
      tokenHash(token),
    ]);
    const [row] = rows;
    if (!row) return null;
    return {
      linkId: row.link_id,
      tenant: { id: row.tenant_id, slug: row.tenant_slug },
      user: { id: row.user_id, userType: row.user_type, name: row.user_name },
      conversationId: row.conversation_id,
      isAlive: row.is_alive,
    };
  }

  return {
    async issue({ em, tenant, now }, { id, userId, conversationId }) {
      const token = tokenOf(id);
      await em.execute(
        `insert into sign_in_links (id, tenant_id, user_id, conversation_id, token_hash, created_at, expires_at)
         values (?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set expires_at = excluded.expires_at`,
        [id, tenant.id, userId, conversationId, tokenHash(token), now, new Date(now.getTime() + LIVES_MS)],
      );
      return token;
    },
    find,
    async spend(token) {
      const link = await find(token);
      if (!link?.isAlive) throw new NotFound();
      const { tenant, user, conversationId } = link;
      return database.withScope(tenant, systemActor(tenant.id), (scope) =>
        transact(scope, async (inside) => {
          // under the person's lock, as everything that ends their sessions: none begins afterwards
          const [active] = await inside.em.execute<{ id: string }[]>(
            `select id from users where tenant_id = ? and id = ? and status = 'active' for share`,
            [tenant.id, user.id],
          );
          const used = await inside.em.execute<{ id: string }[]>(
            `update sign_in_links set used_at = clock_timestamp()
             where id = ? and tenant_id = ? and used_at is null and expires_at > clock_timestamp() returning id`,
            [link.linkId, tenant.id],
          );
          if (!active || used.length !== 1) throw new NotFound();
          const signedIn = await letIn(inside, user, 'browser', { by: 'mail', lifetimeMs: SESSION_MS });
          return { ...signedIn, conversationId };
        }),
      );
    },
  };
}

interface LinkRow {
  readonly link_id: string;
  readonly tenant_id: string;
  readonly tenant_slug: string;
  readonly user_id: string;
  readonly user_type: string;
  readonly user_name: string;
  readonly conversation_id: string;
  readonly is_alive: boolean;
}
