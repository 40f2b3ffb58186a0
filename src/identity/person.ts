import type { Actor } from '../platform/database/index.ts';

/** All capabilities of the contract. */
export const CAPABILITIES = [
  'SUPPORT_CHAT',
  'VIEW_SUPPORT_CHAT_LIST',
  'REPLY_SUPPORT_CHAT',
  'ASSIGN_SUPPORT_CHAT',
  'CLOSE_SUPPORT_CHAT',
  'VIEW_USER_CONTACTS',
  'MANAGE_SAVED_REPLIES',
  'VIEW_SUPPORT_REPORTS',
  'VIEW_AUDIT_LOG',
  'MANAGE_SUPPORT_SETTINGS',
  'MANAGE_ROLES',
  'MANAGE_PRIVACY',
] as const;

/** One right of an admin's role. */
export type Capability = (typeof CAPABILITIES)[number];

/** What a host says the visit is about: a trip, an order. */
export interface HostContext {
  readonly type: string;
  readonly id: string;
  readonly label: string;
}

/**
 * The signed-in actor: a user of the host's app or an admin. Comes from the session cache, so it costs no query;
 * `accessVersion` is compared inside the append function, and the cache is refreshed by the access-change log (D7).
 */
export interface Person extends Actor {
  readonly side: 'user' | 'admin';
  /** `driver`, `customer`, ... or `admin`. */
  readonly userType: string;
  readonly name: string;
  readonly tenantSlug: string;
  readonly sessionId: string;
  /** Grows with every change of roles, status or sessions of this person. */
  readonly accessVersion: number;
  readonly capabilities: ReadonlySet<string>;
  /** BCP 47 or null when neither host nor person said. */
  readonly locale: string | null;
  readonly country: string | null;
  /** IANA zone in which times are shown: the tenant's. */
  readonly zone?: string;
  /** What this session is about (the trip or order the host named at sign-in), as long as it lives. */
  readonly context?: HostContext | null;
  /** When the session ends by itself; a socket is closed with 4401 then. */
  readonly sessionExpiresAt?: Date;
  can(capability: Capability | (string & {})): boolean;
}
