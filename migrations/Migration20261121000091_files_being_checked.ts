import { Migration } from '@mikro-orm/migrations';

/** Files that are being checked, by their conversation: asked for when a page of it is opened. Nearly always empty. */
export class Migration20261121000091_files_being_checked extends Migration {
  override up(): void {
    this.addSql(`create index attachments_being_checked on attachments (conversation_id) where state = 'processing'`);
  }
}
