import { Migration } from '@mikro-orm/migrations';
import { getConstructionPlans } from 'pg-boss';

/**
 * The durable queue's own schema, and what reach remembers of the mails it owes.
 *
 * The schema `jobs` belongs to pg-boss and is made by its own plan; the owner has it, the app's role may only read and
 * write its rows. It has no fence between tenants, so jobs name ids and nothing else. A later pg-boss with another
 * version of this schema needs a migration with `getMigrationPlans`; it refuses to start without.
 */
export class Migration20261121000008_reach extends Migration {
  override up(): void {
    // the plan brings its own transaction; ours is open already
    this.addSql(
      getConstructionPlans('jobs')
        .replace(/^\s*BEGIN;/, '')
        .replace(/COMMIT;\s*$/, ''),
    );
    this.addSql(`
      do $$ declare app text := 'app_' || current_database(); begin
        execute format('grant usage on schema jobs to %I', app);
        execute format('grant select, insert, update, delete on all tables in schema jobs to %I', app);
        execute format('grant execute on all functions in schema jobs to %I', app);
      end $$`);

    // one mail that is owed or went out; its id is the event id, and part of the mail's Message-ID
    this.addSql(`
      create table answer_mails (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        conversation_id uuid not null references conversations (id) on delete cascade,
        user_id uuid not null references users (id),
        -- answers up to here are in this mail or in an earlier one
        up_to_seq integer not null,
        state text not null default 'owed' check (state in ('owed', 'sent', 'cancelled', 'refused')),
        created_at timestamptz not null,
        settled_at timestamptz,
        check ((state = 'owed') = (settled_at is null))
      )`);
    this.addSql(`create index answer_mails_of_conversation on answer_mails (conversation_id, up_to_seq desc)`);
    this.addSql(`select secure_table('answer_mails', 'select, insert, update')`);

    // how far a tenant's conversations were looked through for unread answers, by last_message_at
    this.addSql(`
      create table answer_mail_sweeps (
        tenant_id uuid primary key references tenants (id),
        swept_until timestamptz not null
      )`);
    this.addSql(`select secure_table('answer_mail_sweeps', 'select, insert, update')`);
  }
}
