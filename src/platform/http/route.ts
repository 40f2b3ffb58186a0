import type { Context } from 'koa';
import type { z } from 'zod';
import type { Actor, Scope } from '../database/scope.ts';

/** Who may call a route. Made by identity (`anyone`, `users`, `admins(capability)`); a route without one does not start. */
export interface Policy {
  /** Shown in the route list and in the tests' expected table, e.g. `admin:REPLY_SUPPORT_CHAT`. */
  readonly name: string;
  /** False for the few routes that need no session (sign-in, health, assets). */
  readonly needsSession: boolean;
  /** Asked with the signed-in actor. `not_here` looks like 404, `forbidden` is 403 with the missing capability. */
  check(actor: Actor): 'ok' | 'forbidden' | 'not_here';
}

/** How answers and errors look: a whole page (or a fragment of it when htmx asks), or JSON. */
export type RouteFace = 'page' | 'json';

/** What a handler gives back. Made with `page()`, `fragment()`, `json()`, `seeOther()`, `noContent()` of platform/http. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is HTML unless `type` says otherwise; an object is sent as JSON; a stream is piped. */
  readonly body: string | Buffer | object | NodeJS.ReadableStream | null;
  readonly type?: string;
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
}

/**
 * One door. The declaration is the contract: who (policy), what comes in (zod), what happens (handle).
 * Errors of `platform/errors` thrown by `handle` become the error page, fragment or JSON of the route's face.
 */
export interface Route<A extends Actor = Actor, P = unknown, Q = unknown, B = unknown> {
  /** Stable name, `wing.noun.verb`: `api.messages.create`. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** @koa/router path, e.g. `/api/support/conversations/:id/messages`. */
  readonly path: string;
  readonly policy: Policy;
  readonly face: RouteFace;
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  readonly body?: z.ZodType<B>;
  /** What bodies are taken: a form (`application/x-www-form-urlencoded`), JSON, or none (the default for GET). */
  readonly bodyKind?: 'form' | 'json' | 'none' | 'multipart';
  /** Zod schema of the JSON answer, for OpenAPI. */
  readonly reply?: z.ZodType;
  /** One line for OpenAPI. */
  readonly summary?: string;
  /** Set on the one form that other sites may post (`/sso`): skips the same-origin check. */
  readonly crossSite?: boolean;
  /** False when the handler opens no ORM scope (hot path, health, assets); then `scope.em` must not be touched. */
  readonly needsEm?: boolean;
  handle(scope: Scope<A>, input: RouteInput<P, Q, B>): Promise<Reply> | Reply;
}

/** Keeps the schema types of one route together; returns it unchanged. */
export function route<A extends Actor, P = unknown, Q = unknown, B = unknown>(
  declared: Route<A, P, Q, B>,
): Route<A, P, Q, B> {
  return declared;
}
