import { CompiledQuery } from 'kysely';
import { type Db, type JobResult, type JobWithMetadata, PgBoss } from 'pg-boss';
import { z } from 'zod';
import { type Actor, type Database, isInTransaction, type Log, type Scope } from '../database/index.ts';

/** The schema that migrations made for pg-boss. */
const SCHEMA = 'jobs';

/** One thing that has to happen outside the database because of something that was committed. */
export interface Delivery {
  /** The same at every try: whoever receives it can tell a repeat by it. UUID. */
  readonly eventId: string;
  /** 1 at the first try. */
  readonly attempt: number;
  /** Aborted when this try has lost its claim (it took too long) or the process leaves without waiting. */
  readonly signal: AbortSignal;
}

/** A kind of effect outside the process, declared by the wing that owns it. */
export interface Effect<D extends object = object> {
  /** `wing.what`, e.g. `reach.answer-mail`; also the queue's name. */
  readonly name: string;
  /** What the job carries: ids only, because the queue has no fence between tenants. */
  readonly data: z.ZodType<D>;
  /** Jobs that a node takes at once and works on side by side (1): for many that each take little. */
  readonly atOnce?: number;
  /**
   * Does it. The scope is bound to the tenant the event came from, and its actor has no capability: rights are asked
   * for whoever the effect is for, now. Runs at least once; throwing means "again later".
   */
  run(scope: Scope, data: D, delivery: Delivery): Promise<void>;
}

/** Jobs that survive the process: written in the transaction that causes them, done by whichever node is there. */
export interface DurableQueue {
  /**
   * Writes the event inside the caller's transaction: it is there exactly if the transaction commits.
   * @param event `id` is stable, the same id twice is one event
   * @throws Error outside of `transact()`
   */
  enqueue<D extends object>(
    scope: Scope,
    effect: Effect<D>,
    event: { readonly id: string; readonly data: D },
  ): Promise<void>;
  /** Takes no more jobs, waits for those under way (8 s at most; what is cut short is tried again elsewhere). */
  close(): Promise<void>;
}

/** How often and how long. All in seconds. */
export interface QueueTiming {
  /** Between two looks for work. */
  readonly poll: number;
  /** A try that takes longer is given to somebody else; longer than any effect may take. */
  readonly expire: number;
  /** How often tries of dead workers are looked for. */
  readonly supervise: number;
  /** Tries after the first. */
  readonly retryLimit: number;
  /** Before the second try; doubles, half of it at random. */
  readonly retryDelay: number;
  readonly retryDelayMax: number;
}

/** About a day and a half of tries. */
const TIMING: QueueTiming = {
  poll: 2,
  expire: 90,
  supervise: 30,
  retryLimit: 40,
  retryDelay: 5,
  retryDelayMax: 3_600,
};

/** Jobs of one kind under way at once on one node. */
const CONCURRENCY = 2;
const MAX_CONNECTIONS = 3;
const DRAIN_MS = 8_000;

/** What a job holds. The event's id stands here too: a dead letter that is revived becomes a job of another id. */
const Envelope = z.object({
  eventId: z.uuid(),
  tenant: z.object({ id: z.uuid(), slug: z.string() }),
  data: z.unknown(),
});

/**
 * Opens the queue and begins to work on the effects. pg-boss has a small pool of its own, as the app's role: a direct
 * query on the ORM's pool would inherit somebody's tenant. Each job gets a scope of its own tenant, so row-level
 * security holds in jobs as it does in requests. A job that fails too often goes to `<name>.dead` and is told as an
 * error; its neighbours go on.
 */
