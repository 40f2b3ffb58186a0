import type { Actor } from '../platform/database/index.ts';
import type { Policy } from '../platform/http/index.ts';
import type { Capability, Person } from './person.ts';

/** For the few doors that need nobody: sign-in, health, assets. */
export function anyone(): Policy {
  return { name: 'anyone', needsSession: false, check: () => 'ok' };
}

/** Whoever is signed in, on either side. */
export function signedIn(): Policy {
  return { name: 'signed-in', needsSession: true, check: (actor) => (isPerson(actor) ? 'ok' : 'forbidden') };
}

/** The host's users; admins have their own doors. */
export function users(): Policy {
  return {
    name: 'user',
    needsSession: true,
    check: (actor) => (isPerson(actor) && actor.side === 'user' ? 'ok' : 'forbidden'),
  };
}

/** Admins who have the capability; without one, any admin who may enter the desk. */
export function admins(capability: Capability = 'SUPPORT_CHAT'): Policy {
  return {
    name: `admin:${capability}`,
    needsSession: true,
    capability,
    check: (actor) => (isPerson(actor) && actor.side === 'admin' && actor.can(capability) ? 'ok' : 'forbidden'),
  };
}

/** True for somebody signed in; false for jobs and for nobody. */
export function isPerson(actor: Actor): actor is Person {
  return 'sessionId' in actor && 'side' in actor;
}
