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

    // The share of messages that hold the rarest of the words, by the statistics of the index; 0 for a word that is not
    // among the common ones. The owner asks: under row-level security nobody else is told.
    this.addSql(`
      create function said_how_often(p_query text) returns float8
      language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select coalesce(min(coalesce(known.share, 0)), 0)
        from unnest(to_tsvector('simple', p_query)) as word
        left join lateral (
          select common.share from pg_stats s,
            unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs[:cardinality(s.most_common_elems::text::text[])])
              as common (lexeme, share)
          where s.schemaname = 'public' and s.tablename = 'messages_by_text' and common.lexeme = word.lexeme limit 1) known on true
      $$`);
    this.addSql(`revoke all on function said_how_often(text) from public`);
    this.addSql(`
      do $$ begin
        execute format('grant execute on function said_how_often(text) to %I', 'append_' || current_database());
      end $$`);

    // All conversations in which it was said, or null when thousands of messages hold it: then whoever asks walks through
    // the newest conversations and looks (conversation_says), which finds a page of them soon. The index would have to
    // read all of a common word's list to know how long it is.
    this.addSql(`
      create function conversations_saying(p_query text) returns uuid[]
      language plpgsql stable set enable_seqscan = off as $$
      declare
        tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        wanted tsquery := said_query(p_query);
        found uuid[];
        hits bigint;
        messages_in_all float8;
      begin
        if wanted is null then
          return '{}';
        end if;
        select reltuples into messages_in_all from pg_class where oid = 'messages'::regclass;
        if said_how_often(p_query) * messages_in_all > 8000 then
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
