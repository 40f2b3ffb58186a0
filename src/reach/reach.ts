import type { SignInLinks } from '../identity/index.ts';
import type { Log } from '../platform/database/index.ts';
import type { MailTransport, PushTransport } from '../platform/outbound/index.ts';
import type { Views } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';
import type { StopLinks } from './choices/stop-links.ts';

/** What the use cases of reach need besides their scope. */
export interface Reach {
  readonly tenancy: Tenancy;
  readonly views: Views;
  readonly log: Log;
}

/** The same for mails. */
export interface MailReach extends Reach {
  readonly mail: MailTransport;
  /** Where links in mails lead; never taken from a request. */
  readonly publicUrl: URL;
  readonly signInLinks: Pick<SignInLinks, 'issue'>;
  readonly stopLinks: Pick<StopLinks, 'token'>;
}

/** The same for web push. */
export interface PushReach extends Reach {
  readonly push: PushTransport;
  /** Whether somebody has a conversation open now, on any node: then no device is told. */
  hasOpen(tenantId: string, userId: string, conversationId: string): Promise<boolean>;
}
