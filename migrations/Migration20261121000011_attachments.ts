import { Migration } from '@mikro-orm/migrations';

/**
 * Files that people send: one row a file, what each person and each tenant uses, and the cross-tenant functions of the
 * sweeps. A row names bytes that are durable; a message names rows that are ready.
 */
export class Migration20261121000011_attachments extends Migration {
  override up(): void {
    this.addSql(`
      create table attachments (
        id uuid primary key,
        tenant_id uuid not null references tenants (id),
        conversation_id uuid not null references conversations (id) on delete cascade,
        -- null until a message is sent with it; no foreign key, as messages have none
        message_id uuid,
        uploaded_by uuid not null references users (id),
        client_id uuid not null,
        file_name text not null check (length(file_name) between 1 and 300),
        media_type text not null check (length(media_type) <= 100),
        -- of what is kept; source_sha256 is of what was sent, so that a repeat is known
        size bigint not null check (size >= 0),
        sha256 text not null,
        source_sha256 text not null,
        secure_storage_path text not null unique,
        thumbnail_path text unique,
        thumbnail_size bigint,
        width integer,
        height integer,
        state text not null check (state in ('processing', 'ready', 'refused', 'deleted')),
        refused_code text,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        check ((state = 'refused') = (refused_code is not null) or state = 'deleted'),
        check (message_id is null or state in ('ready', 'deleted'))
      )`);
    this.addSql(
      `create unique index attachments_by_client_id on attachments (conversation_id, uploaded_by, client_id)`,
    );
    this.addSql(`create index attachments_by_message on attachments (message_id) where message_id is not null`);
    this.addSql(
      `create index attachments_unfinished on attachments (updated_at) where state <> 'ready' or message_id is null`,
    );
    this.addSql(`select secure_table('attachments')`);
    this.addSql(`select open_to_definers('attachments', 'select')`);

    // owner_id is a person, or the tenant itself for its sum
    this.addSql(`
      create table attachment_usage (
        tenant_id uuid not null references tenants (id),
        owner_id uuid not null,
        bytes bigint not null default 0,
        files bigint not null default 0,
        primary key (tenant_id, owner_id)
      )`);
    this.addSql(`select secure_table('attachment_usage', 'select, insert, update')`);

    this.addSql(`
      create function attachments_due(p_unfinished_before timestamptz, p_unsent_before timestamptz, p_limit integer)
      returns table (tenant_id uuid, id uuid, state text)
      language sql stable as $$
        select a.tenant_id, a.id, a.state from attachments a
        where (a.state <> 'ready' or a.message_id is null)
          and ((a.state = 'deleted')
            or (a.state = 'processing' and a.updated_at < p_unfinished_before)
            or (a.message_id is null and a.updated_at < p_unsent_before))
        order by a.updated_at limit p_limit
      $$`);
    this.addSql(`select own_by_definer('attachments_due(timestamptz, timestamptz, integer)')`);

    this.addSql(`
      create function unknown_attachment_paths(p_paths text[]) returns table (path text)
      language sql stable as $$
        select p from unnest(p_paths) p
        where not exists (select from attachments a where a.secure_storage_path = p)
          and not exists (select from attachments a where a.thumbnail_path = p)
      $$`);
    this.addSql(`select own_by_definer('unknown_attachment_paths(text[])')`);

    this.addSql(`
      create function attachment_paths(p_after uuid, p_limit integer)
      returns table (id uuid, state text, secure_storage_path text, thumbnail_path text)
      language sql stable as $$
        select a.id, a.state, a.secure_storage_path, a.thumbnail_path from attachments a
        where a.id > p_after order by a.id limit p_limit
      $$`);
    this.addSql(`select own_by_definer('attachment_paths(uuid, integer)')`);
  }
}
