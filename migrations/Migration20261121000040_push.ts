import { Migration } from '@mikro-orm/migrations';

/**
 * Web push: the installation's own pair of keys, the devices that want to be told, and what they were told.
 *
 * The keys are one pair for all tenants and nodes, because a browser has one subscription for the whole origin. The
 * private one lies sealed with SECRET_KEY.
 */
export class Migration20261121000040_push extends Migration {
  override up(): void {
    this.keys();
    this.devices();
    this.pushes();
    this.looks();
  }

  private keys(): void {
    this.addSql(`
      create table push_keys (
        id int primary key default 1 check (id = 1),
        public_key text not null,
        sealed_private_key bytea not null,
        created_at timestamptz not null default clock_timestamp()
      )`);
    this.addSql(`alter table push_keys enable row level security`);
    this.addSql(`alter table push_keys force row level security`);
    this.addSql(`select open_to_definers('push_keys', 'select, insert, update')`);
    this.addSql(`
      create function push_key() returns table (public_key text, sealed_private_key bytea) language sql stable as $$
        select k.public_key, k.sealed_private_key from push_keys k
      $$`);
    this.addSql(`select own_by_definer('push_key()')`);
    // of many nodes that start at once the first one's pair holds; what could not be opened any more makes way
    this.addSql(`
      create function keep_push_key(p_public_key text, p_sealed bytea, p_instead_of text)
      returns table (public_key text, sealed_private_key bytea) language sql as $$
        insert into push_keys as k (public_key, sealed_private_key) values (p_public_key, p_sealed)
        on conflict (id) do update
          set public_key = excluded.public_key, sealed_private_key = excluded.sealed_private_key, created_at = clock_timestamp()
          where k.public_key = p_instead_of;
        select k.public_key, k.sealed_private_key from push_keys k
      $$`);
    this.addSql(`select own_by_definer('keep_push_key(text, bytea, text)')`);
  }

  private devices(): void {
    this.addSql(`
      create table push_subscriptions (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null references users (id) on delete cascade,
        session_id uuid not null references sessions (id) on delete cascade,
        endpoint text not null check (length(endpoint) between 1 and 1000),
        -- SHA-256; a browser belongs to whoever subscribed last with it
        endpoint_hash bytea not null unique,
        p256dh bytea not null check (octet_length(p256dh) = 65),
        auth bytea not null check (octet_length(auth) = 16),
        -- of ours, that the browser subscribed with
        public_key text not null,
        language text not null check (language ~ '^[a-z]{2}$'),
        created_at timestamptz not null,
        last_taken_at timestamptz
      )`);
    this.addSql(`create index push_subscriptions_of_user on push_subscriptions (tenant_id, user_id, created_at desc)`);
    this.addSql(`create index push_subscriptions_of_session on push_subscriptions (session_id)`);
    this.addSql(`select secure_table('push_subscriptions')`);
    this.addSql(`select open_to_definers('push_subscriptions', 'select, delete')`);

    // whoever has the address has the browser: it is theirs, whoever of whichever tenant had it before
    this.addSql(`
      create function release_push_endpoint(p_endpoint_hash bytea) returns void language sql as $$
        delete from push_subscriptions where endpoint_hash = p_endpoint_hash
      $$`);
    this.addSql(`select own_by_definer('release_push_endpoint(bytea)')`);

    // a session ends in many ways, and its devices in the same transaction
    this.addSql(`
      create function forget_devices_of_session() returns trigger language plpgsql as $$
      begin
        delete from push_subscriptions where session_id = new.id;
        return null;
      end $$`);
    this.addSql(`
      create trigger sessions_forget_devices after update of revoked_at on sessions
      for each row when (new.revoked_at is not null) execute function forget_devices_of_session()`);

    // what a person wants to be told and how; without a row everything is open
    this.addSql(`
      create table notice_choices (
        user_id uuid primary key references users (id) on delete cascade,
        tenant_id uuid not null references tenants (id),
        -- said no to push, and is not asked again
        no_push_at timestamptz,
        no_mail_at timestamptz
      )`);
    this.addSql(`select secure_table('notice_choices')`);
  }

