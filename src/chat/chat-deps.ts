import type { Desk } from '../desk/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Messaging } from '../messaging/index.ts';
import type { Views } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';

/** What the user's pages are made from. */
export interface ChatDeps {
  readonly views: Views;
  readonly messaging: Messaging;
  /** The tenant's name and zone, from memory. */
  readonly tenancy: Pick<Tenancy, 'tenant' | 'bySlug' | 'supportSettings'>;
  /** For the entry from host apps. */
  readonly identity: Pick<Identity, 'signInByHost' | 'signOut' | 'cookie'>;
  /** Epoch of this database's logs: the first half of the cursor that a page hands to its live connection. */
  readonly epoch: string;
  /** Whether somebody is there. */
  readonly desk: Pick<Desk, 'supportState'>;
}
