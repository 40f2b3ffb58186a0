import { Migration } from '@mikro-orm/migrations';

/**
 * What reports are made from: facts of each support conversation (`report_conversations`), of each answer
 * (`report_responses`) and of each day's messages (`report_activity`), and their sums by day and month
 * (`report_cells`). All of it follows from the raw tables and from the rules of the tenant (zone, opening hours), and
 * can be thrown away and made again. Written by the fold alone, never by who sends a message.
 */
export class Migration20261121000055_reports extends Migration {
  override up(): void {
    this.facts();
    this.sums();
    this.upkeep();
    this.addSql(DAYS_OF);
    this.addSql(FORGET);
    this.addSql(OPEN_TIME_AT);
    this.addSql(FOLD);
    this.addSql(BUCKET);
    this.addSql(EMIT);
    this.addSql(REFRESH_DAYS);
    this.addSql(REFRESH_MONTHS);
    this.addSql(VECTOR);
    this.forgetWithConversation();
  }

  private facts(): void {
    // no foreign key to conversations: its lock would stand in the way of those who answer and close
    this.addSql(`
      create table report_conversations (
        conversation_id uuid primary key,
        tenant_id uuid not null references tenants (id),
        -- of the log when this was made: as long as it is the conversation's, nothing has happened since
        last_seq integer not null,
        user_type text not null,
        -- '' is none
        topic text not null,
        country text not null,
        -- who holds it
        agent_id uuid,
        opened_at timestamptz not null,
        opened_day date not null,
        -- 24 x weekday (Monday is 0) + hour, on the tenant's clock
        opened_slot smallint not null,
        closed_at timestamptz,
        closed_day date,
        is_auto_closed boolean not null,
        -- closed, and no agent ever wrote
        is_abandoned boolean not null,
        reopened_at timestamptz,
        reopened_day date,
        reopens integer not null,
        first_at timestamptz,
        first_day date,
        first_agent_id uuid,
        first_secs integer,
        first_open_secs integer,
        resolution_secs integer,
        resolution_open_secs integer,
        auto_assigned_at timestamptz,
        auto_assigned_day date,
        rating smallint,
        messages_in integer not null,
        messages_out integer not null,
        waiting_since timestamptz
      )`);
    for (const moment of ['opened', 'closed', 'reopened', 'first', 'auto_assigned']) {
      const some = moment === 'opened' ? '' : ` where ${moment}_day is not null`;
      const agent = moment === 'first' ? 'first_agent_id' : 'agent_id';
      this.addSql(
        `create index report_conversations_${moment} on report_conversations (tenant_id, ${moment}_day desc, conversation_id desc)${some}`,
      );
      this.addSql(
        `create index report_conversations_${moment}_by_agent on report_conversations (tenant_id, ${agent}, ${moment}_day desc, conversation_id desc)${some}`,
      );
    }
    for (const measure of ['first', 'resolution']) {
      const [day, agent] = measure === 'first' ? ['first_day', 'first_agent_id'] : ['closed_day', 'agent_id'];
      for (const column of [`${measure}_secs`, `${measure}_open_secs`]) {
        this.addSql(
          `create index report_conversations_${column} on report_conversations (tenant_id, ${column}, ${day}) include (user_type, topic, country, ${agent}) where ${column} is not null`,
        );
      }
    }
    this.addSql(
      `create index report_conversations_open on report_conversations (tenant_id, opened_at desc, conversation_id desc) include (user_type, topic, country, agent_id, waiting_since) where closed_at is null`,
    );
    this.addSql(`select secure_table('report_conversations')`);
    this.addSql(`select open_to_definers('report_conversations', 'select, delete')`);

    this.addSql(`
      create table report_responses (
        conversation_id uuid not null,
        -- the answer's place
        seq integer not null,
        tenant_id uuid not null references tenants (id),
        user_type text not null,
        topic text not null,
        country text not null,
        agent_id uuid not null,
        at timestamptz not null,
        day date not null,
        secs integer not null,
        open_secs integer not null,
        primary key (conversation_id, seq)
      )`);
    this.addSql(
      `create index report_responses_by_day on report_responses (tenant_id, day desc, conversation_id desc, seq desc) include (user_type, topic, country, agent_id, secs, open_secs)`,
    );
    this.addSql(
      `create index report_responses_by_agent on report_responses (tenant_id, agent_id, day desc, conversation_id desc, seq desc)`,
    );
    for (const column of ['secs', 'open_secs']) {
      this.addSql(
        `create index report_responses_${column} on report_responses (tenant_id, ${column}, day) include (user_type, topic, country, agent_id)`,
      );
    }
    this.addSql(`select secure_table('report_responses')`);
    this.addSql(`select open_to_definers('report_responses', 'select, delete')`);

    this.addSql(`
      create table report_activity (
        conversation_id uuid not null,
        day date not null,
        side text not null check (side in ('in', 'out')),
        -- who wrote; of the user's messages, who holds the conversation
        agent_id uuid,
        tenant_id uuid not null references tenants (id),
        user_type text not null,
        topic text not null,
        country text not null,
        messages integer not null
      )`);
    this.addSql(`create index report_activity_of on report_activity (conversation_id)`);
    this.addSql(
      `create index report_activity_by_day on report_activity (tenant_id, day desc, conversation_id desc) include (user_type, topic, country, agent_id, side, messages)`,
    );
    this.addSql(
      `create index report_activity_by_agent on report_activity (tenant_id, agent_id, day desc, conversation_id desc) include (user_type, topic, country, side, messages)`,
    );
    this.addSql(`select secure_table('report_activity')`);
    this.addSql(`select open_to_definers('report_activity', 'select, delete')`);
  }

