import { Migration } from '@mikro-orm/migrations';

/** What users say of a conversation once it is closed: one rating each, which they may change. */
export class Migration20261121000020_ratings extends Migration {
  override up(): void {
    this.addSql(`
      create table conversation_ratings (
        conversation_id uuid primary key references conversations (id) on delete cascade,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null references users (id),
        -- who held the conversation when it was rated
        admin_id uuid references users (id),
        score smallint not null check (score between 1 and 5),
        comment text check (length(comment) between 1 and 2000),
        created_at timestamptz not null,
        updated_at timestamptz not null
      )`);
    this.addSql(`create index conversation_ratings_lately on conversation_ratings (tenant_id, created_at desc)`);
    this.addSql(`select secure_table('conversation_ratings', 'select, insert, update')`);
  }
}
