import { Migration } from '@mikro-orm/migrations';

/**
 * What every later migration stands on: the app's and the definers' rights, and the small functions that fence a table
 * (`secure_table`), open one to the cross-tenant functions (`open_to_definers`) and hand a function to them
 * (`own_by_definer`). The roles themselves are created before migrations run (src/platform/database/roles.ts).
 */
export class Migration20261121000001_platform extends Migration {
  override up(): void {
    this.addSql(`
      do $$ begin
        execute format('grant usage on schema public to %I, %I', 'app_' || current_database(), 'append_' || current_database());
        -- a role must be able to create in the schema to be given a function there
        execute format('grant create on schema public to %I', 'append_' || current_database());
      end $$`);
    this.addSql(`
      -- the select makes the tenant a parameter of the plan, read once a statement instead of once a row
      create function secure_table(target text, privileges text default 'select, insert, update, delete', tenant_column text default 'tenant_id')
      returns void language plpgsql as $$
      begin
        execute format('alter table %I enable row level security', target);
        execute format('alter table %I force row level security', target);
        execute format(
          'create policy tenant_isolation on %I for all using (%I = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid))',
          target, tenant_column);
        if privileges <> '' then
          execute format('grant %s on %I to %I', privileges, target, 'app_' || current_database());
        end if;
      end $$`);
    this.addSql(`
      create function open_to_definers(target text, privileges text default 'select') returns void language plpgsql as $$
      begin
        execute format('grant %s on %I to %I', privileges, target, 'append_' || current_database());
        if not exists (select 1 from pg_policies where schemaname = 'public' and tablename = target and policyname = 'definers') then
          execute format('create policy definers on %I for all to %I using (true) with check (true)', target, 'append_' || current_database());
        end if;
      end $$`);
    this.addSql(`
      create function own_by_definer(signature text) returns void language plpgsql as $$
      begin
        execute format('alter function %s security definer', signature);
        execute format('alter function %s set search_path = public, pg_temp', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to %I', signature, 'app_' || current_database());
        execute format('alter function %s owner to %I', signature, 'append_' || current_database());
      end $$`);
    this.addSql(`
      revoke all on function secure_table(text, text, text), open_to_definers(text, text), own_by_definer(text) from public`);
  }
}
