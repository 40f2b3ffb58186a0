import type { Scope } from '../../platform/database/index.ts';
import type { Storage } from '../../platform/storage/index.ts';
import { NOT_HELD } from './legal-hold.ts';

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
  const condition = closedBefore ? `and c.status = 'closed' and c.closed_at < ?::timestamptz and ${NOT_HELD}` : '';
  const locked = await scope.em.execute<{ id: string }[]>(
    `select c.id from conversations c where c.tenant_id = ? and c.id = any (?::uuid[]) ${condition} order by c.id for update`,
    [tenantId, uuids(ids), ...(closedBefore ? [closedBefore.toISOString()] : [])],
  );
  const going = uuids(locked.map(({ id }) => id));
  const files = await scope.em.execute<FileRow[]>(
    `select uploaded_by, (size + coalesce(thumbnail_size, 0))::text as bytes, secure_storage_path, thumbnail_path
     from attachments where tenant_id = ? and conversation_id = any (?::uuid[])`,
    [tenantId, going],
  );
  for (const file of files) {
    await giveBack(scope, file.uploaded_by, file.bytes);
  }
  const pieces = await eraseUploads(scope, going);
  const [gone] = await scope.em.execute<{ messages: number }[]>('select erase_conversations(?::uuid[]) as messages', [
    going,
  ]);
  return {
    conversations: locked.length,
    messages: gone?.messages ?? 0,
    files: files.length,
    paths: [...pieces, ...files.flatMap((file) => [file.secure_storage_path, file.thumbnail_path ?? []].flat())],
  };
}

/** Files that are still on their way there; gives the paths of their pieces. */
async function eraseUploads(scope: Scope, going: string): Promise<string[]> {
  const tenantId = scope.tenant.id;
  const uploads = await scope.em.execute<{ id: string; uploaded_by: string; bytes: string }[]>(
    `select id, uploaded_by, size::text as bytes from attachment_uploads
     where tenant_id = ? and conversation_id = any (?::uuid[])`,
    [tenantId, going],
  );
  const paths: string[] = [];
  for (const { id, uploaded_by: owner, bytes } of uploads) {
    const pieces = await scope.em.execute<{ secure_storage_path: string }[]>(
      'select secure_storage_path from attachment_chunks where tenant_id = ? and upload_id = ?::uuid',
      [tenantId, id],
    );
    paths.push(...pieces.map((piece) => piece.secure_storage_path));
    await giveBack(scope, owner, bytes);
  }
  return paths;
}

async function giveBack(scope: Scope, owner: string, bytes: string): Promise<void> {
  const tenantId = scope.tenant.id;
  await scope.em.execute(
    `update attachment_usage set bytes = greatest(0, bytes - ?::bigint), files = greatest(0, files - 1)
     where tenant_id = ? and owner_id in (?::uuid, ?::uuid)`,
    [bytes, tenantId, tenantId, owner],
  );
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