export async function openDurableQueue({
  database,
  log,
  effects,
  timing = TIMING,
}: {
  readonly database: Database;
  readonly log: Log;
  readonly effects: readonly Effect[];
  readonly timing?: QueueTiming;
}): Promise<DurableQueue> {
  const boss = makeBoss(database, timing.supervise);
  // a lost connection or a slow look; pg-boss goes on by itself
  boss.on('error', (error: Error) => log.warn({ err: error }, 'the durable queue stumbled'));
  await boss.start();
  for (const effect of effects) {
    await boss.createQueue(deadName(effect.name));
    await boss.createQueue(effect.name, { ...tries(timing), deadLetter: deadName(effect.name) });
    await boss.work(
      effect.name,
      {
        includeMetadata: true,
        batchSize: effect.atOnce ?? 1,
        burstWhenBatchFull: true,
        perJobResults: true,
        localConcurrency: CONCURRENCY,
        pollingIntervalSeconds: timing.poll,
      },
      (jobs: JobWithMetadata<object>[]) => Promise.all(jobs.map((job) => settled(effect, job))),
    );
  }

  /** Jobs of one batch do not share their fate. */
  async function settled(effect: Effect, job: JobWithMetadata<object>): Promise<JobResult> {
    try {
      await run(effect, job);
      return { id: job.id, status: 'completed' };
    } catch (error) {
      return { id: job.id, status: 'failed', output: { message: (error as Error).message } }; // `run` throws nothing else
    }
  }

  async function run(effect: Effect, job: JobWithMetadata<object>): Promise<void> {
    const about = { effect: effect.name, jobId: job.id, attempt: job.retryCount + 1 };
    try {
      const { eventId, tenant, data } = Envelope.parse(job.data);
      const delivery = { eventId, attempt: about.attempt, signal: job.signal };
      await database.withScope(tenant, jobActor(tenant.id), (scope) =>
        effect.run(scope, effect.data.parse(data), delivery),
      );
    } catch (error) {
      // what the other side said may hold addresses: its code is enough
      const reason = error instanceof Error ? { name: error.name, code: codeOf(error) } : {};
      if (job.retryCount >= job.retryLimit) log.error({ ...about, reason }, 'an effect failed for good (dead letter)');
      else log.warn({ ...about, reason }, 'an effect failed and is tried again');
      throw new Error(`${reason.name ?? 'failed'} ${reason.code ?? ''}`.trim());
    }
  }

  return {
    async enqueue(scope, effect, { id, data }) {
      if (!isInTransaction(scope)) throw new Error('An effect was enqueued outside of a transaction.');
      const envelope = { eventId: id, tenant: { id: scope.tenant.id, slug: scope.tenant.slug }, data };
      await boss.send(effect.name, envelope, { id, db: onConnectionOf(scope), ...tries(timing) });
    },
    close: () => boss.stop({ graceful: true, timeout: DRAIN_MS }),
  };
}

/**
 * Gives every dead letter all of its tries again, when what was in its way is gone.
 * @returns how many there were
 */
export async function reviveDeadLetters(database: Database, log: Log): Promise<number> {
  const boss = makeBoss(database, TIMING.supervise);
  boss.on('error', (error: Error) => log.warn({ err: error }, 'the durable queue stumbled'));
  await boss.start();
  try {
    let revived = 0;
    for (const { name } of await boss.getQueues()) {
      if (name.endsWith(DEAD)) revived += await boss.redrive(name);
    }
    return revived;
  } finally {
    await boss.stop({ graceful: true, timeout: DRAIN_MS });
  }
}

function makeBoss(database: Database, superviseSeconds: number): PgBoss {
  const { connectionString, options } = database.systemPool.options;
  return new PgBoss({
    ...(connectionString ? { connectionString } : {}),
    ...(options ? { options } : {}),
    application_name: 'safego-support-jobs',
    max: MAX_CONNECTIONS,
    schema: SCHEMA,
    // the owner's business, not the app's
    migrate: false,
    createSchema: false,
    reindex: false,
    monitorVacuum: false,
    // timed work has a table of its own (jobs.ts)
    schedule: false,
    superviseIntervalSeconds: superviseSeconds,
    monitorIntervalSeconds: superviseSeconds,
  });
}

function tries({ expire, retryLimit, retryDelay, retryDelayMax }: QueueTiming) {
  return { expireInSeconds: expire, retryLimit, retryDelay, retryDelayMax, retryBackoff: true };
}

const DEAD = '.dead';

/** Where events of a kind end up that failed too often. */
function deadName(name: string): string {
  return `${name}${DEAD}`;
}

/** pg-boss's statements on the connection of the scope's transaction. */
function onConnectionOf(scope: Scope): Db {
  const kysely = scope.em.getKysely();
  return {
    async executeSql(text, values = []) {
      const { rows } = await kysely.executeQuery(CompiledQuery.raw(text, [...values]));
      return { rows };
    },
  };
}

/** Nobody: whatever a job may do follows from whom it is for. */
function jobActor(tenantId: string): Actor {
  return { id: 'system', tenantId, can: () => false };
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
