import type { Server } from 'node:http';
import {
  apiRoutes,
  eventRoutes,
  fileRoutes,
  pageDialect,
  programDialect,
  SOCKET_LIMITS,
  socketGate,
} from './api/index.ts';
import { createApp, openAppViews } from './app.ts';
import { chatRoutes, demoRoutes } from './chat/index.ts';
import { dashboardRoutes, signInRoutes } from './dashboard/index.ts';
import { openDesk, openDeskLive, openQueueLive, privacyTasks, retentionJob } from './desk/index.ts';
import { allowDemoHost, identityJobs, identityTasks, openIdentity, type Person, seedDemo } from './identity/index.ts';
import { importsTasks } from './imports/index.ts';
import {
  attachmentJobs,
  attachmentsCheckTask,
  createAppender,
  type Messaging,
  openFiles,
  openLive,
  wordJobs,
} from './messaging/index.ts';
import type { ReadyConfig } from './platform/config/index.ts';
import type { Database, Log } from './platform/database/index.ts';
import { type BodyPatience, createHttpServer, createMetrics, type Route } from './platform/http/index.ts';
import { type Job, openDurableQueue, type Task } from './platform/jobs/index.ts';
import { openMailTransport, openPushTransport, type PushTransport } from './platform/outbound/index.ts';
import { createPdfPress } from './platform/pdf/index.ts';
import {
  type Backplane,
  Hub,
  measureHub,
  openPostgresBackplane,
  openRedisBackplane,
  type RoomKind,
  serveWebSockets,
} from './platform/realtime/index.ts';
import {
  answerMailEffect,
  answerMailJobs,
  answerPushEffect,
  answerPushJobs,
  createStopLinks,
  keepPushKeys,
  type MailReach,
  moveDevices,
  type PushReach,
  reachTasks,
  watchAnswers,
} from './reach/index.ts';
import { foldJobs, reportTasks, weeklyReportEffect, weeklyReportJobs } from './reports/index.ts';
import { auditJobs, openTenancy, recordRefusal, tenancyTasks } from './tenancy/index.ts';

/** What the wings are made from. */
export interface ModuleDeps {
  config: ReadyConfig;
  database: Database;
  log: Log;
  /** The line to the other nodes, when it is not PostgreSQL's. */
  backplane?: Backplane;
  /** How long bodies are waited for; for tests. */
  patience?: BodyPatience;
  /** `false`: assets go out as they are, which spares a start a second of work; for tests. */
  compress?: boolean;
}

/** The wings, mounted. */
export interface Modules {
  /** Not listening yet; its sockets are taken care of. */
  readonly server: Server;
  readonly jobs: readonly Job[];
  /** Every door and every kind of room: the tenancy test is made from them. */
  readonly routes: readonly Route[];
  readonly rooms: readonly RoomKind[];
  /** What `/readyz` says: a reason why not, or null. */
  setReadiness(reason: string | null): void;
  /** Told where it listens, before it says so. */
  listening(url: URL): Promise<void>;
  /** Closes every socket with 1012 and ends every event stream. */
  closeSockets(): Promise<void>;
  /** Lets go of what the wings hold: pools of their own, timers. */
  close(): Promise<void>;
}

/** `npm run task` knows these. */
export const tasks: readonly Task[] = [
  ...tenancyTasks,
  ...privacyTasks,
  ...identityTasks,
  attachmentsCheckTask,
  ...importsTasks,
  ...reachTasks,
  ...reportTasks,
];

