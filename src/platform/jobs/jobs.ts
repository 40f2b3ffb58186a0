import cron from 'node-cron';
import type pg from 'pg';
import type { Database, Log } from '../database/index.ts';

/** Timed work. It may run twice for one tick (a node that loses the lead finishes what it began): make it repeatable. */
export interface Job {
  /** `wing.what`, e.g. `identity.sweep-sessions`. */
  readonly name: string;
  /** Cron expression in UTC, with seconds first when it has six fields. */
  readonly schedule: string;
  run(context: JobContext): Promise<void>;
}

/** What a job is given. It opens a scope per tenant itself, or calls a named cross-tenant function. */
interface JobContext {
  readonly database: Database;
  readonly log: Log;
  /** When the run began. */
  readonly now: Date;
}

/** The running cron table of one node. */
interface JobRunner {
  /** Runs a job now, here, whoever leads; for tests. */
  runNow(name: string): Promise<void>;
  /** Starts no more jobs, waits for those under way and gives the lead away. */
  stop(): Promise<void>;
}

/** Advisory lock (two-key form) that the leading node holds for as long as it lives. */
const LEADER_LOCK = [7256, 1] as const;

/**
 * Starts the cron table. Every node has it; at each tick only the node that holds the leader lock does the work. When
 * that node dies, PostgreSQL frees the lock and the next tick of another node takes it.
 */
export function startJobs(jobs: readonly Job[], { database, log }: Pick<JobContext, 'database' | 'log'>): JobRunner {
  const leadership = makeLeadership(database.systemPool);
  const underWay = new Set<Promise<void>>();

  async function run(job: Job): Promise<void> {
    try {
      await job.run({ database, log, now: new Date() });
    } catch (error) {
      log.error({ err: error, job: job.name }, 'job failed');
    }
  }

  async function tick(job: Job): Promise<void> {
    const working = leadership.isMine().then((mine) => (mine ? run(job) : undefined));
    underWay.add(working);
    await working.finally(() => underWay.delete(working));
  }

  const table = jobs.map((job) =>
    cron.schedule(job.schedule, () => tick(job), { name: job.name, timezone: 'UTC', noOverlap: true }),
  );
  return {
    async runNow(name) {
      const job = jobs.find((one) => one.name === name);
      if (!job) throw new Error(`There is no job ${name}.`);
      await job.run({ database, log, now: new Date() });
    },
    async stop() {
      await Promise.all(table.map((task) => task.destroy()));
      await Promise.allSettled(underWay);
      leadership.giveUp();
    },
  };
}

/** Asks for the leader lock when it is not ours yet, and keeps it on a connection of its own. */
function makeLeadership(pool: pg.Pool) {
  let holder: pg.PoolClient | undefined;
  let asking: Promise<boolean> | undefined;

  async function ask(): Promise<boolean> {
    const client = await pool.connect();
    try {
      const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1, $2) as mine', [
        ...LEADER_LOCK,
      ]);
      if (!rows[0]?.mine) {
        client.release();
        return false;
      }
    } catch (error) {
      client.release(true);
      throw error;
    }
    // With the connection the lock is gone.
    client.once('end', () => {
      if (holder === client) holder = undefined;
    });
    holder = client;
    return true;
  }

  return {
    async isMine(): Promise<boolean> {
      if (holder) return true;
      asking ??= ask()
        .catch(() => false)
        .finally(() => {
          asking = undefined;
        });
      return asking;
    },
    giveUp(): void {
      holder?.release(true);
      holder = undefined;
    },
  };
}
