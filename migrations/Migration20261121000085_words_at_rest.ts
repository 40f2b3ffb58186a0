import { Migration } from '@mikro-orm/migrations';

/**
 * The words of a conversation go into their index when it rests, once for all that was said since the last time. As part
 * of each message they were a third of what storing it cost (222,000 of 684,000 instructions), with three times as many
 * entries: people repeat themselves. Until then a search looks into the messages: those who talk just now are few.
 */
export class Migration20261121000085_words_at_rest extends Migration {
  override up(): void {
    // one row for the messages after the row before, up to `upto`; at most 256, so that what a row promises is soon looked at
    this.addSql(`
      create table conversation_words (
        conversation_id uuid not null references conversations (id) on delete cascade,
        upto integer not null,
        tenant_id uuid not null references tenants (id),
        words tsvector not null,
        primary key (conversation_id, upto)
      )`);
    this.addSql(
      `create index conversation_words_said on conversation_words using gin (words) with (gin_pending_list_limit = 256)`,
    );
    this.addSql(`select secure_table('conversation_words', 'select')`);
    this.addSql(`select open_to_definers('conversation_words', 'select, insert, update')`);

    // up to here, in the order of their last messages, all that was said in a tenant's conversations is in the index
    this.addSql(`
      create table word_marks (
        tenant_id uuid primary key references tenants (id),
        last_message_at timestamptz not null default '-infinity',
        last_id uuid not null default '00000000-0000-0000-0000-000000000000'
      )`);
    this.addSql(`select secure_table('word_marks', '')`);
    this.addSql(`select open_to_definers('word_marks', 'select, insert, update')`);

    // not of the joined text: a sign that opens something in one message must not swallow the next
    this.addSql(`create aggregate all_words(tsvector) (sfunc = tsvector_concat, stype = tsvector, initcond = '')`);

    this.addSql(TENANTS_WITH_WORDS);
    this.addSql(`select own_by_definer('tenants_with_words()')`);
    this.addSql(GATHER_WORDS);
    this.addSql(`select own_by_definer('gather_words(uuid,timestamptz,integer)')`);
    this.addSql(WORDS_FOLLOW);
    this.addSql(`select own_by_definer('words_follow()')`);
    this.addSql(`
      create trigger messages_words_follow after update of body on messages
      for each row when (old.body is distinct from new.body) execute function words_follow()`);

    this.addSql(SAID_SHARE);
    this.addSql(SEARCH_MATCHES);
    this.addSql(`select own_by_definer('search_matches(text,integer,integer,boolean)')`);
    this.addSql(
      `drop function conversations_saying(text), conversation_says(uuid, tsquery, text), said_how_often(text)`,
    );
    this.addSql(`drop index messages_by_text`);
  }
}

/** Tenants in which somebody spoke since the mark. */
const TENANTS_WITH_WORDS = `
create function tenants_with_words() returns setof uuid
language sql stable set enable_seqscan = off as $$
  select t.id from tenants t left join word_marks w on w.tenant_id = t.id
  where exists (
    select from conversations c where c.tenant_id = t.id
      and (c.last_message_at, c.id) > (coalesce(w.last_message_at, '-infinity'), coalesce(w.last_id, '00000000-0000-0000-0000-000000000000')))
$$`;

/**
 * Up to p_most conversations of a tenant whose last message was before p_rested_before, and those in which so much was
 * said meanwhile that looking into it takes time. Gives how many had come to rest; fewer than p_most: it was the last.
 * Nothing that is committed later lies before the mark: a message is newer than the clock at its conversation's lock,
 * and no transaction lasts as long as a rest.
 */
const GATHER_WORDS = `
create function gather_words(p_tenant uuid, p_rested_before timestamptz, p_most integer) returns integer
language plpgsql set enable_seqscan = off as $$
declare
  mark word_marks;
  rested uuid[];
  talkative uuid[];
  one uuid;
begin
  insert into word_marks (tenant_id) values (p_tenant) on conflict do nothing;
  select * into mark from word_marks w where w.tenant_id = p_tenant for update;

  select coalesce(array_agg(c.id order by c.last_message_at, c.id), '{}'),
    coalesce(max(c.last_message_at), mark.last_message_at),
    coalesce((array_agg(c.id order by c.last_message_at desc, c.id desc))[1], mark.last_id)
  into rested, mark.last_message_at, mark.last_id
  from (
    select c.id, c.last_message_at from conversations c
    where c.tenant_id = p_tenant and (c.last_message_at, c.id) > (mark.last_message_at, mark.last_id)
      and c.last_message_at < p_rested_before
    order by c.last_message_at, c.id limit p_most) c;

  select coalesce(array_agg(c.id), '{}') into talkative from (
    select c.id from (
      select c.id, c.last_seq from conversations c
      where c.tenant_id = p_tenant and c.last_message_at >= p_rested_before
      order by c.last_message_at desc, c.id desc limit 2000) c
    where c.last_seq > 500 + coalesce((select max(w.upto) from conversation_words w where w.conversation_id = c.id), 0)
    limit 10) c;

  -- in the order in which everybody takes several
  perform 1 from (
    select c.id from conversations c where c.id = any (rested || talkative) order by c.id for no key update) held;
  foreach one in array rested || talkative loop
    loop
      insert into conversation_words (conversation_id, upto, tenant_id, words)
      select one, max(said.seq), p_tenant, all_words(strip(to_tsvector('simple', said.body)))
      from (
        -- a vector of words ends at a megabyte
        select m.*, sum(octet_length(m.body)) over (order by m.seq rows between unbounded preceding and 1 preceding) as bytes_before
        from (
          select m.seq, coalesce(m.body, '') as body from messages m
          where m.conversation_id = one and m.seq > coalesce(
            (select max(w.upto) from conversation_words w where w.conversation_id = one), 0)
          order by m.seq limit 256) m) said
      where coalesce(said.bytes_before, 0) < 200000
      having count(*) > 0;
      exit when not found;
    end loop;
  end loop;
  update word_marks w set last_message_at = mark.last_message_at, last_id = mark.last_id
  where w.tenant_id = p_tenant;
  return cardinality(rested);
end $$`;

