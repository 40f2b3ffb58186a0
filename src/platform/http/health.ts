import { createHash, timingSafeEqual } from 'node:crypto';
import { NotFound, NotSignedIn } from '../errors/index.ts';
import type { Metrics } from './metrics.ts';
import { json } from './reply.ts';
import { type Policy, type Route, route } from './route.ts';

/** Whether this process should be sent requests. */
export interface Readiness {
  /** A reason why not (`starting`, `stopping`), or null. */
  set(reason: string | null): void;
  /** The reason, or what `check` found; null when it can serve. */
  reason(): Promise<string | null>;
}

/** What the doors for operators answer from. */
export interface HealthOptions {
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  /** Without one `/metrics` does not exist. */
  readonly metricsToken?: string | undefined;
}

const CHECK_EVERY_MS = 1_000;
const CHECK_WITHIN_MS = 2_000;

/** For doors that ask nobody who they are. */
export const everybody: Policy = { name: 'everybody', needsSession: false, check: () => 'ok' };

/** `check` throws while something that every request needs is away; asked at most once a second, given 2 seconds. */
export function createReadiness(check: () => Promise<unknown>): Readiness {
  let given: string | null = 'starting';
  let asked = 0;
  let answer: Promise<string | null> = Promise.resolve(null);

  const ask = async () => {
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve('database does not answer'), CHECK_WITHIN_MS);
    try {
      return await Promise.race([check().then(() => null), late.promise]);
    } catch {
      return 'database is away';
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    set(reason) {
      given = reason;
    },
    async reason() {
      if (given !== null) return given;
      const now = performance.now();
      if (now - asked > CHECK_EVERY_MS || asked === 0) {
        asked = now;
        answer = ask();
      }
      return answer;
    },
  };
}

/** `/healthz`, `/readyz`, `/metrics`: they answer whatever is broken, so they read no session and open no scope. */
export function healthRoutes({ readiness, metrics, metricsToken }: HealthOptions): Route[] {
  const quiet = { policy: everybody, face: 'json', needsEm: false, readsSession: false } as const;
  return [
    route({ ...quiet, name: 'health.live', method: 'GET', path: '/healthz', handle: () => json({ status: 'ok' }) }),
    route({
      ...quiet,
      name: 'health.ready',
      method: 'GET',
      path: '/readyz',
      async handle() {
        const reason = await readiness.reason();
        return reason === null
          ? json({ status: 'ready' })
          : json({ status: 'not_ready', reason }, 503, { 'Retry-After': '2' });
      },
    }),
    route({
      ...quiet,
      name: 'health.metrics',
      method: 'GET',
      path: '/metrics',
      async handle(_scope, { ctx }) {
        if (metricsToken === undefined) throw new NotFound();
        if (!isSameSecret(bearerToken(ctx.req.headers.authorization) ?? '', metricsToken)) throw new NotSignedIn();
        return { status: 200, type: metrics.registry.contentType, body: await metrics.registry.metrics() };
      },
    }),
  ];
}

/** The token of an `Authorization: Bearer` header (RFC 6750). */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const match = /^bearer ([\w~+/.=-]{1,4096})$/i.exec(header);
  return match?.[1];
}

/** Compares in a time that tells nothing about either. */
function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
