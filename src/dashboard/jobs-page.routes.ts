import { admins, type Person } from '../identity/index.ts';
import { page, type Route, route } from '../platform/http/index.ts';
import { type JobRun, listJobRuns } from '../platform/jobs/index.ts';
import type { Show } from '../platform/views/index.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';

const RUNS_PER_JOB = 10;

/** One run as `views/dashboard/settings-jobs` takes it. */
interface RunView {
  readonly outcome: JobRun['outcome'];
  readonly startedAt: Date;
  /** Null while it runs, and for one that never said how it ended. */
  readonly seconds: number | null;
  readonly errorCode: string | null;
  /** What it counted, where there is only one company to count for. */
  readonly counts: readonly { readonly name: string; readonly count: number }[];
}

/** `/admin/settings/jobs`: what the installation does by itself, and how its last runs went. */
export function jobsPageRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person>({
      name: 'dashboard.jobs.list',
      method: 'GET',
      path: '/admin/settings/jobs',
      policy: admins('MANAGE_SUPPORT_SETTINGS'),
      face: 'page',
      async handle(scope, input) {
        const show = deps.views.for(deskReader(deps, scope, input));
        const runs = await listJobRuns(deps.messaging.database, RUNS_PER_JOB);
        // a job works for all companies at once: what it counted says something about the others
        const isAlone = (await deps.tenancy.active()).length === 1;
        const jobs = [...Map.groupBy(runs, ({ job }) => job)].map(([job, all]) => ({
          name: job,
          words: words(show, job),
          runs: all.map((run) => runView(run, isAlone)),
        }));
        return page(
          show.page('/dashboard/settings-jobs', { ...deskShell(deps, scope, show, '/admin/settings'), jobs }),
        );
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** A job's name in words; one that nobody wrote words for keeps its name. */
function words(show: Show, job: string): string {
  return show.t(`jobs.name.${job.replace(/\W/g, '_')}`, { defaultValue: job });
}

function runView({ outcome, startedAt, finishedAt, errorCode, counts }: JobRun, showsCounts: boolean): RunView {
  return {
    outcome,
    startedAt,
    seconds: finishedAt && Math.round((finishedAt.getTime() - startedAt.getTime()) / 100) / 10,
    errorCode,
    counts: showsCounts ? Object.entries(counts ?? {}).map(([name, count]) => ({ name, count })) : [],
  };
}
