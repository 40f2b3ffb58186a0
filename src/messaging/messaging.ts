import type { Person } from '../identity/index.ts';
import type { Database } from '../platform/database/index.ts';
import type { SupportSettings } from '../tenancy/index.ts';
import type { Files } from './attachments/files.ts';
import type { Appender } from './messages/append-messages.ts';

/** What the use cases of messaging need besides their scope; put together once per process by src/modules.ts. */
export interface Messaging {
  readonly database: Database;
  readonly appender: Appender;
  readonly files: Files;
  /** Settings of the tab Support, from memory (identity and tenancy keep them at most a second old). */
  settings(tenantId: string): SupportSettings;
  /** False lifts the send limit (LIMITS=off, for load tests). */
  readonly limits: boolean;
  /** IANA zone of the tenant, from memory: days of filters are days there. */
  timeZone(tenantId: string): string;
  /** The person as the database knows them now; null when they may no longer act. Asked when the append says `stale`. */
  reloadPerson(person: Person): Promise<Person | null>;
}
