import { Migration } from '@mikro-orm/migrations';

/**
 * Links in mails that sign in once, and one statement that finds the tenants whose conversations have to be looked
 * through for unread answers.
 */
export class Migration20261121000041_mail_links extends Migration {
  override up(): void {
    // its id is the mail's: however often a mail is tried, it bears the same link
    this.addSql(`
      create table sign_in_links (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        user_id uuid not null references users (id) on delete cascade,
        conversation_id uuid not null references conversations (id) on delete cascade,
        token_hash bytea not null unique,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        used_at timestamptz
      )`);
    this.addSql(`create index sign_in_links_of_user on sign_in_links (tenant_id, user_id)`);
    this.addSql(`create index sign_in_links_of_conversation on sign_in_links (conversation_id)`);
    this.addSql(`create index sign_in_links_expiry on sign_in_links (expires_at)`);
    this.addSql(`select secure_table('sign_in_links')`);
    this.addSql(`select open_to_definers('sign_in_links', 'select, delete')`);
    // also of a link that is spent: whoever is signed in as its person goes on to the conversation
    this.addSql(`
      create function sign_in_link_by_token(p_token_hash bytea) returns table (
        link_id uuid, tenant_id uuid, tenant_slug text, user_id uuid, user_type text, user_name text,
        conversation_id uuid, is_alive boolean
      ) language sql stable as $$
        select l.id, t.id, t.slug, u.id, u.user_type, u.name, l.conversation_id,
          l.used_at is null and l.expires_at > clock_timestamp()
        from sign_in_links l
        join tenants t on t.id = l.tenant_id and t.status = 'active'
        join users u on u.tenant_id = l.tenant_id and u.id = l.user_id and u.status = 'active' and u.user_type <> 'admin'
        where l.token_hash = p_token_hash
      $$`);
    this.addSql(`select own_by_definer('sign_in_link_by_token(bytea)')`);
    this.addSql(`
      create function sweep_sign_in_links() returns void language sql as $$
        delete from sign_in_links where id in (
          select id from sign_in_links where expires_at < clock_timestamp() - interval '7 days' order by expires_at limit 10000)
      $$`);
    this.addSql(`select own_by_definer('sweep_sign_in_links()')`);

    // of the tenants asked for, those with a conversation that fell quiet since their last look
    this.addSql(`select open_to_definers('answer_mail_sweeps')`);
    this.addSql(`
      create function tenants_fallen_quiet(p_tenant_ids uuid[], p_after_minutes int[]) returns table (tenant_id uuid)
      language sql stable as $$
        select asked.id
        from unnest(p_tenant_ids, p_after_minutes) as asked (id, minutes)
        left join answer_mail_sweeps s on s.tenant_id = asked.id
        where s.tenant_id is null or (asked.minutes > 0 and exists (
          select 1 from conversations c
          where c.tenant_id = asked.id
            and c.last_message_at > greatest(s.swept_until, clock_timestamp() - interval '24 hours')
            and c.last_message_at <= clock_timestamp() - make_interval(mins => asked.minutes)))
      $$`);
    this.addSql(`select own_by_definer('tenants_fallen_quiet(uuid[], int[])')`);
  }
}
