import { fileURLToPath } from 'node:url';
import Koa from 'koa';
import type { Config } from './platform/config/index.ts';
import type { Database, Log } from './platform/database/index.ts';
import {
  type Authenticate,
  answerErrors,
  type BodyPatience,
  createErrorFaces,
  createHeadTemplates,
  createMetrics,
  createReadiness,
  createRouteTable,
  type Frames,
  healthRoutes,
  loggedFault,
  type Metrics,
  type Readiness,
  type Route,
  refuseStrangeHosts,
  refuseStrangeMethods,
  type SignedIn,
  serveAssets,
  serveRoutes,
} from './platform/http/index.ts';
import { openAssets, openLanguages, openViews, type Views } from './platform/views/index.ts';

/** What an app is made of. */
export interface AppDeps {
  readonly config: Pick<Config, 'publicUrl' | 'filesUrl' | 'proxyHops' | 'metricsToken'>;
  readonly log: Log;
  readonly database: Pick<Database, 'withScope' | 'systemPool'>;
  readonly views: Views;
  /** Every wing's doors; health and metrics are added here. */
  readonly routes: readonly Route[];
  /** Whose a session token is. */
  readonly authenticate: Authenticate;
  /** Name of the cookie that holds a browser's session token. */
  readonly sessionCookie: string;
  /** Pages in the frames of host apps; none when absent. */
  readonly frames?: Frames;
  /** Shared with the wings, which register their own; one is made when absent. */
  readonly metrics?: Metrics;
  /** How long bodies are waited for; for tests. */
  readonly patience?: BodyPatience | undefined;
  /** Zone of people of whom none is known (UTC). */
  readonly defaultZone?: string;
  /** Told when a signed-in person knocks at a door that is not for them. */
  readonly onRefused?: (actor: SignedIn, routeName: string) => void;
}

/** The app as a request listener for `createHttpServer`, and what its owner turns and reads. */
export interface App {
  readonly listener: ReturnType<Koa['callback']>;
  /** Every door with its policy, in registration order. */
  readonly routes: readonly Route[];
  /** Not ready until `set(null)`. */
  readonly readiness: Readiness;
  readonly metrics: Metrics;
}

/** The way of a request, top to bottom. */
export function createApp(deps: AppDeps): App {
  const { config, log, database, views, authenticate, sessionCookie } = deps;
  const metrics = deps.metrics ?? createMetrics({ processMetrics: false });
  const readiness = createReadiness(() => database.systemPool.query('select 1'));
  const health = healthRoutes({ readiness, metrics, metricsToken: config.metricsToken });
  const table = createRouteTable([...health, ...deps.routes]);
  const heads = createHeadTemplates({
    https: config.publicUrl?.protocol === 'https:',
    ...(config.filesUrl ? { filesOrigin: config.filesUrl.origin } : {}),
  });

  const koa = new Koa();
  koa.on('error', (error) => log.error({ fault: loggedFault(error) }, 'response failed'));
  koa.use(answerErrors({ log, metrics, heads, faces: createErrorFaces(views), signInPath, patience: deps.patience }));
  koa.use(refuseStrangeHosts(config.publicUrl, config.filesUrl));
  koa.use(refuseStrangeMethods());
  koa.use(serveAssets(views.assets, heads));
  koa.use(
    serveRoutes({
      table,
      heads,
      database,
      authenticate,
      sessionCookie,
      frames: deps.frames,
      publicUrl: config.publicUrl,
      proxyHops: config.proxyHops,
      defaultZone: deps.defaultZone ?? 'UTC',
      ...(deps.onRefused ? { onRefused: deps.onRefused } : {}),
    }),
  );
  return { listener: koa.callback(), routes: table.routes, readiness, metrics };
}

/** Admins sign in here; users come from their own app, and the 401 page tells them so. */
function signInPath(path: string): string | null {
  return path === '/admin' || path.startsWith('/admin/') ? '/admin/login' : null;
}

/**
 * Templates, languages and assets of this repository. Brotli 9 takes 25 ms at the start, and 11 follows while it
 * serves already; `compress: false` is for tests.
 */
export async function openAppViews({ compress = true } = {}): Promise<Views> {
  const folder = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
  const [languages, assets] = await Promise.all([
    openLanguages(folder('views/locales')),
    openAssets({ folder: folder('public'), quality: compress ? 9 : 0 }),
  ]);
  return openViews({ folder: folder('views'), languages, assets });
}
