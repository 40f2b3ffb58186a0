import { Migration } from '@mikro-orm/migrations';

/** A bound that moves while the statement runs is no index condition: the look read a tenant's whole history each time. */
export class Migration20261121000062_quiet_plan extends Migration {
  override up(): void {
    this.addSql(`
      create or replace function tenants_fallen_quiet(p_tenant_ids uuid[], p_after_minutes int[]) returns table (tenant_id uuid)
      language sql stable as $$
        select asked.id
        from unnest(p_tenant_ids, p_after_minutes) as asked (id, minutes)
        left join answer_mail_sweeps s on s.tenant_id = asked.id
        where s.tenant_id is null or (asked.minutes > 0 and exists (
          select 1 from conversations c
          where c.tenant_id = asked.id
            and c.last_message_at > greatest(s.swept_until, statement_timestamp() - interval '24 hours')
            and c.last_message_at <= statement_timestamp() - make_interval(mins => asked.minutes)))
      $$`);
    this.addSql(`select own_by_definer('tenants_fallen_quiet(uuid[], int[])')`);
  }
}