  private sums(): void {
    this.addSql(`
      create table report_cells (
        tenant_id uuid not null references tenants (id),
        grain text not null check (grain in ('day', 'month')),
        -- the day, or the month's first
        start date not null,
        -- what it is narrowed to, as jsonb writes it: {} is everything, {"u": "driver", "c": "BD"} two of the filters
        cell text not null,
        -- a sparse vector: counters, hours of the week, and how many answers took how long (src/reports/measures.ts)
        keys integer[] not null,
        counts integer[] not null,
        primary key (tenant_id, grain, cell, start)
      )`);
    this.addSql(`create index report_cells_by_start on report_cells (tenant_id, grain, start)`);
    this.addSql(`select secure_table('report_cells')`);
    this.addSql(`select open_to_definers('report_cells', 'select, delete')`);

    // days whose cells are older than their facts: they are read from the facts until they are made again
    this.addSql(`
      create table report_dirty_days (
        tenant_id uuid not null references tenants (id),
        day date not null,
        primary key (tenant_id, day)
      )`);
    this.addSql(`select secure_table('report_dirty_days')`);
    this.addSql(`select open_to_definers('report_dirty_days', 'select, insert')`);
  }

  private upkeep(): void {
    this.addSql(`
      create table report_states (
        tenant_id uuid primary key references tenants (id),
        -- everything that happened before this is in the facts
        as_of timestamptz,
        -- conversations that moved before this need not be looked at again
        settled_to timestamptz not null default '-infinity',
        -- when every transaction before mark_xmax has ended, settled_to moves to mark_at
        mark_at timestamptz,
        mark_xmax xid8,
        -- access changes from here on have not been looked at
        access_xid xid8,
        -- zone and opening hours that the facts were made with
        rules jsonb,
        hours_from timestamptz,
        hours_to timestamptz,
        -- while facts are made anew because the rules changed: those with a greater id are still to be made
        refold_after uuid,
        refold_since timestamptz
      )`);
    this.addSql(`select secure_table('report_states')`);

    this.addSql(`
      create table report_open_hours (
        tenant_id uuid not null references tenants (id),
        opens timestamptz not null,
        closes timestamptz not null,
        -- open seconds before it opens, since hours_from
        before bigint not null,
        primary key (tenant_id, opens)
      )`);
    this.addSql(`select secure_table('report_open_hours')`);

    // a rating writes no line: this is how the fold finds those of the last minutes
    this.addSql(`create index conversation_ratings_changed on conversation_ratings (tenant_id, updated_at)`);
  }

