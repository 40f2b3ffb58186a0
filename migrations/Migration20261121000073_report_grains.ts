import { Migration } from '@mikro-orm/migrations';

/**
 * Reports answer as fast for years as for days: sums of whole years beside those of months and days, sums of each agent
 * by user type, topic and country, buckets four times as fine, and each vector also as bytes, which whoever adds
 * thousands of them up reads at once. Sums are made again by the fold; until then the pages say so.
 */
export class Migration20261121000073_report_grains extends Migration {
  override up(): void {
    this.addSql(PACK);
    this.addSql(`alter table report_cells drop constraint report_cells_grain_check`);
    this.addSql(
      `alter table report_cells add constraint report_cells_grain_check check (grain in ('day', 'month', 'year'))`,
    );
    this.addSql(
      `alter table report_cells add column packed bytea generated always as (report_pack(keys, counts)) stored`,
    );
    this.addSql(`
      create table report_agent_cells (
        tenant_id uuid not null references tenants (id),
        grain text not null check (grain in ('day', 'month', 'year')),
        start date not null,
        -- an admin's id, or none
        agent text not null,
        user_type text not null,
        topic text not null,
        country text not null,
        keys integer[] not null,
        counts integer[] not null,
        packed bytea generated always as (report_pack(keys, counts)) stored,
        primary key (tenant_id, grain, start, agent, user_type, topic, country)
      )`);
    this.addSql(`create index report_agent_cells_of_agent on report_agent_cells (tenant_id, grain, agent, start)`);
    this.addSql(`select secure_table('report_agent_cells')`);
    this.addSql(`select open_to_definers('report_agent_cells', 'select, delete')`);
    this.addSql(BUCKET);
    this.addSql(EMIT);
    this.addSql(REFRESH_DAYS);
    this.addSql(BEGIN_SPAN);
    this.addSql(FILL_CELLS);
    this.addSql(FILL_AGENTS);
    this.addSql(`drop function report_refresh_month(uuid, date)`);
    this.addSql(`drop function report_sums(uuid, date, date, text[], boolean)`);
    this.addSql(`drop function report_sums(uuid, date, date, text[], boolean, boolean)`);
    this.soil();
    this.lookIndexes();
    this.rareIndexes();
    this.makeAgain();
  }

  /** A day whose facts have changed takes the sums of its month and of its year along. */
  private soil(): void {
    this.addSql(`
      create function report_soil() returns trigger language plpgsql as $$
      begin
        delete from report_cells m using (
          select distinct s.tenant_id, g.grain, date_trunc(g.grain, s.day)::date as start
          from soiled s cross join (values ('month'), ('year')) g (grain)) s
        where m.tenant_id = s.tenant_id and m.grain = s.grain and m.start = s.start;
        delete from report_agent_cells m using (
          select distinct s.tenant_id, g.grain, date_trunc(g.grain, s.day)::date as start
          from soiled s cross join (values ('month'), ('year')) g (grain)) s
        where m.tenant_id = s.tenant_id and m.grain = s.grain and m.start = s.start;
        return null;
      end $$`);
    this.addSql(`
      create trigger report_dirty_days_soil after insert on report_dirty_days
      referencing new table as soiled for each statement execute function report_soil()`);
  }

  /** A percentile of one agent under another filter is found in the index alone. */
  private lookIndexes(): void {
    for (const [table, column, agent, day] of [
      ['report_responses', 'secs', 'agent_id', 'day'],
      ['report_responses', 'open_secs', 'agent_id', 'day'],
      ['report_conversations', 'first_secs', 'first_agent_id', 'first_day'],
      ['report_conversations', 'first_open_secs', 'first_agent_id', 'first_day'],
      ['report_conversations', 'resolution_secs', 'agent_id', 'closed_day'],
      ['report_conversations', 'resolution_open_secs', 'agent_id', 'closed_day'],
    ]) {
      const some = table === 'report_responses' ? '' : ` where ${column} is not null`;
      this.addSql(`drop index if exists ${table}_${column}_of_agent`);
      this.addSql(
        `create index ${table}_${column}_of_agent on ${table} (tenant_id, ${agent}, ${column}, ${day}) include (user_type, topic, country)${some}`,
      );
    }
  }

  /** Lists of what is rare among the closed ones find it without looking at all of them. */
  private rareIndexes(): void {
    for (const [name, some] of [
      ['abandoned', 'is_abandoned'],
      ['auto_closed', 'is_auto_closed'],
      ['rated', 'rating is not null'],
    ]) {
      this.addSql(
        `create index report_conversations_${name} on report_conversations (tenant_id, closed_day desc, conversation_id desc) include (user_type, topic, country, agent_id) where ${some}`,
      );
    }
  }

