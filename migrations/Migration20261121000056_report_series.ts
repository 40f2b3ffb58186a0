import { Migration } from '@mikro-orm/migrations';

/**
 * Sums that stay apart by day must not come from whole months: says so by one argument more. Percentiles of one agent
 * find their bucket by the agent first.
 */
export class Migration20261121000056_report_series extends Migration {
  override up(): void {
    this.addSql(SUMS);
    for (const [table, column, agent, day] of [
      ['report_responses', 'secs', 'agent_id', 'day'],
      ['report_responses', 'open_secs', 'agent_id', 'day'],
      ['report_conversations', 'first_secs', 'first_agent_id', 'first_day'],
      ['report_conversations', 'first_open_secs', 'first_agent_id', 'first_day'],
    ]) {
      const some = table === 'report_responses' ? '' : ` where ${column} is not null`;
      this.addSql(
        `create index ${table}_${column}_of_agent on ${table} (tenant_id, ${agent}, ${column}, ${day})${some}`,
      );
    }
  }
}

/** As in migration 55; with p_days the sums come from days alone. */
const SUMS = `
create function report_sums(p_tenant uuid, p_from date, p_to date, p_cells text[], p_by_start boolean, p_days boolean)
returns table (cell text, start date, key integer, n bigint) language sql stable as $$
  with whole as materialized (
    select m.start from report_cells m
    where m.tenant_id = p_tenant and m.grain = 'month' and m.cell = '{}' and m.start >= p_from
      and m.start + interval '1 month - 1 day' <= p_to and not p_days
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
