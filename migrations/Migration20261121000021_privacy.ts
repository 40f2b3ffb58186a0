import { Migration } from '@mikro-orm/migrations';

/**
 * Deleting conversations for good: kept long enough, or of a person who is erased. The app's role may delete neither
 * messages nor conversations; this one function does, in the connection's tenant, for rows that its caller has locked.
 */
export class Migration20261121000021_privacy extends Migration {
  override up(): void {
    this.addSql(`create index conversations_closed on conversations (tenant_id, closed_at) where status = 'closed'`);
    this.addSql(`select open_to_definers('conversations', 'select, delete')`);
    this.addSql(`select open_to_definers('messages', 'select, delete')`);
    // what hangs on a conversation by a foreign key goes with it; messages have none
    this.addSql(`
      create function erase_conversations(p_ids uuid[]) returns integer
      language plpgsql set enable_seqscan = off as $$
      declare
        tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        gone integer;
      begin
        delete from messages m where m.tenant_id = tenant and m.conversation_id in (
          select c.id from conversations c where c.id = any (p_ids) and c.tenant_id = tenant);
        get diagnostics gone = row_count;
        delete from conversations c where c.id = any (p_ids) and c.tenant_id = tenant;
        return gone;
      end $$`);
    this.addSql(`select own_by_definer('erase_conversations(uuid[])')`);
  }
}