  /** Numbers go with the conversation: by retention or erasure, whoever deletes it. */
  private forgetWithConversation(): void {
    this.addSql(`
      create function report_forget_deleted() returns trigger language plpgsql as $$
      declare
        of_tenant uuid;
      begin
        for of_tenant in select distinct d.tenant_id from deleted d loop
          -- a fold under way has an older snapshot and could put it back: wait for it, and hold off the next one
          perform pg_advisory_xact_lock_shared(7259, hashtext(of_tenant::text));
          perform report_forget(of_tenant, array(select d.id from deleted d where d.tenant_id = of_tenant));
        end loop;
        return null;
      end $$`);
    this.addSql(`
      create trigger conversations_forgotten_by_reports after delete on conversations
      referencing old table as deleted for each statement execute function report_forget_deleted()`);
  }
}

/** Days on which these conversations count for something. */
const DAYS_OF = `
create function report_days_of(p_tenant uuid, p_ids uuid[]) returns table (day date) language sql stable as $$
  select d.day from report_conversations c
  cross join lateral (values (c.opened_day), (c.closed_day), (c.reopened_day), (c.first_day), (c.auto_assigned_day)) d (day)
  where c.conversation_id = any (p_ids) and c.tenant_id = p_tenant and d.day is not null
  union select a.day from report_activity a where a.conversation_id = any (p_ids) and a.tenant_id = p_tenant
  union select r.day from report_responses r where r.conversation_id = any (p_ids) and r.tenant_id = p_tenant
$$`;

const FORGET = `
create function report_forget(p_tenant uuid, p_ids uuid[]) returns void language plpgsql as $$
begin
  insert into report_dirty_days (tenant_id, day)
    select p_tenant, d.day from report_days_of(p_tenant, p_ids) d on conflict do nothing;
  delete from report_cells m where m.tenant_id = p_tenant and m.grain = 'month' and m.start in (
    select date_trunc('month', d.day)::date from report_days_of(p_tenant, p_ids) d);
  delete from report_responses r where r.conversation_id = any (p_ids) and r.tenant_id = p_tenant;
  delete from report_activity a where a.conversation_id = any (p_ids) and a.tenant_id = p_tenant;
  delete from report_conversations c where c.conversation_id = any (p_ids) and c.tenant_id = p_tenant;
end $$`;

/** Open seconds from the beginning of the hours to an instant, to the microsecond. */
const OPEN_TIME_AT = `
create function report_open_time(p_tenant uuid, p_at timestamptz) returns numeric language sql stable as $$
  select coalesce((
    select h.before + extract(epoch from least(p_at, h.closes) - h.opens)
    from report_open_hours h where h.tenant_id = p_tenant and h.opens <= p_at
    order by h.opens desc limit 1), 0)
$$`;

/**
 * Makes the facts of these conversations anew, from one snapshot of the raw tables, and notes which days they touch.
 * A turn is what stands between two answers: it ends with a message of an agent, or with the closing.
 */