  private pushes(): void {
    // answers that somebody is told of; its id is the event id, in every device's notice
    this.addSql(`
      create table answer_pushes (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        conversation_id uuid not null references conversations (id) on delete cascade,
        user_id uuid not null references users (id) on delete cascade,
        -- answers up to here are in this one or in an earlier one
        up_to_seq integer not null,
        created_at timestamptz not null
      )`);
    this.addSql(`create unique index answer_pushes_of_conversation on answer_pushes (conversation_id, up_to_seq)`);
    this.addSql(`create index answer_pushes_oldest on answer_pushes (created_at)`);
    this.addSql(`select secure_table('answer_pushes')`);
    this.addSql(`select open_to_definers('answer_pushes', 'select, delete')`);

    this.addSql(`
      create table push_deliveries (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        push_id uuid not null references answer_pushes (id) on delete cascade,
        subscription_id uuid not null references push_subscriptions (id) on delete cascade,
        state text not null default 'owed' check (state in ('owed', 'sent', 'cancelled', 'refused')),
        -- the service said when it wants to be asked again
        not_before timestamptz,
        settled_at timestamptz,
        unique (push_id, subscription_id)
      )`);
    this.addSql(`create index push_deliveries_of_subscription on push_deliveries (subscription_id)`);
    this.addSql(`select secure_table('push_deliveries')`);
  }

  /** Which answers lie unread whose users have a device: one statement for all tenants. */
  private looks(): void {
    this.addSql(`
      create table push_looks (id int primary key default 1 check (id = 1), looked_until timestamptz not null)`);
    this.addSql(`alter table push_looks enable row level security`);
    this.addSql(`alter table push_looks force row level security`);
    this.addSql(`select open_to_definers('push_looks', 'select, insert, update')`);
    this.addSql(`select open_to_definers('sessions', 'select, delete')`);
    this.addSql(`
      create function unpushed_answers(p_until timestamptz, p_limit int) returns table (
        tenant_id uuid, tenant_slug text, conversation_id uuid, user_id uuid, up_to_seq int
      ) language plpgsql stable as $$
      declare
        v_since timestamptz := greatest(
          -- what committed late stands before the place that was looked at
          (select l.looked_until from push_looks l) - interval '30 seconds', p_until - interval '6 hours');
      begin
        if not exists (select 1 from push_subscriptions) then return; end if;
        return query
          select t.id, t.slug, c.id, c.opened_by, a.seq
          from tenants t
          join conversations c on c.tenant_id = t.id and c.last_message_at > v_since and c.last_message_at <= p_until
            and c.unread_by_user > 0
          cross join lateral (
            select m.seq from messages m
            where m.conversation_id = c.id and m.tenant_id = c.tenant_id and m.seq > c.user_read_seq
              and m.sender_type = 'admin' and m.deleted_at is null
            order by m.seq desc limit 1) a
          where t.status = 'active'
            and exists (
              select 1 from push_subscriptions p
              join sessions s on s.id = p.session_id and s.revoked_at is null and s.expires_at > clock_timestamp()
              where p.tenant_id = c.tenant_id and p.user_id = c.opened_by)
            and not exists (
              select 1 from answer_pushes x where x.conversation_id = c.id and x.up_to_seq >= a.seq)
          order by c.last_message_at limit p_limit;
      end $$`);
    this.addSql(`select own_by_definer('unpushed_answers(timestamptz, int)')`);
    this.addSql(`
      create function looked_for_pushes(p_until timestamptz) returns void language sql as $$
        insert into push_looks as l (looked_until) values (p_until)
        on conflict (id) do update set looked_until = greatest(l.looked_until, excluded.looked_until);
        delete from answer_pushes where id in (
          select id from answer_pushes where created_at < p_until - interval '7 days' order by created_at limit 1000)
      $$`);
    this.addSql(`select own_by_definer('looked_for_pushes(timestamptz)')`);
  }
}
