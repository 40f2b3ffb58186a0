import { Migration } from '@mikro-orm/migrations';

/**
 * The audit log, to be read and to be trusted: an index for each filter, finding a day's first id without an index on
 * time, and the seals of its chain.
 *
 * Every message writes an audit row, so indexes here are paid for by sending. By time there is none (ids grow with time,
 * a handful of probes finds a day), and the one by action leaves out the messages, which are most of the log.
 */
export class Migration20261121000012_audit_chain extends Migration {
  override up(): void {
    this.addSql(`create index audit_log_by_entity on audit_log (tenant_id, entity_id, id desc)`);
    this.addSql(`drop index audit_log_of_entity`);
    this.addSql(`create index audit_log_by_actor on audit_log (tenant_id, actor_id, id desc)`);
    this.addSql(
      `create index audit_log_by_action on audit_log (tenant_id, action, id desc) where action <> 'SUPPORT_MESSAGE_SENT'`,
    );

    // all rows of the connection's tenant below the answer are older than p_at, as far as ids grow with time: callers
    // give a margin of a minute and compare the time itself as well
    this.addSql(`
      create function audit_id_at(p_at timestamptz) returns bigint
      language plpgsql stable set enable_seqscan = off as $$
      declare
        low bigint;
        high bigint;
        middle bigint;
        met record;
      begin
        select l.id into low from audit_log l order by l.tenant_id, l.id limit 1;
        select l.id + 1 into high from audit_log l order by l.tenant_id desc, l.id desc limit 1;
        if low is null then
          return 0;
        end if;
        while low < high loop
          middle := low + (high - low) / 2;
          select l.id, l.created_at into met from audit_log l where l.id >= middle order by l.tenant_id, l.id limit 1;
          if met.id is null or met.created_at >= p_at then
            high := middle;
          else
            low := met.id + 1;
          end if;
        end loop;
        return low;
      end $$`);

    // each seal covers the tenant's rows after \`after_id\` up to \`last_id\`; \`rows\` has 24 bytes for each: its id and
    // half of the SHA-256 of what it says
    this.addSql(`
      create table audit_seals (
        tenant_id uuid not null references tenants (id),
        number integer not null check (number > 0),
        after_id bigint not null,
        last_id bigint not null check (last_id > after_id),
        row_count integer not null check (row_count > 0),
        rows bytea not null,
        seal bytea not null,
        sealed_at timestamptz not null,
        primary key (tenant_id, number)
      )`);
    this.addSql(`alter table audit_seals alter column rows set storage external`);
    this.addSql(`select secure_table('audit_seals', 'select, insert')`);
  }
}
