import { Migration } from '@mikro-orm/migrations';

/**
 * The append with less to carry. Counted by callgrind, PostgreSQL 15, in instructions: a statement of one message 1.99 to
 * 1.51 million, and in a statement of a hundred 460,000 to 385,000 a message. What travels from step to step is the place
 * in the arrays, and what each step works out; texts are taken from the arrays where they are stored. Two messages with
 * one client id are not in one statement any more: the appender keeps the second back.
 */
export class Migration20261121000086_slim_append extends Migration {
  override up(): void {
    this.addSql(APPEND_MESSAGES);
    this.addSql(
      `select own_by_definer('append_messages(uuid[],uuid[],uuid[],text[],uuid[],integer[],uuid[],text[],text[],text[],text[],uuid[],uuid[],text[],integer[],integer[],boolean)')`,
    );

    // A check is read and evaluated for every row that changes, whatever changes in it: of every message, for columns that
    // no message touches. These are looked at when they are written.
    this.addSql(`
      alter table conversations drop constraint conversations_kind_check, drop constraint conversations_priority_check,
        drop constraint conversations_subject_check, drop constraint conversations_topic_check`);
    this.addSql(`
      create function check_conversation() returns trigger language plpgsql as $$
      begin
        if new.kind !~ '^[a-z][a-z_]{1,30}$' or new.priority <> all ('{low,medium,high,urgent}')
          or length(new.subject) > 200 or length(new.topic) > 100 then
          raise exception 'kind, priority, subject or topic of a conversation is not one' using errcode = 'check_violation';
        end if;
        return new;
      end $$`);
    this.addSql(`
      create trigger conversations_checked before insert or update of kind, priority, subject, topic on conversations
      for each row execute function check_conversation()`);
  }
}

