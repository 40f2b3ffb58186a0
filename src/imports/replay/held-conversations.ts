import type { Scope } from '../../platform/database/index.ts';
import { errorCode } from './actors.ts';
import type { RestClient } from './rest-client.ts';

/** A message as it is held, by whichever way it was read. */
export interface HeldMessage {
  readonly seq: number;
  readonly senderType: string;
  readonly clientId: string;
  readonly messageType: string;
  readonly body: string | null;
  /** Whether the other side has read it; null where that was not asked. */
  readonly read: boolean | null;
}

/** A conversation as it is held. */
export interface HeldConversation {
  readonly status: string;
  readonly lastSeq: number;
  readonly messages: readonly HeldMessage[];
}

const PAGE_SIZE = 100;

/**
 * Reads a conversation over REST, all pages.
 * @throws Error when the server refuses
 */
export async function readOverRest(rest: RestClient, token: string, conversationId: string): Promise<HeldConversation> {
  const path = `/api/support/conversations/${conversationId}`;
  const get = async (address: string): Promise<unknown> => {
    const answer = await rest.ask('GET', address, { token });
    if (answer.status !== 200) throw new Error(`GET ${address}: ${answer.status} ${errorCode(answer.body)}`);
    return answer.body;
  };
  // Answers 200 have the contract's shape.
  const { conversation } = (await get(path)) as { conversation: { status: string; lastSeq: number } };
  const messages: HeldMessage[] = [];
  for (let after = 0; ; after = messages.at(-1)?.seq ?? 0) {
    const page = (await get(`${path}/messages?after=${after}&limit=${PAGE_SIZE}`)) as { items: HeldMessage[] };
    messages.push(...page.items);
    if (page.items.length < PAGE_SIZE) break;
  }
  return { ...conversation, messages };
}

/** Reads conversations from the tables themselves, past all views and caches. Keyed by conversation id. */
export async function readFromTables(
  scope: Scope,
  conversationIds: readonly string[],
): Promise<Map<string, HeldConversation>> {
  const held = new Map<string, { status: string; lastSeq: number; messages: HeldMessage[] }>();
  const heads = await scope.em.execute<{ id: string; status: string; last_seq: number }[]>(
    'select id, status, last_seq from conversations where id = any (?::uuid[])',
    [toArray(conversationIds)],
  );
  for (const head of heads) held.set(head.id, { status: head.status, lastSeq: head.last_seq, messages: [] });
  const rows = await scope.em.execute<Record<string, string>[]>(
    `select conversation_id, seq, sender_type, client_id, message_type, body
     from messages where conversation_id = any (?::uuid[]) order by conversation_id, seq`,
    [toArray(conversationIds)],
  );
  for (const row of rows) {
    held.get(row['conversation_id'] ?? '')?.messages.push({
      seq: Number(row['seq']),
      senderType: row['sender_type'] ?? '',
      clientId: row['client_id'] ?? '',
      messageType: row['message_type'] ?? '',
      body: row['body'] ?? null,
      read: null,
    });
  }
  return held;
}

/** PostgreSQL's text form of an array of uuids. */
function toArray(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}
