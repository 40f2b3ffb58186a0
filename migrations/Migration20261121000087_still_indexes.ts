import { Migration } from '@mikro-orm/migrations';

/**
 * A message moves no index of its conversation any more (HOT), which were 5 of the 14 entries that storing one wrote. Lists
 * keep their order, newest message first, but their indexes hold only the five minutes in which it was said: the few
 * conversations of the same minutes are put in order when they are read. `active_at` comes before `last_message_at`
 * wherever something is ordered or bounded by it. And who waits for an agent is looked for only where nobody has one.
 * Counted by callgrind, PostgreSQL 15, a statement of a hundred messages: 383,000 to 309,000 instructions a message.
 */
export class Migration20261121000087_still_indexes extends Migration {
  override up(): void {
    this.addSql(`
      create function active_bin(at timestamptz) returns timestamptz language sql immutable parallel safe as $$
        select date_bin('5 minutes', at, '2000-01-01 00:00:00+00')
      $$`);
    this.addSql(`
      alter table conversations
        add column active_at timestamptz not null
          generated always as (date_bin('5 minutes', last_message_at, '2000-01-01 00:00:00+00')) stored,
        add column queued_since timestamptz
          generated always as (case when assigned_admin_id is null then waiting_since end) stored`);
    // a new version of a row finds room beside the old one
    this.addSql(`alter table conversations set (fillfactor = 80)`);
    for (const [name, columns, where] of [
      ['by_activity', 'active_at', ''],
      ['closed_by_activity', 'active_at', `where status = 'closed'`],
      ['closed_by_assignee', 'assigned_admin_id, active_at', `where status = 'closed'`],
      ['closed_by_user_type', 'user_type, active_at', `where status = 'closed'`],
      ['open', 'assigned_admin_id, queued_since, created_at', `where kind = 'support' and status = 'open'`],
    ]) {
      this.addSql(`drop index conversations_${name}`);
      this.addSql(`create index conversations_${name} on conversations (tenant_id, ${columns}) ${where}`);
    }
    // what comes last is written last: pages fill up, where a descending index would split them in the middle
    for (const [name, columns] of [
      ['by_actor', 'actor_id, id'],
      ['by_entity', 'entity_id, id'],
      ['newest', 'id'],
    ]) {
      this.addSql(`drop index audit_log_${name}`);
      this.addSql(`create index audit_log_${name} on audit_log (tenant_id, ${columns})`);
    }

    for (const [text, signature] of [
      [RECENT_CONVERSATIONS, 'recent_conversations(uuid[],integer,uuid[])'],
      [TENANTS_FALLEN_QUIET, 'tenants_fallen_quiet(uuid[],int[])'],
      [UNPUSHED_ANSWERS, 'unpushed_answers(timestamptz,int)'],
      [QUEUE_PLACES, 'queue_places(uuid[],int)'],
      [TENANTS_WITH_WORDS, 'tenants_with_words()'],
      [GATHER_WORDS, 'gather_words(uuid,timestamptz,integer)'],
    ] as const) {
      this.addSql(text);
      this.addSql(`select own_by_definer('${signature}')`);
    }
  }
}

/** Migration 6; the bound stands still while the statement runs, or it would be no condition of an index. */
const RECENT_CONVERSATIONS = `
create or replace function recent_conversations(p_tenants uuid[], p_seconds integer, p_known uuid[])
returns table (tenant_id uuid, id uuid, version integer, base integer)
language sql stable set enable_seqscan = off as $$
  select c.tenant_id, c.id, c.version,
    case when c.id <> all (p_known) then coalesce((
      select min(m.first_version) - 1 from messages m
      where m.conversation_id = c.id and m.created_at > statement_timestamp() - make_interval(secs => p_seconds)), c.version) end
  from unnest(p_tenants) as asked (tenant_id)
  cross join lateral (
    select c.tenant_id, c.id, c.version from conversations c
    where c.tenant_id = asked.tenant_id and c.active_at >= active_bin(statement_timestamp() - make_interval(secs => p_seconds))
      and c.last_message_at > statement_timestamp() - make_interval(secs => p_seconds)
    order by c.active_at desc, c.last_message_at desc limit 5000) c
$$`;

/** Migration 62. */
const TENANTS_FALLEN_QUIET = `
create or replace function tenants_fallen_quiet(p_tenant_ids uuid[], p_after_minutes int[]) returns table (tenant_id uuid)
language sql stable as $$
  select asked.id
  from unnest(p_tenant_ids, p_after_minutes) as asked (id, minutes)
  left join answer_mail_sweeps s on s.tenant_id = asked.id
  where s.tenant_id is null or (asked.minutes > 0 and exists (
    select 1 from conversations c
    where c.tenant_id = asked.id
      and c.active_at >= active_bin(greatest(s.swept_until, statement_timestamp() - interval '24 hours'))
      and c.last_message_at > greatest(s.swept_until, statement_timestamp() - interval '24 hours')
      and c.active_at <= active_bin(statement_timestamp() - make_interval(mins => asked.minutes))
      and c.last_message_at <= statement_timestamp() - make_interval(mins => asked.minutes)))
$$`;

