import { Migration } from '@mikro-orm/migrations';

const APPEND =
  'append_messages(uuid[],uuid[],uuid[],text[],uuid[],integer[],uuid[],text[],text[],text[],text[],uuid[],uuid[],text[],integer[],integer[],boolean)';

/**
 * Less work for the database with each message. The indexes by which lists are narrowed are of closed conversations
 * only: into those nobody writes, and the open ones are few (`conversations_open`), while every message used to put an
 * entry into each of them. And the plan of an append is made once a connection: PostgreSQL took the short arrays of a
 * small batch for a reason to plan anew, which took longer than the append itself.
 */
export class Migration20261121000082_lighter_appends extends Migration {
  override up(): void {
    for (const [name, columns] of [
      ['status', ''],
      ['assignee', 'assigned_admin_id, '],
      ['user_type', 'user_type, '],
    ]) {
      this.addSql(`drop index conversations_by_${name}`);
      this.addSql(
        `create index conversations_closed_by_${name === 'status' ? 'activity' : name} on conversations (tenant_id, ${columns}last_message_at desc, id desc) where status = 'closed'`,
      );
    }
    this.addSql(`alter function ${APPEND} set plan_cache_mode = force_generic_plan`);
    this.addSql(`alter table report_conversations add column folded_at timestamptz not null default now()`);
    // not before: a busy hour's facts are taken in less often, not at the cost of those who write
    this.addSql(`alter table report_states add column rest_until timestamptz not null default '-infinity'`);
  }
}
