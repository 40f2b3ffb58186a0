import type { Person } from '../../identity/index.ts';
import { accessConversation } from '../../messaging/index.ts';
import type { Database } from '../../platform/database/index.ts';
import { NotFound } from '../../platform/errors/index.ts';
import type { Change, Connection, RoomKind } from '../../platform/realtime/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { lastNoteVersion, notesOf } from '../notes/read-notes.ts';
import type { StoredNote } from '../notes/stored-note.ts';

/** Name of the room where staff are among themselves about a conversation. */
export function staffRoom(conversationId: string): string {
  return `conversation_${conversationId}_staff`;
}

const NAME = /^conversation_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})_staff$/;

/** What the room needs. */
export interface StaffRoomDeps {
  readonly database: Database;
  changeOf(note: StoredNote): Change;
  joined(tenantId: string, id: string, connection: Connection): void;
  left(tenantId: string, id: string, connection: Connection): void;
  heard(tenantId: string, id: string, note: string): void;
}

/** `conversation_<id>_staff`: admins who may read the conversation. Its log is the notes. */
export function staffRoomKind(deps: StaffRoomDeps): RoomKind<Person> {
  const { database } = deps;

  async function mayHear(person: Person, id: string): Promise<boolean> {
    if (person.side !== 'admin') return false;
    return database.withScope({ id: person.tenantId, slug: person.tenantSlug }, person, (scope) =>
      accessConversation(scope, id).then(
        () => true,
        (error: unknown) => {
          if (error instanceof NotFound) return false;
          throw error;
        },
      ),
    );
  }

  return {
    kind: 'conversation_staff',
    parse: (name) => NAME.exec(name)?.[1] ?? null,
    nameOf: staffRoom,
    async open(person, id) {
      if (!(await mayHear(person, id))) return null;
      const version = await database.withScope(
        { id: person.tenantId, slug: '' },
        systemActor(person.tenantId),
        (scope) => lastNoteVersion(scope, id),
      );
      return { audience: 'staff', version, state: () => ({ readMarks: [] }) };
    },
    stillAllowed: mayHear,
    async changesAfter(tenantId, id, after, limit) {
      const page = await database.withScope({ id: tenantId, slug: '' }, systemActor(tenantId), (scope) =>
        notesOf(scope, id, { after }, limit),
      );
      return page.items.map(deps.changeOf);
    },
    async ahead(logs) {
      const { rows } = await database.systemPool.query<{ tenant_id: string; id: string; version: number }>({
        name: 'notes-ahead',
        text: 'select tenant_id, id, version from notes_ahead($1, $2, $3)',
        values: [logs.map((one) => one.tenantId), logs.map((one) => one.id), logs.map((one) => one.version)],
      });
      return rows.map((row) => ({ tenantId: row.tenant_id, id: row.id, version: row.version }));
    },
    joined: deps.joined,
    left: deps.left,
    heard: deps.heard,
  };
}
