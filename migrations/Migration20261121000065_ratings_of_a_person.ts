import { Migration } from '@mikro-orm/migrations';

/** A profile page shows what its person said of their conversations. */
export class Migration20261121000065_ratings_of_a_person extends Migration {
  override up(): void {
    this.addSql(`create index conversation_ratings_of on conversation_ratings (tenant_id, user_id, created_at desc)`);
  }
}
