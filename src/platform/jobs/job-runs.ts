import type { Database } from '../database/index.ts';

/** How a run ended. */
export interface JobRunEnd {
  readonly outcome: 'done' | 'failed';
  readonly counts?: Readonly<Record<string, number>> | null;
  /** The error's class or SQLSTATE. */
  readonly errorCode?: string;
}

/** A run that is under way, as the run log knows it. */
export interface BegunJobRun {
  /** By the database's clock. */
  readonly startedAt: Date;
  end(how: JobRunEnd): Promise<void>;
}

/** A run as the run log keeps it. */
export interface JobRun {
  readonly job: string;
  /** `host:pid`. */
  readonly node: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** `lost`: its node did not say how it ended. */
  readonly outcome: 'running' | 'done' | 'failed' | 'lost';
  readonly counts: Readonly<Record<string, number>> | null;
  readonly errorCode: string | null;
}

/** Writes down that a run begins. */
export async function beginJobRun(
  { systemPool }: Pick<Database, 'systemPool'>,
  job: string,
  node: string,
): Promise<BegunJobRun> {
  const { rows } = await systemPool.query<{ run_id: string; began_at: Date }>('select * from begin_job_run($1, $2)', [
    job,
    node,
  ]);
  const [begun] = rows;
  if (!begun) throw new Error('the run log did not answer');
  return {
    startedAt: begun.began_at,
    async end({ outcome, counts = null, errorCode }) {
      await systemPool.query('select end_job_run($1, $2, $3::jsonb, $4)', [
        begun.run_id,
        outcome,
        counts && JSON.stringify(counts),
        errorCode ?? null,
      ]);
    },
  };
}

/** The last runs of every job, by job and newest first; `perJob` of each at most. */
export async function listJobRuns({ systemPool }: Pick<Database, 'systemPool'>, perJob: number): Promise<JobRun[]> {
  const { rows } = await systemPool.query<JobRun>(
    `select job, node, started_at as "startedAt", finished_at as "finishedAt", outcome, counts, error_code as "errorCode"
     from recent_job_runs($1)`,
    [perJob],
  );
  return rows;
}
