import type { Person } from '../../identity/index.ts';
import type { Actor, Log, Scope } from '../../platform/database/index.ts';
import { noteSeen } from './availability.ts';

/** Keeps note of which agents are connected to this node. */
export interface PresenceTracker {
  /** Writes down now that somebody is here, also without a connection. */
  seen(tenantId: string, adminId: string): Promise<void>;
  close(): void;
}

/** What it is made from. */
export interface PresenceDeps {
  /** Everybody who is connected to this node. */
  readonly people: () => Iterable<Actor>;
  /** Runs in the tenant's scope, at the database's time: clocks of nodes may differ. */
  readonly inTenant: (tenantId: string, work: (scope: Scope) => Promise<void>) => Promise<void>;
  /** Somebody is here who was not before. */
  readonly onArrived: (tenantId: string) => void;
  readonly log: Log;
}

/** How often it is looked who is here: newcomers are noted at once, the others now and then. */
const LOOK_EVERY_MS = 1_000;
const NOTE_EVERY_LOOKS = 5;

/** Begins to look. A connection that ends is not noted: whoever is not seen again is away after a while. */
export function trackPresence({ people, inTenant, onArrived, log }: PresenceDeps): PresenceTracker {
  let known = new Set<string>();
  let looks = 0;
  let isNoting = false;

  async function look(): Promise<void> {
    if (isNoting) return;
    isNoting = true;
    try {
      const isDue = looks++ % NOTE_EVERY_LOOKS === 0;
      const here = new Set<string>();
      const byTenant = new Map<string, string[]>();
      for (const actor of people()) {
        if (!isAgent(actor)) continue;
        here.add(actor.id);
        if (isDue || !known.has(actor.id)) {
          byTenant.set(actor.tenantId, [...(byTenant.get(actor.tenantId) ?? []), actor.id]);
        }
      }
      for (const [tenantId, ids] of byTenant) await note(tenantId, ids);
      known = here;
    } catch (error) {
      log.warn({ err: error }, 'it could not be noted who is here; the next look does');
    } finally {
      isNoting = false;
    }
  }

  async function note(tenantId: string, adminIds: readonly string[]): Promise<void> {
    await inTenant(tenantId, async (scope) => {
      const back = await noteSeen(scope, adminIds);
      if (back.length > 0) onArrived(tenantId);
    });
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS).unref();
  return {
    seen: (tenantId, adminId) => note(tenantId, [adminId]),
    close: () => clearInterval(timer),
  };
}

/** Connections know persons; those who may answer are agents. */
function isAgent(actor: Actor & Partial<Person>): boolean {
  return actor.side === 'admin' && actor.can('REPLY_SUPPORT_CHAT');
}
