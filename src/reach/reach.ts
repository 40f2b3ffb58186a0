import type { Log } from '../platform/database/index.ts';
import type { MailTransport } from '../platform/outbound/index.ts';
import type { Views } from '../platform/views/index.ts';
import type { Tenancy } from '../tenancy/index.ts';

/** What the use cases of reach need besides their scope. */
export interface Reach {
  readonly mail: MailTransport;
  readonly tenancy: Tenancy;
  readonly views: Views;
  /** Where links in mails lead; never taken from a request. */
  readonly publicUrl: URL;
  readonly log: Log;
}
