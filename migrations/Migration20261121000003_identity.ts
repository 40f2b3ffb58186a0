import { Migration } from '@mikro-orm/migrations';

/**
 * Who people are and what they may do: users mirrored from hosts, roles, sessions, the keys by which hosts vouch, and
 * the log of access changes that every node follows. Secrets of hosts lie sealed; of tokens only hashes are kept.
 * Foreign keys between them are checked at commit: one flush writes them in whatever order the ORM likes.
 */
export class Migration20261121000003_identity extends Migration {
  override up(): void {
    this.users();
    this.roles();
    this.sessions();
    this.hostKeys();
    this.passwordSignIn();
    this.lookUps();
  }

  private users(): void {
    this.addSql(`
      create table users (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        user_type text not null,
        issuer text not null,
        sub text not null,
        name text not null,
        email text,
        phone text,
        country text,
        locale text,
        profile jsonb not null default '{}',
        profile_at timestamptz,
        context jsonb,
        context_at timestamptz,
        password_hash text,
        status text not null default 'active' check (status in ('active', 'deactivated')),
        access_version int not null default 1,
        last_seen_at timestamptz,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        unique (tenant_id, user_type, issuer, sub),
        unique (tenant_id, id)
      )`);
    // email is no identity; it only names the one admin who has a password here
    this.addSql(
      `create unique index users_password_email on users (tenant_id, email) where user_type = 'admin' and password_hash is not null`,
    );
    this.addSql(`create index users_email on users (tenant_id, email text_pattern_ops) where email is not null`);
    this.addSql(`select secure_table('users')`);
  }

  private roles(): void {
    this.addSql(`
      create table roles (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        name text not null,
        label text not null,
        capabilities text[] not null,
        is_builtin boolean not null default false,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        unique (tenant_id, name),
        unique (tenant_id, id)
      )`);
    this.addSql(`select secure_table('roles')`);

    this.addSql(`
      create table role_assignments (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null,
        role_id uuid not null,
        assigned_by text not null,
        assigned_at timestamptz not null,
        unique (tenant_id, user_id, role_id),
        foreign key (tenant_id, user_id) references users (tenant_id, id) deferrable initially deferred,
        foreign key (tenant_id, role_id) references roles (tenant_id, id) deferrable initially deferred
      )`);
    this.addSql(`create index role_assignments_of_role on role_assignments (tenant_id, role_id)`);
    this.addSql(`select secure_table('role_assignments')`);
  }

  private sessions(): void {
    this.addSql(`
      create table sessions (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null,
        token_hash bytea not null unique,
        kind text not null check (kind in ('browser', 'api')),
        context jsonb,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        revoked_at timestamptz,
        foreign key (tenant_id, user_id) references users (tenant_id, id) deferrable initially deferred
      )`);
    this.addSql(`create index sessions_of_user on sessions (tenant_id, user_id) where revoked_at is null`);
    this.addSql(`create index sessions_expiry on sessions (expires_at)`);
    this.addSql(`select secure_table('sessions')`);

    this.addSql(`
      create table access_changes (
        id bigint generated always as identity primary key,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null,
        session_id uuid,
        changed_xid xid8 not null default pg_current_xact_id(),
        created_at timestamptz not null default clock_timestamp()
      )`);
    this.addSql(`create index access_changes_changed on access_changes (changed_xid)`);
    this.addSql(`select secure_table('access_changes', 'select, insert')`);
  }

  private hostKeys(): void {
    this.addSql(`
      create table host_keys (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        kid text not null check (length(kid) between 1 and 100),
        issuer text not null check (length(issuer) between 1 and 200),
        algorithm text not null check (algorithm in ('HS256', 'RS256', 'ES256')),
        sealed_secret bytea,
        public_key text,
        created_at timestamptz not null,
        expires_at timestamptz,
        unique (tenant_id, kid),
        check ((algorithm = 'HS256') = (sealed_secret is not null)),
        check ((algorithm <> 'HS256') = (public_key is not null))
      )`);
    this.addSql(`select secure_table('host_keys')`);

    this.addSql(`
      create table host_token_uses (
        tenant_id uuid not null references tenants (id),
        issuer text not null,
        jti text not null,
        expires_at timestamptz not null,
        primary key (tenant_id, issuer, jti)
      )`);
    this.addSql(`create index host_token_uses_expiry on host_token_uses (expires_at)`);
    this.addSql(`select secure_table('host_token_uses', 'select, insert, delete')`);
  }

