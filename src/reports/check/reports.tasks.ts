import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import { StartError } from '../../platform/config/index.ts';
import { type Database, type Scope, transact } from '../../platform/database/index.ts';
import type { Task, TaskContext } from '../../platform/jobs/index.ts';
import { openTenancy, systemActor, type TenantInfo } from '../../tenancy/index.ts';
import { foldTenant, refoldAll } from '../model/fold-tenant.ts';
import { lockModel } from '../model/report-state.ts';
import { verifyTenant } from './verify-tenant.ts';

const TENANT = {
  tenant: { value: 'slug', summary: 'only this tenant; every one without' },
} as const;

/** `npm run task` for reports. */
export const reportTasks: readonly Task[] = [
  {
    name: 'reports:rebuild',
    summary: 'makes all that reports are made from anew, and proves it equal to the raw rows',
    options: TENANT,
    run: (context) =>
      eachTenant(context, async (scope, tenant) => {
        const { folded, days, months, years } = await rebuildTenant(scope, tenant);
        context.print(
          `${tenant.slug}: ${folded} conversations, ${days} days, ${months} months and ${years} years made anew`,
        );
        await proveTenant(context, scope, tenant);
      }),
  },
  {
    name: 'reports:verify',
    summary: 'compares all that reports are made from with a plain walk over the raw rows',
    options: TENANT,
    run: (context) => eachTenant(context, (scope, tenant) => proveTenant(context, scope, tenant)),
  },
];

/** Every conversation's facts, each once, and all sums, in place: whoever reads meanwhile sees whole numbers. */
export async function rebuildTenant(
  scope: Scope,
  tenant: TenantInfo,
): Promise<{ folded: number; days: number; months: number; years: number }> {
  await forgetOrphans(scope);
  const refolded = await refoldAll(scope, tenant);
  await transact(scope, async (inside) => {
    await lockModel(inside);
    // takes months and years along
    await rows(
      inside,
      sql`
        insert into report_dirty_days (tenant_id, day)
        select distinct tenant_id, start from report_cells where tenant_id = ${inside.tenant.id} and grain = 'day'
        on conflict do nothing`,
    );
  });
  // what had no facts yet, and the sums
  const { folded, days, months, years } = await foldTenant(scope, tenant, {
    batches: Number.POSITIVE_INFINITY,
    everything: true,
  });
  return { folded: refolded + folded, days, months, years };
}

/** Facts of nobody: nothing should leave any, and this is where it would show. */
async function forgetOrphans(scope: Scope): Promise<void> {
  for (const table of ['report_conversations', 'report_responses', 'report_activity']) {
    await transact(scope, async (inside) => {
      await lockModel(inside);
      await rows(
        inside,
        sql`
          select report_forget(${inside.tenant.id}, array(
            select distinct f.conversation_id from ${sql.table(table)} f
            where f.tenant_id = ${inside.tenant.id} and not exists (
              select from conversations c where c.id = f.conversation_id and c.tenant_id = f.tenant_id)))`,
      );
    });
  }
}

async function proveTenant(context: TaskContext, scope: Scope, tenant: TenantInfo): Promise<void> {
  const seen = await verifyTenant(scope, tenant);
  for (const difference of seen.differences) context.print(`${tenant.slug}: ${difference}`);
  if (seen.differences.length > 0) throw new StartError(`${tenant.slug}: the reports differ from the raw rows`);
  const behind = seen.behind > 0 ? `, ${seen.behind} moved since the last look` : '';
  context.print(
    `${tenant.slug}: equal to the raw rows: ${seen.conversations} conversations, ${seen.messages} messages, ${seen.days} days, ${seen.months} months, ${seen.years} years${behind}`,
  );
}

async function eachTenant(
  context: TaskContext,
  work: (scope: Scope, tenant: TenantInfo) => Promise<void>,
): Promise<void> {
  const database: Database = await context.database();
  const tenancy = await openTenancy({ database, log: context.log });
  try {
    const { tenant: slug } = context.options;
    const one = slug ? await tenancy.bySlug(slug) : null;
    if (slug && !one) throw new StartError(`there is no tenant ${slug}`);
    for (const tenant of one ? [one] : await tenancy.active()) {
      await database.withScope(tenant, systemActor(tenant.id), (scope) => work(scope, tenant));
    }
  } finally {
    await tenancy.close();
  }
}
