import { Migration } from '@mikro-orm/migrations';

/**
 * First answers by the batch. When a shift begins, or a node comes back, hundreds of conversations get their first
 * answer within a second, and each took nine statements of a transaction of its own.
 */
export class Migration20261121000083_claims_in_batches extends Migration {
  override up(): void {
    this.addSql(`
      create function refuse_claim(p_verdict text) returns text language plpgsql as $$
      begin
        raise exception 'a claimed conversation took no answer: %', p_verdict using errcode = 'P0001';
      end $$`);
    this.addSql(`select open_to_definers('conversation_participants', 'select, insert, update')`);
    this.addSql(CLAIM_AND_APPEND);
    this.addSql(`select own_by_definer('refuse_claim(text)')`);
    this.addSql(
      `select own_by_definer('claim_and_append(uuid[],uuid[],uuid[],text[],uuid[],integer[],uuid[],text[],text[],text[],text[],uuid[],uuid[],text[],integer[],integer[])')`,
    );
  }
}

/**
 * Takes pairs: a line `assigned` and after it the answer of the admin who thereby takes the conversation. Claims what is
 * open and nobody's, notes who takes part and the audit entry, and stores line and answer by `append_messages`. Gives
 * back the rows of the pairs that were claimed; of the others nothing is changed and nothing given back. The second
 * pair of a conversation is never claimed. Where a claimed pair cannot be stored it raises, and nothing has happened.
 */
const CLAIM_AND_APPEND = `
create function claim_and_append(
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
    where c.id = a.conversation_id and c.tenant_id = a.tenant_id and c.kind = 'support' and c.status = 'open'
      and c.assigned_admin_id is null
      and exists (
        select from users u where u.id = a.sender_id and u.tenant_id = a.tenant_id and u.user_type = 'admin'
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
