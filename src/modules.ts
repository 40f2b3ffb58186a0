import type { RequestListener, Server } from 'node:http';
import type { ReadyConfig } from './platform/config/index.ts';
import type { Database, Log } from './platform/database/index.ts';
import type { Job, Task } from './platform/jobs/index.ts';
import type { Lifecycle } from './platform/lifecycle/index.ts';

/** What the wings are made from. */
export interface ModuleDeps {
  config: ReadyConfig;
  database: Database;
  log: Log;
  lifecycle: Lifecycle;
}

/** The wings, mounted. */
export interface Modules {
  handler: RequestListener;
  jobs: readonly Job[];
  /** Takes over the sockets of a listening server. */
  attach(server: Server): void;
  /** Closes every socket with 1012 and ends every event stream. */
  closeSockets(): Promise<void>;
  /** Lets go of what the wings hold: pools of their own, timers. */
  close(): Promise<void>;
}

/** `npm run task` knows these. */
export const tasks: readonly Task[] = [];

/** Composition root: makes every wing's routes, event handlers and jobs, in the order of the house. */
export async function openModules({ lifecycle }: ModuleDeps): Promise<Modules> {
  return {
    // Until the wings are mounted: health alone.
    handler(request, response) {
      const status =
        request.url === '/healthz' ? 200 : request.url === '/readyz' ? (lifecycle.isDraining ? 503 : 200) : 404;
      response.writeHead(status).end();
    },
    jobs: [],
    attach() {},
    async closeSockets() {},
    async close() {},
  };
}

/** Demo mode: fills a database without tenants with the demo people. */
export async function seedWhenEmpty(_deps: Pick<ModuleDeps, 'config' | 'database' | 'log'>): Promise<void> {}