/** Composition root: makes every wing's routes, event handlers, rooms and jobs, in the order of the house. */
export async function openModules(deps: ModuleDeps): Promise<Modules> {
  const { config, database, log } = deps;
  const tenancy = await openTenancy({ database, log });
  const identity = await openIdentity({ database, tenancy, log, config });
  const appender = createAppender({ database, log });
  const files = await openFiles({ config, log, clock: () => Date.now() });
  const messaging: Messaging = {
    database,
    appender,
    files,
    settings: (tenantId) => tenancy.supportSettings(tenantId),
    limits: config.limits,
    timeZone: (tenantId) => tenancy.tenant(tenantId).timeZone,
    reloadPerson: (person) => identity.reload(person),
  };
  const views = await openAppViews({ compress: deps.compress ?? true });
  const epoch = await readEpoch(database);
  const backplane = deps.backplane ?? openBackplane(deps);
  const hub = new Hub({ epoch, backplane, access: identity, log });
  const metrics = createMetrics({ processMetrics: true });
  measureHub(metrics.registry, hub, backplane);
  const live = openLive({ hub, database, views, log, timeZone: messaging.timeZone, links: files.links });
  appender.onAppended(live.appended);
  database.onEvent(live.heard);
  const deskLive = openDeskLive({
    hub,
    database,
    views,
    log,
    timeZone: messaging.timeZone,
    rowsChanged: live.rowsChanged,
  });
  database.onEvent(deskLive.heard);
  const desk = openDesk({ database, tenancy, people: () => hub.people(), log });
  database.onEvent(desk.heard);
  const queueLive = openQueueLive({
    hub,
    database,
    views,
    desk,
    log,
    timeZone: messaging.timeZone,
    clock: () => Date.now(),
  });
  const sockets = { hub, live, messaging, identity, log };
  const push = await openPush(deps);

  const keepDevices = (before: Person, next: { readonly sessionId: string }) =>
    database.withScope({ id: before.tenantId, slug: before.tenantSlug }, before, (scope) =>
      moveDevices(scope, before.id, before, next),
    );

  const app = createApp({
    config,
    log,
    database,
    views,
    metrics,
    patience: deps.patience,
    authenticate: (token) => identity.authenticate(token),
    sessionCookie: identity.cookie.name,
    frames: {
      read: identity.cookie.frame.read,
      async originsOf(slug) {
        const tenant = await tenancy.bySlug(slug);
        return tenant ? tenancy.supportSettings(tenant.id).frameOrigins : [];
      },
    },
    onRefused(actor, door) {
      const tenant = { id: actor.tenantId, slug: actor.tenantSlug };
      void recordRefusal(database, log, tenant, actor, { door, code: 'forbidden' });
    },
    routes: [
      ...apiRoutes({ messaging, live, tenancy, identity, desk }),
      ...fileRoutes({ messaging, live, views, filesUrl: config.filesUrl }),
      ...eventRoutes({ ...sockets, config }),
      ...signInRoutes({
        identity,
        tenancy,
        views,
        config,
        keepDevices,
      }),
      ...(config.demo ? demoRoutes({ views, identity, publicUrl: config.publicUrl }) : []),
      ...dashboardRoutes({
        views,
        messaging,
        tenancy,
        epoch,
        desk,
        publicUrl: config.publicUrl,
        press: createPdfPress(),
        sendsMail: config.smtpUrl !== undefined,
      }),
      ...chatRoutes({
        views,
        messaging,
        tenancy,
        epoch,
        desk,
        identity,
        push,
        stopLinks: createStopLinks(config.secretKey),
        mails: config.smtpUrl !== undefined,
        keepDevices,
      }),
    ],
  });
  const reach = await openReach(deps, {
    tenancy,
    views,
    push,
    hasOpen: live.hasOpen,
    log,
    signInLinks: identity.signInLinks,
  });
  appender.onAppended(reach.lookout.appended);
  database.onEvent(reach.lookout.heard);
  const server = createHttpServer(app.listener);
  const socketDoor = serveWebSockets({
    server,
    path: '/ws',
    hub,
    gate: socketGate({ identity }, config),
    dialects: [programDialect(sockets), pageDialect(sockets)],
    limits: config.limits ? SOCKET_LIMITS : null,
    log,
  });
  return {
    server,
    jobs: [
      ...auditJobs({ tenancy, secretKey: config.secretKey, dataDir: config.dataDir }),
      ...identityJobs,
      ...desk.jobs,
      ...attachmentJobs({ files }),
      ...wordJobs(),
      retentionJob({ tenancy, storage: files.storage }),
      ...reach.jobs,
      ...foldJobs({ tenancy, log }),
    ],
    routes: app.routes,
    rooms: hub.kinds,
    listening: (url) => (config.demo ? allowDemoHost({ database, tenancy }, url.port) : Promise.resolve()),
    setReadiness: (reason) => app.readiness.set(reason),
    async closeSockets() {
      await hub.drain();
      socketDoor.close();
    },
    async close() {
      await reach.close();
      live.close();
      deskLive.close();
      queueLive.close();
      await desk.close();
      await hub.close();
      await Promise.all([identity.close(), tenancy.close()]);
    },
  };
}

