import { type Scope, transact } from '../../platform/database/index.ts';
import type { Job } from '../../platform/jobs/index.ts';
import type { Storage } from '../../platform/storage/index.ts';
import { recordAudit, systemActor, type Tenancy } from '../../tenancy/index.ts';
import { type Erased, eraseConversations, plus, removeBytes } from './erase-conversations.ts';
import { NOT_HELD } from './legal-hold.ts';

const AT_ONCE = 100;
const DAY_MS = 24 * 3_600_000;

/** How many conversations the next run deletes with this setting; 0 days is none. Changes nothing. */
export async function countExpired(scope: Scope, retentionDays: number, now: Date): Promise<number> {
  if (retentionDays === 0) return 0;
  const [row] = await scope.em.execute<{ count: number }[]>(
    `select count(*)::int as count from conversations c
     where c.tenant_id = ? and c.status = 'closed' and c.closed_at < ?::timestamptz and ${NOT_HELD}`,
    [scope.tenant.id, limit(retentionDays, now).toISOString()],
  );
  return row?.count ?? 0;
}

/** Deletes conversations that have been closed for longer than the setting says, with all that hangs on them; held ones stay. */
export async function deleteExpired(
  scope: Scope,
  storage: Pick<Storage, 'remove'>,
  retentionDays: number,
  now: Date,
): Promise<Erased> {
  let gone: Erased = { conversations: 0, messages: 0, files: 0 };
  if (retentionDays === 0) return gone;
  const before = limit(retentionDays, now);
  for (;;) {
    const due = await scope.em.execute<{ id: string }[]>(
      `select c.id from conversations c
       where c.tenant_id = ? and c.status = 'closed' and c.closed_at < ?::timestamptz and ${NOT_HELD}
       order by c.closed_at limit ?`,
      [scope.tenant.id, before.toISOString(), AT_ONCE],
    );
    if (due.length === 0) return gone;
    const batch = await transact(scope, async (inside) => {
      const rows = await eraseConversations(
        inside,
        due.map(({ id }) => id),
        before,
      );
      recordAudit(inside, {
        action: 'SUPPORT_CONVERSATIONS_DELETED',
        entityType: 'tenant',
        entityId: inside.tenant.id,
        metadata: {
          retentionDays,
          conversations: rows.conversations,
          messages: rows.messages,
          files: rows.files,
        },
      });
      await inside.em.flush();
      return rows;
    });
    await removeBytes(storage, batch.paths);
    gone = plus(gone, batch);
  }
}

/** Deletes each night, in every tenant, what has been kept long enough. */
export function retentionJob(deps: {
  readonly tenancy: Pick<Tenancy, 'active'>;
  readonly storage: Pick<Storage, 'remove'>;
}): Job {
  return {
    name: 'desk.retention',
    schedule: '41 2 * * *',
    run: async ({ database, now }) => {
      let gone: Erased = { conversations: 0, messages: 0, files: 0 };
      for (const tenant of await deps.tenancy.active()) {
        const { retentionDays } = tenant.support;
        const deleted = await database.withScope(tenant, systemActor(tenant.id), (scope) =>
          deleteExpired(scope, deps.storage, retentionDays, now),
        );
        gone = plus(gone, deleted);
      }
      return { ...gone };
    },
  };
}

function limit(retentionDays: number, now: Date): Date {
  return new Date(now.getTime() - retentionDays * DAY_MS);
}
