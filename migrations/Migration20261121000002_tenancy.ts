import { Migration } from '@mikro-orm/migrations';

/**
 * Tenants, settings by section, and the audit log, which the app may only read and append to.
 *
 * `changed_xid` lets every node ask "what changed since I last looked" without missing a transaction that began early
 * and committed late: a row is read again until every transaction that could still touch it has ended.
 */
export class Migration20261121000002_tenancy extends Migration {
  override up(): void {
    this.addSql(`
      create function note_change() returns trigger language plpgsql as $$
      begin
        new.changed_xid := pg_current_xact_id();
        return new;
      end $$`);

    this.addSql(`
      create table tenants (
        id uuid primary key,
        slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9]){0,62}$'),
        name text not null check (length(name) between 1 and 200),
        user_types text[] not null check (cardinality(user_types) > 0 and not 'admin' = any (user_types)),
        time_zone text not null default 'UTC',
        languages text[] not null default '{en}' check (cardinality(languages) > 0),
        status text not null default 'active' check (status in ('active', 'suspended')),
        created_at timestamptz not null default now(),
        changed_xid xid8 not null default pg_current_xact_id()
      )`);
    this.addSql(`create index tenants_changed on tenants (changed_xid)`);
    this.addSql(
      `create trigger tenants_note_change before insert or update on tenants for each row execute function note_change()`,
    );
    this.addSql(`select secure_table('tenants', 'select, insert, update', 'id')`);

    this.addSql(`
      create table settings (
        tenant_id uuid not null references tenants (id),
        section text not null,
        version int not null default 1,
        data jsonb not null,
        updated_at timestamptz not null,
        updated_by text not null,
        changed_xid xid8 not null default pg_current_xact_id(),
        primary key (tenant_id, section)
      )`);
    this.addSql(`create index settings_changed on settings (changed_xid)`);
    this.addSql(
      `create trigger settings_note_change before insert or update on settings for each row execute function note_change()`,
    );
    this.addSql(`select secure_table('settings', 'select, insert, update')`);

    this.addSql(`
      create table audit_log (
        id bigint generated always as identity primary key,
        tenant_id uuid not null references tenants (id),
        action text not null,
        entity_type text not null,
        entity_id text not null,
        actor_id text not null,
        metadata jsonb not null default '{}',
        created_at timestamptz not null default clock_timestamp()
      )`);
    this.addSql(`create index audit_log_newest on audit_log (tenant_id, id desc)`);
    this.addSql(`create index audit_log_of_entity on audit_log (tenant_id, entity_type, entity_id, id desc)`);
    this.addSql(`select secure_table('audit_log', 'select, insert')`);

    this.addSql(`select open_to_definers('tenants')`);
    this.addSql(`select open_to_definers('settings')`);
    // what a node's cache asks: everything at first (since null), then what changed since its last look
    this.addSql(`
      create function tenancy_changes(p_since xid8) returns table (
        horizon text, id uuid, slug text, name text, user_types text[], time_zone text, languages text[], status text,
        support jsonb, support_version int
      ) language sql stable as $$
        select pg_snapshot_xmin(pg_current_snapshot())::text, found.*
        from (select) one
        left join (
          select t.id, t.slug, t.name, t.user_types, t.time_zone, t.languages, t.status, s.data, s.version
          from tenants t left join settings s on s.tenant_id = t.id and s.section = 'support'
          where p_since is null
             or t.id in (select c.id from tenants c where c.changed_xid >= p_since)
             or t.id in (select c.tenant_id from settings c where c.changed_xid >= p_since)
        ) found on true
      $$`);
    this.addSql(`select own_by_definer('tenancy_changes(xid8)')`);
  }
}
