import type { Actor, Database, DomainEvent, Log, Scope } from '../platform/database/index.ts';
import type { Job, JobCounts } from '../platform/jobs/index.ts';
import { systemActor, type Tenancy, type TenantInfo } from '../tenancy/index.ts';
import { assignWaiting, type HandedOut } from './assignment/assign-waiting.ts';
import { giveBackUnanswered } from './assignment/give-back.ts';
import { type ClosingRun, closeIdle } from './closing/close-idle.ts';
import type { AvailabilityChanged } from './events.ts';
import { type BusinessClock, businessClock } from './hours/business-hours.ts';
import { trackPresence } from './presence/track-presence.ts';
import { type SupportState, supportState } from './queue/support-state.ts';
import { type ClockRun, watchResponseTimes } from './targets/response-clocks.ts';

/** What the desk is made from. */
export interface DeskDeps {
  readonly database: Database;
  readonly tenancy: Pick<Tenancy, 'tenant' | 'byId' | 'refresh' | 'ensureFresh'>;
  /** Everybody who is connected to this node. */
  readonly people: () => Iterable<Actor>;
  readonly log: Log;
}

/** The part of the desk that works by itself, on one node. */
export interface Desk {
  /** For domain events after commit: hands out what waits the moment somebody has room. */
  heard(event: DomainEvent): void;
  /** Opening hours and away message of the scope's tenant. */
  supportState(scope: Pick<Scope, 'tenant' | 'now'>): SupportState;
  /** Business time of the scope's tenant, by its settings from memory. */
  clock(scope: Pick<Scope, 'tenant'>): BusinessClock;
  /** Takes back what offline agents hold and hands out what waits, in one tenant at one time. */
  assign(tenantId: string, now?: Date): Promise<HandedOut & { readonly givenBack: number }>;
  /** Warns and closes, in one tenant at one time. */
  closeIdle(tenantId: string, now?: Date): Promise<ClosingRun>;
  /** Starts and ends the clocks of those who wait, in one tenant at one time. */
  watchResponseTimes(tenantId: string, now?: Date): Promise<ClockRun>;
  readonly jobs: readonly Job[];
  close(): Promise<void>;
}

/** After these somebody may have room, or somebody new may wait. */
const MAKES_ROOM: readonly string[] = [
  'conversation:started',
  'conversation:state',
  'desk:availability',
  'settings:changed',
];

const NOTHING_ASSIGNED = { assigned: 0, failed: 0, givenBack: 0 };