  private makeAgain(): void {
    // the owner of the tables is no tenant
    for (const table of ['report_cells', 'report_dirty_days', 'report_agent_cells']) {
      this.addSql(`alter table ${table} no force row level security`);
    }
    this.addSql(`
      insert into report_dirty_days (tenant_id, day)
      select distinct tenant_id, start from report_cells where grain = 'day' on conflict do nothing`);
    for (const table of ['report_cells', 'report_dirty_days', 'report_agent_cells']) {
      this.addSql(`alter table ${table} force row level security`);
    }
  }
}

/** Six bytes each: the key (two), how many (four), by key. */
const PACK = `
create function report_pack(p_keys integer[], p_counts integer[]) returns bytea language sql immutable parallel safe as $$
  select coalesce(string_agg(int2send(k.key::smallint) || int4send(k.n), ''::bytea order by k.nth), ''::bytea)
  from unnest(p_keys, p_counts) with ordinality k (key, n, nth)
$$`;

/** Lower bounds of the buckets of times: seconds up to 128, then 64 to each doubling; the same as in measures.ts. */
const BOUNDS = [
  ...Array.from({ length: 128 }, (_, second) => second),
  ...Array.from({ length: 24 * 64 }, (_, at) => (64 + (at % 64)) * 2 ** (1 + Math.floor(at / 64))),
];

const BUCKET = `
create or replace function report_bucket(p_secs integer) returns integer language sql immutable parallel safe as $$
  select width_bucket(p_secs, '{${BOUNDS.join(',')}}'::integer[]) - 1
$$`;

/** As in migration 55; the keys of buckets lie 2048 apart. */
const EMIT = `
create or replace function report_emit(p_tenant uuid, p_from date, p_to date)
returns table (day date, user_type text, topic text, country text, agent_id uuid, key integer, n integer)
language sql stable as $$
  select c.opened_day, c.user_type, c.topic, c.country, c.agent_id, k.key, 1
  from report_conversations c cross join lateral (values (1), (100 + c.opened_slot)) k (key)
  where c.tenant_id = p_tenant and c.opened_day between p_from and p_to
  union all
  select c.closed_day, c.user_type, c.topic, c.country, c.agent_id, k.key, k.n
  from report_conversations c cross join lateral (values
    (2, 1), (4, c.is_abandoned::integer), (5, (c.rating is not null)::integer), (6, c.rating::integer),
    (6 + c.rating, 1), (13, c.is_auto_closed::integer),
    (1000 + 4 * 2048 + report_bucket(c.resolution_secs), 1), (1000 + 5 * 2048 + report_bucket(c.resolution_open_secs), 1)) k (key, n)
  where c.tenant_id = p_tenant and c.closed_day between p_from and p_to and k.key is not null and k.n > 0
  union all
  select c.reopened_day, c.user_type, c.topic, c.country, c.agent_id, 3, 1
  from report_conversations c where c.tenant_id = p_tenant and c.reopened_day between p_from and p_to
  union all
  select c.auto_assigned_day, c.user_type, c.topic, c.country, c.agent_id, 12, 1
  from report_conversations c where c.tenant_id = p_tenant and c.auto_assigned_day between p_from and p_to
  union all
  select c.first_day, c.user_type, c.topic, c.country, c.first_agent_id, k.key, 1
  from report_conversations c cross join lateral (values
    (1000 + report_bucket(c.first_secs)), (1000 + 2048 + report_bucket(c.first_open_secs))) k (key)
  where c.tenant_id = p_tenant and c.first_day between p_from and p_to
  union all
  select r.day, r.user_type, r.topic, r.country, r.agent_id, k.key, 1
  from report_responses r cross join lateral (values
    (1000 + 2 * 2048 + report_bucket(r.secs)), (1000 + 3 * 2048 + report_bucket(r.open_secs))) k (key)
  where r.tenant_id = p_tenant and r.day between p_from and p_to
  union all
  select a.day, a.user_type, a.topic, a.country, a.agent_id, case a.side when 'in' then 14 else 15 end, a.messages
  from report_activity a where a.tenant_id = p_tenant and a.day between p_from and p_to
$$`;

