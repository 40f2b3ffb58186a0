import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStream } from '../http/index.ts';
import { cursorText, parseCursor } from './cursor.ts';
import type { Hub } from './hub.ts';
import type { Connection, Cursor, Welcome } from './room.ts';
import type { Visitor } from './visitor.ts';

const BEAT_MS = 20_000;

/** A room and where its reader stands. */
export interface AskedRoom {
  readonly room: string;
  readonly after: Cursor | null;
}

/** Most rooms one page asks for. */
const MAX_ROOMS_OF_PAGE = 20;

/** Reads `room=a&after=1&room=b`: each cursor belongs to the room before it. */
export function askedRooms(query: string, epoch: string): AskedRoom[] {
  const asked: { room: string; after: Cursor | null }[] = [];
  for (const [key, value] of new URLSearchParams(query)) {
    const last = asked[asked.length - 1];
    if (key === 'room' && asked.length === MAX_ROOMS_OF_PAGE) break;
    if (key === 'room') asked.push({ room: value, after: null });
    else if (key === 'after' && last && !last.after) last.after = parseCursor(value, epoch);
  }
  return asked;
}

/**
 * Puts the cursors that a resumed stream brings back (Last-Event-ID: a cursor a room, in the order of the rooms, parted
 * by commas) in the place of those in its address, which are as old as the page.
 */
export function resumedRooms(asked: readonly AskedRoom[], lastEventId: string | undefined, epoch: string): AskedRoom[] {
  if (!lastEventId) return [...asked];
  const cursors = lastEventId.split(',');
  return asked.map(({ room, after }, index) => ({ room, after: parseCursor(cursors[index], epoch) ?? after }));
}

/**
 * Carries rooms down an open stream of server-sent events: the same frames as a page's socket, each with an id from
 * which the stream resumes. A reader that is too slow is cut, and resumes.
 */
export function streamRooms(
  hub: Hub,
  stream: EventStream,
  visitor: Visitor,
  rooms: readonly AskedRoom[],
  texts: { welcome(welcome: Welcome): string; readonly beat: string },
): void {
  const cursors = rooms.map(({ after }) => (after ? cursorText(after.epoch, after.version) : ''));
  const places = new Map(rooms.map(({ room }, index) => [room, index]));
  let isSlow = false;
  // `isOpen` is a plain member here as it is of a socket
  const connection: Connection & { isOpen: boolean } = {
    id: `stream ${randomUUID()}`,
    actor: visitor.actor,
    format: 'html',
    language: visitor.language,
    expiresAtMs: visitor.expiresAtMs,
    isOpen: stream.isOpen,
    send({ text, cursor }) {
      const place = cursor && places.get(cursor.room);
      if (cursor && place !== null && place !== undefined) cursors[place] = cursorText(hub.epoch, cursor.version);
      isSlow = !stream.send({ data: text, id: cursors.join() });
      if (isSlow) connection.close(1013);
    },
    close() {
      hub.detach(connection);
      stream.close();
    },
    // the stream itself cuts who reads too slowly; between two pages it may send what it has
    drained: () => sleep(5),
    renew: () => visitor.renew(),
  };
  hub.attach(connection);
  const beat = setInterval(() => {
    connection.send({ text: texts.beat, cursor: null, bytes: null });
    void hub.recheck(connection);
  }, BEAT_MS);
  stream.onClose(() => {
    connection.isOpen = false;
    clearInterval(beat);
    hub.detach(connection);
  });
  for (const { room, after } of rooms) {
    hub.subscribe(connection, room, after, texts.welcome).then(
      (outcome) => {
        // asked a moment ago, and no longer so: the next try is told by its status
        if (outcome === 'refused') connection.close(4403);
      },
      () => connection.close(1013),
    );
  }
}
