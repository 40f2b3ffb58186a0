import type { Context, Middleware } from 'koa';
import type { Actor, Database, Scope, TenantRef } from '../database/index.ts';
import { BadRequest, Forbidden, NotFound, NotSignedIn, UnsupportedType } from '../errors/index.ts';
import { hasBody, readBody, requireType } from './body.ts';
import { clientAddress } from './client-address.ts';
import { readCookie } from './cookies.ts';
import { MethodNotAllowed } from './error-reply.ts';
import { exchangeOf } from './exchange.ts';
import { parseFields } from './fields.ts';
import { bearerToken } from './health.ts';
import { isFragmentRequest, languageOf } from './middlewares.ts';
import { isMultipart, readFieldsAlone } from './multipart.ts';
import type { Reply, RouteInput } from './route.ts';
import type { Door, RouteTable } from './route-table.ts';
import { refuseCrossSiteWrites } from './same-origin.ts';
import type { HeadTemplates } from './security-headers.ts';
import { sendReply } from './send-reply.ts';
import { fieldNames, validate, validateParams } from './validate.ts';

/** What http needs of a signed-in person; identity's Person has it. */
export interface SignedIn extends Actor {
  readonly tenantSlug: string;
  readonly locale: string | null;
  /** IANA zone to show times in, where it is known. */
  readonly zone?: string | null;
}

/** Whose the token is; null: nobody's, or no longer. Answers from a cache, and throws when it cannot know. */
export type Authenticate = (token: string) => Promise<SignedIn | null> | SignedIn | null;

/** Pages in the frames of host apps. */
export interface Frames {
  /** Session and tenant of a page in a frame, from its Cookie header; the session may have ended. */
  read(header: string | undefined): { readonly token: string; readonly tenantSlug: string } | null;
  /** Who may show this tenant's pages in a frame. Never throws for a tenant that there is not. */
  originsOf(tenantSlug: string): Promise<readonly string[]>;
}

/** What stands between a request and its handler. */
export interface ServeOptions {
  readonly table: RouteTable;
  readonly heads: HeadTemplates;
  readonly database: Pick<Database, 'withScope'>;
  readonly authenticate: Authenticate;
  /** Name of the cookie that holds a browser's session token. */
  readonly sessionCookie: string;
  /** Pages in the frames of host apps; without it no page is shown in any. */
  readonly frames?: Frames | undefined;
  readonly publicUrl?: URL | undefined;
  readonly proxyHops: number;
  /** Zone of people of whom none is known. */
  readonly defaultZone: string;
  /** Told when a signed-in person knocks at a door that is not for them. */
  readonly onRefused?: (actor: SignedIn, routeName: string) => void;
}

/** Of pieces of files, as tus.io names them. */
const BYTES_TYPE = 'application/offset+octet-stream';

/** Nobody is signed in: the actor of the few routes that need no session. */
const NOBODY: SignedIn = Object.freeze({
  id: '',
  tenantId: '',
  tenantSlug: '',
  locale: null,
  can: () => false,
});

