import { Migration } from '@mikro-orm/migrations';

/**
 * Finding conversations by what was said in them. Under row-level security `@@` is no index condition, so a function
 * that takes the tenant from the connection looks. Words as they are written (`simple`): the product speaks languages
 * that PostgreSQL has no dictionary for.
 *
 * Measured with 100,000 conversations and 2 million messages: see tests/dashboard/search.test.ts. The index costs an
 * append 5 to 9 % of its speed (its pending list is emptied by autovacuum, not by whoever writes).
 */
export class Migration20261121000014_message_search extends Migration {
  override up(): void {
    // with btree_gin the tenant is part of the index, and another tenant's words cost nothing; it is trusted, so the
    // owner of a database may have it, but not every installation of PostgreSQL brings it
    this.addSql(`
      do $$ begin
        create extension if not exists btree_gin;
        create index messages_by_text on messages using gin (tenant_id, to_tsvector('simple', body)) where body is not null;
      exception when undefined_file or insufficient_privilege or feature_not_supported then
        create index messages_by_text on messages using gin (to_tsvector('simple', body)) where body is not null;
      end $$`);

    // every word, the last one as a beginning once it has three letters; null when there is no word in it
    this.addSql(`
      create function said_query(p_query text) returns tsquery language sql immutable as $$
        select case when numnode(plain) = 0 then null
          when p_query ~ '[[:alnum:]]{3}$' then (plain::text || ':*')::tsquery else plain end
        from plainto_tsquery('simple', p_query) as plain
      $$`);

    // All conversations in which it was said, or null when it was said so often that whoever asks had better walk
    // through the newest ones and look (conversation_says): that finds a page of them at once.
    this.addSql(`
      create function conversations_saying(p_query text) returns uuid[]
      language plpgsql stable set enable_seqscan = off set gin_fuzzy_search_limit = 40000 as $$
      declare
        tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        wanted tsquery := said_query(p_query);
        found uuid[];
        hits bigint;
      begin
        if wanted is null then
          return '{}';
        end if;
        select count(*), array_agg(distinct hit.conversation_id) into hits, found from (
          select m.conversation_id from messages m
          where m.tenant_id = tenant and m.body is not null and to_tsvector('simple', m.body) @@ wanted limit 8001) hit;
        return case when hits > 8000 then null else coalesce(found, '{}') end;
      end $$`);
    this.addSql(`select own_by_definer('conversations_saying(text)')`);

    this.addSql(`
      create function conversation_says(p_conversation uuid, p_query tsquery, p_word text) returns boolean
      language plpgsql stable cost 2000 set enable_seqscan = off as $$
      begin
        -- the cheap look first: only what holds the first word anywhere is taken apart
        perform from messages m where m.conversation_id = p_conversation and m.body ilike p_word
          and to_tsvector('simple', m.body) @@ p_query limit 1;
        return found;
      end $$`);
    this.addSql(`
      do $$ begin
        execute format('grant execute on function said_query(text), conversation_says(uuid, tsquery, text) to %I',
          'app_' || current_database());
      end $$`);
  }
}
