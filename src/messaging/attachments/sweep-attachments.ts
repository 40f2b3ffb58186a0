import type { Database, Log, Scope } from '../../platform/database/index.ts';
import { transact } from '../../platform/database/index.ts';
import type { Job } from '../../platform/jobs/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { Attachment } from './attachment.entity.ts';
import type { Files } from './files.ts';
import { giveBackUsage } from './quota.ts';
import { forgetUpload } from './resume-upload.ts';
import { store } from './upload-attachment.ts';

/** What a sweep works with. */
export interface SweepDeps {
  readonly database: Database;
  readonly files: Files;
  readonly log: Log;
}

/** One that could not be looked into is left alone this long. */
const UNFINISHED_MS = 10_000;
/** What is in no message goes after a day. */
const UNSENT_MS = 24 * 3_600_000;
/** Bytes whose row may still be on its way into the database. */
const YOUNG_MS = 3_600_000;
const AT_ONCE = 200;

/** The timed work of attachments. */
export function attachmentJobs({ files }: { readonly files: Files }): readonly Job[] {
  return [
    {
      name: 'attachments.finish',
      schedule: '*/10 * * * * *',
      run: async ({ database, log, now }) => {
        await sweepRows({ database, files, log }, now);
        await sweepUploads({ database, files, log }, now);
      },
    },
    {
      name: 'attachments.orphans',
      schedule: '23 * * * *',
      run: async ({ database, log, now }) => {
        await files.staging.sweep();
        const removed = await removeOrphans({ database, files, log }, now);
        if (removed > 0) log.warn({ removed }, 'files without a row were removed');
      },
    },
  ];
}

interface DueRow {
  readonly tenant_id: string;
  readonly id: string;
  readonly state: string;
}

/** Finishes what was not looked into, and removes what is deleted, refused or was never sent. Repeatable. */
export async function sweepRows(deps: SweepDeps, now: Date): Promise<number> {
  const { database, log } = deps;
  const before = (ms: number) => new Date(now.getTime() - ms);
  const { rows: due } = await database.systemPool.query<DueRow>({
    name: 'attachments-due',
    text: 'select tenant_id, id, state from attachments_due($1, $2, $3)',
    values: [before(UNFINISHED_MS), before(UNSENT_MS), AT_ONCE],
  });
  let done = 0;
  let isTooEarly = false;
  for (const { tenant_id: tenantId, id, state } of due) {
    // where one could not be looked into, the next could not either
    if (state === 'processing' && isTooEarly) continue;
    try {
      const outcome = state === 'processing' ? await finish(deps, tenantId, id, before(UNSENT_MS)) : 'expired';
      isTooEarly = outcome === 'later';
      if (outcome === 'expired') await remove(deps, tenantId, id);
      done += 1;
    } catch (error) {
      log.warn({ err: error, attachmentId: id }, 'an attachment could not be swept; the next sweep tries again');
    }
  }
  return done;
}

function inTenant<T>({ database }: SweepDeps, tenantId: string, work: (scope: Scope) => Promise<T>): Promise<T> {
  return database.withScope({ id: tenantId, slug: '' }, systemActor(tenantId), work);
}

/** Looks into a file that nobody could look into when it came. */
async function finish(
  deps: SweepDeps,
  tenantId: string,
  id: string,
  expired: Date,
): Promise<'expired' | 'looked' | 'later'> {
  const { files } = deps;
  const row = await inTenant(deps, tenantId, (scope) => scope.em.findOne(Attachment, { id, state: 'processing' }));
  if (!row) return 'looked';
  if (row.createdAt < expired) return 'expired';
  const { turn } = files.intake.again(tenantId);
  const staged = await files.staging.stage(await files.storage.open(row.secureStoragePath), undefined, turn);
  try {
    const examined = await files.examine(staged, row.mediaType);
    // the row's time moves, so that the others get their turn
    if (examined.kind === 'later') {
      await change(deps, tenantId, id, {});
      return 'later';
    }
    if (examined.kind === 'refused') {
      await change(deps, tenantId, id, { state: 'refused', refusedCode: examined.code });
      await files.storage.remove(row.secureStoragePath);
    } else if (examined.kind === 'opaque') await change(deps, tenantId, id, { state: 'ready' });
    else {
      const kept = await store({ files }, { staged }, examined);
      const { path: secureStoragePath, state, size, sha256, thumbnailPath, thumbnailSize, width, height } = kept;
      const changed = { state, secureStoragePath, size, sha256, thumbnailPath, thumbnailSize, width, height };
      await change(deps, tenantId, id, changed);
      await files.storage.remove(row.secureStoragePath);
    }
    return 'looked';
  } finally {
    await staged.discard();
  }
}

