import { Migration } from '@mikro-orm/migrations';

/**
 * The last checks that every append evaluated. PostgreSQL reads the text of a check anew in each statement that writes to
 * its table: 138,000 of the 1,550,000 instructions of storing one message. Those of `conversations` join the others in the
 * trigger on columns that no message touches. Those of `messages` are looked at when side, kind or event is changed, which
 * nobody does: only `append_messages` inserts, with words of the code.
 */
export class Migration20261121000088_checks_aside extends Migration {
  override up(): void {
    this.addSql(`
      alter table conversations drop constraint conversations_check, drop constraint conversations_check1,
        drop constraint conversations_status_check`);
    this.addSql(`
      alter table messages drop constraint messages_check, drop constraint messages_sender_type_check`);
    this.addSql(`
      create or replace function check_conversation() returns trigger language plpgsql as $$
      begin
        if new.kind !~ '^[a-z][a-z_]{1,30}$' or new.priority <> all ('{low,medium,high,urgent}')
          or length(new.subject) > 200 or length(new.topic) > 100 then
          raise exception 'kind, priority, subject or topic of a conversation is not one' using errcode = 'check_violation';
        end if;
        if new.status <> all ('{open,closed}') or (new.status = 'closed') <> (new.closed_at is not null) then
          raise exception 'a conversation is open, or closed at some time' using errcode = 'check_violation';
        end if;
        if new.kind = 'support' and (new.opened_by is null or new.user_type is null) then
          raise exception 'a support conversation is somebody''s' using errcode = 'check_violation';
        end if;
        return new;
      end $$`);
    this.addSql(`drop trigger conversations_checked on conversations`);
    this.addSql(`
      create trigger conversations_checked
      before insert or update of kind, priority, subject, topic, status, closed_at, opened_by, user_type on conversations
      for each row execute function check_conversation()`);
    this.addSql(`
      create function check_message() returns trigger language plpgsql as $$
      begin
        if new.sender_type <> all ('{user,admin,system}') or (new.message_type = 'system') <> (new.event is not null) then
          raise exception 'side, kind or event of a message is not one' using errcode = 'check_violation';
        end if;
        return new;
      end $$`);
    this.addSql(`
      create trigger messages_checked before update of sender_type, message_type, event on messages
      for each row execute function check_message()`);
  }
}
