import { ADMIN, type Person, User } from '../../identity/index.ts';
import { personRoom } from '../../messaging/index.ts';
import type { Database, DomainEvent, Log } from '../../platform/database/index.ts';
import type { Change, Connection, Hub } from '../../platform/realtime/index.ts';
import { cursorText } from '../../platform/realtime/index.ts';
import { escapeHtml } from '../../platform/text/index.ts';
import { stream, type Views } from '../../platform/views/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import type { ResponseIsLate, WaitsChanged } from '../events.ts';
import type { NoteAdded } from '../notes/add-note.ts';
import { noteLine, noteView } from '../notes/note.view.ts';
import type { StoredNote } from '../notes/stored-note.ts';
import { staffRoom, staffRoomKind } from './staff.room.ts';
import { createViewers, type Viewing } from './viewers.ts';

/** What the live part of the desk is made from. */
export interface DeskLiveDeps {
  readonly hub: Hub;
  readonly database: Database;
  readonly views: Views;
  readonly log: Log;
  /** IANA zone of the tenant, from memory. */
  timeZone(tenantId: string): string;
  /** Lets every desk of the tenant, on every node, look at these rows again. */
  rowsChanged(tenantId: string, conversationIds: readonly string[], what: string): void;
}

/** The way from what staff do among themselves to who of them is there. */
export interface DeskLive {
  /** For domain events after commit; those of other wings are ignored. */
  heard(event: DomainEvent): void;
  close(): void;
}

/** Who looks is said again this often, so that other nodes know who is still there. */
const SAY_AGAIN_MS = 20_000;

/** Registers the staff rooms with the hub and connects them with what happens. */
export function openDeskLive(deps: DeskLiveDeps): DeskLive {
  const { hub, database, log } = deps;
  const viewers = createViewers();

  hub.register(staffRoomKind({ database, changeOf, joined, left, heard: noteHeard }));

  function changeOf(note: StoredNote): Change {
    return {
      version: note.version,
      encode({ format, language }, room) {
        if (format === 'json') return JSON.stringify({ type: 'note:new', room, note: noteView(note) });
        // the viewer's language is one of ours: the gate chose it
        const show = deps.views.for({ language: language as 'en' | 'bn', zone: deps.timeZone(note.tenantId) });
        const line = stream.upsert('#messages', show.partial('/dashboard/_note', { message: noteLine(note) }), {
          key: 'data-seq',
        });
        const entry = stream.upsert('#notes', show.partial('/dashboard/_note-entry', { note: noteView(note) }), {
          key: 'data-version',
          order: 'desc',
        });
        return `${line}${entry}<hx-cursor room="${room}" at="${cursorText(hub.epoch, note.version)}"></hx-cursor>`;
      },
    };
  }

  /** On the node where it was written; the others hear by hint and sweep. */
  function noteAdded({ tenantId, note }: NoteAdded): void {
    hub.changed(tenantId, staffRoom(note.conversationId), [changeOf(note)]);
    for (const { id } of note.mentions) {
      if (id === note.author.id) continue;
      hub.note(tenantId, personRoom(id), 'mention');
      hub.tell(tenantId, personRoom(id), {
        encode: ({ format }, room) =>
          format === 'html'
            ? '<hx-reload hx-target="#mentions"></hx-reload>'
            : JSON.stringify({ type: 'mention', room, conversationId: note.conversationId }),
      });
    }
  }

  function joined(tenantId: string, id: string, connection: Connection): void {
    if (connection.format !== 'html') return;
    // the gate knows persons only
    const { id: userId, name } = connection.actor as Person;
    const isNew = viewers.joined(key(tenantId, id), { id: userId, name });
    if (isNew) hub.note(tenantId, staffRoom(id), `looking ${userId} 1`);
    // also when nobody is new: this connection does not know the others yet
    tellViewers(tenantId, id);
  }

  function left(tenantId: string, id: string, connection: Connection): void {
    if (connection.format !== 'html') return;
    if (!viewers.left(key(tenantId, id), connection.actor.id)) return;
    hub.note(tenantId, staffRoom(id), `looking ${connection.actor.id} 0`);
    tellViewers(tenantId, id);
  }

  function tellViewers(tenantId: string, id: string): void {
    const people = viewers.of(key(tenantId, id));
    hub.tell(tenantId, staffRoom(id), {
      encode: ({ format }, room) =>
        format === 'html' ? lookingFragment(people) : JSON.stringify({ type: 'looking', room, participants: people }),
    });
  }

  /** A note names who; the name is read here, so that nobody can make others see what is not so. */
  function noteHeard(tenantId: string, id: string, note: string): void {
    const [what, userId = '', value] = note.split(' ');
    if (what !== 'looking' || !/^[0-9a-f-]{36}$/.test(userId)) return;
    if (!hub.hasListeners(tenantId, staffRoom(id))) return;
    nameOf(tenantId, userId).then(
      (name) => {
        if (name === null) return;
        if (viewers.heard(key(tenantId, id), { id: userId, name }, value === '1', performance.now())) {
          tellViewers(tenantId, id);
        }
      },
      (error: unknown) => log.warn({ err: error }, 'who looks at a conversation could not be told'),
    );
  }

  async function nameOf(tenantId: string, userId: string): Promise<string | null> {
    const user = await database.withScope({ id: tenantId, slug: '' }, systemActor(tenantId), (scope) =>
      scope.em.findOne(User, { id: userId }),
    );
    return user?.userType === ADMIN ? user.name : null;
  }

  const timer = setInterval(() => {
    for (const room of viewers.expire(performance.now())) tellViewers(...parts(room));
    for (const [room, people] of viewers.here()) {
      const [tenantId, id] = parts(room);
      for (const userId of people) hub.note(tenantId, staffRoom(id), `looking ${userId} 1`);
    }
  }, SAY_AGAIN_MS).unref();

  return {
    heard(event) {
      // the type says which event it is
      if (event.type === 'note:added') noteAdded(event as NoteAdded);
      else if (event.type === 'desk:response-late') {
        deps.rowsChanged(event.tenantId, [(event as ResponseIsLate).conversationId], 'late');
      } else if (event.type === 'desk:waits') {
        deps.rowsChanged(event.tenantId, (event as WaitsChanged).conversationIds, 'due');
      }
    },
    close: () => clearInterval(timer),
  };
}

function key(tenantId: string, id: string): string {
  return `${tenantId} ${id}`;
}

function parts(room: string): [tenantId: string, id: string] {
  const [tenantId = '', id = ''] = room.split(' ');
  return [tenantId, id];
}

/** Everybody who looks; the page leaves its own reader out. */
function lookingFragment(people: readonly Viewing[]): string {
  const items = people.map(({ id, name }) => `<li data-person="${id}">${escapeHtml(name)}</li>`);
  return `<hx-looking>${items.join('')}</hx-looking>`;
}