/** Opens the desk of one node and begins to note which agents are here. */
export function openDesk({ database, tenancy, people, log }: DeskDeps): Desk {
  const clocks = new WeakMap<TenantInfo, BusinessClock>();
  const assigning = new Map<string, { again: boolean }>();
  const underWay = new Set<Promise<unknown>>();
  let isClosed = false;

  const presence = trackPresence({
    people,
    inTenant: (tenantId, work) => inTenant(tenantId, undefined, work),
    onArrived: assignSoon,
    log,
  });

  function heard(event: DomainEvent): void {
    if (isClosed || !MAKES_ROOM.includes(event.type)) return;
    if (event.type === 'settings:changed') work(tenancy.refresh().then(() => assignSoon(event.tenantId)));
    else if (isAvailability(event)) {
      work(presence.seen(event.tenantId, event.adminId).then(() => assignSoon(event.tenantId)));
    } else assignSoon(event.tenantId);
  }

  /** One at a time in each tenant; what is told meanwhile is looked at once more afterwards. */
  function assignSoon(tenantId: string): void {
    const running = assigning.get(tenantId);
    if (running) {
      running.again = true;
      return;
    }
    if (isClosed) return;
    const turn = { again: false };
    assigning.set(tenantId, turn);
    work(
      handOut(tenantId).finally(() => {
        assigning.delete(tenantId);
        if (turn.again) assignSoon(tenantId);
      }),
    );
  }

  async function handOut(tenantId: string, now?: Date): Promise<HandedOut> {
    const tenant = await tenancy.byId(tenantId);
    if (!tenant || tenant.support.autoAssignMode === 'manual') return NOTHING_ASSIGNED;
    return inTenant(tenantId, now, (scope) => assignWaiting(scope, tenant.support, failedWith('not assigned')));
  }

  async function assign(tenantId: string, now?: Date) {
    const tenant = await tenancy.byId(tenantId);
    if (!tenant || tenant.support.autoAssignMode === 'manual') return NOTHING_ASSIGNED;
    const givenBack = await inTenant(tenantId, now, (scope) =>
      giveBackUnanswered(scope, tenant.support.autoAssignMode, failedWith('not given back')),
    );
    return { ...(await handOut(tenantId, now)), givenBack };
  }

  async function closeIdleIn(tenantId: string, now?: Date): Promise<ClosingRun> {
    const tenant = await tenancy.byId(tenantId);
    if (!tenant) return { warned: 0, closed: 0, failed: 0 };
    const { autoCloseAfterHours } = tenant.support;
    return inTenant(tenantId, now, (scope) =>
      closeIdle(scope, { autoCloseAfterHours, clock: clockOf(tenant) }, failedWith('not closed')),
    );
  }

  async function watchResponseTimesIn(tenantId: string, now?: Date): Promise<ClockRun> {
    const tenant = await tenancy.byId(tenantId);
    if (!tenant) return { started: 0, settled: 0, late: 0 };
    const targets = { settings: tenant.support, settingsVersion: tenant.supportVersion, clock: clockOf(tenant) };
    return inTenant(tenantId, now, (scope) => watchResponseTimes(scope, targets));
  }

  /** Made once for each version of a tenant, whose zone the hours may fall back to. */
  function clockOf(tenant: TenantInfo): BusinessClock {
    const made = clocks.get(tenant) ?? businessClock(tenant.support.businessHours, tenant.timeZone);
    clocks.set(tenant, made);
    return made;
  }

  /** The time is an argument, or the database's: what nodes compare must come from one clock. */
  async function inTenant<T>(
    tenantId: string,
    now: Date | undefined,
    inside: (scope: Scope) => Promise<T>,
  ): Promise<T> {
    const at = now ?? (await databaseTime(database));
    const tenant = { id: tenantId, slug: (await tenancy.byId(tenantId))?.slug ?? '' };
    return database.withScope(tenant, systemActor(tenantId), (scope) => inside({ ...scope, now: at }));
  }

  function failedWith(what: string): (error: unknown, conversationId: string) => void {
    return (error, conversationId) => log.error({ err: error, conversationId }, `a conversation was ${what}`);
  }

  function work(promise: Promise<unknown>): void {
    const settled = promise
      .catch((error: unknown) => {
        if (!isClosed) log.warn({ err: error }, 'the desk could not act at once; its next sweep does');
      })
      .finally(() => underWay.delete(settled));
    underWay.add(settled);
  }

  /** The same work in every tenant that has any; one that fails does not hold up the others. */
  function sweep(name: string, schedule: string, one: (tenantId: string, now: Date) => Promise<object>): Job {
    return {
      name,
      schedule,
      async run({ now }) {
        await tenancy.ensureFresh();
        const counts: Record<string, number> = { tenants: 0, failed: 0 };
        for (const tenantId of await tenantsWithWork(database)) {
          if (isClosed) break;
          counts['tenants'] = (counts['tenants'] ?? 0) + 1;
          try {
            addUp(counts, await one(tenantId, now));
          } catch (error) {
            counts['failed'] = (counts['failed'] ?? 0) + 1;
            log.error({ err: error, tenantId, job: name }, 'a job failed in one tenant');
          }
        }
        return counts;
      },
    };
  }

  return {
    heard,
    supportState({ tenant, now }) {
      const info = tenancy.tenant(tenant.id);
      return supportState({ now }, info.support, clockOf(info));
    },
    clock: ({ tenant }) => clockOf(tenancy.tenant(tenant.id)),
    assign,
    closeIdle: closeIdleIn,
    watchResponseTimes: watchResponseTimesIn,
    jobs: [
      sweep('desk.assign', '*/5 * * * * *', assign),
      sweep('desk.watch-response-times', '2-59/5 * * * * *', watchResponseTimesIn),
      sweep('desk.close-idle', '* * * * *', closeIdleIn),
    ],
    async close() {
      isClosed = true;
      presence.close();
      await Promise.allSettled(underWay);
    },
  };
}

async function databaseTime(database: Database): Promise<Date> {
  const { rows } = await database.systemPool.query<{ now: Date }>('select clock_timestamp() as now');
  const [row] = rows;
  if (!row) throw new Error('The database did not say what time it is.');
  return row.now;
}

async function tenantsWithWork(database: Database): Promise<string[]> {
  const { rows } = await database.systemPool.query<{ id: string }>('select id from desk_tenants()');
  return rows.map((row) => row.id);
}

function addUp(sum: JobCounts, more: object): void {
  for (const [name, count] of Object.entries(more)) {
    if (typeof count === 'number') sum[name] = (sum[name] ?? 0) + count;
  }
}

function isAvailability(event: DomainEvent): event is AvailabilityChanged {
  return event.type === 'desk:availability';
}
