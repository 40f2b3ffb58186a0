import { Migration } from '@mikro-orm/migrations';

/**
 * Open conversations are few and in no index by their last message: a list of open drivers, or the second page of a search
 * among them, looked at every conversation of the tenant as soon as the open ones came to their end (75,000 buffers of
 * 100,000 conversations). A message adds nothing: the column moves once in five minutes, together with the other index's.
 */
export class Migration20261121000092_open_by_activity extends Migration {
  override up(): void {
    this.addSql(
      `create index conversations_open_by_activity on conversations (tenant_id, active_at) where status = 'open'`,
    );
  }
}
