import type { Actor } from '../../platform/database/index.ts';

/**
 * Nobody hands out, or takes away, more than they have: true when `actor` may make, give or take a role with these
 * capabilities.
 */
export function mayGrant(actor: Actor, capabilities: Iterable<string>): boolean {
  if (!actor.can('MANAGE_ROLES')) return false;
  for (const capability of capabilities) if (!actor.can(capability)) return false;
  return true;
}

/** True when the tenant would be left without anybody who may manage it. `owners` are the active holders now. */
export function wouldLoseLastOwner(owners: readonly string[], userId: string, staysOwner: boolean): boolean {
  return !staysOwner && owners.length === 1 && owners[0] === userId;
}