function change(deps: SweepDeps, tenantId: string, id: string, changed: Partial<Attachment>): Promise<number> {
  return inTenant(deps, tenantId, (scope) =>
    scope.em.nativeUpdate(Attachment, { id, state: 'processing' }, { ...changed, updatedAt: scope.now }),
  );
}

/** First nobody can use it any more, then its bytes go, then its row: whatever breaks in between is found again. */
async function remove(deps: SweepDeps, tenantId: string, id: string): Promise<void> {
  const { storage } = deps.files;
  const row = await inTenant(deps, tenantId, async (scope) => {
    const usable = { id, $or: [{ state: 'deleted' as const }, { messageId: null }] };
    const letGo = await scope.em.nativeUpdate(Attachment, usable, { state: 'deleted', updatedAt: scope.now });
    return letGo > 0 ? scope.em.findOne(Attachment, { id }) : null;
  });
  if (!row) return;
  for (const path of [row.secureStoragePath, row.thumbnailPath]) if (path) await storage.remove(path);
  await inTenant(deps, tenantId, (scope) =>
    transact(scope, async (inside) => {
      const gone = await inside.em.nativeDelete(Attachment, { id, state: 'deleted' });
      if (gone === 0) return;
      await giveBackUsage(inside, row.uploadedBy, row.size + (row.thumbnailSize ?? 0));
    }),
  );
}

/** Forgets uploads of which nothing has come for a day. Repeatable. */
export async function sweepUploads(deps: SweepDeps, now: Date): Promise<number> {
  const { rows: due } = await deps.database.systemPool.query<{ tenant_id: string; id: string }>({
    name: 'uploads-due',
    text: 'select tenant_id, id from uploads_due($1, $2)',
    values: [new Date(now.getTime() - UNSENT_MS), AT_ONCE],
  });
  for (const { tenant_id: tenantId, id } of due) {
    await inTenant(deps, tenantId, (scope) => forgetUpload(scope, deps, id));
  }
  return due.length;
}

/** Removes bytes that no row names, once they are old enough that none is on its way. */
export async function removeOrphans(deps: SweepDeps, now: Date, youngMs = YOUNG_MS): Promise<number> {
  let removed = 0;
  for await (const path of orphans(deps, new Date(now.getTime() - youngMs))) {
    await deps.files.storage.remove(path);
    removed += 1;
  }
  return removed;
}

/** Paths of the store that no row names, of files from before `olderThan`. */
export async function* orphans({ database, files }: SweepDeps, olderThan: Date): AsyncGenerator<string> {
  async function unknown(paths: readonly string[]): Promise<string[]> {
    const { rows: found } = await database.systemPool.query<{ path: string }>({
      name: 'unknown-storage-paths',
      text: 'select path from unknown_storage_paths($1)',
      values: [paths],
    });
    return found.map((one) => one.path);
  }
  let asked: string[] = [];
  for await (const { path, modifiedAt } of files.storage.list()) {
    if (modifiedAt > olderThan) continue;
    asked.push(path);
    if (asked.length < AT_ONCE) continue;
    yield* await unknown(asked);
    asked = [];
  }
  if (asked.length > 0) yield* await unknown(asked);
}