/** Verdicts: migration 4. */
const APPEND_MESSAGES = `
create or replace function append_messages(
  p_ids uuid[], p_tenants uuid[], p_conversations uuid[], p_sender_types text[], p_senders uuid[], p_access integer[],
  p_clients uuid[], p_types text[], p_events text[], p_data text[], p_bodies text[], p_hashes uuid[], p_replies uuid[],
  p_refusals text[], p_limits integer[], p_seconds integer[], p_wait boolean)
returns table (ord integer, verdict text, id uuid, seq integer, version integer, created_at timestamptz, stored jsonb,
               retry_after integer)
language plpgsql set enable_seqscan = off set lock_timeout = '2s' set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  locked uuid[];
  at timestamptz;
begin
  if p_wait then
    locked := array(select c.id from conversations c where c.id = any (p_conversations) order by c.id for no key update);
  else
    locked := array(
      select c.id from conversations c where c.id = any (p_conversations) order by c.id for no key update skip locked);
  end if;
  at := clock_timestamp();

  return query
  with looked as (
    select i.ord, i.conversation_id, i.sender_type, c.last_seq, c.last_version, c.last_message_at, c.stored_id,
      case
        when c.id is null then 'absent'
        when not (i.conversation_id = any (locked)) then 'busy'
        when c.stored_id is not null then case
          when (select m.content_hash from messages m where m.id = c.stored_id) = p_hashes[i.ord] then 'repeat' else 'conflict' end
        when i.sender_type = 'system' then 'new'
        when not exists (
          select from users u where u.id = i.sender_id and (u.tenant_id = i.tenant_id) is true
            and u.access_version = p_access[i.ord] and u.status = 'active') then 'stale'
        when i.sender_type = 'user' and c.opened_by is distinct from i.sender_id and not exists (
          select from conversation_participants p
          where p.conversation_id = i.conversation_id and p.user_id = i.sender_id and p.left_at is null) then 'absent'
        when p_refusals[i.ord] is not null then p_refusals[i.ord]
        when c.status = 'closed' then 'closed'
        when i.sender_type = 'admin' and c.kind = 'support' and c.assigned_admin_id is null then 'unassigned'
        when i.sender_type = 'admin' and c.kind = 'support' and c.assigned_admin_id <> i.sender_id then 'assigned_to_other'
        else 'new'
      end as verdict
    from unnest(p_conversations, p_tenants, p_sender_types, p_senders)
      with ordinality as i (conversation_id, tenant_id, sender_type, sender_id, ord)
    left join lateral (
      select c.id, c.last_seq, c.version as last_version, c.last_message_at, c.opened_by, c.status, c.kind, c.assigned_admin_id,
        (select m.id from messages m
         where uuid_send(m.conversation_id) = uuid_send(i.conversation_id) and m.sender_id = i.sender_id
           and m.client_id = p_clients[i.ord] limit 1) as stored_id
      from conversations c where c.id = i.conversation_id and (c.tenant_id = i.tenant_id) is true limit 1) c on true
  ), counted as (
    select l.*,
      case when p_limits[l.ord] is not null then
        row_number() over (partition by p_senders[l.ord] order by l.ord) + cardinality(array(
          select 1 from messages m where m.sender_id = p_senders[l.ord] and m.sender_type <> 'system'
            and m.created_at > at - make_interval(secs => p_seconds[l.ord])
          limit p_limits[l.ord]))
      end as sent
    from looked l
    where l.verdict = 'new'
  ), fresh as (
    select f.ord, f.conversation_id, f.sender_type,
      (f.last_seq + row_number() over places)::integer as seq,
      (f.last_version + row_number() over places)::integer as new_version,
      greatest(at, f.last_message_at) as created_at,
      lead(f.ord) over places is null as is_last,
      count(*) filter (where f.sender_type = 'admin') over places as from_staff,
      count(*) filter (where f.sender_type = 'user') over places as from_user,
      max(f.ord) filter (where f.sender_type <> 'system') over places as spoken
    from counted f
    where f.sent is null or f.sent <= p_limits[f.ord]
    window places as (partition by f.conversation_id order by f.ord)
  ), moved as (
    update conversations c set
      last_seq = g.seq,
      version = g.new_version,
      last_message_at = g.created_at,
      updated_at = g.created_at,
      preview = coalesce(left(p_bodies[g.spoken], 160), c.preview),
      preview_sender_type = coalesce(p_sender_types[g.spoken], c.preview_sender_type),
      unread_by_user = c.unread_by_user + g.from_staff,
      unread_by_staff = c.unread_by_staff + g.from_user,
      waiting_since = case
        when p_sender_types[g.spoken] = 'admin' then null
        when p_sender_types[g.spoken] = 'user' and g.from_staff > 0 then g.created_at
        when p_sender_types[g.spoken] = 'user' then coalesce(c.waiting_since, g.created_at)
        else c.waiting_since end
    from fresh g
    where g.is_last and c.id = g.conversation_id
  ), written as (
    insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id, message_type,
                          event, data, body, reply_to_id, client_id, content_hash, created_at)
    select p_ids[f.ord], p_tenants[f.ord], f.conversation_id, f.seq, f.new_version, f.new_version, f.sender_type, p_senders[f.ord],
           p_types[f.ord], p_events[f.ord], p_data[f.ord]::jsonb, p_bodies[f.ord], p_replies[f.ord], p_clients[f.ord],
           p_hashes[f.ord], f.created_at
    from fresh f
  ), audited as (
    insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, metadata)
    select p_tenants[f.ord], 'SUPPORT_MESSAGE_SENT', 'support_message', p_ids[f.ord], p_senders[f.ord],
           jsonb_build_object('conversationId', f.conversation_id, 'senderType', f.sender_type)
    from fresh f where f.sender_type <> 'system'
  )
  select l.ord::integer,
    case when l.verdict = 'new' and n.seq is null then 'too_many' else l.verdict end,
    case when n.seq is not null then p_ids[l.ord] end, n.seq, n.new_version, n.created_at,
    case when l.verdict = 'repeat' then (select to_jsonb(m) from messages m where m.id = l.stored_id) end,
    case when l.verdict = 'new' and n.seq is null then coalesce(
      -- the one that has to leave the window first
      (select ceil(extract(epoch from m.created_at - at))::integer + p_seconds[l.ord] from messages m
       where m.sender_id = p_senders[l.ord] and m.sender_type <> 'system'
              and m.created_at > at - make_interval(secs => p_seconds[l.ord])
       order by m.created_at desc offset p_limits[l.ord] - 1 limit 1), p_seconds[l.ord]) end
  from looked l
  left join fresh n on n.ord = l.ord;
end $$`;
