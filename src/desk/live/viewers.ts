/** Who has a conversation open: on this node by their connections, on others by what those say again and again. */
export interface Viewers {
  /** True when the list changed. */
  joined(room: string, person: Viewing): boolean;
  left(room: string, personId: string): boolean;
  /** Another node says so; it counts for three quarters of a minute. */
  heard(room: string, person: Viewing, isThere: boolean, now: number): boolean;
  /** By name. */
  of(room: string): Viewing[];
  /** Who is here by connections of this node, room by room. */
  here(): [room: string, personIds: string[]][];
  /** Forgets what other nodes have not said again; gives the rooms that changed. */
  expire(now: number): string[];
}

/** Somebody who looks at a conversation. */
export interface Viewing {
  readonly id: string;
  readonly name: string;
}

interface Seen {
  readonly name: string;
  connections: number;
  /** Until when another node's word counts, in milliseconds. */
  elsewhereUntil: number;
}

const ELSEWHERE_MS = 45_000;

/** See `Viewers`. Keeps names and counts only. */
export function createViewers(): Viewers {
  const rooms = new Map<string, Map<string, Seen>>();

  function seen(room: string, { id, name }: Viewing): { one: Seen; isNew: boolean } {
    const people = rooms.get(room) ?? new Map<string, Seen>();
    rooms.set(room, people);
    const known = people.get(id);
    if (known) return { one: known, isNew: false };
    const one = { name, connections: 0, elsewhereUntil: 0 };
    people.set(id, one);
    return { one, isNew: true };
  }

  function dropIfGone(room: string, id: string): boolean {
    const people = rooms.get(room);
    const one = people?.get(id);
    if (!people || !one || one.connections > 0 || one.elsewhereUntil > 0) return false;
    people.delete(id);
    if (people.size === 0) rooms.delete(room);
    return true;
  }

  return {
    joined(room, person) {
      const { one, isNew } = seen(room, person);
      one.connections += 1;
      return isNew;
    },
    left(room, personId) {
      const one = rooms.get(room)?.get(personId);
      if (!one || one.connections === 0) return false;
      one.connections -= 1;
      return dropIfGone(room, personId);
    },
    heard(room, person, isThere, now) {
      if (!isThere) {
        const one = rooms.get(room)?.get(person.id);
        if (one) one.elsewhereUntil = 0;
        return dropIfGone(room, person.id);
      }
      const { one, isNew } = seen(room, person);
      one.elsewhereUntil = now + ELSEWHERE_MS;
      return isNew;
    },
    of(room) {
      return [...(rooms.get(room) ?? [])]
        .map(([id, { name }]) => ({ id, name }))
        .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    },
    here() {
      return [...rooms].map(([room, people]) => [
        room,
        [...people].filter(([, one]) => one.connections > 0).map(([id]) => id),
      ]);
    },
    expire(now) {
      const changed: string[] = [];
      for (const [room, people] of rooms) {
        for (const [id, one] of people) {
          if (one.elsewhereUntil === 0 || one.elsewhereUntil > now) continue;
          one.elsewhereUntil = 0;
          if (dropIfGone(room, id)) changed.push(room);
        }
      }
      return changed;
    },
  };
}
