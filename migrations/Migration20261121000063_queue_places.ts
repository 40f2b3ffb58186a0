import { Migration } from '@mikro-orm/migrations';

/** What open chats are told while they wait: everybody's place, and how long it took lately, for many tenants at once. */
export class Migration20261121000063_queue_places extends Migration {
  override up(): void {
    this.addSql(`
      create function queue_places(p_tenant_ids uuid[], p_limit int)
      returns table (tenant_id uuid, conversation_id uuid, place int)
      language sql stable set enable_seqscan = off as $$
        select asked.id, waiting.id, waiting.place::int
        from unnest(p_tenant_ids) as asked (id)
        cross join lateral (
          select c.id, row_number() over (order by c.waiting_since, c.created_at, c.id) as place
          from conversations c
          where c.tenant_id = asked.id and c.kind = 'support' and c.status = 'open' and c.assigned_admin_id is null
            and c.waiting_since is not null
          order by c.waiting_since, c.created_at, c.id
          limit p_limit) waiting
      $$`);
    this.addSql(`select own_by_definer('queue_places(uuid[], int)')`);
    this.addSql(`
      create function first_waits(p_tenant_ids uuid[], p_since timestamptz, p_min int)
      returns table (tenant_id uuid, seconds int)
      language sql stable set enable_seqscan = off as $$
        select asked.id, case when w.waits >= p_min then round(w.seconds)::int end
        from unnest(p_tenant_ids) as asked (id)
        cross join lateral (
          select count(*) as waits,
            percentile_cont(0.5) within group (order by extract(epoch from r.answered_at - r.waiting_since)) as seconds
          from response_clocks r
          where r.tenant_id = asked.id and r.kind = 'first' and r.answered_at is not null and r.answered_at > p_since) w
      $$`);
    this.addSql(`select own_by_definer('first_waits(uuid[], timestamptz, int)')`);
  }
}
