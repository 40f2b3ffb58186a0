import Koa from 'koa';
import { isSilence } from '../database/index.ts';
import { AppError, BadRequest, NotFound, TooLarge, UnsupportedType } from '../errors/index.ts';
import type { Reader } from '../views/index.ts';
import { json, page, seeOther } from './reply.ts';
import type { Reply, RouteFace } from './route.ts';

/** Everything an answer may say about an error; nothing in it comes from the request but the id that we gave it. */
export interface ErrorView {
  readonly status: number;
  readonly code: string;
  /** English, safe to show; pages say it in the reader's language by `code`. */
  readonly message: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  /** Where these people sign in, when that is a page of ours. */
  readonly signInUrl?: string;
}

/** How errors look as HTML. Must not throw and must not need the database. */
export interface ErrorFaces {
  page(error: ErrorView, reader: Reader, frame: readonly string[] | null): string;
  /** What htmx gets instead of a page: one element with `role="alert"`. */
  notice(error: ErrorView, reader: Reader): string;
}

/** Where the answer goes. */
export interface ErrorAudience {
  readonly face: RouteFace;
  /** `element`: htmx swaps a piece; `page` takes a whole page (also for boosted links). */
  readonly wants: 'page' | 'element';
  readonly reader: Reader;
  readonly requestId: string;
  /** As in RouteInput. */
  readonly frame: readonly string[] | null;
  /** Where this page's people sign in, when that is a page of ours. */
  readonly signInPath: string | null;
}

/** A path that exists, asked with a method that it has not. */
export class MethodNotAllowed extends AppError {
  readonly allow: string;
  constructor(allow: string) {
    super(405, 'method_not_allowed', 'This cannot be done here.');
    this.allow = allow;
  }
}

/** Maps what was thrown to one of our errors; null for a fault of ours, which nobody outside may read. */
export function expectedError(error: unknown): AppError | null {
  if (error instanceof AppError) return error;
  if (holdsUnstorableText(error)) return new AppError(422, 'invalid', 'Some fields are not valid.');
  if (hasCause(error, (one) => codeOf(one) === DISK_FULL))
    return new AppError(503, 'no_room', 'The server has no room.');
  if (isDatabaseAway(error)) return new AppError(503, 'unavailable', 'This cannot be served right now.');
  // what koa and its parts throw; koa's own class knows those of other versions too
  if (error instanceof Koa.HttpError && error.status < 500) {
    if (error.status === 404) return new NotFound();
    if (error.status === 413) return new TooLarge();
    return error.status === 415 ? new UnsupportedType() : new BadRequest();
  }
  return null;
}

/** One error, three looks. Faults of ours say no more than that they are. */
export function errorReply(error: AppError | null, faces: ErrorFaces, audience: ErrorAudience): Reply {
  const { requestId, reader } = audience;
  const common = { requestId, ...(audience.signInPath ? { signInUrl: audience.signInPath } : {}) };
  const view: ErrorView = error
    ? { status: error.status, code: error.code, message: error.message, ...common, ...shown(error) }
    : { status: 500, code: 'internal', message: 'Something went wrong on our side.', ...common };
  const headers = errorHeaders(error, view.status, audience.face);
  if (audience.face === 'json') {
    const { status, code, message, fields, detail } = view;
    return json({ error: { ...detail, code, message, ...(fields ? { fields } : {}) }, requestId }, status, headers);
  }
  const isElement = audience.wants === 'element';
  if (view.status === 401 && audience.signInPath) {
    return isElement
      ? { status: 401, body: null, headers: { ...headers, 'HX-Redirect': audience.signInPath } }
      : seeOther(audience.signInPath, headers);
  }
  if (!isElement) return page(faces.page(view, reader, audience.frame), view.status, headers);
  return page(faces.notice(view, reader), view.status, { ...headers, ...NOTICE_PLACE });
}

/**
 * htmx swaps errors like any reply, over what the page shows: these send the notice elsewhere, unless the element says
 * better with `hx-status:4xx`. Constants; nothing of a request may stand in them (T-HX3).
 */
const NOTICE_PLACE = { 'HX-Retarget': '#notice', 'HX-Reswap': 'innerHTML', 'HX-Reselect': '[role="alert"]' } as const;

function shown({ fields, detail }: AppError): Pick<ErrorView, 'fields' | 'detail'> {
  return { ...(fields ? { fields } : {}), ...(detail ? { detail } : {}) };
}

/** How long to wait, for a page of its own that answers an error. */
export function waitHeaders(error: object): Record<string, string> {
  return 'retryAfterSeconds' in error ? { 'Retry-After': String(error.retryAfterSeconds) } : {};
}

function errorHeaders(error: AppError | null, status: number, face: RouteFace): Record<string, string> {
  const headers: Record<string, string> = {};
  if (error instanceof MethodNotAllowed) headers['Allow'] = error.allow;
  if (status === 503) headers['Retry-After'] = '2';
  if (error) Object.assign(headers, waitHeaders(error));
  if (status === 401 && face === 'json') headers['WWW-Authenticate'] = 'Bearer';
  // what the client still sends of a body that nobody reads would be taken for its next request
  if (status === 413 || error?.code === 'ambiguous_host') headers['Connection'] = 'close';
  return headers;
}

/** PostgreSQL could not write: its disk is full. What was sent is not stored, and may be sent again. */
const DISK_FULL = '53100';
const AWAY_CODES =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EPIPE|08\w{3}|53\w{3}|57P0\d|57014|40001|40P01|55P03|25P0[34])$/;

/** The database cannot be reached, is overloaded or gave up on a lock: come again, nothing is wrong with the request. */
function isDatabaseAway(error: unknown): boolean {
  return hasCause(
    error,
    (one) =>
      AWAY_CODES.test(codeOf(one)) ||
      isSilence(one) ||
      /timeout exceeded when trying to connect|Connection terminated|Cannot use a pool after/.test(one.message),
  );
}

/** A NUL or the like that no schema looked for; PostgreSQL refuses the statement before it does anything. */
function holdsUnstorableText(error: unknown): boolean {
  return hasCause(error, (one) => /^(22021|22P05)$/.test(codeOf(one)));
}

/** The ORM wraps what the driver threw. */
function hasCause(error: unknown, is: (error: Error) => boolean): boolean {
  return error instanceof Error && (is(error) || hasCause(error.cause, is));
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
