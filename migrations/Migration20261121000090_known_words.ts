import { Migration } from '@mikro-orm/migrations';

/**
 * Common words are known before the index is read, again: PostgreSQL shows nobody the statistics of a column under forced
 * row-level security, not even the owner, but those of an index on an expression. Since migration 85 `said_share` gave
 * 0 for every word, and a search for a common one read all of its 37,000 entries to learn that they are too many.
 * And each half of the search has a function of its own.
 */
export class Migration20261121000090_known_words extends Migration {
  override up(): void {
    // the words have no positions, so this changes nothing about them
    this.addSql(`
      create index conversation_words_by_word on conversation_words using gin (strip(words))
        with (gin_pending_list_limit = 256)`);
    this.addSql(`drop index conversation_words_said`);
    // those of the index are enough
    this.addSql(`alter table conversation_words alter column words set statistics 0`);
    this.addSql(SAID_SHARE);
    this.addSql(PEOPLE_MEANT);
    this.addSql(`select own_by_definer('people_meant(text,integer,boolean)')`);
    this.addSql(CONVERSATIONS_AFTER_MARK);
    this.addSql(`select own_by_definer('conversations_after_mark(uuid,integer)')`);
    this.addSql(CONVERSATIONS_SAYING);
    this.addSql(`select own_by_definer('conversations_saying(text,integer)')`);
    // for processes of the release before
    this.addSql(`
      create or replace function search_matches(p_query text, p_people integer, p_messages integer, p_said boolean,
        out people uuid[], out said uuid[])
      language sql stable security definer set search_path = public, pg_temp as $$
        select people_meant(p_query, p_people, true),
          case when p_said then conversations_saying(p_query, p_messages) else '{}' end
      $$`);
    this.addSql(`analyze conversation_words`);
  }
}

/** The share of rows of words that hold the rarest of those asked for; the last one as a beginning, as `said_query` takes it. */
const SAID_SHARE = `
create or replace function said_share(p_query text) returns float8
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  with common as (
    select e.lexeme, e.share from pg_stats s, unnest(s.most_common_elems::text::text[],
      s.most_common_elem_freqs[:cardinality(s.most_common_elems::text::text[])]) as e (lexeme, share)
    where s.schemaname = 'public' and s.tablename = 'conversation_words_by_word'
  ), words as (
    select word.lexeme, p_query ~ '[[:alnum:]]{5}$' and word.positions[array_upper(word.positions, 1)]
      = max(word.positions[array_upper(word.positions, 1)]) over () as is_beginning
    from unnest(to_tsvector('simple', p_query)) as word
  )
  select coalesce(min((
    select coalesce(sum(c.share), 0) from common c
    where c.lexeme = w.lexeme or (w.is_beginning and starts_with(c.lexeme, w.lexeme)))), 0)
  from words w
$$`;

/**
 * Whom a search means: any word of a name, the beginning of a host id, a whole id; by their contacts (email, phone) only
 * for who may see them, or they could be found out sign by sign. Null where they are more than p_most.
 */
const PEOPLE_MEANT = `
create function people_meant(p_query text, p_most integer, p_contacts boolean) returns uuid[]
language plpgsql stable set enable_seqscan = off as $$
declare
  tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
  from_text text := lower(p_query);
  to_text text := lower(p_query) || chr(1114111);
  digits text := search_digits(p_query);
  to_digits text := digits || chr(1114111);
  names tsquery := named_query(p_query);
  people uuid[];
begin
  select array_agg(distinct found.id) into people from (
    (select u.id from users u where u.tenant_id = tenant
      and lower(u.name) ~>=~ from_text and lower(u.name) ~<~ to_text limit p_most + 1)
    union all
    (select u.id from users u where u.tenant_id = tenant and names is not null
      and to_tsvector('simple', u.name) @@ names
      and strpos(' ' || lower(u.name), ' ' || from_text) > 0 limit p_most + 1)
    union all
    (select u.id from users u where u.tenant_id = tenant
      and lower(u.sub) ~>=~ from_text and lower(u.sub) ~<~ to_text limit p_most + 1)
    union all
    (select u.id from users u where u.tenant_id = tenant
      and u.id = case when p_query ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_query::uuid end)
    union all
    (select u.id from users u where p_contacts and u.tenant_id = tenant and u.email is not null
      and u.email ~>=~ from_text and u.email ~<~ to_text limit p_most + 1)
    union all
    (select u.id from users u where p_contacts and u.tenant_id = tenant and digits is not null and u.phone is not null
      and u.phone ~>=~ digits and u.phone ~<~ to_digits limit p_most + 1)
    union all
    (select u.id from users u where p_contacts and u.tenant_id = tenant and digits is not null and u.phone is not null
      and u.phone ~>=~ ('+' || digits) and u.phone ~<~ ('+' || to_digits) limit p_most + 1)) found;
  people := coalesce(people, '{}');
  return case when cardinality(people) <= p_most then people end;
end $$`;

