import { Migration } from '@mikro-orm/migrations';

/** Reports that somebody keeps under a name, and those that come by mail on Mondays. */
export class Migration20261121000060_report_views extends Migration {
  override up(): void {
    this.addSql(`
      create table report_views (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        owner_id uuid not null references users (id),
        name text not null check (length(name) between 1 and 80),
        -- a path below /admin/support-reports and what is asked there; which days stays relative ("the last 7")
        report text not null check (report in ('overview', 'agents', 'conversations')),
        query text not null check (length(query) <= 1000),
        -- {userType, topic, country, agent}: whose numbers the mail tells
        filter jsonb not null,
        is_shared boolean not null,
        is_weekly boolean not null,
        -- the Monday that was mailed last
        mailed_week date,
        created_at timestamptz not null
      )`);
    this.addSql(`create unique index report_views_by_name on report_views (tenant_id, owner_id, lower(name))`);
    this.addSql(`create index report_views_shared on report_views (tenant_id, lower(name)) where is_shared`);
    this.addSql(`create index report_views_weekly on report_views (tenant_id, mailed_week) where is_weekly`);
    this.addSql(`select secure_table('report_views')`);
  }
}
