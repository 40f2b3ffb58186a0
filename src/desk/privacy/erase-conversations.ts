import type { Scope } from '../../platform/database/index.ts';
import type { Storage } from '../../platform/storage/index.ts';

/** What went. */
export interface Erased {
  readonly conversations: number;
  readonly messages: number;
  readonly files: number;
}

/** What went, and where bytes still lie that no row names any more: remove them after the commit. */
export interface ErasedRows extends Erased {
  readonly paths: readonly string[];
}

/**
 * Deletes conversations with all that hangs on them, in the surrounding transaction; with `closedBefore` only those that
 * have been closed since. A writer who was faster finds the conversation kept, a later one finds none.
 */
export async function eraseConversations(
  scope: Scope,
  ids: readonly string[],
  closedBefore: Date | null = null,
): Promise<ErasedRows> {
  const tenantId = scope.tenant.id;
  const condition = closedBefore ? `and status = 'closed' and closed_at < ?::timestamptz` : '';
  const locked = await scope.em.execute<{ id: string }[]>(
    `select id from conversations where tenant_id = ? and id = any (?::uuid[]) ${condition} order by id for update`,
    [tenantId, uuids(ids), ...(closedBefore ? [closedBefore.toISOString()] : [])],
  );
  const going = uuids(locked.map(({ id }) => id));
  const files = await scope.em.execute<FileRow[]>(
    `select uploaded_by, (size + coalesce(thumbnail_size, 0))::text as bytes, secure_storage_path, thumbnail_path
     from attachments where tenant_id = ? and conversation_id = any (?::uuid[])`,
    [tenantId, going],
  );
  for (const file of files) {
    await scope.em.execute(
      `update attachment_usage set bytes = greatest(0, bytes - ?::bigint), files = greatest(0, files - 1)
       where tenant_id = ? and owner_id in (?::uuid, ?::uuid)`,
      [file.bytes, tenantId, tenantId, file.uploaded_by],
    );
  }
  const [gone] = await scope.em.execute<{ messages: number }[]>('select erase_conversations(?::uuid[]) as messages', [
    going,
  ]);
  return {
    conversations: locked.length,
    messages: gone?.messages ?? 0,
    files: files.length,
    paths: files.flatMap((file) => [file.secure_storage_path, file.thumbnail_path ?? []].flat()),
  };
}

interface FileRow {
  readonly uploaded_by: string;
  readonly bytes: string;
  readonly secure_storage_path: string;
  readonly thumbnail_path: string | null;
}

/** Removes bytes whose rows are gone; what fails is found by the sweep for orphans within the hour. */
export async function removeBytes(storage: Pick<Storage, 'remove'>, paths: readonly string[]): Promise<void> {
  for (const path of paths) await storage.remove(path).catch(() => {});
}

/** Adds up. */
export function plus(one: Erased, other: Erased): Erased {
  return {
    conversations: one.conversations + other.conversations,
    messages: one.messages + other.messages,
    files: one.files + other.files,
  };
}

/** As PostgreSQL reads a list of ids. */
function uuids(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}
