import type { Server } from 'node:http';
import { identityJobs, identityTasks, seedDemo } from './identity/index.ts';
import { importsTasks } from './imports/index.ts';
import type { ReadyConfig } from './platform/config/index.ts';
import type { Database, Log } from './platform/database/index.ts';
import { createHttpServer, type Route } from './platform/http/index.ts';
import type { Job, Task } from './platform/jobs/index.ts';
import type { RoomKind } from './platform/realtime/index.ts';

/** What the wings are made from. */
export interface ModuleDeps {
  config: ReadyConfig;
  database: Database;
  log: Log;
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
  /** Closes every socket with 1012 and ends every event stream. */
  closeSockets(): Promise<void>;
  /** Lets go of what the wings hold: pools of their own, timers. */
  close(): Promise<void>;
}

/** `npm run task` knows these. */
export const tasks: readonly Task[] = [...identityTasks, ...importsTasks];

/** Composition root: makes every wing's routes, event handlers and jobs, in the order of the house. */
export async function openModules(_deps: ModuleDeps): Promise<Modules> {
  // Until the wings are mounted: health alone.
  let notReady: string | null = 'starting';
  const server = createHttpServer((request, response) => {
    const status = request.url === '/healthz' || (request.url === '/readyz' && !notReady) ? 200 : 503;
    response.writeHead(status).end(notReady ?? '');
  });
  return {
    server,
    jobs: [...identityJobs],
    routes: [],
    rooms: [],
    setReadiness(reason) {
      notReady = reason;
    },
    async closeSockets() {},
    async close() {},
  };
}

/** Demo mode: fills a database without tenants with the demo people. */
export async function seedWhenEmpty({ config, database, log }: ModuleDeps): Promise<void> {
  if (config.demo) await seedDemo({ config, database, log });
}