/** True for the actor of a request without a session. */
function isNobody(actor: Actor): boolean {
  return actor.id === '';
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/** From the request to the handler and back: find the door, who is it, may they, what do they say, do it, answer. */
export function serveRoutes(options: ServeOptions): Middleware {
  const { table, heads } = options;
  return async function servingRoutes(ctx) {
    const exchange = exchangeOf(ctx);
    const found = table.find(ctx.method, ctx.path);
    if (found.kind === 'nothing') throw new NotFound();
    if (found.kind === 'wrong_method') throw new MethodNotAllowed(found.allow);
    const { door } = found;
    const { route } = door;
    exchange.door = door;
    exchange.name = route.name;

    const bearer = bearerToken(ctx.req.headers.authorization);
    const framed = options.frames?.read(ctx.req.headers.cookie) ?? null;
    const cookie = readCookie(ctx.req.headers.cookie, options.sessionCookie) ?? framed?.token;
    if (route.method !== 'GET' && !route.crossSite) refuseForeignPages(ctx, options, bearer, cookie);
    const person = await whoIsIt(options, door, bearer ?? cookie);
    exchange.locale = person.locale;
    if (route.framed && options.frames) {
      // the error pages of these doors too, or whoever is in a frame sees nothing
      const tenantSlug = isNobody(person) ? framed?.tenantSlug : person.tenantSlug;
      if (tenantSlug !== undefined) exchange.frameOrigins = await options.frames.originsOf(tenantSlug);
      exchange.frame = frameOf(ctx, options, exchange.frameOrigins);
    }
    if (isNobody(person) && route.whenSignedOut && route.policy.needsSession && !isFragmentRequest(ctx)) {
      const read = await readInput(ctx, options, door, found.values, person, exchange.id).catch(notSignedIn);
      const typed = read.body === null ? { ...read, body: await typedBeside(ctx, door) } : read;
      const head = heads.framed(exchange.frameOrigins);
      await sendReply(ctx, route.whenSignedOut(typed), [...head, 'X-Request-Id', exchange.id]);
      return;
    }
    admit(options, door, person);

    const input = await readInput(ctx, options, door, found.values, person, exchange.id);
    const reply = await callHandler(options, door, person, input);
    const head = headOf(heads, input, route.face, reply.frameOrigins ?? exchange.frameOrigins);
    await sendReply(ctx, forHtmx(reply, input.isFragment), [...head, 'X-Request-Id', exchange.id]);
  };
}

function headOf(
  heads: HeadTemplates,
  { isFragment }: Pick<RouteInput<unknown, unknown, unknown>, 'isFragment'>,
  face: Door['route']['face'],
  frameOrigins: readonly string[],
): readonly string[] {
  if (face === 'json') return heads.json;
  return isFragment ? heads.fragment : heads.framed(frameOrigins);
}

/** In a frame is what came with a frame's session, and what the browser says is for one. */
function frameOf(ctx: Context, options: ServeOptions, frameOrigins: readonly string[]): readonly string[] | null {
  if (frameOrigins.length === 0) return null;
  const { headers } = ctx.req;
  const isOwnWindow = readCookie(headers.cookie, options.sessionCookie) !== undefined;
  const isFrames = !isOwnWindow && options.frames?.read(headers.cookie) != null;
  return isFrames || headers['sec-fetch-dest'] === 'iframe' ? frameOrigins : null;
}

/** What was typed in a form that came with files; nobody is there who could send those. */
async function typedBeside(ctx: Context, { bodySchema, repeatableInBody }: Door): Promise<unknown> {
  const fields = await readFieldsAlone(ctx.req, fieldNames(bodySchema), [...repeatableInBody]).catch(notSignedIn);
  const typed = bodySchema.safeParse(fields);
  return typed.success ? typed.data : notSignedIn();
}

/** Who is not signed in need not know what else is wrong. */
function notSignedIn(): never {
  throw new NotSignedIn();
}

function refuseForeignPages(ctx: Context, options: ServeOptions, bearer?: string, cookie?: string): void {
  refuseCrossSiteWrites(ctx.req, {
    publicOrigin: options.publicUrl?.origin ?? null,
    hasBearer: bearer !== undefined,
    hasCookie: cookie !== undefined,
  });
}

async function whoIsIt(options: ServeOptions, { route }: Door, token: string | undefined): Promise<SignedIn> {
  if (token === undefined || route.readsSession === false) return NOBODY;
  return (await options.authenticate(token)) ?? NOBODY;
}

function admit(options: ServeOptions, { route }: Door, person: SignedIn): void {
  const { policy } = route;
  if (policy.needsSession && isNobody(person)) throw new NotSignedIn();
  const verdict = policy.check(person);
  if (verdict === 'ok') return;
  if (!isNobody(person)) options.onRefused?.(person, route.name);
  if (verdict === 'not_here') throw new NotFound();
  const missing = policy.capability ? { capability: policy.capability } : undefined;
  throw new Forbidden('forbidden', 'You may not do this.', missing);
}

async function readInput(
  ctx: Context,
  options: ServeOptions,
  door: Door,
  values: readonly string[],
  person: SignedIn,
  requestId: string,
): Promise<RouteInput<unknown, unknown, unknown>> {
  const params = readParams(door, values);
  const query = readQuery(ctx, door);
  const body = await readRouteBody(ctx, door);
  return {
    params,
    query,
    body,
    ctx,
    isFragment: isFragmentRequest(ctx),
    requestId,
    frame: exchangeOf(ctx).frame,
    // plain members, though most JSON routes ask for neither: accessors would give each input a shape of its own
    reader: { language: languageOf(ctx, person.locale), zone: person.zone ?? options.defaultZone },
    clientAddress: clientAddress(ctx.req, options.proxyHops),
  };
}

function readParams({ route, paramNames }: Door, values: readonly string[]): unknown {
  if (!route.params) return NO_PARAMS;
  const given: Record<string, string> = {};
  for (const [index, name] of paramNames.entries()) given[name] = decodeSegment(values[index] ?? '');
  return validateParams(route.params, given);
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new NotFound();
  }
}

