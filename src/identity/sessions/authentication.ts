import { batched, type Database, type Log } from '../../platform/database/index.ts';
import { type Tenancy, watchChanges } from '../../tenancy/index.ts';
import type { HostContext, Person } from '../person.ts';
import { ADMIN } from '../users/user.entity.ts';
import { SESSION_PREFIX } from './open-session.ts';
import { isSecretToken, tokenHash } from './secret-token.ts';

/** Whose access changed. `sessionId` null: all sessions of this person must be asked again (they may still be good). */
export interface AccessChange {
  readonly tenantId: string;
  readonly userId: string;
  readonly sessionId: string | null;
}

/** Who somebody is, asked in one way by pages, REST, SSE and sockets. */
export interface Authentication {
  /**
   * The person whose session token this is, or null: not a token of ours, revoked, expired, person deactivated,
   * tenant suspended. Served from memory while this node follows the access changes, otherwise from the database.
   * Rejects when the database is needed and does not answer.
   */
  authenticate(token: string | null | undefined): Promise<Person | null>;
  /** The session of somebody whom `authenticate` returned, as the database has it now; for a `stale` access version. Null when it is gone. */
  reload(person: Person): Promise<Person | null>;
  /**
   * Told of every change within a second of its commit, on every node, after this node's memory has let go of the
   * person: authenticate again and cut what answers null. Returns what ends the listening.
   */
  onAccessChange(listener: (change: AccessChange) => void): () => void;
  /** False when access changes have not been read for a second: what was decided earlier may be out of date. */
  isFollowing(): boolean;
  /** Reads access changes now, after an own commit. Never rejects. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

interface SessionRow {
  ord: number;
  session_id: string;
  expires_at: Date;
  context: HostContext | null;
  tenant_id: string;
  tenant_slug: string;
  user_id: string;
  user_type: string;
  name: string;
  locale: string | null;
  country: string | null;
  access_version: number;
  capabilities: string[];
}

interface ChangeRow {
  horizon: string;
  id: string | null;
  tenant_id: string;
  user_id: string;
  session_id: string | null;
}

interface Held {
  readonly person: Person;
  readonly expiresAtMs: number;
}

const MAX_HELD = 50_000;
/** After a restart nobody is known and thousands come at once: sessions are asked for one by one, read together. */
const LOOKS = { max: 100, atOnce: 2 };

/** Begins to follow access changes. Rejects when the database does not answer. */
export async function openAuthentication(deps: {
  readonly database: Database;
  readonly tenancy: Tenancy;
  readonly log: Log;
  /** Milliseconds since 1970; tests move it. */
  readonly clock?: () => number;
}): Promise<Authentication> {
  const { database, tenancy, log, clock = Date.now } = deps;
  /** By hash of the token, oldest first. */
  const held = new Map<string, Held>();
  const keysOfUser = new Map<string, Set<string>>();
  /** Of everybody who was let in, also when memory has let go of them; for `reload`. */
  const hashOf = new WeakMap<Person, Buffer>();
  const listeners = new Set<(change: AccessChange) => void>();
  /** Told already; read again until no earlier transaction can still commit. */
  let seen = new Set<string>();
  let horizon: string | null = null;
  /** Counts changes, so that an answer that was read before one is not kept after it. */
  let changes = 0;

  async function look(): Promise<void> {
    const { rows } = await database.systemPool.query<ChangeRow>({
      name: 'access-changes-since',
      // before the first look nothing is held, so nothing older matters
      text: 'select * from access_changes_since(coalesce($1::text::xid8, pg_snapshot_xmin(pg_current_snapshot())))',
      values: [horizon],
    });
    const read = new Set<string>();
    for (const row of rows) {
      horizon = row.horizon;
      if (row.id === null) continue;
      read.add(row.id);
      if (!seen.has(row.id)) apply({ tenantId: row.tenant_id, userId: row.user_id, sessionId: row.session_id });
    }
    seen = read;
  }

  function apply(change: AccessChange): void {
    changes += 1;
    for (const key of [...(keysOfUser.get(change.userId) ?? [])]) {
      if (change.sessionId === null || held.get(key)?.person.sessionId === change.sessionId) drop(key);
    }
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        log.error({ err: error }, 'a listener to access changes failed');
      }
    }
  }

  function drop(key: string): void {
    const entry = held.get(key);
    if (!entry) return;
    held.delete(key);
    const keys = keysOfUser.get(entry.person.id);
    keys?.delete(key);
    if (keys?.size === 0) keysOfUser.delete(entry.person.id);
  }

  function hold(key: string, entry: Held): void {
    held.set(key, entry);
    const keys = keysOfUser.get(entry.person.id) ?? new Set();
    keysOfUser.set(entry.person.id, keys.add(key));
    const [oldest] = held.size > MAX_HELD ? held.keys() : [];
    if (oldest !== undefined) drop(oldest);
  }

  const sessionOf = batched<Buffer, SessionRow | null>(async (hashes) => {
    const { rows } = await database.systemPool.query<SessionRow>({
      name: 'session-by-token',
      text: `select asked.ord::int, found.*
             from unnest($1::bytea[]) with ordinality as asked (hash, ord), session_by_token(asked.hash) as found`,
      values: [hashes],
    });
    const found: (SessionRow | null)[] = hashes.map(() => null);
    for (const row of rows) found[row.ord - 1] = row;
    return found;
  }, LOOKS);

  /** Asks the database, and keeps the answer if nothing changed meanwhile. */
  async function ask(key: string, hash: Buffer): Promise<Person | null> {
    const changesBefore = changes;
    const row = await sessionOf(hash);
    drop(key);
    if (!row) return null;
    // so that settings and tenant are at hand for whoever serves this person
    const tenant = await tenancy.byId(row.tenant_id);
    if (!tenant) return null;
    const entry = { person: personOf(row, tenant.timeZone), expiresAtMs: row.expires_at.getTime() };
    hashOf.set(entry.person, hash);
    if (changes === changesBefore) hold(key, entry);
    return entry.person;
  }

  const watch = watchChanges({ name: 'access', look, log });
  await watch.lookNow();

  return {
    async authenticate(token) {
      if (!isSecretToken(SESSION_PREFIX, token)) return null;
      const hash = tokenHash(token);
      const key = hash.toString('base64');
      const entry = held.get(key);
      if (!entry || !watch.isTrusted()) return ask(key, hash);
      if (entry.expiresAtMs <= clock()) {
        drop(key);
        return null;
      }
      // settings are served without a query too, under the same promise
      await tenancy.ensureFresh();
      return tenancy.tenant(entry.person.tenantId).status === 'active' ? entry.person : null;
    },
    async reload(person) {
      const hash = hashOf.get(person);
      return hash ? ask(hash.toString('base64'), hash) : null;
    },
    onAccessChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    isFollowing: () => watch.isTrusted(),
    // the next look finds what this one could not
    refresh: () => watch.lookNow().catch(() => {}),
    close: () => watch.close(),
  };
}

function personOf(row: SessionRow, zone: string): Person {
  const capabilities: ReadonlySet<string> = new Set(row.capabilities);
  return Object.freeze({
    id: row.user_id,
    tenantId: row.tenant_id,
    tenantSlug: row.tenant_slug,
    side: row.user_type === ADMIN ? 'admin' : 'user',
    userType: row.user_type,
    name: row.name,
    sessionId: row.session_id,
    accessVersion: row.access_version,
    capabilities,
    locale: row.locale,
    country: row.country,
    zone,
    context: row.context,
    sessionExpiresAt: row.expires_at,
    can: (capability: string) => capabilities.has(capability),
  } satisfies Person);
}