/** Migration 40. */
const UNPUSHED_ANSWERS = `
create or replace function unpushed_answers(p_until timestamptz, p_limit int) returns table (
  tenant_id uuid, tenant_slug text, conversation_id uuid, user_id uuid, up_to_seq int
) language plpgsql stable as $$
declare
  v_since timestamptz := greatest(
    -- what committed late stands before the place that was looked at
    (select l.looked_until from push_looks l) - interval '30 seconds', p_until - interval '6 hours');
begin
  if not exists (select 1 from push_subscriptions) then return; end if;
  return query
    select t.id, t.slug, c.id, c.opened_by, a.seq
    from tenants t
    join conversations c on c.tenant_id = t.id and c.active_at >= active_bin(v_since) and c.last_message_at > v_since
      and c.active_at <= active_bin(p_until) and c.last_message_at <= p_until and c.unread_by_user > 0
    cross join lateral (
      select m.seq from messages m
      where m.conversation_id = c.id and m.tenant_id = c.tenant_id and m.seq > c.user_read_seq
        and m.sender_type = 'admin' and m.deleted_at is null
      order by m.seq desc limit 1) a
    where t.status = 'active'
      and exists (
        select 1 from push_subscriptions p
        join sessions s on s.id = p.session_id and s.revoked_at is null and s.expires_at > clock_timestamp()
        where p.tenant_id = c.tenant_id and p.user_id = c.opened_by)
      and not exists (
        select 1 from answer_pushes x where x.conversation_id = c.id and x.up_to_seq >= a.seq)
    order by c.last_message_at limit p_limit;
end $$`;

/** Migration 63. */
const QUEUE_PLACES = `
create or replace function queue_places(p_tenant_ids uuid[], p_limit int)
returns table (tenant_id uuid, conversation_id uuid, place int)
language sql stable set enable_seqscan = off as $$
  select asked.id, waiting.id, waiting.place::int
  from unnest(p_tenant_ids) as asked (id)
  cross join lateral (
    select c.id, row_number() over (order by c.queued_since, c.created_at, c.id) as place
    from conversations c
    where c.tenant_id = asked.id and c.kind = 'support' and c.status = 'open' and c.assigned_admin_id is null
      and c.queued_since is not null
    order by c.queued_since, c.created_at, c.id
    limit p_limit) waiting
$$`;

/** Migration 85, this one and the next; its search follows in migration 90. */
const TENANTS_WITH_WORDS = `
create or replace function tenants_with_words() returns setof uuid
language sql stable set enable_seqscan = off as $$
  select t.id from tenants t left join word_marks w on w.tenant_id = t.id
  where exists (
    select from conversations c where c.tenant_id = t.id
      and (c.active_at, c.last_message_at, c.id) > (active_bin(coalesce(w.last_message_at, '-infinity')),
        coalesce(w.last_message_at, '-infinity'), coalesce(w.last_id, '00000000-0000-0000-0000-000000000000')))
$$`;

const GATHER_WORDS = `
create or replace function gather_words(p_tenant uuid, p_rested_before timestamptz, p_most integer) returns integer
language plpgsql set enable_seqscan = off as $$
declare
  mark word_marks;
  rested uuid[];
  talkative uuid[];
  one uuid;
begin
  insert into word_marks (tenant_id) values (p_tenant) on conflict do nothing;
  select * into mark from word_marks w where w.tenant_id = p_tenant for update;

  select coalesce(array_agg(c.id order by c.last_message_at, c.id), '{}'),
    coalesce(max(c.last_message_at), mark.last_message_at),
    coalesce((array_agg(c.id order by c.last_message_at desc, c.id desc))[1], mark.last_id)
  into rested, mark.last_message_at, mark.last_id
  from (
    select c.id, c.last_message_at from conversations c
    where c.tenant_id = p_tenant
      and (c.active_at, c.last_message_at, c.id) > (active_bin(mark.last_message_at), mark.last_message_at, mark.last_id)
      and c.active_at <= active_bin(p_rested_before) and c.last_message_at < p_rested_before
    order by c.active_at, c.last_message_at, c.id limit p_most) c;

  select coalesce(array_agg(c.id), '{}') into talkative from (
    select c.id from (
      select c.id, c.last_seq from conversations c
      where c.tenant_id = p_tenant and c.active_at >= active_bin(p_rested_before) and c.last_message_at >= p_rested_before
      order by c.active_at desc, c.last_message_at desc, c.id desc limit 2000) c
    where c.last_seq > 500 + coalesce((select max(w.upto) from conversation_words w where w.conversation_id = c.id), 0)
    limit 10) c;

  -- in the order in which everybody takes several
  perform 1 from (
    select c.id from conversations c where c.id = any (rested || talkative) order by c.id for no key update) held;
  foreach one in array rested || talkative loop
    loop
      insert into conversation_words (conversation_id, upto, tenant_id, words)
      select one, max(said.seq), p_tenant, all_words(strip(to_tsvector('simple', said.body)))
      from (
        -- a vector of words ends at a megabyte
        select m.*, sum(octet_length(m.body)) over (order by m.seq rows between unbounded preceding and 1 preceding) as bytes_before
        from (
          select m.seq, coalesce(m.body, '') as body from messages m
          where m.conversation_id = one and m.seq > coalesce(
            (select max(w.upto) from conversation_words w where w.conversation_id = one), 0)
          order by m.seq limit 256) m) said
      where coalesce(said.bytes_before, 0) < 200000
      having count(*) > 0;
      exit when not found;
    end loop;
  end loop;
  update word_marks w set last_message_at = mark.last_message_at, last_id = mark.last_id
  where w.tenant_id = p_tenant;
  return cardinality(rested);
end $$`;
