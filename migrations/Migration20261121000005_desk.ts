import { Migration } from '@mikro-orm/migrations';

/**
 * Finding people from the desk by the beginning of a name, email, phone number or host id. A function of its own,
 * because under row-level security a comparison that is not leakproof (every prefix of text) is no index condition. It
 * takes the tenant from the connection, never from its caller.
 */
export class Migration20261121000005_desk extends Migration {
  override up(): void {
    this.addSql(`create index users_by_name on users (tenant_id, lower(name) text_pattern_ops)`);
    this.addSql(`create index users_by_phone on users (tenant_id, phone text_pattern_ops) where phone is not null`);
    this.addSql(`create index users_by_sub on users (tenant_id, lower(sub) text_pattern_ops)`);
    // at most 500 of each; whoever types one letter in a large tenant has not said yet whom they mean
    this.addSql(`
      create function find_people(p_query text) returns setof uuid
      language plpgsql stable set enable_seqscan = off as $$
      declare
        tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        from_text text := lower(p_query);
        to_text text := lower(p_query) || chr(1114111);
        digits text := regexp_replace(p_query, '[^0-9]', '', 'g');
        to_digits text := digits || chr(1114111);
      begin
        return query
          (select u.id from users u where u.tenant_id = tenant
            and lower(u.name) ~>=~ from_text and lower(u.name) ~<~ to_text limit 500)
          union
          (select u.id from users u where u.tenant_id = tenant and u.email is not null
            and u.email ~>=~ from_text and u.email ~<~ to_text limit 500)
          union
          (select u.id from users u where u.tenant_id = tenant
            and lower(u.sub) ~>=~ from_text and lower(u.sub) ~<~ to_text limit 500)
          union
          (select u.id from users u where u.tenant_id = tenant
            and u.id = case when p_query ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_query::uuid end);
        if length(digits) >= 3 and p_query ~ '^[+0-9 ()./-]+$' then
          return query
            (select u.id from users u where u.tenant_id = tenant and u.phone is not null
              and u.phone ~>=~ digits and u.phone ~<~ to_digits limit 500)
            union
            (select u.id from users u where u.tenant_id = tenant and u.phone is not null
              and u.phone ~>=~ ('+' || digits) and u.phone ~<~ ('+' || to_digits) limit 500);
        end if;
      end $$`);
    this.addSql(`select own_by_definer('find_people(text)')`);
  }
}
