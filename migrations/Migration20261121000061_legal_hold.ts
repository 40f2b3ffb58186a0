import { Migration } from '@mikro-orm/migrations';

/** Persons of whom nothing may be deleted, because a court or a dispute asks for it. */
export class Migration20261121000061_legal_hold extends Migration {
  override up(): void {
    // null: no hold
    this.addSql(`alter table users add column held_since timestamptz`);
    this.addSql(`create index users_held on users (tenant_id, id) where held_since is not null`);
  }
}