  private passwordSignIn(): void {
    this.addSql(`
      create table password_links (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null,
        token_hash bytea not null unique,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        used_at timestamptz,
        foreign key (tenant_id, user_id) references users (tenant_id, id) deferrable initially deferred
      )`);
    this.addSql(`select secure_table('password_links')`);

    // no tenant: who knocks has none yet. Keyed by a keyed hash of account and address, reached by functions only
    this.addSql(`
      create table sign_in_attempts (
        key bytea primary key,
        failures int not null,
        not_before timestamptz not null,
        last_at timestamptz not null
      )`);
    this.addSql(`alter table sign_in_attempts enable row level security`);
    this.addSql(`alter table sign_in_attempts force row level security`);
    this.addSql(`select open_to_definers('sign_in_attempts', 'select, insert, update, delete')`);
    // counts the attempt as failed before it is tried, so that a burst of guesses cannot run side by side;
    // returns the milliseconds to wait (0: go on). From the sixth failure on 1, 2, 4 … 300 seconds; forgotten after an hour
    this.addSql(`
      create function sign_in_attempt(p_key bytea) returns int language plpgsql as $$
      declare
        v_now timestamptz := clock_timestamp();
        v_row sign_in_attempts;
        v_failures int;
      begin
        insert into sign_in_attempts as a (key, failures, not_before, last_at) values (p_key, 0, v_now, v_now)
        on conflict (key) do update set key = a.key returning * into v_row;
        if v_row.last_at < v_now - interval '1 hour' then
          v_row.failures := 0;
          v_row.not_before := v_now;
        end if;
        if v_row.not_before > v_now then
          return ceil(extract(epoch from v_row.not_before - v_now) * 1000)::int;
        end if;
        v_failures := v_row.failures + 1;
        update sign_in_attempts set failures = v_failures, last_at = v_now, not_before = v_now + case
          when v_failures < 6 then interval '0' else least(power(2, least(v_failures - 6, 20)), 300) * interval '1 second' end
        where key = p_key;
        return 0;
      end $$`);
    this.addSql(`
      create function sign_in_succeeded(p_key bytea) returns void language sql as $$
        delete from sign_in_attempts where key = p_key
      $$`);
    this.addSql(`select own_by_definer('sign_in_attempt(bytea)')`);
    this.addSql(`select own_by_definer('sign_in_succeeded(bytea)')`);
  }

  /** What must be asked before a tenant is known. Each answers one question and takes only what nobody can guess, or is answered alike for all. */
  private lookUps(): void {
    for (const table of ['users', 'roles', 'role_assignments', 'password_links', 'host_keys']) {
      this.addSql(`select open_to_definers('${table}')`);
    }
    this.addSql(`select open_to_definers('sessions', 'select, delete')`);
    this.addSql(`select open_to_definers('access_changes', 'select, delete')`);
    this.addSql(`select open_to_definers('host_token_uses', 'select, delete')`);

    this.addSql(`
      create function session_by_token(p_token_hash bytea) returns table (
        session_id uuid, expires_at timestamptz, context jsonb, tenant_id uuid, tenant_slug text, user_id uuid,
        user_type text, name text, locale text, country text, access_version int, capabilities text[]
      ) language sql stable as $$
        select s.id, s.expires_at, s.context, t.id, t.slug, u.id, u.user_type, u.name, u.locale, u.country,
               u.access_version, coalesce(granted.capabilities, '{}')
        from sessions s
        join tenants t on t.id = s.tenant_id and t.status = 'active'
        join users u on u.tenant_id = s.tenant_id and u.id = s.user_id and u.status = 'active'
        left join lateral (
          select array_agg(distinct c.capability) as capabilities
          from role_assignments a
          join roles r on r.tenant_id = a.tenant_id and r.id = a.role_id
          cross join unnest(r.capabilities) as c (capability)
          where a.tenant_id = u.tenant_id and a.user_id = u.id and u.user_type = 'admin'
        ) granted on true
        where s.token_hash = p_token_hash and s.revoked_at is null and s.expires_at > clock_timestamp()
      $$`);
    this.addSql(`select own_by_definer('session_by_token(bytea)')`);

    this.addSql(`
      create function access_changes_since(p_since xid8) returns table (
        horizon text, id bigint, tenant_id uuid, user_id uuid, session_id uuid
      ) language sql stable as $$
        select pg_snapshot_xmin(pg_current_snapshot())::text, found.*
        from (select) one
        left join (
          select c.id, c.tenant_id, c.user_id, c.session_id from access_changes c where c.changed_xid >= p_since
        ) found on true
      $$`);
    this.addSql(`select own_by_definer('access_changes_since(xid8)')`);

    this.addSql(`
      create function admin_by_email(p_slug text, p_email text) returns table (
        tenant_id uuid, tenant_slug text, user_id uuid, issuer text, password_hash text
      ) language sql stable as $$
        select t.id, t.slug, u.id, u.issuer, u.password_hash
        from tenants t join users u on u.tenant_id = t.id
        where t.slug = p_slug and t.status = 'active' and u.email = p_email and u.user_type = 'admin'
          and u.password_hash is not null and u.status = 'active'
      $$`);
    this.addSql(`select own_by_definer('admin_by_email(text, text)')`);

    this.addSql(`
      create function password_link_by_token(p_token_hash bytea) returns table (
        link_id uuid, tenant_id uuid, tenant_slug text, user_id uuid
      ) language sql stable as $$
        select l.id, t.id, t.slug, l.user_id
        from password_links l
        join tenants t on t.id = l.tenant_id and t.status = 'active'
        join users u on u.tenant_id = l.tenant_id and u.id = l.user_id and u.status = 'active'
        where l.token_hash = p_token_hash and l.used_at is null and l.expires_at > clock_timestamp()
      $$`);
    this.addSql(`select own_by_definer('password_link_by_token(bytea)')`);

    this.addSql(`
      create function sweep_identity() returns void language sql as $$
        delete from host_token_uses where expires_at < clock_timestamp() - interval '10 minutes';
        delete from sessions where expires_at < clock_timestamp() - interval '30 days';
        delete from access_changes where created_at < clock_timestamp() - interval '1 day';
        delete from sign_in_attempts where last_at < clock_timestamp() - interval '1 day';
      $$`);
    this.addSql(`select own_by_definer('sweep_identity()')`);
  }
}
