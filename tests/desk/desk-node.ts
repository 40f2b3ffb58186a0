import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { type Desk, noteSeen, openDesk } from '../../src/desk/index.ts';
import { entities } from '../../src/entities.ts';
import { createAppender, type NewMessage } from '../../src/messaging/index.ts';
import { type Database, type DomainEvent, openDatabase } from '../../src/platform/database/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import {
  loadSupportSettings,
  openTenancy,
  type SupportSettings,
  saveSupportSettings,
} from '../../src/tenancy/index.ts';
import { collectedLog } from '../support/collected-log.ts';
import { adminUrl, databaseUrl } from '../support/database.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { insertConversation, insertPerson, type PersonRow } from '../support/rows.ts';

/** Nodes whose desk runs without pages and sockets, and a tenant whose rows are put there straight. */
export interface DeskTest {
  readonly admin: pg.Pool;
  readonly home: TestTenant;
  readonly nodes: readonly DeskNode[];
  /** Saves settings and lets every node know them. */
  set(settings: Partial<SupportSettings>): Promise<void>;
  /** An agent of `home` who is connected at that time; `null` for one who never was. */
  agent(seenAt: Date | null): Promise<PersonRow>;
  /** These agents are connected at that time. */
  seen(agents: readonly PersonRow[], at: Date): Promise<void>;
  /** An open conversation whose user has waited for an answer since then; nobody waits without a time. */
  conversation(waitingSince?: Date, holder?: PersonRow): Promise<string>;
  /** Closes whatever is open, without a line in the log. */
  closeAll(): Promise<void>;
  /** The user of a conversation writes, or an agent answers. */
  write(conversationId: string, from?: PersonRow): Promise<string>;
  /** Moves everything in a conversation back, so that its last message is that old at `now`. */
  silentSince(conversationId: string, at: Date): Promise<void>;
  row(conversationId: string): Promise<ConversationRow>;
  /** Events of the system lines, in order. */
  lines(conversationId: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** One node. */
export interface DeskNode {
  readonly database: Database;
  readonly desk: Desk;
  readonly events: DomainEvent[];
}

/** What the tests look at. */
export interface ConversationRow {
  readonly status: string;
  readonly assigned_admin_id: string | null;
  readonly last_seq: number;
  readonly closed_by: string | null;
  readonly waiting_since: Date | null;
}

const quiet = collectedLog({ error: (...told: unknown[]) => console.error(...told) });

/** Starts so many nodes, with a tenant of their own, on the run's database or on another one. */
export async function startDesk(howMany = 2, on = { url: databaseUrl(), adminUrl: adminUrl() }): Promise<DeskTest> {
  const admin = new pg.Pool({ connectionString: on.adminUrl, max: 4 });
  // a database that is stopped tells its idle connections
  admin.on('error', () => {});
  const nodes = await Promise.all(
    Array.from({ length: howMany }, async () => {
      const events: DomainEvent[] = [];
      const onEvent = (event: DomainEvent) => void events.push(event);
      const database = await openDatabase({ url: on.url, entities, log: quiet, onEvent });
      const tenancy = await openTenancy({ database, log: quiet });
      const desk = openDesk({ database, tenancy, people: () => [], log: quiet });
      return { database, tenancy, desk, events };
    }),
  );
  const [first] = nodes;
  if (!first) throw new Error('a desk needs a node');
  const home = await newTenant(first.database);
  const tenantId = home.tenant.id;
  const appender = createAppender({ database: first.database, log: quiet });

  async function seen(agents: readonly PersonRow[], at: Date): Promise<void> {
    const ids = agents.map((one) => one.id);
    await home.asPerson('system', (scope) => noteSeen({ ...scope, now: at }, ids));
  }

  return {
    admin,
    home,
    nodes,
    seen,
    async set(settings) {
      await home.asPerson('owner', async (scope) => {
        const now = await loadSupportSettings(scope);
        await saveSupportSettings(scope, { ...now.settings, ...settings }, now.version);
      });
      await Promise.all(nodes.map((node) => node.tenancy.refresh()));
    },
    async agent(seenAt) {
      const made = await insertPerson(admin, tenantId, 'admin');
      await admin.query(
        `insert into role_assignments (id, tenant_id, user_id, role_id, assigned_by, assigned_at)
         select $1, $2, $3, id, 'test', now() from roles where tenant_id = $2 and name = 'support_agent'`,
        [newId(), tenantId, made.id],
      );
      if (seenAt) await seen([made], seenAt);
      return made;
    },
    async conversation(waitingSince, holder) {
      const id = await insertConversation(admin, await insertPerson(admin, tenantId), holder);
      if (waitingSince)
        await admin.query('update conversations set waiting_since = $2 where id = $1', [id, waitingSince]);
      return id;
    },
    async closeAll() {
      await admin.query(
        `update conversations set status = 'closed', closed_at = now() where tenant_id = $1 and status = 'open'`,
        [tenantId],
      );
    },
    async write(conversationId, from) {
      const { rows } = await admin.query<{ id: string }>('select opened_by as id from conversations where id = $1', [
        conversationId,
      ]);
      const sender = from ?? { id: rows[0]?.id ?? '', type: 'user' as const };
      const message: NewMessage = {
        id: newId(),
        tenantId,
        conversationId,
        sender: { type: sender.type, id: sender.id, accessVersion: 1, name: 'Somebody', userType: 'driver' },
        clientId: randomUUID(),
        messageType: 'text',
        body: 'hello',
      };
      return (await appender.append(message)).verdict;
    },
    async silentSince(conversationId, at) {
      await admin.query('update conversations set last_message_at = $2, created_at = $2 where id = $1', [
        conversationId,
        at,
      ]);
    },
    async row(conversationId) {
      const { rows } = await admin.query<ConversationRow>('select * from conversations where id = $1', [
        conversationId,
      ]);
      return rows[0]!;
    },
    async lines(conversationId) {
      const { rows } = await admin.query<{ event: string }>(
        `select event from messages where conversation_id = $1 and event is not null order by seq`,
        [conversationId],
      );
      return rows.map((line) => line.event);
    },
    async stop() {
      for (const { desk, tenancy, database } of nodes) {
        await desk.close();
        await tenancy.close();
        await database.close();
      }
      await admin.end();
    },
  };
}

/** So many races: a few by default, `LONG=1` runs the number the fault table names. */
export function races(few: number, many: number): number {
  return process.env['LONG'] === '1' ? many : few;
}
