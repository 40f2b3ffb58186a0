import { sql } from 'kysely';
import { readLog, rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import type { Delivery } from '../../platform/jobs/index.ts';
import type { PushOutcome } from '../../platform/outbound/index.ts';
import { preferredLanguage } from '../../platform/views/index.ts';
import type { PushReach } from '../reach.ts';
import { composeAnswerPush, topicOf } from './compose-answer-push.ts';
import type { OwedPush } from './owe-answer-pushes.ts';

/** Nobody wants yesterday's notice: neither we nor the push service keep it longer. */
const LIVES_SECONDS = 24 * 3_600;
/** A service that asks for more patience than this is asked again all the same. */
const MAX_PATIENCE_SECONDS = 6 * 3_600;

/** The push service wants to be asked again; `code` says what it said. */
class NotNow extends Error {
  readonly code: string;

  constructor(status: number) {
    super('the push service wants to be asked again');
    this.name = 'NotNow';
    this.code = `HTTP_${status}`;
  }
}

interface Owed {
  readonly push_id: string;
  readonly conversation_id: string;
  readonly user_type: string;
  readonly user_id: string;
  readonly user_read_seq: number;
  readonly subscription_id: string;
  readonly endpoint: string;
  readonly p256dh: Buffer;
  readonly auth: Buffer;
  readonly public_key: string;
  readonly language: string;
  /** Of the database's clock. */
  readonly age_seconds: number;
  readonly is_early: boolean;
  /** A later notice of the same conversation is on its way to the same device. */
  readonly is_overtaken: boolean;
}

/**
 * Hands a notice to the push service of one device, if it is still owed: the answers are asked for again, and so are the
 * person, their session, and whether they have the conversation open by now. Runs again after a crash or a refusal, with
 * the same event id; one that is known to have been taken does not go out twice. Nothing is awaited in a transaction.
 * @throws Error when the service or the way to it wants another try
 */
export async function sendAnswerPush(
  scope: Scope,
  reach: PushReach,
  owed: OwedPush,
  delivery: Delivery,
): Promise<void> {
  const { deliveryId } = owed;
  const found = await findOwed(scope, deliveryId);
  if (!found) return;
  // subscribed with a pair of keys that we do not have any more: the service would believe nothing that we sign
  if (found.public_key !== reach.push.publicKey) return record(scope, reach, deliveryId, found, { kind: 'gone' });
  if (found.is_early) throw new NotNow(429);
  const notice = await noticeFor(scope, reach, found);
  if (!notice) return settle(scope, deliveryId, 'cancelled');
  const outcome = await reach.push.send(found, notice, delivery.signal);
  await record(scope, reach, deliveryId, found, outcome);
}

async function findOwed(scope: Scope, deliveryId: string): Promise<Owed | null> {
  const tenantId = scope.tenant.id;
  const [found] = await rows(
    scope,
    sql<Owed>`
      select p.id as push_id, p.conversation_id, p.user_id, u.user_type, c.user_read_seq,
        s.id as subscription_id, s.endpoint, s.p256dh, s.auth, s.public_key, s.language,
        extract(epoch from clock_timestamp() - p.created_at)::int as age_seconds,
        coalesce(d.not_before > clock_timestamp(), false) as is_early,
        exists (
          select 1 from answer_pushes later
          join push_deliveries its on its.push_id = later.id and its.subscription_id = s.id
          where later.conversation_id = p.conversation_id and later.up_to_seq > p.up_to_seq
        ) as is_overtaken
      from push_deliveries d
      join answer_pushes p on p.id = d.push_id and p.tenant_id = ${tenantId}
      join push_subscriptions s on s.id = d.subscription_id and s.tenant_id = ${tenantId} and s.user_id = p.user_id
      join sessions e on e.id = s.session_id and e.revoked_at is null and e.expires_at > clock_timestamp()
      join users u on u.id = p.user_id and u.tenant_id = ${tenantId} and u.status = 'active'
      join conversations c on c.id = p.conversation_id and c.tenant_id = ${tenantId} and c.opened_by = p.user_id
      where d.id = ${deliveryId} and d.tenant_id = ${tenantId} and d.state = 'owed'`,
  );
  return found ?? null;
}

/** What to say, with its topic and time; null when there is nothing to say any more. */
async function noticeFor(scope: Scope, reach: PushReach, found: Owed) {
  const tenant = await reach.tenancy.byId(scope.tenant.id);
  const ttlSeconds = LIVES_SECONDS - found.age_seconds;
  if (tenant?.status !== 'active' || ttlSeconds <= 0 || found.is_overtaken) return null;
  const page = await readLog(scope, found.conversation_id, { newest: true }, 50);
  const answer = page.items.findLast(
    ({ senderType, deletedAt, seq }) => senderType === 'admin' && deletedAt === null && seq > found.user_read_seq,
  );
  if (!answer || (await reach.hasOpen(scope.tenant.id, found.user_id, found.conversation_id))) return null;
  const notice = composeAnswerPush(reach, tenant, {
    pushId: found.push_id,
    conversationId: found.conversation_id,
    userType: found.user_type,
    language: preferredLanguage({ locale: found.language }),
    answer,
  });
  return { text: JSON.stringify(notice), topic: topicOf(found.conversation_id), ttlSeconds };
}

async function record(
  scope: Scope,
  reach: PushReach,
  deliveryId: string,
  { subscription_id: device }: Owed,
  outcome: PushOutcome,
): Promise<void> {
  const tenantId = scope.tenant.id;
  if (outcome.kind === 'taken') {
    await settle(scope, deliveryId, 'sent');
    await rows(
      scope,
      sql`update push_subscriptions set last_taken_at = clock_timestamp() where id = ${device} and tenant_id = ${tenantId}`,
    );
  } else if (outcome.kind === 'gone') {
    await rows(scope, sql`delete from push_subscriptions where id = ${device} and tenant_id = ${tenantId}`);
  } else if (outcome.kind === 'refused') {
    reach.log.warn({ tenantId, deliveryId, status: outcome.status }, 'a push service refused a notice');
    await settle(scope, deliveryId, 'refused');
  } else {
    const wait = Math.min(outcome.retryAfterSeconds ?? 0, MAX_PATIENCE_SECONDS);
    if (wait > 0) {
      await rows(
        scope,
        sql`update push_deliveries set not_before = clock_timestamp() + make_interval(secs => ${wait})
          where id = ${deliveryId} and tenant_id = ${tenantId}`,
      );
    }
    throw new NotNow(outcome.status);
  }
}

async function settle(scope: Scope, deliveryId: string, state: 'sent' | 'cancelled' | 'refused'): Promise<void> {
  await rows(
    scope,
    sql`update push_deliveries set state = ${state}, settled_at = clock_timestamp()
      where id = ${deliveryId} and tenant_id = ${scope.tenant.id}`,
  );
}