/** Conversations of a tenant in which somebody spoke since all was in the index, the newest p_most. */
const CONVERSATIONS_AFTER_MARK = `
create function conversations_after_mark(p_tenant uuid, p_most integer) returns setof uuid
language plpgsql stable set enable_seqscan = off as $$
declare
  mark word_marks;
begin
  select * into mark from word_marks w where w.tenant_id = p_tenant;
  return query select c.id from conversations c
    where c.tenant_id = p_tenant and (c.active_at, c.last_message_at, c.id)
      > (active_bin(coalesce(mark.last_message_at, '-infinity')), coalesce(mark.last_message_at, '-infinity'),
        coalesce(mark.last_id, '00000000-0000-0000-0000-000000000000'))
    order by c.active_at desc, c.last_message_at desc, c.id desc limit p_most;
end $$`;

/**
 * In which conversations it was said, in one message, some of them twice; null where more than p_most rows of words hold it (a fifth of that
 * for several words), or as many conversations are not in the index yet.
 */
const CONVERSATIONS_SAYING = `
create function conversations_saying(p_query text, p_most integer) returns uuid[]
language plpgsql stable set enable_seqscan = off as $$
declare
  tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
  wanted tsquery := said_query(p_query);
  -- whatever holds the words holds this: a cheaper look
  some_word text := '%' || coalesce(substring(p_query from '[[:alnum:]]+'), '') || '%';
  talking uuid[];
  rows_in_all float8;
  -- each of those that may hold several words has to be looked into
  most integer := case when numnode(wanted) > 1 then p_most / 5 else p_most end;
  hits bigint;
  said uuid[];
begin
  if wanted is null then
    return '{}';
  end if;
  select array_agg(one) into talking from conversations_after_mark(tenant, p_most + 1) as one;
  select reltuples into rows_in_all from pg_class where oid = 'conversation_words'::regclass;
  if cardinality(talking) > p_most or said_share(p_query) * rows_in_all > p_most then
    return null;
  end if;

  -- a row holds the words of many messages: where several are asked for, one message has to hold them
  select count(*), array_agg(hit.conversation_id) filter (where hit.tenant_id = tenant and (numnode(wanted) = 1 or exists (
      select from messages m where m.conversation_id = hit.conversation_id and m.seq <= hit.upto and m.seq > hit.upto - 256
        and m.body ilike some_word and to_tsvector('simple', m.body) @@ wanted)))
  into hits, said from (
    select w.tenant_id, w.conversation_id, w.upto from conversation_words w where strip(w.words) @@ wanted limit most + 1) hit;
  if hits > most then
    return null;
  end if;
  return coalesce(said, '{}') || (
    select coalesce(array_agg(c.id), '{}') from unnest(talking) as c (id)
    where exists (
      select from messages m
      where m.conversation_id = c.id and m.seq > (
          select coalesce(max(w.upto), 0) from conversation_words w where w.conversation_id = c.id)
        and m.body ilike some_word and to_tsvector('simple', m.body) @@ wanted));
end $$`;
