import { forgetUser } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';
import type { Storage } from '../../platform/storage/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { type Erased, type ErasedRows, eraseConversations, plus, removeBytes } from './erase-conversations.ts';
import { refuseHeld } from './legal-hold.ts';

/**
 * Erases one of the host's users: their conversations with all that was said, noted, sent and rated in them, their
 * sessions, and everything that says who they were. What stays is their id in the audit log, which leads to a stub.
 * What colleagues typed about them elsewhere is text of others and stays.
 * @throws Forbidden without MANAGE_PRIVACY; NotFound for nobody, and for admins; Conflict `legal_hold`.
 */
export async function erasePerson(scope: Scope, storage: Pick<Storage, 'remove'>, userId: string): Promise<Erased> {
  if (!scope.actor.can('MANAGE_PRIVACY')) throw new Forbidden();
  const gone = await transact(scope, async (inside) => {
    await refuseHeld(inside, userId);
    await forgetUser(inside, userId);
    const rows = await eraseTheirs(inside, userId);
    await inside.em.execute('delete from notice_choices where tenant_id = ? and user_id = ?::uuid', [
      inside.tenant.id,
      userId,
    ]);
    recordAudit(inside, {
      action: 'SUPPORT_PERSON_ERASED',
      entityType: 'user',
      entityId: userId,
      metadata: { conversations: rows.conversations, messages: rows.messages, files: rows.files },
    });
    await inside.em.flush();
    return rows;
  });
  await removeBytes(storage, gone.paths);
  // one that began while the lock was waited for
  const late = await transact(scope, (inside) => eraseTheirs(inside, userId));
  await removeBytes(storage, late.paths);
  return plus(gone, late);
}

async function eraseTheirs(scope: Scope, userId: string): Promise<ErasedRows> {
  const theirs = await scope.em.execute<{ id: string }[]>(
    'select id from conversations where tenant_id = ? and opened_by = ?::uuid',
    [scope.tenant.id, userId],
  );
  // what waits for a conversation of theirs to begin: the next sweep removes it
  await scope.em.execute(
    `update attachments set state = 'deleted', file_name = 'erased', updated_at = ?
     where tenant_id = ? and uploaded_by = ?::uuid and conversation_id is null`,
    [scope.now, scope.tenant.id, userId],
  );
  await scope.em.execute(
    `update attachment_uploads set file_name = 'erased', updated_at = '-infinity'
     where tenant_id = ? and uploaded_by = ?::uuid and conversation_id is null`,
    [scope.tenant.id, userId],
  );
  return eraseConversations(
    scope,
    theirs.map(({ id }) => id),
  );
}
