import { Migration } from '@mikro-orm/migrations';

/**
 * Indexes on messages that leave the planner no wrong choice. On tables without statistics it took whatever index has
 * the conversation or the sender in it to look for a repeat, kept that plan, and read a conversation's whole log, or all
 * that an agent had ever written, for each message of a batch: 1 ms a message after an hour's work. An index that only
 * the right question fits is safer than statistics that come later.
 */
export class Migration20261121000022_append_plans extends Migration {
  override up(): void {
    // an expression, because no other index has it: what asks for it can use this one alone
    this.addSql(`drop index messages_by_client_id`);
    this.addSql(
      `create unique index messages_by_client_id on messages (uuid_send(conversation_id), sender_id, client_id)`,
    );
    // what the send limit counts; says sender_type, which the search for a repeat does not
    this.addSql(`drop index messages_by_sender`);
    this.addSql(`create index messages_sent on messages (sender_id, created_at) where sender_type <> 'system'`);
    // times are asked for of system lines only, and those are few
    this.addSql(`drop index messages_by_time`);
    this.addSql(
      `create index messages_events_by_time on messages (conversation_id, created_at) where sender_type = 'system'`,
    );
    // as with messages: every row comes from a scope whose tenant was looked up, and the check costs 6 % of an append
    this.addSql(`alter table audit_log drop constraint audit_log_tenant_id_fkey`);
    this.addSql(APPEND_MESSAGES);
    this.addSql(
      `select own_by_definer('append_messages(uuid[],uuid[],uuid[],text[],uuid[],integer[],uuid[],text[],text[],text[],text[],uuid[],uuid[],text[],integer[],integer[],boolean)')`,
    );
  }
}

