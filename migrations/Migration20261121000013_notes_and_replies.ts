import { Migration } from '@mikro-orm/migrations';

/**
 * What staff say among themselves about a conversation, whom they named in it, and the answers they keep. One function
 * looks across tenants, and it gives numbers only: whose notes have gone on.
 */
export class Migration20261121000013_notes_and_replies extends Migration {
  override up(): void {
    this.addSql(`
      create table conversation_notes (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        conversation_id uuid not null references conversations (id) on delete cascade,
        -- 1, 2, 3 … in the conversation: place and version of the staff room's log; notes do not change
        version integer not null check (version > 0),
        -- the last message when it was written: the note stands behind it
        after_seq integer not null check (after_seq >= 0),
        author_id uuid not null references users (id),
        body text not null check (length(body) between 1 and 8000),
        client_id uuid not null,
        created_at timestamptz not null
      )`);
    this.addSql(`create unique index conversation_notes_by_version on conversation_notes (conversation_id, version)`);
    this.addSql(
      `create unique index conversation_notes_by_client_id on conversation_notes (conversation_id, author_id, client_id)`,
    );
    this.addSql(`select secure_table('conversation_notes', 'select, insert')`);

    this.addSql(`
      create table note_mentions (
        note_id uuid not null references conversation_notes (id) on delete cascade,
        user_id uuid not null references users (id),
        tenant_id uuid not null references tenants (id),
        conversation_id uuid not null references conversations (id) on delete cascade,
        created_at timestamptz not null,
        seen_at timestamptz,
        primary key (note_id, user_id)
      )`);
    this.addSql(`create index note_mentions_by_user on note_mentions (tenant_id, user_id, created_at desc)`);
    this.addSql(
      `create index note_mentions_unseen on note_mentions (tenant_id, user_id, conversation_id) where seen_at is null`,
    );
    this.addSql(`select secure_table('note_mentions', 'select, insert, update')`);

    this.addSql(`
      create table saved_replies (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        -- what is typed after the slash
        shortcut text not null check (shortcut ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
        title text not null check (length(title) between 1 and 120),
        body text not null check (length(body) between 1 and 8000),
        created_by uuid not null references users (id),
        updated_by uuid not null references users (id),
        created_at timestamptz not null,
        updated_at timestamptz not null,
        unique (tenant_id, shortcut)
      )`);
    this.addSql(`select secure_table('saved_replies')`);

    // the sweep for lost hints asks for many conversations of many tenants at once
    this.addSql(`select open_to_definers('conversation_notes', 'select')`);
    this.addSql(`
      create function notes_ahead(p_tenants uuid[], p_ids uuid[], p_versions integer[])
      returns table (tenant_id uuid, id uuid, version integer)
      language sql stable set enable_seqscan = off as $$
        select asked.tenant_id, asked.id, n.version
        from unnest(p_tenants, p_ids, p_versions) as asked (tenant_id, id, version)
        cross join lateral (
          select n.version from conversation_notes n where n.conversation_id = asked.id and n.tenant_id = asked.tenant_id
          order by n.version desc limit 1) n
        where n.version > asked.version
      $$`);
    this.addSql(`select own_by_definer('notes_ahead(uuid[],uuid[],integer[])')`);
  }
}