/** The line to the other nodes: Redis where there is one, otherwise the database that is there anyway. */
function openBackplane({ config, database, log }: ModuleDeps): Backplane {
  if (config.redisUrl) return openRedisBackplane({ url: config.redisUrl, log });
  return openPostgresBackplane({ connection: database.systemPool.options, log });
}

/** Web push works from the first start: its keys are made here, and browsers' push services are called as they are. */
async function openPush({ config, database, log }: ModuleDeps): Promise<PushTransport> {
  const keys = await keepPushKeys(database, config.secretKey, log);
  const { publicUrl, pushHosts: hosts, pushTestOrigin: testOrigin } = config;
  // whom push services ask when something is wrong with us (RFC 8292)
  const contact =
    publicUrl?.protocol === 'https:'
      ? publicUrl.origin
      : `mailto:no-reply@${publicUrl?.hostname ?? 'safego-support.invalid'}`;
  return openPushTransport({ keys, contact, hosts, testOrigin });
}

/** Mail needs a server to hand it to and an address to link to; without either nobody is mailed, and nothing is owed. */
async function openReach({ config, database, log }: ModuleDeps, parts: PushReach & Pick<MailReach, 'signInLinks'>) {
  const mailing = mailingOf(config, log);
  const mailReach: MailReach | null = mailing && { ...parts, ...mailing };
  const mailEffect = mailReach && answerMailEffect(mailReach);
  const pushEffect = answerPushEffect(parts);
  const reportEffect = mailReach && weeklyReportEffect(mailReach);
  const queue = await openDurableQueue({
    database,
    log,
    effects: [pushEffect, ...(mailEffect ? [mailEffect] : []), ...(reportEffect ? [reportEffect] : [])],
  });
  const lookout = watchAnswers({ database, queue, effect: pushEffect, log });
  return {
    lookout,
    jobs: [
      ...answerPushJobs(queue, pushEffect),
      ...(mailReach && mailEffect ? answerMailJobs(mailReach, queue, mailEffect) : []),
      ...(mailReach && reportEffect ? weeklyReportJobs(mailReach, queue, reportEffect) : []),
    ],
    async close() {
      await lookout.close();
      await queue.close();
    },
  };
}

function mailingOf(config: ReadyConfig, log: Log): Pick<MailReach, 'mail' | 'publicUrl' | 'stopLinks'> | null {
  const publicUrl = config.publicUrl ?? (config.production || config.port === 0 ? null : listeningUrl(config));
  if (!config.smtpUrl) return null;
  if (!publicUrl) {
    log.warn({}, 'SMTP_URL is set, but mails need PUBLIC_URL for their links: nobody is mailed');
    return null;
  }
  return {
    mail: openMailTransport({ smtpUrl: config.smtpUrl, ownHost: publicUrl.hostname }),
    publicUrl,
    stopLinks: createStopLinks(config.secretKey),
  };
}

/** Good enough for links on one's own machine. */
function listeningUrl({ host, port }: ReadyConfig): URL {
  return new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

/** Names this database's history: after a restore it is another one, and every cursor of before is a `reset`. */
async function readEpoch(database: Database): Promise<string> {
  const { rows } = await database.systemPool.query<{ epoch: string }>('select log_epoch() as epoch');
  return rows[0]?.epoch ?? '0';
}

/** Demo mode: fills a database without tenants with the demo people. */
export async function seedWhenEmpty({ config, database, log }: ModuleDeps): Promise<void> {
  if (config.demo) await seedDemo({ config, database, log });
}