/** A text that was changed or taken away: the words of its row are made anew. */
const WORDS_FOLLOW = `
create function words_follow() returns trigger
language plpgsql set enable_seqscan = off as $$
begin
  update conversation_words w set words = (
    select all_words(strip(to_tsvector('simple', m.body))) from messages m
    where m.conversation_id = w.conversation_id and m.body is not null and m.seq <= w.upto and m.seq > coalesce(
      (select max(b.upto) from conversation_words b where b.conversation_id = w.conversation_id and b.upto < w.upto), 0))
  where w.conversation_id = new.conversation_id and w.upto = (
    select min(b.upto) from conversation_words b where b.conversation_id = new.conversation_id and b.upto >= new.seq);
  return null;
end $$`;

/** The share of rows of words that hold the rarest of those asked for; the last one as a beginning, as `said_query` takes it. */
const SAID_SHARE = `
create or replace function said_share(p_query text) returns float8
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  with common as (
    select e.lexeme, e.share from pg_stats s, unnest(s.most_common_elems::text::text[],
      s.most_common_elem_freqs[:cardinality(s.most_common_elems::text::text[])]) as e (lexeme, share)
    where s.schemaname = 'public' and s.tablename = 'conversation_words' and s.attname = 'words'
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
 * people: whom it names (migration 35). said: in which conversations it was said, in one message; null where more than
 * p_messages rows of words hold it (a fifth of that for several words), or as many conversations are not in the index yet.
 */
const SEARCH_MATCHES = `
create or replace function search_matches(p_query text, p_people integer, p_messages integer, p_said boolean,
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
  -- whatever holds the words holds this: a cheaper look
  some_word text := '%' || coalesce(substring(p_query from '[[:alnum:]]+'), '') || '%';
  mark word_marks;
  talking uuid[];
  rows_in_all float8;
  -- each of those that may hold several words has to be looked into
  most integer := case when numnode(wanted) > 1 then p_messages / 5 else p_messages end;
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
  select * into mark from word_marks w where w.tenant_id = tenant;
  select array_agg(c.id) into talking from (
    select c.id from conversations c
    where c.tenant_id = tenant and (c.last_message_at, c.id)
      > (coalesce(mark.last_message_at, '-infinity'), coalesce(mark.last_id, '00000000-0000-0000-0000-000000000000'))
    order by c.last_message_at desc, c.id desc limit p_messages + 1) c;
  select reltuples into rows_in_all from pg_class where oid = 'conversation_words'::regclass;
  if cardinality(talking) > p_messages or said_share(p_query) * rows_in_all > p_messages then
    said := null;
    return;
  end if;

  -- a row holds the words of many messages: where several are asked for, one message has to hold them
  select count(*), array_agg(distinct hit.conversation_id) filter (where hit.tenant_id = tenant and (numnode(wanted) = 1 or exists (
      select from messages m where m.conversation_id = hit.conversation_id and m.seq <= hit.upto and m.seq > hit.upto - 256
        and m.body ilike some_word and to_tsvector('simple', m.body) @@ wanted)))
  into hits, said from (
    select w.tenant_id, w.conversation_id, w.upto from conversation_words w where w.words @@ wanted limit most + 1) hit;
  if hits > most then
    said := null;
    return;
  end if;
  select coalesce(said, '{}') || coalesce(array_agg(c.id), '{}') into said from unnest(talking) as c (id)
  where exists (
    select from messages m
    where m.conversation_id = c.id and m.seq > coalesce(
        (select max(w.upto) from conversation_words w where w.conversation_id = c.id), 0)
      and m.body ilike some_word and to_tsvector('simple', m.body) @@ wanted);
end $$`;