const FOLD = `
create function report_fold(p_tenant uuid, p_ids uuid[]) returns integer language plpgsql as $$
#variable_conflict use_column
declare
  zone text := (select t.time_zone from tenants t where t.id = p_tenant);
  folded integer;
begin
  perform report_forget(p_tenant, p_ids);

  with c as materialized (
    select c.id, c.last_seq, c.user_type, coalesce(c.topic, '') as topic, coalesce(u.country, '') as country,
      c.assigned_admin_id as agent_id, c.created_at, c.closed_at, c.closed_by, c.waiting_since, r.score
    from conversations c
    left join users u on u.id = c.opened_by and u.tenant_id = c.tenant_id
    left join conversation_ratings r on r.conversation_id = c.id and r.tenant_id = c.tenant_id
    where c.id = any (p_ids) and c.tenant_id = p_tenant and c.kind = 'support'
  ), m as materialized (
    select m.conversation_id, m.seq, m.sender_type, m.sender_id, m.event, m.data, m.created_at,
      count(*) filter (where m.sender_type = 'admin' or m.event = 'closed') over (
        partition by m.conversation_id order by m.seq rows between unbounded preceding and 1 preceding) as turn
    from messages m
    where m.conversation_id = any (p_ids) and m.tenant_id = p_tenant
  ), turns as (
    select m.conversation_id, m.turn,
      (array_agg(m.created_at order by m.seq) filter (where m.sender_type = 'user'))[1] as since,
      max(m.seq) filter (where m.sender_type = 'admin') as seq,
      max(m.created_at) filter (where m.sender_type = 'admin') as at,
      (array_agg(m.sender_id) filter (where m.sender_type = 'admin'))[1] as agent_id
    from m where m.sender_type in ('user', 'admin')
    group by m.conversation_id, m.turn
  ), answers as materialized (
    select t.*, row_number() over (partition by t.conversation_id order by t.seq) as nth
    from turns t where t.since is not null and t.seq is not null
  ), logs as (
    select m.conversation_id,
      (array_agg(m.created_at order by m.seq) filter (where m.sender_type = 'user'))[1] as asked_at,
      count(*) filter (where m.sender_type = 'user') as messages_in,
      count(*) filter (where m.sender_type = 'admin') as messages_out,
      max(m.created_at) filter (where m.event = 'reopened') as reopened_at,
      count(*) filter (where m.event = 'reopened') as reopens,
      min(m.created_at) filter (
        where m.event in ('assigned', 'transferred') and m.data ->> 'actorId' = 'system') as auto_assigned_at
    from m group by m.conversation_id
  ), kept_responses as (
    insert into report_responses (conversation_id, seq, tenant_id, user_type, topic, country, agent_id, at, day, secs, open_secs)
    select c.id, a.seq, p_tenant, c.user_type, c.topic, c.country, a.agent_id, a.at, (a.at at time zone zone)::date,
      greatest(0, floor(extract(epoch from a.at - a.since)))::integer,
      greatest(0, floor(report_open_time(p_tenant, a.at) - report_open_time(p_tenant, a.since)))::integer
    from answers a join c on c.id = a.conversation_id
  ), kept_activity as (
    insert into report_activity (conversation_id, day, side, agent_id, tenant_id, user_type, topic, country, messages)
    select c.id, (m.created_at at time zone zone)::date, case when m.sender_type = 'user' then 'in' else 'out' end,
      case when m.sender_type = 'user' then c.agent_id else m.sender_id end,
      p_tenant, c.user_type, c.topic, c.country, count(*)
    from m join c on c.id = m.conversation_id
    where m.sender_type in ('user', 'admin')
    group by 1, 2, 3, 4, c.user_type, c.topic, c.country
  )
  insert into report_conversations (conversation_id, tenant_id, last_seq, user_type, topic, country, agent_id, opened_at,
    opened_day, opened_slot, closed_at, closed_day, is_auto_closed, is_abandoned, reopened_at, reopened_day, reopens,
    first_at, first_day, first_agent_id, first_secs, first_open_secs, resolution_secs, resolution_open_secs,
    auto_assigned_at, auto_assigned_day, rating, messages_in, messages_out, waiting_since)
  select c.id, p_tenant, c.last_seq, c.user_type, c.topic, c.country, c.agent_id, c.created_at,
    (c.created_at at time zone zone)::date,
    (extract(isodow from c.created_at at time zone zone) - 1) * 24 + extract(hour from c.created_at at time zone zone),
    c.closed_at, (c.closed_at at time zone zone)::date,
    c.closed_at is not null and coalesce(c.closed_by = 'system', false),
    c.closed_at is not null and coalesce(l.messages_in, 0) > 0 and coalesce(l.messages_out, 0) = 0,
    l.reopened_at, (l.reopened_at at time zone zone)::date, coalesce(l.reopens, 0),
    a.at, (a.at at time zone zone)::date, a.agent_id,
    -- greatest() passes over what is null
    case when a.at is not null then greatest(0, floor(extract(epoch from a.at - l.asked_at)))::integer end,
    case when a.at is not null then
      greatest(0, floor(report_open_time(p_tenant, a.at) - report_open_time(p_tenant, l.asked_at)))::integer end,
    case when l.messages_out > 0 and c.closed_at is not null then
      greatest(0, floor(extract(epoch from c.closed_at - c.created_at)))::integer end,
    case when l.messages_out > 0 and c.closed_at is not null then
      greatest(0, floor(report_open_time(p_tenant, c.closed_at) - report_open_time(p_tenant, c.created_at)))::integer end,
    l.auto_assigned_at, (l.auto_assigned_at at time zone zone)::date,
    c.score, coalesce(l.messages_in, 0), coalesce(l.messages_out, 0),
    case when c.closed_at is null then c.waiting_since end
  from c
  left join logs l on l.conversation_id = c.id
  left join answers a on a.conversation_id = c.id and a.nth = 1;
  get diagnostics folded = row_count;

  insert into report_dirty_days (tenant_id, day)
    select p_tenant, d.day from report_days_of(p_tenant, p_ids) d on conflict do nothing;
  delete from report_cells m where m.tenant_id = p_tenant and m.grain = 'month' and m.start in (
    select date_trunc('month', d.day)::date from report_days_of(p_tenant, p_ids) d);
  return folded;
end $$`;

