import { Migration } from '@mikro-orm/migrations';

/**
 * Searching a large tenant within a moment. One function looks for everything that a search can mean and says of each
 * kind either whom it found or that there are too many to name: then whoever asks walks through the newest conversations
 * and looks into each, which is quick for the very reason that there are many.
 */
export class Migration20261121000035_quick_search extends Migration {
  override up(): void {
    // a name is also found by its second word; the first words' index stays for everything that is no word
    this.addSql(`create index users_by_words on users using gin (to_tsvector('simple', name))`);

    // Every search reads what the index of words has not sorted in yet, one message after the other: by default four
    // megabytes of it, which takes longer than the search itself.
    this.addSql(`alter index messages_by_text set (gin_pending_list_limit = 256)`);

    // words of a name as they are typed: all whole but the last, which may go on
    this.addSql(`
      create function named_query(p_query text) returns tsquery language sql immutable as $$
        select case when numnode(plain) = 0 then null
          when p_query ~ '[[:alnum:]]$' then (plain::text || ':*')::tsquery else plain end
        from plainto_tsquery('simple', p_query) as plain
      $$`);

    // the same as find_people, by any word of the name, for one person who is at hand
    this.addSql(`
      create function is_person(p_name text, p_email text, p_sub text, p_phone text, p_query text, p_digits text)
      returns boolean language sql immutable parallel safe as $$
        select strpos(' ' || lower(p_name), ' ' || p_query) > 0 or starts_with(lower(p_sub), p_query)
          or coalesce(starts_with(p_email, p_query), false)
          or (p_digits is not null and coalesce(starts_with(ltrim(p_phone, '+'), p_digits), false))
      $$`);

    this.addSql(`
      create function search_digits(p_query text) returns text language sql immutable as $$
        select case when p_query ~ '^[+0-9 ()./-]+$' and length(d) >= 3 then d end
        from regexp_replace(p_query, '[^0-9]', '', 'g') as d
      $$`);

    // said_how_often knows whole words only; this one adds up what the last one begins, as said_query takes it
    this.addSql(`
      create function said_share(p_query text) returns float8
      language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        with common as (
          select e.lexeme, e.share from pg_stats s, unnest(s.most_common_elems::text::text[],
            s.most_common_elem_freqs[:cardinality(s.most_common_elems::text::text[])]) as e (lexeme, share)
          where s.schemaname = 'public' and s.tablename = 'messages_by_text'
        ), words as (
          select word.lexeme, p_query ~ '[[:alnum:]]{5}$' and word.positions[array_upper(word.positions, 1)]
            = max(word.positions[array_upper(word.positions, 1)]) over () as is_beginning
          from unnest(to_tsvector('simple', p_query)) as word
        )
        select coalesce(min((
          select coalesce(sum(c.share), 0) from common c
          where c.lexeme = w.lexeme or (w.is_beginning and starts_with(c.lexeme, w.lexeme)))), 0)
        from words w
      $$`);
    this.addSql(`revoke all on function said_share(text) from public`);
    this.addSql(`
      do $$ begin
        execute format('grant execute on function said_share(text) to %I', 'append_' || current_database());
      end $$`);

    // people: whom it names; said: in which conversations it was said. Null: more than p_people, more than p_messages.
    this.addSql(`
      create function search_matches(p_query text, p_people integer, p_messages integer, p_said boolean,
        out people uuid[], out said uuid[])
      language plpgsql stable set enable_seqscan = off as $$
      declare
        tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        from_text text := lower(p_query);
        to_text text := lower(p_query) || chr(1114111);
        digits text := search_digits(p_query);
        to_digits text := digits || chr(1114111);
        names tsquery := named_query(p_query);
        wanted tsquery := said_query(p_query);
        messages_in_all float8;
        hits bigint;
      begin
        select array_agg(distinct found.id) into people from (
          (select u.id from users u where u.tenant_id = tenant
            and lower(u.name) ~>=~ from_text and lower(u.name) ~<~ to_text limit p_people + 1)
          union all
          (select u.id from users u where u.tenant_id = tenant and names is not null
            and to_tsvector('simple', u.name) @@ names
            and strpos(' ' || lower(u.name), ' ' || from_text) > 0 limit p_people + 1)
          union all
          (select u.id from users u where u.tenant_id = tenant and u.email is not null
            and u.email ~>=~ from_text and u.email ~<~ to_text limit p_people + 1)
          union all
          (select u.id from users u where u.tenant_id = tenant
            and lower(u.sub) ~>=~ from_text and lower(u.sub) ~<~ to_text limit p_people + 1)
          union all
          (select u.id from users u where u.tenant_id = tenant
            and u.id = case when p_query ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_query::uuid end)
          union all
          (select u.id from users u where u.tenant_id = tenant and digits is not null and u.phone is not null
            and u.phone ~>=~ digits and u.phone ~<~ to_digits limit p_people + 1)
          union all
          (select u.id from users u where u.tenant_id = tenant and digits is not null and u.phone is not null
            and u.phone ~>=~ ('+' || digits) and u.phone ~<~ ('+' || to_digits) limit p_people + 1)) found;
        people := coalesce(people, '{}');
        if cardinality(people) > p_people then
          people := null;
        end if;

        said := '{}';
        if not p_said or wanted is null then
          return;
        end if;
        select reltuples into messages_in_all from pg_class where oid = 'messages'::regclass;
        if said_share(p_query) * messages_in_all > p_messages then
          said := null;
          return;
        end if;
        select count(*), array_agg(distinct hit.conversation_id) filter (where hit.tenant_id = tenant) into hits, said from (
          select m.tenant_id, m.conversation_id from messages m
          where m.body is not null and to_tsvector('simple', m.body) @@ wanted limit p_messages + 1) hit;
        said := case when hits > p_messages then null else coalesce(said, '{}') end;
      end $$`);
    this.addSql(`select own_by_definer('search_matches(text,integer,integer,boolean)')`);
    this.addSql(`
      do $$ begin
        execute format('grant execute on function search_digits(text), is_person(text, text, text, text, text, text),
          named_query(text) to %I', 'app_' || current_database());
      end $$`);
  }
}
