import { Migration } from '@mikro-orm/migrations';

/** Which languages an agent answers in: whoever speaks the user's is given the conversation first. */
export class Migration20261121000050_agent_languages extends Migration {
  override up(): void {
    this.addSql(`
      create table agent_languages (
        tenant_id uuid not null references tenants (id),
        admin_id uuid not null references users (id),
        -- ISO 639 codes, sorted
        languages text[] not null,
        updated_by uuid not null references users (id),
        updated_at timestamptz not null,
        primary key (tenant_id, admin_id)
      )`);
    this.addSql(`select secure_table('agent_languages', 'select, insert, update')`);
  }
}