/** Lower bounds of the buckets of times: seconds up to 32, then sixteen to each doubling; the same as in measures.ts. */
const BOUNDS = [
  ...Array.from({ length: 32 }, (_, second) => second),
  ...Array.from({ length: 26 * 16 }, (_, at) => (16 + (at % 16)) * 2 ** (1 + Math.floor(at / 16))),
];

const BUCKET = `
create function report_bucket(p_secs integer) returns integer language sql immutable parallel safe as $$
  select width_bucket(p_secs, '{${BOUNDS.join(',')}}'::integer[]) - 1
$$`;

/** What the facts of these days add to the sums, by everything that can be asked for. Keys: src/reports/measures.ts. */
const EMIT = `
create function report_emit(p_tenant uuid, p_from date, p_to date)
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
    (1000 + 4 * 512 + report_bucket(c.resolution_secs), 1), (1000 + 5 * 512 + report_bucket(c.resolution_open_secs), 1)) k (key, n)
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
    (1000 + report_bucket(c.first_secs)), (1000 + 512 + report_bucket(c.first_open_secs))) k (key)
  where c.tenant_id = p_tenant and c.first_day between p_from and p_to
  union all
  select r.day, r.user_type, r.topic, r.country, r.agent_id, k.key, 1
  from report_responses r cross join lateral (values
    (1000 + 2 * 512 + report_bucket(r.secs)), (1000 + 3 * 512 + report_bucket(r.open_secs))) k (key)
  where r.tenant_id = p_tenant and r.day between p_from and p_to
  union all
  select a.day, a.user_type, a.topic, a.country, a.agent_id, case a.side when 'in' then 14 else 15 end, a.messages
  from report_activity a where a.tenant_id = p_tenant and a.day between p_from and p_to
$$`;

/** Sums of days, for every filter by user type, topic and country and for every agent; marks them clean. */
const REFRESH_DAYS = `
create function report_refresh_days(p_tenant uuid, p_days date[]) returns void language plpgsql as $$
#variable_conflict use_column
begin
  delete from report_cells d where d.tenant_id = p_tenant and d.grain = 'day' and d.start = any (p_days);
  insert into report_cells (tenant_id, grain, start, cell, keys, counts)
  select p_tenant, 'day', s.day, s.cell, array_agg(s.key order by s.key), array_agg(s.n order by s.key)
  from (
    select e.day, e.key, sum(e.n)::integer as n,
      jsonb_strip_nulls(jsonb_build_object('u', e.user_type, 't', e.topic, 'c', e.country, 'a', e.agent))::text as cell
    from (
      select e.day, e.key, e.user_type, e.topic, e.country, coalesce(e.agent_id::text, 'none') as agent, sum(e.n) as n
      from unnest(p_days) d (day) cross join lateral report_emit(p_tenant, d.day, d.day) e
      group by 1, 2, 3, 4, 5, 6
    ) e
    group by grouping sets (
      (e.day, e.key), (e.day, e.key, e.user_type), (e.day, e.key, e.topic), (e.day, e.key, e.country),
      (e.day, e.key, e.user_type, e.topic), (e.day, e.key, e.user_type, e.country), (e.day, e.key, e.topic, e.country),
      (e.day, e.key, e.user_type, e.topic, e.country), (e.day, e.key, e.agent))
  ) s
  group by s.day, s.cell;
  delete from report_dirty_days d where d.tenant_id = p_tenant and d.day = any (p_days);
end $$`;

