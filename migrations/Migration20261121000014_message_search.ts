import { Migration } from '@mikro-orm/migrations';

/**
 * Finding conversations by what was said in them. Under row-level security `@@` is no index condition, so a function
 * that takes the tenant from the connection looks. Words as they are written (`simple`): the product speaks languages
 * that PostgreSQL has no dictionary for.
 */
export class Migration20261121000014_message_search extends Migration {
  override up(): void {
    // without the tenant: as part of a GIN index it is a list of all its messages, and walking that costs more than it saves
    this.addSql(
      `create index messages_by_text on messages using gin (to_tsvector('simple', body)) where body is not null`,
    );

    // every word, the last one as a beginning once it has five letters (shorter ones begin too much); null without a word
    this.addSql(`
      create function said_query(p_query text) returns tsquery language sql immutable as $$
        select case when numnode(plain) = 0 then null
          when p_query ~ '[[:alnum:]]{5}$' then (plain::text || ':*')::tsquery else plain end
        from plainto_tsquery('simple', p_query) as plain
      $$`);

    // All conversations in which it was said, or null when thousands of messages hold it: then whoever asks walks through
    // the newest conversations and looks (conversation_says), which finds a page of them soon. How many there are is the
    // planner's guess from its statistics (for which the function may not be called stable): the index would have to read all of a common word's list to know.
    this.addSql(`
      create function conversations_saying(p_query text) returns uuid[]
      language plpgsql set enable_seqscan = off as $$
      declare
        tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        wanted tsquery := said_query(p_query);
        plan json;
        found uuid[];
        hits bigint;
        common float8;
      begin
        if wanted is null then
          return '{}';
        end if;
        execute format($q$explain (format json) select from messages m
          where m.body is not null and to_tsvector('simple', m.body) @@ %L::tsquery$q$,
          plainto_tsquery('simple', p_query)) into plan;
        -- of a word that is in no statistics the planner says half a percent: that is a rare one
        select greatest(4000, 0.0055 * reltuples) into common from pg_class where oid = 'messages'::regclass;
        if (plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric > common then
          return null;
        end if;
        select count(*), array_agg(distinct hit.conversation_id) filter (where hit.tenant_id = tenant) into hits, found from (
          select m.tenant_id, m.conversation_id from messages m
          where m.body is not null and to_tsvector('simple', m.body) @@ wanted limit 8001) hit;
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
