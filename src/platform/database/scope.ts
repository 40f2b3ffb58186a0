import type { EntityManager } from '@mikro-orm/postgresql';

/** Who acts. Platform knows no more of people than this; identity adds the rest. */
export interface Actor {
  /** User id, or `system` for jobs. */
  readonly id: string;
  readonly tenantId: string;
  can(capability: string): boolean;
}

/** The tenant that everything in a scope belongs to. */
export interface TenantRef {
  readonly id: string;
  /** Its name everywhere outside the database. */
  readonly slug: string;
}

/** Something that happened, told to listeners after commit. `type` is `noun:verb`; each wing declares its own. */
export interface DomainEvent {
  readonly type: string;
  readonly tenantId: string;
}

/**
 * One unit of work: a request, a socket frame, a job run. Passed as the first argument; never kept.
 * `em` is a fork whose filter and connections are bound to `tenant`.
 */
export interface Scope<A extends Actor = Actor> {
  readonly em: EntityManager;
  readonly tenant: TenantRef;
  readonly actor: A;
  /** When the unit of work began; domain code reads no other clock. */
  readonly now: Date;
  /** Tells listeners once the surrounding `transact()` has committed (at once outside of one). */
  emit(event: DomainEvent): void;
}
