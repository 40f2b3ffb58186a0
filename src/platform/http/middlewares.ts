import { randomBytes } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import type { Log } from '../database/index.ts';
import { NotFound } from '../errors/index.ts';
import { type Assets, preferredLanguage, type Reader } from '../views/index.ts';
import { type BodyPatience, watchBody } from './body-patience.ts';
import { readCookie } from './cookies.ts';
import { type ErrorFaces, errorReply, expectedError, MethodNotAllowed } from './error-reply.ts';
import { beginExchange, createRequestIds, type Exchange, exchangeOf } from './exchange.ts';
import { loggedFault } from './fault.ts';
import { createHostCheck } from './host.ts';
import type { Metrics } from './metrics.ts';
import type { RouteFace } from './route.ts';
import type { HeadTemplates } from './security-headers.ts';
import { abandon, preferredEncoding, sendReply } from './send-reply.ts';

/** What the outermost stage needs to answer errors and to count. */
export interface AnswerOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly heads: HeadTemplates;
  readonly faces: ErrorFaces;
  /** Where the people of a page sign in; null: not on a page of ours. */
  readonly signInPath: (path: string) => string | null;
  readonly patience?: BodyPatience | undefined;
}

/** The outermost: gives the request its id, turns errors into answers, leaves one log line and one measurement. */
export function answerErrors({ log, metrics, heads, faces, signInPath, patience }: AnswerOptions): Middleware {
  const nextId = createRequestIds(randomBytes(6).toString('base64url'));

  async function answer(ctx: Context, exchange: Exchange, thrown: unknown): Promise<void> {
    const error = expectedError(thrown);
    if (!error || error.status >= 500) {
      log.error({ fault: loggedFault(thrown), requestId: exchange.id, route: exchange.name }, 'request failed');
    }
    const face = faceOf(ctx, exchange);
    const audience = {
      face,
      wants: swapsElement(ctx) ? ('element' as const) : ('page' as const),
      reader: { language: languageOf(ctx, exchange.locale), zone: 'UTC' } satisfies Reader,
      requestId: exchange.id,
      frame: exchange.frame,
      signInPath: signInPath(ctx.path),
    };
    const reply = errorReply(error, faces, audience);
    const head = face === 'page' ? heads.framed(exchange.frameOrigins) : heads.json;
    await sendReply(ctx, reply, [...head, 'X-Request-Id', exchange.id]);
  }

  return async function answering(ctx, next) {
    const exchange = beginExchange(ctx, nextId());
    const answered = watchBody(ctx, exchange, patience);
    try {
      await next();
    } catch (thrown) {
      try {
        await answer(ctx, exchange, thrown);
      } catch (fault) {
        // a broken error page must not take the answer with it
        log.error({ fault: loggedFault(fault), requestId: exchange.id }, 'error page failed');
        abandon(ctx.res);
      }
    }
    answered();
    const milliseconds = performance.now() - exchange.startedAt;
    const status = ctx.res.statusCode;
    metrics.observe(exchange.name, ctx.method, status, milliseconds / 1_000);
    log.debug(
      { requestId: exchange.id, route: exchange.name, status, ms: Math.round(milliseconds * 10) / 10 },
      'request',
    );
  };
}

/** Refuses ambiguous and foreign hosts before anything else looks at the request. */
export function refuseStrangeHosts(publicUrl: URL | undefined, filesUrl: URL | undefined): Middleware {
  const check = createHostCheck(publicUrl, filesUrl);
  return function refusingHosts(ctx, next) {
    check(ctx.req);
    // on the files' own origin there is nothing but files: no page that a file could be mistaken for
    if (filesUrl && ctx.req.headers.host?.toLowerCase() === filesUrl.host && !ctx.path.startsWith('/files/'))
      throw new NotFound();
    return next();
  };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Methods that no door has are 405 everywhere, never 501 (T-HX9). */
export function refuseStrangeMethods(): Middleware {
  const allow = METHODS.join(', ');
  return function refusingMethods(ctx, next) {
    if (!METHODS.includes(ctx.method)) throw new MethodNotAllowed(allow);
    return next();
  };
}

/** At the root, because it looks after all pages. */
const SERVICE_WORKER = '/sw.js';
/** What pages of host apps load: from elsewhere, and under one name for good. */
const ENTRY = '/embed.js';
const FOREVER = 'public, max-age=31536000, immutable';
const AN_HOUR = 'public, max-age=3600';

/** Answers what public/ holds, compressed as the browser likes it; everything else goes on to the routes. */
export function serveAssets(assets: Assets, heads: HeadTemplates): Middleware {
  return async function servingAssets(ctx, next) {
    const asset = assets.find(ctx.path);
    const exchange = exchangeOf(ctx);
    if (!asset) {
      if (ctx.path.startsWith('/assets/')) throw new NotFound();
      return next();
    }
    exchange.name = 'asset';
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') throw new MethodNotAllowed('GET, HEAD');
    const common = ctx.path === SERVICE_WORKER ? heads.worker : ctx.path === ENTRY ? heads.entry : heads.asset;
    const head = [...common, 'X-Request-Id', exchange.id, 'ETag', asset.etag, 'Vary', 'Accept-Encoding'];
    head.push('Cache-Control', asset.immutable ? FOREVER : AN_HOUR);
    ctx.respond = false;
    const { res, req } = ctx;
    if (req.headers['if-none-match'] === asset.etag) {
      res.writeHead(304, head);
      res.end();
      return;
    }
    const encoding = preferredEncoding(String(req.headers['accept-encoding'] ?? ''), ['br', 'zstd', 'gzip']);
    const encoded = encoding && asset.encoded[encoding];
    const body = encoded ?? asset.body;
    if (encoding && encoded) head.push('Content-Encoding', encoding);
    head.push('Content-Type', asset.type, 'Content-Length', String(body.length));
    res.writeHead(200, head);
    res.end(ctx.method === 'HEAD' ? undefined : body);
  };
}

/** The language by what was chosen here, by the person's profile, by the browser. */
export function languageOf(ctx: Context, locale: string | null): Reader['language'] {
  return preferredLanguage({
    cookie: readCookie(ctx.req.headers.cookie, 'lang'),
    locale,
    acceptLanguage: ctx.req.headers['accept-language'],
  });
}

/** True when htmx asks for a piece; for a boosted link or the whole body it says `full`. */
export function isFragmentRequest(ctx: Context): boolean {
  return ctx.req.headers['hx-request'] === 'true' && ctx.req.headers['hx-request-type'] !== 'full';
}

/** True for every htmx request that does not replace the whole body; also one that selects from a whole page. */
function swapsElement(ctx: Context): boolean {
  const { headers } = ctx.req;
  return headers['hx-request'] === 'true' && headers['hx-boosted'] !== 'true' && headers['hx-target'] !== 'body';
}

function faceOf(ctx: Context, exchange: Exchange): RouteFace {
  return exchange.door?.route.face ?? (ctx.path.startsWith('/api/') ? 'json' : 'page');
}
