import type { Desk } from '../desk/index.ts';
import type { Identity, Person } from '../identity/index.ts';
import type { Messaging } from '../messaging/index.ts';
import type { PushTransport } from '../platform/outbound/index.ts';
import type { Views } from '../platform/views/index.ts';
import type { StopLinks } from '../reach/index.ts';
import type { Tenancy } from '../tenancy/index.ts';

/** What the user's pages are made from. */
export interface ChatDeps {
  readonly views: Views;
  readonly messaging: Messaging;
  /** The tenant's name and zone, from memory. */
  readonly tenancy: Pick<Tenancy, 'tenant' | 'byId' | 'bySlug' | 'supportSettings'>;
  /** For the entry from host apps. */
  readonly identity: Pick<Identity, 'signInByHost' | 'signOut' | 'cookie' | 'signInLinks'>;
  /** Epoch of this database's logs: the first half of the cursor that a page hands to its live connection. */
  readonly epoch: string;
  /** Whether somebody is there. */
  readonly desk: Pick<Desk, 'supportState'>;
  /** Which browsers can be told of answers, and with which key of ours. */
  readonly push: Pick<PushTransport, 'knows' | 'publicKey'>;
  /** Reads the links by which mails are stopped. */
  readonly stopLinks: Pick<StopLinks, 'read'>;
  /** True where mails leave at all. */
  readonly mails: boolean;
  /** The same person has a new session in the same browser: what hangs on the old one goes over, before that one ends. */
  keepDevices(before: Person, next: { readonly sessionId: string }): Promise<void>;
}