function readQuery(ctx: Context, { route, repeatableInQuery }: Door): unknown {
  const text = ctx.querystring;
  if (route.query) return validate(route.query, parseFields(text, repeatableInQuery));
  if (text === '' || route.face === 'page') return NO_PARAMS;
  throw new BadRequest('unknown_field', 'A field is not known here.');
}

async function readRouteBody(ctx: Context, door: Door): Promise<unknown> {
  const { bodyKind } = door;
  // these the handler reads, after it has checked the quota
  if (bodyKind === 'multipart') return undefined;
  if (bodyKind === 'bytes') {
    requireType(ctx.req, BYTES_TYPE);
    return undefined;
  }
  if (door.route.takesFiles && isMultipart(ctx.req)) return null;
  if (bodyKind === 'none') {
    if (hasBody(ctx.req)) throw new UnsupportedType('unexpected_body', 'A body is not accepted here.');
    return undefined;
  }
  return validate(door.bodySchema, await readBody(ctx.req, bodyKind, door.maxBodyBytes, door.repeatableInBody));
}

function callHandler(
  options: ServeOptions,
  { route }: Door,
  person: SignedIn,
  input: RouteInput<unknown, unknown, unknown>,
): Promise<Reply> | Reply {
  const tenant: TenantRef = { id: person.tenantId, slug: person.tenantSlug };
  if (route.needsEm === false || isNobody(person)) return route.handle(scopeWithoutEm(tenant, person), input);
  return options.database.withScope(tenant, person, async (scope) => route.handle(scope, input));
}

/** For handlers that never touch the ORM: no fork, no connection. Touching it is a mistake in the route's declaration. */
function scopeWithoutEm(tenant: TenantRef, actor: Actor): Scope {
  return { tenant, actor, now: new Date(), em: NO_EM, emit: emitNothing };
}

const NO_EM = new Proxy({} as Scope['em'], {
  get() {
    throw new Error('This route has no EntityManager: it says needsEm: false, or nobody is signed in.');
  },
});

function emitNothing(): never {
  throw new Error('This route emits no events: it says needsEm: false, or nobody is signed in.');
}

/** fetch() would follow a 303 silently and htmx would swap a whole page into its target; this makes it a navigation. */
function forHtmx(reply: Reply, isFragment: boolean): Reply {
  const location = reply.headers?.['Location'];
  if (!isFragment || reply.status !== 303 || typeof location !== 'string') return reply;
  const { Location: _, ...headers } = reply.headers ?? {};
  return { ...reply, status: 200, headers: { ...headers, 'HX-Redirect': location } };
}
