import { Migration } from '@mikro-orm/migrations';

/**
 * What is sought by its id is sought by its id. On tables without statistics every index that begins with the tenant
 * looks as good to the planner as the primary key: of each message sent, the conversation and the sender were found by
 * reading all of the tenant's (900 pages a message at 500 conversations, 80 us of 100). A condition `(a = b) is true`
 * fits no index, and fences the tenants all the same.
 */
export class Migration20261121000084_by_id extends Migration {
  override up(): void {
    for (const [definition, signature] of FUNCTIONS) {
      this.addSql(definition);
      this.addSql(`select own_by_definer('${signature}')`);
    }
  }
}

const MESSAGES =
  'uuid[],uuid[],uuid[],text[],uuid[],integer[],uuid[],text[],text[],text[],text[],uuid[],uuid[],text[],integer[],integer[]';

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
      select * from conversations c where c.id = i.conversation_id and (c.tenant_id = i.tenant_id) is true limit 1) c on true
    left join lateral (
      select m.id as stored_id, m.content_hash as stored_hash from messages m
      where uuid_send(m.conversation_id) = uuid_send(i.conversation_id) and m.sender_id = i.sender_id
        and m.client_id = i.client_id limit 1) s on true
    left join lateral (
      select u.id from users u where u.id = i.sender_id and (u.tenant_id = i.tenant_id) is true
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

/** Pairs of line and answer: migration 83. */
const CLAIM_AND_APPEND = `
create or replace function claim_and_append(
  p_ids uuid[], p_tenants uuid[], p_conversations uuid[], p_sender_types text[], p_senders uuid[], p_access integer[],
  p_clients uuid[], p_types text[], p_events text[], p_data text[], p_bodies text[], p_hashes uuid[], p_replies uuid[],
  p_refusals text[], p_limits integer[], p_seconds integer[])
returns table (ord integer, verdict text, id uuid, seq integer, version integer, created_at timestamptz, stored jsonb,
               retry_after integer)
language plpgsql set enable_seqscan = off set lock_timeout = '2s' set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  kept integer[];
begin
  perform 1 from (
    select c.id from conversations c where c.id = any (p_conversations) order by c.id for no key update) held;

  with asked as (
    select distinct on (a.conversation_id) a.*
    from unnest(p_tenants, p_conversations, p_senders, p_access)
      with ordinality as a (tenant_id, conversation_id, sender_id, access_version, ord)
    where a.sender_id is not null
    order by a.conversation_id, a.ord
  ), claimed as (
    update conversations c set assigned_admin_id = a.sender_id, updated_at = clock_timestamp()
    from asked a
    where c.id = a.conversation_id and (c.tenant_id = a.tenant_id) is true and c.kind = 'support' and c.status = 'open'
      and c.assigned_admin_id is null
      and exists (
        select from users u where u.id = a.sender_id and (u.tenant_id = a.tenant_id) is true and u.user_type = 'admin'
          and u.access_version = a.access_version and u.status = 'active')
    returning a.ord, a.tenant_id, a.conversation_id, a.sender_id
  ), joined as (
    insert into conversation_participants (conversation_id, user_id, tenant_id, side, joined_at)
    select c.conversation_id, c.sender_id, c.tenant_id, 'admin', clock_timestamp() from claimed c
    on conflict (conversation_id, user_id) do update set left_at = null
  ), audited as (
    insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, metadata)
    select c.tenant_id, 'SUPPORT_CONVERSATION_ASSIGNED', 'support_conversation', c.conversation_id, c.sender_id,
      jsonb_build_object('conversationId', c.conversation_id, 'assignedAdminId', c.sender_id)
    from claimed c
  )
  select coalesce(array_agg(k.ord order by k.ord), '{}') into kept
  from (select c.ord::integer as ord from claimed c union all select c.ord::integer - 1 from claimed c) k;
  if kept = '{}' then
    return;
  end if;

  return query
  with input as (
    select row_number() over (order by i.ord) as place, i.*
    from unnest(p_ids, p_tenants, p_conversations, p_sender_types, p_senders, p_access, p_clients, p_types,
                p_events, p_data, p_bodies, p_hashes, p_replies, p_refusals, p_limits, p_seconds)
      with ordinality as i (id, tenant_id, conversation_id, sender_type, sender_id, access_version, client_id,
                            message_type, event, data, body, content_hash, reply_to_id, refusal, send_limit, seconds, ord)
    where i.ord = any (kept)
  ), columns as (
    select array_agg(i.id order by i.ord) as ids, array_agg(i.tenant_id order by i.ord) as tenants,
      array_agg(i.conversation_id order by i.ord) as conversations, array_agg(i.sender_type order by i.ord) as sender_types,
      array_agg(i.sender_id order by i.ord) as senders, array_agg(i.access_version order by i.ord) as access,
      array_agg(i.client_id order by i.ord) as clients, array_agg(i.message_type order by i.ord) as types,
      array_agg(i.event order by i.ord) as events, array_agg(i.data order by i.ord) as data,
      array_agg(i.body order by i.ord) as bodies, array_agg(i.content_hash order by i.ord) as hashes,
      array_agg(i.reply_to_id order by i.ord) as replies, array_agg(i.refusal order by i.ord) as refusals,
      array_agg(i.send_limit order by i.ord) as limits, array_agg(i.seconds order by i.ord) as seconds
    from input i
  )
  select kept[a.ord], case when a.verdict = 'new' then a.verdict else refuse_claim(a.verdict) end, a.id, a.seq, a.version, a.created_at, a.stored, a.retry_after
  from columns c cross join lateral append_messages(c.ids, c.tenants, c.conversations, c.sender_types, c.senders, c.access,
    c.clients, c.types, c.events, c.data, c.bodies, c.hashes, c.replies, c.refusals, c.limits, c.seconds, true) a;
end $$`;

const OPEN_CONVERSATIONS = `
create or replace function open_conversations(p_tenants uuid[], p_ids uuid[], p_readers uuid[])
returns table (ord integer, conversation jsonb, marks jsonb, unread integer)
language sql stable set enable_seqscan = off as $$
  select asked.ord::integer, to_jsonb(c), coalesce(m.marks, '[]'), u.unread
  from unnest(p_tenants, p_ids, p_readers) with ordinality as asked (tenant_id, id, reader_id, ord)
  cross join lateral (
    select * from conversations c where c.id = asked.id and (c.tenant_id = asked.tenant_id) is true limit 1) c
  left join lateral (
    select max(p.read_seq) filter (where p.user_id = asked.reader_id) as own_seq,
      jsonb_agg(jsonb_build_object('userId', p.user_id, 'name', n.name, 'side', p.side, 'seq', p.read_seq,
        'counts', p.side = 'user' or exists (
          select 1 from role_assignments a join roles r on r.id = a.role_id and r.tenant_id = a.tenant_id
          where a.user_id = p.user_id and a.tenant_id = p.tenant_id and 'REPLY_SUPPORT_CHAT' = any (r.capabilities))
      ) order by p.joined_at) filter (where p.read_seq > 0) as marks
    from conversation_participants p join users n on n.id = p.user_id and (n.tenant_id = p.tenant_id) is true
    where p.conversation_id = c.id and (p.tenant_id = c.tenant_id) is true) m on true
  cross join lateral (
    select count(*)::integer as unread from (
      select 1 from messages g
      where g.conversation_id = c.id and (g.tenant_id = c.tenant_id) is true and g.seq > coalesce(m.own_seq, 0)
        and asked.reader_id is distinct from c.opened_by
        and g.sender_type <> 'system' and g.sender_id is distinct from asked.reader_id
      limit 1000) found) u
$$`;

const CHANGES_OF_CONVERSATIONS = `
create or replace function changes_of_conversations(p_tenants uuid[], p_ids uuid[], p_after integer[], p_limits integer[])
returns table (ord integer, message jsonb, sender_name text, sender_user_type text, user_read_seq integer, staff_read_seq integer)
-- in the order of the index, never all of a log and then sorted: also where there are no statistics yet
language sql stable set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
  select asked.ord::integer, to_jsonb(m), u.name, u.user_type, c.user_read_seq, c.staff_read_seq
  from unnest(p_tenants, p_ids, p_after, p_limits) with ordinality as asked (tenant_id, id, after, most, ord)
  cross join lateral (
    select c.user_read_seq, c.staff_read_seq from conversations c
    where c.id = asked.id and (c.tenant_id = asked.tenant_id) is true limit 1) c
  cross join lateral (
    select * from messages m
    where m.conversation_id = asked.id and (m.tenant_id = asked.tenant_id) is true and m.version > asked.after
    order by m.version limit asked.most) m
  left join users u on u.id = m.sender_id and (u.tenant_id = m.tenant_id) is true
  order by asked.ord, m.version
$$`;

const SESSION_BY_TOKEN = `
create or replace function session_by_token(p_token_hash bytea) returns table (
  session_id uuid, expires_at timestamptz, context jsonb, tenant_id uuid, tenant_slug text, user_id uuid,
  user_type text, name text, locale text, country text, access_version int, capabilities text[]
) language sql stable as $$
  select s.id, s.expires_at, s.context, t.id, t.slug, u.id, u.user_type, u.name, u.locale, u.country,
         u.access_version, coalesce(granted.capabilities, '{}')
  from sessions s
  join tenants t on t.id = s.tenant_id and t.status = 'active'
  join users u on (u.tenant_id = s.tenant_id) is true and u.id = s.user_id and u.status = 'active'
  left join lateral (
    select array_agg(distinct c.capability) as capabilities
    from role_assignments a
    join roles r on (r.tenant_id = a.tenant_id) is true and r.id = a.role_id
    cross join unnest(r.capabilities) as c (capability)
    where (a.tenant_id = u.tenant_id) is true and a.user_id = u.id and u.user_type = 'admin'
  ) granted on true
  where s.token_hash = p_token_hash and s.revoked_at is null and s.expires_at > clock_timestamp()
$$`;

const CONVERSATIONS_AHEAD = `
create or replace function conversations_ahead(p_tenants uuid[], p_ids uuid[], p_versions integer[])
returns table (tenant_id uuid, id uuid, version integer)
language sql stable set enable_seqscan = off as $$
  select asked.tenant_id, c.id, c.version from unnest(p_tenants, p_ids, p_versions) as asked (tenant_id, id, version)
  cross join lateral (
    select c.id, c.version from conversations c
    where c.id = asked.id and (c.tenant_id = asked.tenant_id) is true limit 1) c
  where c.version > asked.version
$$`;

const FUNCTIONS = [
  [APPEND_MESSAGES, `append_messages(${MESSAGES},boolean)`],
  [CLAIM_AND_APPEND, `claim_and_append(${MESSAGES})`],
  [OPEN_CONVERSATIONS, 'open_conversations(uuid[],uuid[],uuid[])'],
  [CHANGES_OF_CONVERSATIONS, 'changes_of_conversations(uuid[],uuid[],integer[],integer[])'],
  [CONVERSATIONS_AHEAD, 'conversations_ahead(uuid[],uuid[],integer[])'],
  [SESSION_BY_TOKEN, 'session_by_token(bytea)'],
] as const;
