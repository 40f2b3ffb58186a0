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
  }
}
