import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { openFiles } from '../../messaging/index.ts';
import { StartError } from '../../platform/config/index.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Task, TaskContext } from '../../platform/jobs/index.ts';
import { openTenancy, systemActor, type TenantInfo } from '../../tenancy/index.ts';
import { erasePerson } from './erase-person.ts';
import { exportPerson } from './export-person.ts';
import { countExpired, deleteExpired } from './retention.ts';

const WHO = {
  tenant: { value: 'slug', summary: "the person's tenant", required: true },
  id: { value: 'uuid', summary: "the person's id here, as in the address of their profile", required: true },
} as const;

/** `npm run task` for privacy: what a person may ask for, and what is kept long enough. */
export const privacyTasks: readonly Task[] = [
  {
    name: 'person:export',
    summary: 'writes everything that is kept of one person into a JSON file, files included',
    options: { ...WHO, file: { value: 'path', summary: 'where to; must not exist yet', required: true } },
    async run(context) {
      const { tenant, id, database } = await personOf(context);
      const files = await filesOf(context, database);
      const path = context.options['file'] ?? '';
      const inScope = <T>(work: Parameters<typeof database.withScope<ReturnType<typeof systemActor>, T>>[2]) =>
        database.withScope(tenant, systemActor(tenant.id), work);
      const pieces = await inScope((scope) => exportPerson(scope, { storage: files.storage, inScope }, id));
      await pipeline(Readable.from(pieces), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      context.print(`written to ${path}`);
    },
  },
  {
    name: 'person:erase',
    summary: 'erases one person for good: conversations, files, sessions, and who they were',
    options: { ...WHO, yes: { summary: 'really', required: true } },
    async run(context) {
      const { tenant, id, database } = await personOf(context);
      const files = await filesOf(context, database);
      const gone = await database.withScope(tenant, systemActor(tenant.id), (scope) =>
        erasePerson(scope, files.storage, id),
      );
      context.print(`erased: ${gone.conversations} conversations, ${gone.messages} messages, ${gone.files} files`);
    },
  },
  {
    name: 'retention',
    summary: 'deletes conversations that were kept long enough, by the setting of each tenant',
    options: { 'dry-run': { summary: 'only counts them' } },
    async run(context) {
      const database = await context.database();
      const files = await filesOf(context, database);
      const tenancy = await openTenancy({ database, log: context.log });
      try {
        for (const tenant of await tenancy.active()) {
          const days = tenant.support.retentionDays;
          const count = await database.withScope(tenant, systemActor(tenant.id), async (scope) =>
            context.options['dry-run']
              ? countExpired(scope, days, scope.now)
              : (await deleteExpired(scope, files.storage, days, scope.now)).conversations,
          );
          const what = context.options['dry-run'] ? 'to delete' : 'deleted';
          context.print(
            `${tenant.slug}: ${count} conversations ${what} (${days || 'kept for ever'}${days ? ' days' : ''})`,
          );
        }
      } finally {
        await tenancy.close();
      }
    },
  },
];

async function personOf(context: TaskContext): Promise<{ tenant: TenantInfo; id: string; database: Database }> {
  const id = z.uuid().safeParse(context.options['id']);
  if (!id.success) throw new StartError('--id must be a UUID');
  const database = await context.database();
  const tenancy = await openTenancy({ database, log: context.log });
  const tenant = await tenancy.bySlug(context.options['tenant'] ?? '');
  await tenancy.close();
  if (!tenant) throw new StartError(`there is no tenant ${context.options['tenant']}`);
  return { tenant, id: id.data, database };
}

async function filesOf({ config, log }: TaskContext, database: Database) {
  const { rows } = await database.systemPool.query<{ now: Date }>('select now() as now');
  const now = rows[0]?.now.getTime() ?? 0;
  return openFiles({ config, log, clock: () => now });
}
