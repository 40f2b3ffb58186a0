import type { ServerResponse } from 'node:http';
import type { Context } from 'koa';
import type { z } from 'zod';
import type { Actor, Scope } from '../database/index.ts';
import type { Reader } from '../views/index.ts';

/** Who may call a route. Made by identity (`anyone`, `users`, `admins(capability)`); a route without one does not start. */
export interface Policy {
  /** Shown in the route list and in the tests' expected table, e.g. `admin:REPLY_SUPPORT_CHAT`. */
  readonly name: string;
  /** False for the few routes that need no session (sign-in, health, assets). */
  readonly needsSession: boolean;
  /** What `forbidden` names as missing, so that a program can say it. */
  readonly capability?: string;
  /** Asked with the signed-in actor. `not_here` looks like 404, `forbidden` is 403 with the missing capability. */
  check(actor: Actor): 'ok' | 'forbidden' | 'not_here';
}

/** How answers and errors look: a whole page (or a fragment of it when htmx asks), or JSON. */
export type RouteFace = 'page' | 'json';

/**
 * What a handler gives back. Made with `page()`, `fragment()`, `json()`, `seeOther()`, `noContent()`, `eventStream()` of
 * platform/http.
 */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A string is HTML unless `type` says otherwise; an object is sent as JSON; a stream is piped. */
  readonly body: string | Buffer | object | NodeJS.ReadableStream | null;
  readonly type?: string;
  /** Takes the response over once the head is sent (event streams); `body` is null then. */
  readonly takeOver?: (response: ServerResponse) => void;
  /** Origins that may show this page in a frame, where the handler knows and the session does not say. */
  readonly frameOrigins?: readonly string[];
}

/** What the handler sees of the request, parsed. */
export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly ctx: Context;
  /** True when htmx asks for a fragment. */
  readonly isFragment: boolean;
  readonly requestId: string;
  /** Language and zone of the answer: `views.for(input.reader)`. */
  readonly reader: Reader;
  /** Where a host's page shows this one in a frame: the origins that may. Null in a window of its own. */
  readonly frame: readonly string[] | null;
  /** Of the client, behind PROXY_HOPS trusted proxies. Never logged with anything personal. */
  readonly clientAddress: string;
}

/**
 * One door. The declaration is the contract: who (policy), what comes in (zod), what happens (handle).
 * Errors of `platform/errors` thrown by `handle` become the error page, fragment or JSON of the route's face.
 */
export interface Route<A extends Actor = Actor, P = unknown, Q = unknown, B = unknown> {
  /** Stable name, `wing.noun.verb`: `api.messages.create`. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Literal segments and `:names`, e.g. `/api/support/conversations/:id/messages`. Literal wins over name. */
  readonly path: string;
  readonly policy: Policy;
  readonly face: RouteFace;
  /** Needed when the path has names. A value it refuses is the same 404 as a thing that does not exist. */
  readonly params?: z.ZodType<P>;
  /** Of strings; an array in it takes a key several times. Without it JSON routes take no query, pages ignore it. */
  readonly query?: z.ZodType<Q>;
  /** Of strings for forms; an array in it takes a key several times. Without it only an empty body is taken. */
  readonly body?: z.ZodType<B>;
  /**
   * What bodies are taken: a form (`application/x-www-form-urlencoded`), JSON, or none (the default for GET). `multipart`
   * and `bytes` are read by the handler from `ctx.req`, after it has asked whether there is room.
   */
  readonly bodyKind?: 'form' | 'json' | 'none' | 'multipart' | 'bytes';
  /** Of a form: it may come as multipart, with files. Then `body` is null and the handler reads it. */
  readonly takesFiles?: boolean;
  /** Instead of MAX_BODY_BYTES. */
  readonly maxBodyBytes?: number;
  /** Zod schema of the JSON answer, for OpenAPI. */
  readonly reply?: z.ZodType;
  /** One line for OpenAPI. */
  readonly summary?: string;
  /** Set on the one form that other sites may post (`/sso`): skips the same-origin check. */
  readonly crossSite?: boolean;
  /** Set on pages that the tenant's own host apps may show in a frame; all others are shown in none. */
  readonly framed?: boolean;
  /**
   * For a form of a page whose sender's session has ended meanwhile: a page that gives back what was typed, with status
   * 401. Sees parsed input and nobody's scope; must not look anything up.
   */
  whenSignedOut?(input: RouteInput<P, Q, B>): Reply;
  /** False when the handler opens no ORM scope (hot path, health, assets); then `scope.em` must not be touched. */
  readonly needsEm?: boolean;
  /** False for what must answer while sessions cannot be read (health); then nobody is signed in. */
  readonly readsSession?: boolean;
  handle(scope: Scope<A>, input: RouteInput<P, Q, B>): Promise<Reply> | Reply;
}

/** Keeps the schema types of one route together; returns it unchanged. */
export function route<A extends Actor, P = unknown, Q = unknown, B = unknown>(
  declared: Route<A, P, Q, B>,
): Route<A, P, Q, B> {
  return declared;
}
