import { hash } from 'node:crypto';
import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Invalid } from '../../platform/errors/index.ts';
import type { PushTransport } from '../../platform/outbound/index.ts';
import { newId } from '../../platform/text/index.ts';

/** What a browser says of its subscription; bytes as base64url. */
export interface DeviceSubscription {
  readonly endpoint: string;
  readonly p256dh: string;
  readonly auth: string;
}

/** Devices of one person; the oldest makes way. */
const MAX_DEVICES = 20;
const POINT_BYTES = 65;
const SECRET_BYTES = 16;
/** First byte of a point that is written out (SEC 1). */
const UNCOMPRESSED = 4;

/**
 * Tells this browser of answers from now on, for as long as the session lasts. A browser is one person's: whoever had it
 * before has it no longer. The same again is no second one.
 * @throws Invalid `endpoint` (`unknown_service`), `p256dh`, `auth` (`bytes`)
 */
export async function addDevice(
  scope: Scope<Person>,
  push: Pick<PushTransport, 'knows' | 'publicKey'>,
  given: DeviceSubscription,
  language: string,
): Promise<void> {
  const { tenant, actor, now } = scope;
  if (!push.knows(given.endpoint)) throw new Invalid({ endpoint: 'unknown_service' });
  const p256dh = Buffer.from(given.p256dh, 'base64url');
  const auth = Buffer.from(given.auth, 'base64url');
  if (p256dh.length !== POINT_BYTES || p256dh[0] !== UNCOMPRESSED) throw new Invalid({ p256dh: 'bytes' });
  if (auth.length !== SECRET_BYTES) throw new Invalid({ auth: 'bytes' });
  const endpointHash = hash('sha256', given.endpoint, 'buffer');
  await transact(scope, async (inside) => {
    // its deliveries that are still owed go with the one that is there already
    const [same] = await rows(
      inside,
      sql<{ id: string }>`
        update push_subscriptions
        set session_id = ${actor.sessionId}, p256dh = ${p256dh}, auth = ${auth}, public_key = ${push.publicKey},
          language = ${language}
        where tenant_id = ${tenant.id} and user_id = ${actor.id} and endpoint_hash = ${endpointHash} returning id`,
    );
    if (!same) {
      await rows(inside, sql`select release_push_endpoint(${endpointHash})`);
      await rows(
        inside,
        sql`
          insert into push_subscriptions
            (id, tenant_id, user_id, session_id, endpoint, endpoint_hash, p256dh, auth, public_key, language, created_at)
          values (${newId()}, ${tenant.id}, ${actor.id}, ${actor.sessionId}, ${given.endpoint}, ${endpointHash},
            ${p256dh}, ${auth}, ${push.publicKey}, ${language}, ${now})
          on conflict (endpoint_hash) do nothing`,
      );
    }
    await rows(
      inside,
      sql`
        delete from push_subscriptions where tenant_id = ${tenant.id} and id in (
          select id from push_subscriptions where tenant_id = ${tenant.id} and user_id = ${actor.id}
          order by created_at desc, id desc offset ${MAX_DEVICES})`,
    );
    // whoever says yes may be asked again some day
    await rows(
      inside,
      sql`update notice_choices set no_push_at = null where tenant_id = ${tenant.id} and user_id = ${actor.id}`,
    );
  });
}

/** This browser of the caller's is told nothing any more. */
export async function removeDevice(scope: Scope<Person>, endpoint: string): Promise<void> {
  const { tenant, actor } = scope;
  const endpointHash = hash('sha256', endpoint, 'buffer');
  await rows(
    scope,
    sql`delete from push_subscriptions
      where tenant_id = ${tenant.id} and user_id = ${actor.id} and endpoint_hash = ${endpointHash}`,
  );
}

/** None of the caller's devices is told anything any more. */
export async function removeAllDevices(scope: Scope<Person>): Promise<void> {
  const { tenant, actor } = scope;
  await rows(scope, sql`delete from push_subscriptions where tenant_id = ${tenant.id} and user_id = ${actor.id}`);
}

/** How many devices of the caller are told of answers. */
export async function countDevices(scope: Scope<Person>): Promise<number> {
  const { tenant, actor } = scope;
  const [found] = await rows(
    scope,
    sql<{ count: number }>`select count(*)::int as count from push_subscriptions
      where tenant_id = ${tenant.id} and user_id = ${actor.id}`,
  );
  return found?.count ?? 0;
}

/**
 * The same person signs in anew on the same browser (the host's app does it at every visit): its devices go on with the
 * new session, before the old one ends. Somebody else's do not.
 */
export async function moveDevices(
  scope: Scope,
  userId: string,
  from: { readonly sessionId: string },
  to: { readonly sessionId: string },
): Promise<void> {
  await rows(
    scope,
    sql`update push_subscriptions set session_id = ${to.sessionId}
      where tenant_id = ${scope.tenant.id} and user_id = ${userId} and session_id = ${from.sessionId}
        and exists (select 1 from sessions s where s.id = ${to.sessionId} and s.user_id = ${userId})`,
  );
}
