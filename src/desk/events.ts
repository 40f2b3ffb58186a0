import type { DomainEvent, Scope } from '../platform/database/index.ts';

/** An agent has said whether they take conversations, or is here again after being away. */
export interface AvailabilityChanged extends DomainEvent {
  readonly type: 'desk:availability';
  readonly adminId: string;
}

/** A user has waited longer for an answer than the tenant wants; told once for each wait. For leads. */
export interface ResponseIsLate extends DomainEvent {
  readonly type: 'desk:response-late';
  readonly conversationId: string;
  readonly kind: 'first' | 'next';
  /** ISO 8601 UTC. */
  readonly dueAt: string;
  /** Who holds it; null while nobody does. */
  readonly assignedAdminId: string | null;
}

/** Waits began or ended: lists of what is due look otherwise. */
export interface WaitsChanged extends DomainEvent {
  readonly type: 'desk:waits';
  readonly conversationIds: readonly string[];
}

/** Everything that the desk tells. */
export type DeskEvent = AvailabilityChanged | ResponseIsLate | WaitsChanged;

/** Emits an event of this wing; told after the surrounding transaction has committed. */
export function tellDesk(scope: Pick<Scope, 'emit'>, event: DeskEvent): void {
  scope.emit(event);
}