/** Sums of one whole month whose days are all clean; false when one is not. */
const REFRESH_MONTHS = `
create function report_refresh_month(p_tenant uuid, p_month date) returns boolean language plpgsql as $$
#variable_conflict use_column
declare
  last_day date := (p_month + interval '1 month - 1 day')::date;
begin
  if exists (select from report_dirty_days d where d.tenant_id = p_tenant and d.day between p_month and last_day) then
    return false;
  end if;
  delete from report_cells m where m.tenant_id = p_tenant and m.grain = 'month' and m.start = p_month;
  insert into report_cells (tenant_id, grain, start, cell, keys, counts)
  select p_tenant, 'month', p_month, s.cell, array_agg(s.key order by s.key), array_agg(s.n order by s.key)
  from (
    select d.cell, k.key, sum(k.n)::integer as n
    from report_cells d cross join lateral unnest(d.keys, d.counts) k (key, n)
    where d.tenant_id = p_tenant and d.grain = 'day' and d.start between p_month and last_day
    group by d.cell, k.key
  ) s
  group by s.cell;
  return true;
end $$`;

/**
 * Sums of a period, by cell: months where there are any, days besides, and the facts themselves for days that are not
 * clean. Give `p_cells` as jsonb writes them. With p_by_start the sums stay apart by day or month and only the counters
 * come (keys below 100).
 */
const VECTOR = `
create function report_sums(p_tenant uuid, p_from date, p_to date, p_cells text[], p_by_start boolean)
returns table (cell text, start date, key integer, n bigint) language sql stable as $$
  with whole as materialized (
    select m.start from report_cells m
    where m.tenant_id = p_tenant and m.grain = 'month' and m.cell = '{}' and m.start >= p_from
      and m.start + interval '1 month - 1 day' <= p_to
  ), dirty as materialized (
    select d.day from report_dirty_days d where d.tenant_id = p_tenant and d.day between p_from and p_to
  ), found as (
    select m.cell, m.start, m.keys, m.counts from report_cells m
    where m.tenant_id = p_tenant and m.grain = 'month' and m.cell = any (p_cells) and m.start in (select w.start from whole w)
    union all
    select d.cell, d.start, d.keys, d.counts from report_cells d
    where d.tenant_id = p_tenant and d.grain = 'day' and d.cell = any (p_cells) and d.start between p_from and p_to
      and date_trunc('month', d.start)::date not in (select w.start from whole w)
      and d.start not in (select x.day from dirty x)
  ), parts as (
    select f.cell, f.start, k.key, k.n::bigint as n
    from found f cross join lateral unnest(
      case when p_by_start then f.keys[1:20] else f.keys end,
      case when p_by_start then f.counts[1:20] else f.counts end) k (key, n)
    union all
    select a.cell, e.day, e.key, e.n::bigint
    from dirty x cross join lateral report_emit(p_tenant, x.day, x.day) e
    cross join unnest(p_cells) a (cell)
    where (a.cell::jsonb ->> 'u' is null or e.user_type = a.cell::jsonb ->> 'u')
      and (a.cell::jsonb ->> 't' is null or e.topic = a.cell::jsonb ->> 't')
      and (a.cell::jsonb ->> 'c' is null or e.country = a.cell::jsonb ->> 'c')
      and (a.cell::jsonb ->> 'a' is null or coalesce(e.agent_id::text, 'none') = a.cell::jsonb ->> 'a')
  )
  select p.cell, case when p_by_start then p.start end, p.key, sum(p.n)::bigint
  from parts p
  where not p_by_start or p.key < 100
  group by 1, 2, 3
$$`;