/** Sums of days, for every filter by user type, topic and country and for every agent; marks them clean. */
const REFRESH_DAYS = `
create or replace function report_refresh_days(p_tenant uuid, p_days date[]) returns void
language plpgsql set work_mem = '32MB' as $$
#variable_conflict use_column
begin
  delete from report_cells d where d.tenant_id = p_tenant and d.grain = 'day' and d.start = any (p_days);
  delete from report_agent_cells d where d.tenant_id = p_tenant and d.grain = 'day' and d.start = any (p_days);
  with e as materialized (
    select e.day, e.key, e.user_type, e.topic, e.country, coalesce(e.agent_id::text, 'none') as agent, sum(e.n)::integer as n
    from unnest(p_days) d (day) cross join lateral report_emit(p_tenant, d.day, d.day) e
    group by 1, 2, 3, 4, 5, 6
  ), kept_agents as (
    insert into report_agent_cells (tenant_id, grain, start, agent, user_type, topic, country, keys, counts)
    select p_tenant, 'day', e.day, e.agent, e.user_type, e.topic, e.country,
      array_agg(e.key order by e.key), array_agg(e.n order by e.key)
    from e group by e.day, e.agent, e.user_type, e.topic, e.country
  )
  insert into report_cells (tenant_id, grain, start, cell, keys, counts)
  select p_tenant, 'day', s.day, s.cell, array_agg(s.key order by s.key), array_agg(s.n order by s.key)
  from (
    select e.day, e.key, sum(e.n)::integer as n,
      jsonb_strip_nulls(jsonb_build_object('u', e.user_type, 't', e.topic, 'c', e.country, 'a', e.agent))::text as cell
    from e
    group by grouping sets (
      (e.day, e.key), (e.day, e.key, e.user_type), (e.day, e.key, e.topic), (e.day, e.key, e.country),
      (e.day, e.key, e.user_type, e.topic), (e.day, e.key, e.user_type, e.country), (e.day, e.key, e.topic, e.country),
      (e.day, e.key, e.user_type, e.topic, e.country), (e.day, e.key, e.agent))
  ) s
  group by s.day, s.cell;
  delete from report_dirty_days d where d.tenant_id = p_tenant and d.day = any (p_days);
end $$`;

/**
 * Clears a whole month to be made from its days, or a whole year from its months; false when a day of it is not clean,
 * or a month has no sums yet. It is filled in the same transaction, some names at a time, so that no statement is long.
 */
const BEGIN_SPAN = `
create function report_begin_span(p_tenant uuid, p_grain text, p_start date) returns boolean language plpgsql as $$
declare
  last_day date := (p_start + ('1 ' || p_grain)::interval - interval '1 day')::date;
begin
  if exists (select from report_dirty_days d where d.tenant_id = p_tenant and d.day between p_start and last_day) then
    return false;
  end if;
  if p_grain = 'year' and exists (
    select from report_cells d
    where d.tenant_id = p_tenant and d.grain = 'day' and d.cell = '{}' and d.start between p_start and last_day
      and not exists (
        select from report_cells m where m.tenant_id = p_tenant and m.grain = 'month' and m.cell = '{}'
          and m.start = date_trunc('month', d.start)::date)
  ) then
    return false;
  end if;
  delete from report_cells m where m.tenant_id = p_tenant and m.grain = p_grain and m.start = p_start;
  delete from report_agent_cells m where m.tenant_id = p_tenant and m.grain = p_grain and m.start = p_start;
  return true;
end $$`;

/** Sums of a span under these names, each by itself: all at once would be grouped by their text, and on disk. */
const FILL_CELLS = `
create function report_fill_cells(p_tenant uuid, p_grain text, p_start date, p_cells text[]) returns void
language sql set work_mem = '32MB' as $$
  insert into report_cells (tenant_id, grain, start, cell, keys, counts)
  select p_tenant, p_grain, p_start, c.cell, s.keys, s.counts
  from unnest(p_cells) c (cell) cross join lateral (
    select array_agg(k.key order by k.key) as keys, array_agg(k.n order by k.key) as counts
    from (
      select k.key, sum(k.n)::integer as n
      from report_cells d cross join lateral unnest(d.keys, d.counts) k (key, n)
      where d.tenant_id = p_tenant and d.grain = case p_grain when 'year' then 'month' else 'day' end and d.cell = c.cell
        and d.start >= p_start and d.start < p_start + ('1 ' || p_grain)::interval
      group by k.key
    ) k
  ) s
$$`;

const FILL_AGENTS = `
create function report_fill_agents(p_tenant uuid, p_grain text, p_start date, p_agents text[]) returns void
language sql set work_mem = '32MB' as $$
  insert into report_agent_cells (tenant_id, grain, start, agent, user_type, topic, country, keys, counts)
  select p_tenant, p_grain, p_start, a.agent, s.user_type, s.topic, s.country, s.keys, s.counts
  from unnest(p_agents) a (agent) cross join lateral (
    select k.user_type, k.topic, k.country, array_agg(k.key order by k.key) as keys, array_agg(k.n order by k.key) as counts
    from (
      select d.user_type, d.topic, d.country, k.key, sum(k.n)::integer as n
      from report_agent_cells d cross join lateral unnest(d.keys, d.counts) k (key, n)
      where d.tenant_id = p_tenant and d.grain = case p_grain when 'year' then 'month' else 'day' end and d.agent = a.agent
        and d.start >= p_start and d.start < p_start + ('1 ' || p_grain)::interval
      group by d.user_type, d.topic, d.country, k.key
    ) k
    group by k.user_type, k.topic, k.country
  ) s
$$`;
