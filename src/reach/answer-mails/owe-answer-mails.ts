import { type Scope, transact } from '../../platform/database/index.ts';
import type { DurableQueue, Effect } from '../../platform/jobs/index.ts';
import { newId } from '../../platform/text/index.ts';
import { AnswerMail } from './answer-mail.entity.ts';

/** What the queue carries about a mail that is owed: the rest is read when it is sent. */
export interface OwedMail {
  readonly mailId: string;
}

/** No conversation comes after it at the same time. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Conversations looked at in one transaction. */
const BATCH = 200;
/** Whatever was down for longer: nobody wants yesterday's reminder. */
const MAX_AGE_HOURS = 24;

/**
 * Looks through the tenant's conversations that have been quiet for `afterMinutes` since the last look, and owes their
 * users a mail where an answer lies unread: one for all of them. The mail, its job and how far was looked are one
 * transaction, so that each is owed once, and a crash changes nothing. Costs the sending of messages nothing: the log
 * itself is the outbox.
 * @param afterMinutes 0: nobody is mailed, and what lies unread now never will be
 * @returns how many mails are owed now that were not before
 */
export async function oweAnswerMails(
  scope: Scope,
  queue: DurableQueue,
  effect: Effect<OwedMail>,
  afterMinutes: number,
): Promise<number> {
  let total = 0;
  for (let after: Place | null = null; ; ) {
    const from: Place | null = after;
    const look: Look = await transact(scope, (inside) => oweSome(inside, queue, effect, afterMinutes, from));
    total += look.owed;
    if (look.looked < BATCH) return total;
    after = look.last;
  }
}

/** Of a conversation among those by last message; the time as text, which keeps the microseconds. */
interface Place {
  readonly at: string;
  readonly id: string;
}

interface Look {
  readonly looked: number;
  readonly owed: number;
  readonly last: Place | null;
}

interface Quiet {
  readonly id: string;
  readonly at: string;
  readonly user_id: string;
  readonly last_answer: number;
  readonly is_owed: boolean;
}

async function oweSome(
  scope: Scope,
  queue: DurableQueue,
  effect: Effect<OwedMail>,
  afterMinutes: number,
  after: Place | null,
): Promise<Look> {
  const { em, tenant, now } = scope;
  await em.execute(
    `insert into answer_mail_sweeps (tenant_id, swept_until) values (?, '-infinity') on conflict (tenant_id) do nothing`,
    [tenant.id],
  );
  const oldest = new Date(now.getTime() - MAX_AGE_HOURS * 3_600_000);
  // nodes that look at once go one after the other
  const [sweep] = await em.execute<{ since: string }[]>(
    `select greatest(swept_until, ?::timestamptz)::text as since from answer_mail_sweeps where tenant_id = ? for update`,
    [oldest, tenant.id],
  );
  const quietSince = new Date(now.getTime() - afterMinutes * 60_000);
  const from = after ?? { at: sweep?.since ?? 'infinity', id: LAST_ID };
  const found =
    afterMinutes > 0
      ? await em.execute<Quiet[]>(QUIET, [tenant.id, from.at, from.at, from.id, quietSince, quietSince, BATCH])
      : [];
  const owed = found.filter((one) => one.is_owed);
  for (const { id, user_id: userId, last_answer: upToSeq } of owed) {
    const mail = em.create(AnswerMail, {
      id: newId(),
      tenantId: tenant.id,
      conversationId: id,
      userId,
      upToSeq,
      state: 'owed',
      createdAt: now,
      settledAt: null,
    });
    em.persist(mail);
    await queue.enqueue(scope, effect, { id: mail.id, data: { mailId: mail.id } });
  }
  await em.flush();
  const last = found.at(-1) ?? null;
  // others may bear the time of the last one
  const until = last && found.length === BATCH ? last.at : quietSince;
  await em.execute(MOVE_ON, [until, last && found.length === BATCH ? 1 : 0, tenant.id]);
  return { looked: found.length, owed: owed.length, last };
}

/** Those whose last message fell quiet since the last look; owed where an answer is unread and in no mail yet. */
const QUIET = `
  select c.id, c.last_message_at::text as at, c.opened_by as user_id, a.seq as last_answer,
    coalesce(a.seq > coalesce((
      select max(s.up_to_seq) from answer_mails s where s.conversation_id = c.id and s.tenant_id = c.tenant_id), 0)
    and u.id is not null, false) as is_owed
  from conversations c
  left join users u on u.id = c.opened_by and u.tenant_id = c.tenant_id and u.email is not null and u.status = 'active'
  left join lateral (
    select m.seq from messages m
    where m.conversation_id = c.id and m.tenant_id = c.tenant_id and m.seq > c.user_read_seq
      and m.sender_type = 'admin' and m.deleted_at is null
    order by m.seq desc limit 1) a on c.unread_by_user > 0
  where c.tenant_id = ? and (c.active_at, c.last_message_at, c.id) > (active_bin(?::timestamptz), ?::timestamptz, ?::uuid)
    and c.active_at <= active_bin(?::timestamptz) and c.last_message_at <= ?::timestamptz
  order by c.active_at, c.last_message_at, c.id limit ?`;

const MOVE_ON = `
  update answer_mail_sweeps
  set swept_until = greatest(swept_until, ?::timestamptz - make_interval(secs => ?::int * 0.000001))
  where tenant_id = ?`;
