import { Migration } from '@mikro-orm/migrations';

/** Lists of who waits for an answer, what is due first coming first, and of those whose answer is late. */
export class Migration20261121000051_due_lists extends Migration {
  override up(): void {
    // where the hours never hold the target nothing is ever due: such a wait comes last
    this.addSql(
      `create index response_clocks_due on response_clocks (tenant_id, (coalesce(due_at, 'infinity')), conversation_id) where settled_at is null`,
    );
    this.addSql(
      `create index response_clocks_late on response_clocks (tenant_id, (coalesce(due_at, 'infinity')), conversation_id) where settled_at is null and breached_at is not null`,
    );
  }
}
