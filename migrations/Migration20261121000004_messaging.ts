import { Migration } from '@mikro-orm/migrations';

/** Conversations, who takes part, their messages, and the one function that appends to them. */
export class Migration20261121000004_messaging extends Migration {
  override up(): void {
    this.addSql(`
      create table conversations (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        kind text not null default 'support' check (kind ~ '^[a-z][a-z_]{1,30}$'),
        opened_by uuid references users (id),
        user_type text,
        subject text check (length(subject) <= 200),
        topic text check (length(topic) <= 100),
        context jsonb,
        status text not null default 'open' check (status in ('open', 'closed')),
        priority text not null default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
        assigned_admin_id uuid references users (id),
        last_seq integer not null default 0,
        version integer not null default 0,
        user_read_seq integer not null default 0,
        staff_read_seq integer not null default 0,
        unread_by_user integer not null default 0,
        unread_by_staff integer not null default 0,
        -- equals created_at until the first message, so that one column orders every list
        last_message_at timestamptz not null,
        preview text,
        preview_sender_type text,
        -- since when the user has had no answer; null while nobody waits
        waiting_since timestamptz,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        closed_at timestamptz,
        -- a user id or 'system'
        closed_by text,
        check ((status = 'closed') = (closed_at is not null)),
        check (kind <> 'support' or (opened_by is not null and user_type is not null))
      ) with (fillfactor = 70)`);
    this.addSql(
      `create unique index conversations_one_open on conversations (tenant_id, opened_by) where kind = 'support' and status = 'open'`,
    );
    this.addSql(`create index conversations_by_activity on conversations (tenant_id, last_message_at desc, id desc)`);
    this.addSql(
      `create index conversations_by_status on conversations (tenant_id, status, last_message_at desc, id desc)`,
    );
    this.addSql(
      `create index conversations_by_assignee on conversations (tenant_id, assigned_admin_id, last_message_at desc, id desc)`,
    );
    this.addSql(
      `create index conversations_by_user_type on conversations (tenant_id, user_type, last_message_at desc, id desc)`,
    );
    this.addSql(`create index conversations_by_user on conversations (tenant_id, opened_by, user_type, created_at)`);
    this.addSql(`select secure_table('conversations', 'select, insert, update')`);
    this.addSql(`select open_to_definers('conversations', 'select, update')`);

    this.addSql(`
      create table conversation_participants (
        conversation_id uuid not null references conversations (id) on delete cascade,
        user_id uuid not null references users (id),
        tenant_id uuid not null,
        side text not null check (side in ('user', 'admin')),
        read_seq integer not null default 0,
        read_at timestamptz,
        joined_at timestamptz not null,
        left_at timestamptz,
        primary key (conversation_id, user_id)
      )`);
    this.addSql(`create index conversation_participants_by_user on conversation_participants (tenant_id, user_id)`);
    this.addSql(`select secure_table('conversation_participants', 'select, insert, update')`);
    this.addSql(`select open_to_definers('conversation_participants', 'select')`);

    this.addSql(`
      create table conversation_starts (
        user_id uuid not null references users (id),
        client_id uuid not null,
        tenant_id uuid not null,
        conversation_id uuid not null references conversations (id) on delete cascade,
        created_at timestamptz not null,
        primary key (user_id, client_id)
      )`);
    this.addSql(`select secure_table('conversation_starts', 'select, insert')`);

    // No foreign keys here: append_messages is the only writer, has looked both up under the conversation's lock, and
    // the two checks would cost a fifth of its speed. Rows go only together with their conversation.
    this.addSql(`
      create table messages (
        id uuid primary key,
        tenant_id uuid not null,
        conversation_id uuid not null,
        seq integer not null,
        version integer not null,
        first_version integer not null,
        sender_type text not null check (sender_type in ('user', 'admin', 'system')),
        sender_id uuid,
        message_type text not null,
        event text,
        data jsonb,
        body text,
        reply_to_id uuid,
        client_id uuid not null,
        content_hash uuid not null,
        created_at timestamptz not null,
        edited_at timestamptz,
        deleted_at timestamptz,
        check ((message_type = 'system') = (event is not null))
      )`);
    this.addSql(`create unique index messages_by_seq on messages (conversation_id, seq)`);
    this.addSql(`create unique index messages_by_client_id on messages (conversation_id, sender_id, client_id)`);
    this.addSql(`create index messages_by_version on messages (conversation_id, version)`);
    this.addSql(`create index messages_by_time on messages (conversation_id, created_at)`);
    // the send limit counts here
    this.addSql(`create index messages_by_sender on messages (sender_id, created_at) where sender_id is not null`);
    this.addSql(`select secure_table('messages', 'select, update')`);
    this.addSql(`select open_to_definers('messages', 'select, insert')`);
    this.addSql(`select open_to_definers('users', 'select')`);
    this.addSql(`select open_to_definers('audit_log', 'insert')`);

    this.addSql(APPEND_MESSAGES);
    this.addSql(
      `select own_by_definer('append_messages(uuid[],uuid[],uuid[],text[],uuid[],integer[],uuid[],text[],text[],text[],text[],uuid[],uuid[],text[],integer[],integer[],boolean)')`,
    );
  }
}

/**
 * Appends a batch, one outcome a row (`ord` counts from 1). Statement one takes the conversations' locks in id order;
 * statement two starts after them and so sees everything that was committed before (a single statement would look with
 * a snapshot older than its locks, which loses numbers and doubles repeats). Verdicts in this order:
 *
 *   absent      no such conversation in that tenant, or the sender has no place in it
 *   busy        somebody else holds the lock; ask again with p_wait
 *   repeat      this sender sent this client id before, with the same content: `stored` is the answer
 *   conflict    ... with other content
 *   stale       the sender's rights changed since the app looked; reload and ask again
 *   <refusal>   what the app would refuse if it is new (e.g. support_disabled)
 *   closed, unassigned, assigned_to_other
 *   too_many    this sender has sent p_limits messages within the last p_seconds already (null: no limit); `retry_after`
 *               says in how many seconds the next one may go
 *   new         stored, with its numbers
 *
 * The limit counts what the sender has in the log, wherever it was sent, so that all nodes count alike. Within one
 * conversation it is exact; a sender who uses several at the same instant can pass it by what is under way there.
 *
 * System lines (sender_type system) skip the checks on rights and state: only use cases that hold the lock send them.
 */
const APPEND_MESSAGES = `
create function append_messages(
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
      where m.conversation_id = i.conversation_id and m.sender_id = i.sender_id and m.client_id = i.client_id limit 1) s on true
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
            select from messages m where m.sender_id = f.sender_id and m.created_at > at - make_interval(secs => f.seconds)
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
       where m.sender_id = f.sender_id and m.created_at > at - make_interval(secs => f.seconds)
       order by m.created_at desc offset f.send_limit - 1 limit 1), f.seconds) end
  from firsts f
  left join fresh n on n.ord = f.ord
  left join fresh t on f.verdict = 'new' and f.twin_no > 1 and t.id = f.twin_id
  order by f.ord;
end $$`;
