import { queueFor } from '../desk/index.ts';
import type { Person } from '../identity/index.ts';
import type { Conversation } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import type { ChatDeps } from './chat-deps.ts';

/** What a user may know of the other side, as `/chat/_desk` draws it. */
export interface DeskState {
  readonly enabled: boolean;
  readonly isOpen: boolean;
  readonly opensAt: Date | null;
  readonly closesAt: Date | null;
  /** The tenant's own words outside of the hours. */
  readonly awayMessage: string | null;
  /** Place in the queue, 1 is next; null when nobody is waited for. */
  readonly position: number | null;
  /** Measured lately; null when too few waited to tell. */
  readonly expectedWaitSeconds: number | null;
}

/** Whether somebody is there, and for a conversation that waits, where it stands. */
export async function deskState(deps: ChatDeps, scope: Scope<Person>, conversation?: Conversation): Promise<DeskState> {
  const state = deps.desk.supportState(scope);
  const waiting = conversation?.isOpen() && !conversation.assignedAdminId && state.isOpen ? conversation : null;
  const place = waiting && (await queueFor(scope, waiting.id));
  return { ...state, position: place?.position ?? null, expectedWaitSeconds: place?.expectedWaitSeconds ?? null };
}
