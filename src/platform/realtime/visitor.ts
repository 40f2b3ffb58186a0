import type { IncomingMessage } from 'node:http';
import type { Actor } from '../database/index.ts';

/** Who knocks, as whoever knows sessions has found out. */
export interface Visitor {
  readonly actor: Actor;
  /** BCP 47, one of the product's languages. */
  readonly language: string;
  /** When the session ends by itself, milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** Most connections of this person at once. */
  readonly maxConnections: number;
  /** Who is behind the session by now; null when it is over. Rejects when that cannot be found out. */
  renew(): Promise<Actor | null>;
}

/** What the transports ask about a request before it becomes a connection. */
export interface Gate {
  /** How the request says who it is: by a cookie, which other sites can make a browser send, by a bearer token, or not. */
  credentialOf(request: IncomingMessage): 'cookie' | 'bearer' | null;
  /** Null: nobody is signed in. Rejects when the database is needed and does not answer. */
  identify(request: IncomingMessage): Promise<Visitor | null>;
  /** True when an Origin header names this server. */
  isOwnOrigin(origin: string, request: IncomingMessage): boolean;
  /** Throws an AppError for a Host that is not ours or not clear. */
  checkHost(request: IncomingMessage): void;
  clientAddress(request: IncomingMessage): string;
}

/** Sockets and streams by address; null is without limits. */
export interface SocketLimits {
  readonly perAddress: number;
  /** On one node, all people of the tenant together. */
  readonly perTenant: number;
  /** Sockets of an address that do not even say who they are; they are told so and closed. */
  readonly unknownPerAddress: number;
  /** Frames a second that one socket may send; more of them wait in its line. */
  readonly framesPerSecond: number;
}
