import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import { type Database, type Log, type Scope, transact } from '../../platform/database/index.ts';
import type { DurableQueue, Effect } from '../../platform/jobs/index.ts';
import { newId } from '../../platform/text/index.ts';
import { systemActor } from '../../tenancy/index.ts';

/** What the queue carries about a notice for one device: the rest is read when it is sent. */
export interface OwedPush {
  readonly deliveryId: string;
}

/** An answer that comes right after another one goes with it; who has the chat open has read it by then. */
export const QUIET_MS = 2_500;
/** Conversations of one look. */
const BATCH = 200;

interface Unpushed {
  readonly tenant_id: string;
  readonly tenant_slug: string;
  readonly conversation_id: string;
  readonly user_id: string;
  readonly up_to_seq: number;
}

/** What a look needs. */
export interface PushLook {
  readonly database: Database;
  readonly queue: DurableQueue;
  readonly effect: Effect<OwedPush>;
  readonly log: Log;
}

/**
 * Looks through all tenants at once for answers that lie unread and have been told to no device yet, and owes their
 * users' devices a notice. The notice, its deliveries and their jobs are one transaction, so that each is owed once,
 * however many nodes look at the same time. Costs the sending of messages nothing: the log itself is the outbox.
 * @param isWhole looks since the last whole look, otherwise at what is new; only then the place is kept
 * @returns how many notices are owed now that were not before
 */
export async function oweAnswerPushes(look: PushLook, isWhole: boolean): Promise<number> {
  const { database, log } = look;
  const { rows: clock } = await database.systemPool.query<{ until: string }>({
    name: 'push-look-until',
    text: `select (clock_timestamp() - make_interval(secs => $1))::text as until`,
    values: [QUIET_MS / 1_000],
  });
  const until = clock[0]?.until;
  let total = 0;
  for (;;) {
    const { rows: found } = await database.systemPool.query<Unpushed>({
      name: 'unpushed-answers',
      text: 'select * from unpushed_answers($1, $2)',
      values: [until, BATCH],
    });
    let owed = 0;
    for (const one of found) {
      try {
        owed += await oweOne(look, one);
      } catch (error) {
        log.error({ err: error, tenantId: one.tenant_id }, 'a notice could not be owed; the next look does');
      }
    }
    total += owed;
    // those that cannot be owed would be found again and again
    if (found.length < BATCH || owed === 0) break;
  }
  if (isWhole) await database.systemPool.query('select looked_for_pushes($1)', [until]);
  return total;
}

function oweOne({ database, queue, effect }: PushLook, one: Unpushed): Promise<number> {
  const tenant = { id: one.tenant_id, slug: one.tenant_slug };
  return database.withScope(tenant, systemActor(tenant.id), (scope) =>
    transact(scope, async (inside) => {
      const [push] = await rows(
        inside,
        sql<{ id: string }>`
          insert into answer_pushes (id, tenant_id, conversation_id, user_id, up_to_seq, created_at)
          values (${newId()}, ${tenant.id}, ${one.conversation_id}, ${one.user_id}, ${one.up_to_seq}, clock_timestamp())
          on conflict (conversation_id, up_to_seq) do nothing returning id`,
      );
      // another node was faster
      if (!push) return 0;
      for (const device of await devicesOf(inside, one.user_id)) {
        const id = newId();
        await rows(
          inside,
          sql`insert into push_deliveries (id, tenant_id, push_id, subscription_id)
            values (${id}, ${tenant.id}, ${push.id}, ${device.id})`,
        );
        await queue.enqueue(inside, effect, { id, data: { deliveryId: id } });
      }
      return 1;
    }),
  );
}

function devicesOf(scope: Scope, userId: string): Promise<{ id: string }[]> {
  return rows(
    scope,
    sql<{ id: string }>`
      select p.id from push_subscriptions p
      join sessions s on s.id = p.session_id and s.revoked_at is null and s.expires_at > clock_timestamp()
      where p.tenant_id = ${scope.tenant.id} and p.user_id = ${userId} order by p.id for key share of p`,
  );
}
