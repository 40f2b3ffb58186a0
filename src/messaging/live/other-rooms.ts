import type { Person } from '../../identity/index.ts';
import type { RoomKind } from '../../platform/realtime/index.ts';
import { audienceOf } from '../messages/message.view.ts';
import { CONVERSATION_ROOM } from './conversation.room.ts';

/** The desk's room: every support conversation of the tenant. No log of its own. */
export const SUPPORT_ROOM = 'admin_support';

/** Kind of the rooms of one person, `user_<id>`. */
export const PERSON_ROOM = 'user';

/** Name of a person's own room. */
export function personRoom(userId: string): string {
  return `user_${userId}`;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const PERSON_NAME = new RegExp(`^user_(${UUID})$`);

/** `admin_support`: admins who may see the list. */
export function supportRoomKind(deps: { heard(tenantId: string, note: string): void }): RoomKind<Person> {
  const mayHear = (person: Person) => person.side === 'admin' && person.can('VIEW_SUPPORT_CHAT_LIST');
  return {
    kind: SUPPORT_ROOM,
    follows: CONVERSATION_ROOM,
    parse: (name) => (name === SUPPORT_ROOM ? '' : null),
    open: async (person) =>
      mayHear(person) ? { audience: 'staff', version: null, state: () => ({ readMarks: [] }) } : null,
    stillAllowed: mayHear,
    heard: (tenantId, _id, note) => deps.heard(tenantId, note),
  };
}

/** `user_<id>`: that person's badges, notices and new conversations. */
export function personRoomKind(deps: {
  heard(tenantId: string, userId: string, note: string): void;
}): RoomKind<Person> {
  return {
    kind: PERSON_ROOM,
    parse: (name) => PERSON_NAME.exec(name)?.[1] ?? null,
    open: async (person, id) =>
      person.id === id ? { audience: audienceOf(person), version: null, state: () => ({ readMarks: [] }) } : null,
    stillAllowed: (person, id) => person.id === id,
    heard: deps.heard,
  };
}
