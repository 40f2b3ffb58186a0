import { Migration } from '@mikro-orm/migrations';

/**
 * What the desk keeps to run itself: who is there, why a conversation went to whom, who was warned of a closing, how
 * long people waited; and the run log of all jobs.
 */
export class Migration20261121000010_desk_runs_itself extends Migration {
  override up(): void {
    // who holds how much, and who waits for how long: open conversations are few beside all that ever were
    this.addSql(
      `create index conversations_open on conversations (tenant_id, assigned_admin_id, waiting_since, created_at) where kind = 'support' and status = 'open'`,
    );

    this.addSql(`
      create table agent_presence (
        tenant_id uuid not null references tenants (id),
        admin_id uuid not null references users (id),
        choice text not null default 'available' check (choice in ('available', 'away')),
        chosen_at timestamptz,
        -- by connections; null for somebody who has chosen and was never here
        last_seen_at timestamptz,
        -- the decision that gave them their last conversation; orders agents by who was served longest ago
        last_served bigint not null default 0,
        primary key (tenant_id, admin_id)
      ) with (fillfactor = 70)`);
    this.addSql(`select secure_table('agent_presence', 'select, insert, update')`);

    this.addSql(`
      create table assignment_decisions (
        id bigint generated always as identity primary key,
        tenant_id uuid not null references tenants (id),
        conversation_id uuid not null references conversations (id) on delete cascade,
        mode text not null,
        reason text not null,
        -- null where it was taken back
        chosen_admin_id uuid references users (id),
        from_admin_id uuid references users (id),
        -- [{adminId, open, lastServed, verdict}], in the order in which they were considered
        candidates jsonb not null,
        waiting_since timestamptz,
        created_at timestamptz not null
      )`);
    this.addSql(`create index assignment_decisions_of on assignment_decisions (conversation_id, id desc)`);
    this.addSql(`select secure_table('assignment_decisions', 'select, insert')`);

    this.addSql(`
      create table closing_warnings (
        conversation_id uuid primary key references conversations (id) on delete cascade,
        tenant_id uuid not null references tenants (id),
        -- when something last happened before the warning
        activity_at timestamptz not null,
        -- the place of the warning's line: while it is the last one, nothing has happened since
        warned_seq integer not null,
        warned_at timestamptz not null
      )`);
    this.addSql(`create index closing_warnings_due on closing_warnings (tenant_id, activity_at)`);
    this.addSql(`select secure_table('closing_warnings')`);

    this.addSql(`
      create table response_clocks (
        conversation_id uuid not null references conversations (id) on delete cascade,
        waiting_since timestamptz not null,
        tenant_id uuid not null references tenants (id),
        kind text not null check (kind in ('first', 'next')),
        -- the log's last place when the clock was started: an answer has a greater one
        asked_seq integer not null,
        -- of the settings that due_at was made from
        settings_version integer not null,
        -- null where the hours never hold the target
        due_at timestamptz,
        answered_at timestamptz,
        breached_at timestamptz,
        -- answered or closed
        settled_at timestamptz,
        primary key (conversation_id, waiting_since)
      )`);
    this.addSql(`create index response_clocks_running on response_clocks (tenant_id, due_at) where settled_at is null`);
    this.addSql(
      `create index response_clocks_answered on response_clocks (tenant_id, answered_at) where kind = 'first' and answered_at is not null`,
    );
    this.addSql(`select secure_table('response_clocks', 'select, insert, update')`);

    // which tenants have anything that the desk's jobs could do something about
    this.addSql(`select open_to_definers('response_clocks')`);
    this.addSql(`select open_to_definers('closing_warnings')`);
    this.addSql(`
      create function desk_tenants() returns table (id uuid)
      language sql stable set enable_seqscan = off as $$
        select t.id from tenants t where t.status = 'active' and (
          exists (select 1 from conversations c where c.tenant_id = t.id and c.kind = 'support' and c.status = 'open')
          or exists (select 1 from response_clocks r where r.tenant_id = t.id and r.settled_at is null)
          or exists (select 1 from closing_warnings w where w.tenant_id = t.id))
      $$`);
    this.addSql(`select own_by_definer('desk_tenants()')`);

    // of no tenant: jobs belong to the installation; reached by functions only
    this.addSql(`
      create table job_runs (
        id bigint generated always as identity primary key,
        job text not null,
        node text not null,
        started_at timestamptz not null default clock_timestamp(),
        finished_at timestamptz,
        outcome text not null default 'running' check (outcome in ('running', 'done', 'failed', 'lost')),
        counts jsonb,
        -- the error's class or SQLSTATE, never its text
        error_code text
      )`);
    this.addSql(`create index job_runs_newest on job_runs (job, id desc)`);
    this.addSql(`alter table job_runs enable row level security`);
    this.addSql(`alter table job_runs force row level security`);
    this.addSql(`select open_to_definers('job_runs', 'select, insert, update, delete')`);
    this.addSql(`
      create function begin_job_run(p_job text, p_node text, out run_id bigint, out began_at timestamptz)
      language plpgsql as $$
      begin
        -- a node that died in the middle says nothing; one that only slept still writes its end
        update job_runs set outcome = 'lost'
        where job = p_job and outcome = 'running' and started_at < clock_timestamp() - interval '15 minutes';
        insert into job_runs (job, node) values (p_job, p_node) returning id, started_at into run_id, began_at;
      end $$`);
    this.addSql(`select own_by_definer('begin_job_run(text,text)')`);
    this.addSql(`
      create function end_job_run(p_id bigint, p_outcome text, p_counts jsonb, p_error text) returns void
      language plpgsql as $$
      declare
        of_job text;
      begin
        update job_runs set finished_at = clock_timestamp(), outcome = p_outcome, counts = p_counts, error_code = p_error
        where id = p_id returning job into of_job;
        delete from job_runs where job = of_job and id <= (
          select r.id from job_runs r where r.job = of_job order by r.id desc offset 300 limit 1);
      end $$`);
    this.addSql(`select own_by_definer('end_job_run(bigint,text,jsonb,text)')`);
    this.addSql(`
      create function recent_job_runs(p_limit integer)
      returns table (id bigint, job text, node text, started_at timestamptz, finished_at timestamptz, outcome text,
        counts jsonb, error_code text)
      language sql stable as $$
        select r.id, r.job, r.node, r.started_at, r.finished_at, r.outcome, r.counts, r.error_code
        from (select distinct j.job from job_runs j) jobs
        cross join lateral (select * from job_runs of_job where of_job.job = jobs.job order by of_job.id desc limit p_limit) r
        order by r.job, r.id desc
      $$`);
    this.addSql(`select own_by_definer('recent_job_runs(integer)')`);
  }
}
