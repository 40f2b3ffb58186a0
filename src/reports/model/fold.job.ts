import type { Database, Log } from '../../platform/database/index.ts';
import type { Job } from '../../platform/jobs/index.ts';
import { systemActor, type Tenancy } from '../../tenancy/index.ts';
import { foldRestedTenant, foldTenant } from './fold-tenant.ts';

/** Batches of a run in one tenant: half a minute's work when there is very much to do. */
const BATCHES_A_RUN = 40;

/** Takes in what has happened, in every tenant; one that fails does not hold up the others. */
export function foldJobs(deps: { readonly tenancy: Pick<Tenancy, 'active'>; readonly log: Log }): Job[] {
  return [
    foldJob(deps, { name: 'reports.fold', schedule: '*/15 * * * * *', everything: false }),
    // what came by another way than ours, e.g. old data brought in
    foldJob(deps, { name: 'reports.look-at-everything', schedule: '17 3 * * *', everything: true }),
  ];
}

function foldJob(
  { tenancy, log }: { readonly tenancy: Pick<Tenancy, 'active'>; readonly log: Log },
  { name, schedule, everything }: Pick<Job, 'name' | 'schedule'> & { everything: boolean },
): Job {
  return {
    name,
    schedule,
    run: async ({ database }: { database: Database }) => {
      const counts = { folded: 0, days: 0, failed: 0 };
      for (const tenant of await tenancy.active()) {
        try {
          const run = await database.withScope(tenant, systemActor(tenant.id), (scope) =>
            everything
              ? foldTenant(scope, tenant, { batches: BATCHES_A_RUN, everything })
              : foldRestedTenant(scope, tenant, { batches: BATCHES_A_RUN }),
          );
          counts.folded += run?.folded ?? 0;
          counts.days += run?.days ?? 0;
        } catch (error) {
          counts.failed++;
          log.error({ err: error, tenantId: tenant.id, job: name }, 'a job failed in one tenant');
        }
      }
      return counts;
    },
  };
}