/** As in migration 4, where its verdicts are told; the counts name `sender_type`, so that `messages_sent` serves them. */
const APPEND_MESSAGES = `
create or replace function append_messages(
  p_ids uuid[], p_tenants uuid[], p_conversations uuid[], p_sender_types text[], p_senders uuid[], p_access integer[],
  p_clients uuid[], p_types text[], p_events text[], p_data text[], p_bodies text[], p_hashes uuid[], p_replies uuid[],
  p_refusals text[], p_limits integer[], p_seconds integer[], p_wait boolean)
returns table (ord integer, verdict text, id uuid, seq integer, version integer, created_at timestamptz, stored jsonb,
               retry_after integer)
language plpgsql set enable_seqscan = off set lock_timeout = '2s' as $$
#variable_conflict use_column
declare
  locked uuid[];
  at timestamptz;
begin
  if p_wait then
    select coalesce(array_agg(held.id), '{}') into locked from (
      select c.id from conversations c where c.id = any (p_conversations) order by c.id for no key update) held;
  else
    select coalesce(array_agg(held.id), '{}') into locked from (
      select c.id from conversations c where c.id = any (p_conversations) order by c.id for no key update skip locked) held;
  end if;
  at := clock_timestamp();

  return query
  with input as (
    select * from unnest(p_ids, p_tenants, p_conversations, p_sender_types, p_senders, p_access, p_clients, p_types,
                         p_events, p_data, p_bodies, p_hashes, p_replies, p_refusals, p_limits, p_seconds)
      with ordinality as row (id, tenant_id, conversation_id, sender_type, sender_id, access_version, client_id,
                              message_type, event, data, body, content_hash, reply_to_id, refusal, send_limit, seconds, ord)
  ), looked as (
    select i.*, c.last_seq, c.version as last_version, c.last_message_at, s.stored_id, s.stored_hash,
      case
        when c.id is null then 'absent'
        when not (i.conversation_id = any (locked)) then 'busy'
        when s.stored_id is not null then case when s.stored_hash = i.content_hash then 'repeat' else 'conflict' end
        when i.sender_type = 'system' then 'new'
        when u.id is null then 'stale'
        when i.sender_type = 'user' and c.opened_by is distinct from i.sender_id and m.user_id is null then 'absent'
        when i.refusal is not null then i.refusal
        when c.status = 'closed' then 'closed'
        when i.sender_type = 'admin' and c.kind = 'support' and c.assigned_admin_id is null then 'unassigned'
        when i.sender_type = 'admin' and c.kind = 'support' and c.assigned_admin_id <> i.sender_id then 'assigned_to_other'
        else 'new'
      end as verdict
    from input i
    left join lateral (
      select * from conversations c where c.id = i.conversation_id and c.tenant_id = i.tenant_id limit 1) c on true
    left join lateral (
      select m.id as stored_id, m.content_hash as stored_hash from messages m
      where uuid_send(m.conversation_id) = uuid_send(i.conversation_id) and m.sender_id = i.sender_id
        and m.client_id = i.client_id limit 1) s on true
    left join lateral (
      select u.id from users u where u.id = i.sender_id and u.tenant_id = i.tenant_id
        and u.access_version = i.access_version and u.status = 'active' limit 1) u on true
    left join lateral (
      select p.user_id from conversation_participants p
      where i.sender_type = 'user' and c.opened_by is distinct from i.sender_id
        and p.conversation_id = i.conversation_id and p.user_id = i.sender_id and p.left_at is null limit 1) m on true
  ), firsts as (
    -- the same client id twice in one batch: the first is new, the others are judged against it
    select l.*,
      first_value(l.id) over twins as twin_id,
      first_value(l.content_hash) over twins as twin_hash,
      row_number() over twins as twin_no
    from looked l
    window twins as (partition by l.conversation_id, l.sender_id, l.client_id, l.verdict order by l.ord)
  ), counted as (
    select f.*,
      case when f.send_limit is not null then
        row_number() over (partition by f.sender_id order by f.ord) + (
          select count(*) from (
            select from messages m where m.sender_id = f.sender_id and m.sender_type <> 'system'
              and m.created_at > at - make_interval(secs => f.seconds)
            limit f.send_limit) recent)
      end as sent
    from firsts f
    where f.verdict = 'new' and f.twin_no = 1
  ), fresh as (
    select f.*,
      (f.last_seq + row_number() over places)::integer as seq,
      (f.last_version + row_number() over places)::integer as new_version,
      greatest(at, f.last_message_at) as created_at
    from counted f
    where f.sent is null or f.sent <= f.send_limit
    window places as (partition by f.conversation_id order by f.ord)
  ), moved as (
    update conversations c set
      last_seq = c.last_seq + g.n,
      version = c.version + g.n,
      last_message_at = g.created_at,
      updated_at = g.created_at,
      preview = coalesce(g.preview, c.preview),
      preview_sender_type = coalesce(g.preview_sender_type, c.preview_sender_type),
      unread_by_user = c.unread_by_user + g.from_staff,
      unread_by_staff = c.unread_by_staff + g.from_user,
      waiting_since = case
        when g.preview_sender_type = 'admin' then null
        when g.preview_sender_type = 'user' and g.from_staff > 0 then g.created_at
        when g.preview_sender_type = 'user' then coalesce(c.waiting_since, g.created_at)
        else c.waiting_since end
    from (
      select f.conversation_id, count(*)::integer as n, max(f.created_at) as created_at,
        (count(*) filter (where f.sender_type = 'admin'))::integer as from_staff,
        (count(*) filter (where f.sender_type = 'user'))::integer as from_user,
        left((array_agg(f.body order by f.ord desc) filter (where f.sender_type <> 'system'))[1], 160) as preview,
        (array_agg(f.sender_type order by f.ord desc) filter (where f.sender_type <> 'system'))[1] as preview_sender_type
      from fresh f group by f.conversation_id
    ) g
    where c.id = g.conversation_id
  ), written as (
    insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id, message_type,
                          event, data, body, reply_to_id, client_id, content_hash, created_at)
    select f.id, f.tenant_id, f.conversation_id, f.seq, f.new_version, f.new_version, f.sender_type, f.sender_id, f.message_type,
           f.event, f.data::jsonb, f.body, f.reply_to_id, f.client_id, f.content_hash, f.created_at
    from fresh f
  ), audited as (
    insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, metadata)
    select f.tenant_id, 'SUPPORT_MESSAGE_SENT', 'support_message', f.id, f.sender_id,
           jsonb_build_object('conversationId', f.conversation_id, 'senderType', f.sender_type)
    from fresh f where f.sender_type <> 'system'
  )
  select f.ord::integer,
    case when f.verdict <> 'new' then f.verdict
         when coalesce(n.id, t.id) is null then 'too_many'
         when f.twin_no = 1 then 'new'
         when f.twin_hash = f.content_hash then 'repeat' else 'conflict' end,
    coalesce(n.id, t.id), coalesce(n.seq, t.seq), coalesce(n.new_version, t.new_version), coalesce(n.created_at, t.created_at),
    case when f.verdict = 'repeat' then (select to_jsonb(m) from messages m where m.id = f.stored_id) end,
    case when f.verdict = 'new' and coalesce(n.id, t.id) is null then coalesce(
      -- the one that has to leave the window first
      (select ceil(extract(epoch from m.created_at - at))::integer + f.seconds from messages m
       where m.sender_id = f.sender_id and m.sender_type <> 'system'
              and m.created_at > at - make_interval(secs => f.seconds)
       order by m.created_at desc offset f.send_limit - 1 limit 1), f.seconds) end
  from firsts f
  left join fresh n on n.ord = f.ord
  left join fresh t on f.verdict = 'new' and f.twin_no > 1 and t.id = f.twin_id
  order by f.ord;
end $$`;
