import { Migration } from '@mikro-orm/migrations';

/**
 * Moves a read mark in one round trip: marks follow every message that is seen, so they come as often as messages do.
 * Runs with the caller's rights, under row-level security. The lock comes first and by itself, so that what is counted
 * after it is counted with a fresh snapshot.
 */
export class Migration20261121000007_read_marks extends Migration {
  override up(): void {
    this.addSql(`
      create function move_read_mark(p_conversation uuid, p_user uuid, p_side text, p_counts boolean, p_seq integer, p_at timestamptz)
      returns boolean language plpgsql set enable_seqscan = off as $$
      declare
        c conversations;
        mark integer;
      begin
        select * into c from conversations where id = p_conversation for no key update;
        mark := least(p_seq, c.last_seq);
        insert into conversation_participants as p (conversation_id, user_id, tenant_id, side, read_seq, read_at, joined_at)
        values (c.id, p_user, c.tenant_id, p_side, mark, p_at, p_at)
        on conflict (conversation_id, user_id) do update set read_seq = excluded.read_seq, read_at = excluded.read_at
          where p.read_seq < excluded.read_seq;
        if not found then
          return false;
        end if;
        if p_counts and p_side = 'user' and mark > c.user_read_seq then
          update conversations set user_read_seq = mark, unread_by_user = case when mark >= c.last_seq then 0 else (
            select count(*) from messages m
            where m.conversation_id = c.id and m.seq > mark and m.sender_type = 'admin') end
          where id = c.id;
        elsif p_counts and p_side = 'admin' and mark > c.staff_read_seq then
          update conversations set staff_read_seq = mark, unread_by_staff = case when mark >= c.last_seq then 0 else (
            select count(*) from messages m
            where m.conversation_id = c.id and m.seq > mark and m.sender_type = 'user') end
          where id = c.id;
        end if;
        return true;
      end $$`);
    this.addSql(`revoke all on function move_read_mark(uuid, uuid, text, boolean, integer, timestamptz) from public`);
    this.addSql(`
      do $$ begin
        execute format('grant execute on function move_read_mark(uuid, uuid, text, boolean, integer, timestamptz) to %I',
          'app_' || current_database());
      end $$`);
  }
}
