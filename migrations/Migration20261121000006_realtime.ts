import { Migration } from '@mikro-orm/migrations';

/**
 * What the live channel asks across tenants: the name of this database's history, which logs have moved beyond what a
 * node has delivered, and which moved lately at all.
 */
export class Migration20261121000006_realtime extends Migration {
  override up(): void {
    // one row for the whole installation, of no tenant; reached by functions only
    this.addSql(`
      create table installation (
        is_only boolean primary key default true check (is_only),
        log_epoch text not null check (log_epoch ~ '^[0-9a-z]{1,20}$')
      )`);
    this.addSql(`insert into installation (log_epoch) values (substr(md5(gen_random_uuid()::text), 1, 8))`);
    this.addSql(`alter table installation enable row level security`);
    this.addSql(`alter table installation force row level security`);
    this.addSql(`select open_to_definers('installation', 'select')`);
    this.addSql(
      `create function log_epoch() returns text language sql stable as $$ select log_epoch from installation $$`,
    );
    this.addSql(`select own_by_definer('log_epoch()')`);

    this.addSql(`
      create function conversations_ahead(p_tenants uuid[], p_ids uuid[], p_versions integer[])
      returns table (tenant_id uuid, id uuid, version integer)
      language sql stable set enable_seqscan = off as $$
        select asked.tenant_id, c.id, c.version from unnest(p_tenants, p_ids, p_versions) as asked (tenant_id, id, version)
        cross join lateral (
          select c.id, c.version from conversations c where c.id = asked.id and c.tenant_id = asked.tenant_id limit 1) c
        where c.version > asked.version
      $$`);
    this.addSql(`select own_by_definer('conversations_ahead(uuid[],uuid[],integer[])')`);

    // the base of one that the node does not know: where the log stood before its first message of these seconds
    this.addSql(`
      create function recent_conversations(p_tenants uuid[], p_seconds integer, p_known uuid[])
      returns table (tenant_id uuid, id uuid, version integer, base integer)
      language sql stable set enable_seqscan = off as $$
        select c.tenant_id, c.id, c.version,
          case when c.id <> all (p_known) then coalesce((
            select min(m.first_version) - 1 from messages m
            where m.conversation_id = c.id and m.created_at > clock_timestamp() - make_interval(secs => p_seconds)), c.version) end
        from unnest(p_tenants) as asked (tenant_id)
        cross join lateral (
          select c.tenant_id, c.id, c.version from conversations c
          where c.tenant_id = asked.tenant_id and c.last_message_at > clock_timestamp() - make_interval(secs => p_seconds)
          order by c.last_message_at desc limit 5000) c
      $$`);
    this.addSql(`select own_by_definer('recent_conversations(uuid[],integer,uuid[])')`);

    this.openings();
    this.changes();
  }

  /**
   * What many subscribers are given at once, in one query: after a restart thousands come back together. Who may hear
   * it is decided by the caller, who is handed whose the conversation is; the tenant is part of the question.
   */
  private openings(): void {
    this.addSql(`
      create function open_conversations(p_tenants uuid[], p_ids uuid[], p_readers uuid[])
      returns table (ord integer, conversation jsonb, marks jsonb, unread integer)
      language sql stable set enable_seqscan = off as $$
        select asked.ord::integer, to_jsonb(c), coalesce(m.marks, '[]'), u.unread
        from unnest(p_tenants, p_ids, p_readers) with ordinality as asked (tenant_id, id, reader_id, ord)
        cross join lateral (
          select * from conversations c where c.id = asked.id and c.tenant_id = asked.tenant_id limit 1) c
        left join lateral (
          select max(p.read_seq) filter (where p.user_id = asked.reader_id) as own_seq,
            jsonb_agg(jsonb_build_object('userId', p.user_id, 'name', n.name, 'side', p.side, 'seq', p.read_seq,
              'counts', p.side = 'user' or exists (
                select 1 from role_assignments a join roles r on r.id = a.role_id and r.tenant_id = a.tenant_id
                where a.user_id = p.user_id and a.tenant_id = p.tenant_id and 'REPLY_SUPPORT_CHAT' = any (r.capabilities))
            ) order by p.joined_at) filter (where p.read_seq > 0) as marks
          from conversation_participants p join users n on n.id = p.user_id and n.tenant_id = p.tenant_id
          where p.conversation_id = c.id and p.tenant_id = c.tenant_id) m on true
        cross join lateral (
          select count(*)::integer as unread from (
            select 1 from messages g
            where g.conversation_id = c.id and g.tenant_id = c.tenant_id and g.seq > coalesce(m.own_seq, 0)
              and asked.reader_id is distinct from c.opened_by
              and g.sender_type <> 'system' and g.sender_id is distinct from asked.reader_id
            limit 1000) found) u
      $$`);
    this.addSql(`select own_by_definer('open_conversations(uuid[],uuid[],uuid[])')`);
  }

  /** What came after a version in many logs at once, at most so many rows each, with what each side has read. */
  private changes(): void {
    this.addSql(`
      create function changes_of_conversations(p_tenants uuid[], p_ids uuid[], p_after integer[], p_limits integer[])
      returns table (ord integer, message jsonb, sender_name text, sender_user_type text, user_read_seq integer, staff_read_seq integer)
      -- in the order of the index, never all of a log and then sorted: also where there are no statistics yet
      language sql stable set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
        select asked.ord::integer, to_jsonb(m), u.name, u.user_type, c.user_read_seq, c.staff_read_seq
        from unnest(p_tenants, p_ids, p_after, p_limits) with ordinality as asked (tenant_id, id, after, most, ord)
        cross join lateral (
          select c.user_read_seq, c.staff_read_seq from conversations c
          where c.id = asked.id and c.tenant_id = asked.tenant_id limit 1) c
        cross join lateral (
          select * from messages m
          where m.conversation_id = asked.id and m.tenant_id = asked.tenant_id and m.version > asked.after
          order by m.version limit asked.most) m
        left join users u on u.id = m.sender_id and u.tenant_id = m.tenant_id
        order by asked.ord, m.version
      $$`);
    this.addSql(`select own_by_definer('changes_of_conversations(uuid[],uuid[],integer[],integer[])')`);
  }
}
