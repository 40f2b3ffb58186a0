import type { Person } from '../../identity/index.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Change, RoomKind } from '../../platform/realtime/index.ts';
import { mayRead } from '../conversations/access-conversation.ts';
import { conversationView } from '../conversations/conversation.view.ts';
import { type BroadcastDeps, messageChange } from '../messages/message.broadcasts.ts';
import { audienceOf, type ReadMarks } from '../messages/message.view.ts';
import type { StoredMessage } from '../messages/stored-message.ts';
import type { FactsMemory } from './conversation-facts.ts';
import type { ConversationReader } from './conversation-reader.ts';
import { reloadFragment, seenFragment } from './fragments.ts';
import { marksFor } from './participants.ts';

/** The kind and the prefix of the name. */
export const CONVERSATION_ROOM = 'conversation';

/** Name of a conversation's room. */
export function conversationRoom(id: string): string {
  return `conversation_${id}`;
}

/** How far back the sweep of followed tenants looks: longer than any statement may take to commit. */
const RECENT_SECONDS = 10;

const NAME = /^conversation_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** A change of a conversation's log, with the message it is about. */
export interface MessageChange extends Change {
  readonly message: StoredMessage;
}

/** What the room needs. */
export interface ConversationRoomDeps extends BroadcastDeps {
  readonly database: Database;
  readonly facts: FactsMemory;
  readonly reader: ConversationReader;
  delivered(tenantId: string, id: string, changes: readonly MessageChange[], after: number): void;
  heard(tenantId: string, id: string, note: string): void;
}

/** A message as a change of its room's log. */
export function changeOf(deps: BroadcastDeps, message: StoredMessage, marks?: ReadMarks): MessageChange {
  return { ...messageChange(deps, message, marks), message };
}

/** `conversation_<id>`: participants and the admins who may read it. Its log is the conversation's. */
export function conversationRoomKind(deps: ConversationRoomDeps): RoomKind<Person> {
  const { database, facts, reader } = deps;
  return {
    kind: CONVERSATION_ROOM,
    parse: (name) => NAME.exec(name)?.[1] ?? null,

    async open(person, id) {
      const opening = await reader.open(person.tenantId, id, person.id);
      if (!opening || !mayRead(person, opening.conversation)) return null;
      const { conversation, marks, unread } = opening;
      facts.remember(conversation);
      const audience = audienceOf(person);
      const view = conversationView(conversation, person, person.side === 'admin' ? unread : undefined);
      return {
        audience,
        version: conversation.version,
        state: () => ({ readMarks: marksFor(audience, marks), conversation: view }),
        html: (_viewer, isBehind) =>
          seenFragment(audience === 'staff' ? conversation.userReadSeq : conversation.staffReadSeq) +
          (isBehind ? reloadFragment('#conversation-state') : ''),
      };
    },

    stillAllowed(person, id) {
      const known = facts.known(person.tenantId, id);
      if (known) return mayRead(person, known);
      return facts.find(person.tenantId, id).then((found) => found !== null && mayRead(person, found));
    },

    async changesAfter(tenantId, id, after, limit) {
      const { messages, marks } = await reader.changesAfter(tenantId, id, after, limit);
      return messages.map((message) => changeOf(deps, message, marks));
    },

    async ahead(logs) {
      const { rows } = await database.systemPool.query<{ tenant_id: string; id: string; version: number }>({
        name: 'conversations-ahead',
        text: 'select tenant_id, id, version from conversations_ahead($1, $2, $3)',
        values: [logs.map((one) => one.tenantId), logs.map((one) => one.id), logs.map((one) => one.version)],
      });
      return rows.map((row) => ({ tenantId: row.tenant_id, id: row.id, version: row.version }));
    },

    async recent(tenantIds, knownIds) {
      const { rows } = await database.systemPool.query<{
        tenant_id: string;
        id: string;
        version: number;
        base: number | null;
      }>({
        name: 'recent-conversations',
        text: 'select tenant_id, id, version, base from recent_conversations($1, $2, $3)',
        values: [tenantIds, RECENT_SECONDS, knownIds],
      });
      return rows.map((row) => ({ tenantId: row.tenant_id, id: row.id, version: row.version, base: row.base }));
    },

    delivered(tenantId, id, changes, after) {
      // every change of this kind of room is made by changeOf
      deps.delivered(tenantId, id, changes as readonly MessageChange[], after);
    },
    heard: (tenantId, id, note) => deps.heard(tenantId, id, note),
  };
}
