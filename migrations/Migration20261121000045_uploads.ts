import { Migration } from '@mikro-orm/migrations';

/**
 * Files that come in pieces, so that a line that drops costs one piece; and files that come before their conversation
 * does, for its first message. Pieces lie in the store like files do, so any node can go on with any upload.
 */
export class Migration20261121000045_uploads extends Migration {
  override up(): void {
    // null until the conversation is there; `came_first` stays, so that the same client id is known again afterwards
    this.addSql(`alter table attachments alter column conversation_id drop not null`);
    this.addSql(`alter table attachments add column came_first boolean not null default false`);
    this.addSql(
      `create unique index attachments_that_came_first on attachments (uploaded_by, client_id) where came_first`,
    );

    this.addSql(`
      create table attachment_uploads (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        conversation_id uuid references conversations (id) on delete cascade,
        uploaded_by uuid not null references users (id),
        client_id uuid not null,
        file_name text not null check (length(file_name) <= 300),
        -- what was announced, and counts as used already; and how much of it is here
        size bigint not null check (size > 0),
        received bigint not null default 0 check (received between 0 and size),
        created_at timestamptz not null,
        updated_at timestamptz not null
      )`);
    this.addSql(`create unique index attachment_uploads_by_client_id on attachment_uploads (uploaded_by, client_id)`);
    this.addSql(`create index attachment_uploads_by_conversation on attachment_uploads (conversation_id)`);
    this.addSql(`create index attachment_uploads_by_age on attachment_uploads (updated_at)`);
    this.addSql(`select secure_table('attachment_uploads')`);
    this.addSql(`select open_to_definers('attachment_uploads', 'select')`);

    this.addSql(`
      create table attachment_chunks (
        upload_id uuid not null references attachment_uploads (id) on delete cascade,
        tenant_id uuid not null references tenants (id),
        -- place of its first byte
        starts_at bigint not null,
        size bigint not null check (size > 0),
        secure_storage_path text not null unique,
        primary key (upload_id, starts_at)
      )`);
    this.addSql(`select secure_table('attachment_chunks')`);
    this.addSql(`select open_to_definers('attachment_chunks', 'select')`);

    this.addSql(`
      create function uploads_due(p_before timestamptz, p_limit integer) returns table (tenant_id uuid, id uuid)
      language sql stable as $$
        select u.tenant_id, u.id from attachment_uploads u
        where u.updated_at < p_before order by u.updated_at limit p_limit
      $$`);
    this.addSql(`select own_by_definer('uploads_due(timestamptz, integer)')`);

    this.addSql(`
      create function unknown_storage_paths(p_paths text[]) returns table (path text)
      language sql stable as $$
        select p from unnest(p_paths) p
        where not exists (select from attachments a where a.secure_storage_path = p)
          and not exists (select from attachments a where a.thumbnail_path = p)
          and not exists (select from attachment_chunks c where c.secure_storage_path = p)
      $$`);
    this.addSql(`select own_by_definer('unknown_storage_paths(text[])')`);

    this.addSql(`
      create function chunk_paths(p_after text, p_limit integer) returns table (upload_id uuid, path text)
      language sql stable as $$
        select c.upload_id, c.secure_storage_path from attachment_chunks c
        where c.secure_storage_path > p_after order by c.secure_storage_path limit p_limit
      $$`);
    this.addSql(`select own_by_definer('chunk_paths(text, integer)')`);
  }
}
