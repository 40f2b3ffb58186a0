import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { migrate, openDatabase } from '../../../src/platform/database/index.ts';
import { type Job, startJobs } from '../../../src/platform/jobs/index.ts';
import { newId } from '../../../src/platform/text/index.ts';
import type { Anomaly } from '../lab/checker.ts';
import { openLabPostgres } from '../lab/postgres.ts';
import { type Story, until } from './story.ts';

/** T-JB1: three nodes hold the same cron table of jobs that are due each second; each tick is one effect. */

const NODES = 3;
const JOBS = 10;
const silent = { info() {}, debug() {}, warn() {}, error() {} };

export const ticks: Story = async (options) => {
  const wanted = options.rounds ?? 50;
  const seconds = Math.ceil(wanted / JOBS);
  const postgres = options.database ? null : await openLabPostgres();
  const on = options.database ?? postgres;
  if (!on) throw new Error('ticks need a database');
  if (postgres) await migrate({ url: postgres.url, entities: [], log: silent });
  const admin = new pg.Pool({ connectionString: on.adminUrl, max: 2 });
  admin.on('error', () => {});
  const run = newId();
  // the lock that the leader holds is the database's: whoever else runs jobs there would lead instead
  const databases = await Promise.all(
    Array.from({ length: NODES }, () => openDatabase({ url: on.url, entities: [], log: silent })),
  );
  const effects: { job: string; node: number; at: number }[] = [];
  const runners = databases.map((database, node) =>
    startJobs(
      Array.from({ length: JOBS }, (_, at): Job => {
        const name = `lab.${run}.${at}`;
        return {
          name,
          schedule: '* * * * * *',
          run: async ({ now }) => void effects.push({ job: name, node, at: now.getTime() }),
        };
      }),
      { database, log: silent },
    ),
  );
  const anomalies: Anomaly[] = [];
  try {
    await until('somebody leads', () => effects.length >= JOBS, 20_000);
    // from the middle of one second to the middle of another
    await sleep(1_500 - (Date.now() % 1_000));
    const begun = Date.now();
    await sleep(seconds * 1_000);
    const ended = Date.now();
    // what was due at the last tick is written down
    await sleep(300);
    const within = effects.filter(({ at }) => at >= begun && at < ended);
    const leaders = new Set(within.map(({ node }) => node));
    for (const [job, done] of Map.groupBy(within, (one) => one.job)) {
      if (done.length > seconds)
        anomalies.push({ kind: 'duplicate', what: `${job}: ${done.length} in ${seconds} ticks` });
      // a process that gets no turn for a second misses one: the long form runs on a quiet machine
      if (options.isLong && done.length < seconds)
        anomalies.push({ kind: 'lost', what: `${job}: ${done.length} in ${seconds} ticks` });
    }
    const { rows } = await admin.query<{ runs: number }>(
      `select count(*)::int as runs from job_runs where job like $1 and outcome = 'done' and started_at >= $2 and started_at < $3`,
      [`lab.${run}.%`, new Date(begun), new Date(ended)],
    );
    if (rows[0]?.runs !== Math.min(within.length, JOBS * 300)) {
      anomalies.push({ kind: 'divergence', what: `${within.length} effects, ${rows[0]?.runs} in the run log` });
    }
    return {
      anomalies,
      rounds: within.length,
      facts: { nodes: NODES, ticks: seconds * JOBS, effects: within.length, leaders: leaders.size },
    };
  } finally {
    await Promise.all(runners.map((runner) => runner.stop()));
    await Promise.all(databases.map((database) => database.close()));
    await admin.query('delete from job_runs where job like $1', [`lab.${run}.%`]).catch(() => {});
    await admin.end();
    await postgres?.close();
  }
};
