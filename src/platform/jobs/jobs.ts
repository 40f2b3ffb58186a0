import { hostname } from 'node:os';
import cron from 'node-cron';
import type pg from 'pg';
import type { Database, Log } from '../database/index.ts';
import { beginJobRun, type JobRunEnd } from './job-runs.ts';

/** What a run did, by name, e.g. `{closed: 3}`; for the run log. */
export type JobCounts = Record<string, number>;

/** Timed work. It may run twice for one tick (a node that loses the lead finishes what it began): make it repeatable. */
export interface Job {
  /** `wing.what`, e.g. `identity.sweep-sessions`. */
  readonly name: string;
  /** Cron expression in UTC, with seconds first when it has six fields. */
  readonly schedule: string;
  /** Resolves to what it counted (`JobCounts`), for the run log, or to anything else. */
  run(context: JobContext): Promise<unknown>;
}

/** What a job is given. It opens a scope per tenant itself, or calls a named cross-tenant function. */
interface JobContext {
  readonly database: Database;
  readonly log: Log;
  /** When the run began, by the database's clock: those of nodes may differ. */
  readonly now: Date;
}

/** The running cron table of one node. */
interface JobRunner {
  /** Runs a job now, here, whoever leads; for tests. */
  runNow(name: string): Promise<void>;
  /** Starts no more jobs, waits for those under way and gives the lead away. */
  stop(): Promise<void>;
}

/** Advisory lock (two-key form) that the leading node holds for as long as it is awake. */
const LEADER_LOCK = [7256, 1] as const;
/** A leader that says nothing for so long leads no longer. */
const LEASE_MS = 10_000;
const RENEW_EVERY_MS = 2_500;

/**
 * Starts the cron table. Every node has it; at each tick only the node that holds the leader lock does the work. When
 * that node dies, PostgreSQL frees the lock and the next tick of another node takes it.
 */
export function startJobs(jobs: readonly Job[], { database, log }: Pick<JobContext, 'database' | 'log'>): JobRunner {
  const leadership = makeLeadership(database.systemPool);
  const underWay = new Set<Promise<void>>();
  const node = `${hostname()}:${process.pid}`;

  async function run(job: Job): Promise<void> {
    try {
      await runLogged(job);
    } catch (error) {
      log.error({ err: error, job: job.name }, 'job failed');
    }
  }

  /** Every run stands in the run log, those that fail too. */
  async function runLogged(job: Job): Promise<void> {
    const { startedAt, end } = await beginJobRun(database, job.name, node);
    try {
      const counts = await job.run({ database, log, now: startedAt });
      await end({ outcome: 'done', counts: isCounts(counts) ? counts : null });
    } catch (error) {
      await end(failure(error)).catch(() => {}); // why it failed matters more than that it could not be written down
      throw error;
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
      await runLogged(job);
    },
    async stop() {
      await Promise.all(table.map((task) => task.destroy()));
      await Promise.allSettled(underWay);
      leadership.giveUp();
    },
  };
}

function isCounts(value: unknown): value is JobCounts {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'number');
}

/** Never the error's text: it may hold what people wrote. */
function failure(error: unknown): JobRunEnd {
  const code = error instanceof Error ? ('code' in error ? String(error.code) : error.name) : 'unknown';
  return { outcome: 'failed', errorCode: code.slice(0, 100) };
}

/**
 * Asks for the leader lock when it is not ours yet, and keeps it on a connection of its own. The lead has to be renewed:
 * PostgreSQL ends the session of a leader that was frozen, and with it the lock, so that another node leads meanwhile;
 * one that wakes knows by its own clock that it leads no longer.
 */
function makeLeadership(pool: pg.Pool) {
  let lead: { readonly client: pg.PoolClient; readonly timer: NodeJS.Timeout; renewedAt: number } | undefined;
  let asking: Promise<boolean> | undefined;

  async function ask(): Promise<boolean> {
    const askedAt = performance.now();
    const client = await pool.connect();
    try {
      const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1, $2) as mine', [
        ...LEADER_LOCK,
      ]);
      if (!rows[0]?.mine) {
        client.release();
        return false;
      }
      await client.query(`set idle_session_timeout = ${LEASE_MS}`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    const timer = setInterval(() => void renew(client), RENEW_EVERY_MS).unref();
    lead = { client, timer, renewedAt: askedAt };
    // With the connection the lock is gone.
    client.once('end', () => giveUp(client));
    return true;
  }

  async function renew(client: pg.PoolClient): Promise<void> {
    const askedAt = performance.now();
    try {
      await client.query('select 1');
      if (lead?.client === client) lead.renewedAt = askedAt;
    } catch {
      giveUp(client);
    }
  }

  function giveUp(client = lead?.client): void {
    if (!client || lead?.client !== client) return;
    clearInterval(lead.timer);
    lead = undefined;
    client.release(true);
  }

  return {
    async isMine(): Promise<boolean> {
      if (lead && performance.now() - lead.renewedAt < LEASE_MS) return true;
      giveUp();
      asking ??= ask()
        .catch(() => false)
        .finally(() => {
          asking = undefined;
        });
      return asking;
    },
    giveUp: () => giveUp(),
  };
}
