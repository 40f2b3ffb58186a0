import type { AppendOutcome, NewMessage, StoredMessage } from './stored-message.ts';
import { contentHash } from './stored-message.ts';

/** One row that the function `append_messages` gives back. */
interface AppendRow {
  /** `ord verdict`, and of what is new `ord new seq version created_at`; `ord` counts from 1. One text is read faster than five. */
  readonly line: string;
  readonly stored: StoredRow | null;
  /** Seconds, with the verdict `too_many`. */
  readonly retry_after: number | null;
}

/** A row of `messages` as `to_jsonb` writes it. */
interface StoredRow {
  readonly id: string;
  readonly seq: number;
  readonly version: number;
  readonly first_version: number;
  readonly message_type: string;
  readonly event: string | null;
  readonly data: Record<string, unknown> | null;
  readonly body: string | null;
  readonly reply_to_id: string | null;
  readonly created_at: string;
  readonly edited_at: string | null;
  readonly deleted_at: string | null;
}

/** The minimum of `pg`'s pool and client that an append needs. */
export interface Queryable {
  query<R>(config: { name?: string; text: string; values: unknown[] }): Promise<{ rows: R[] }>;
}

const ROW = "concat_ws(' ', ord, verdict, seq, version, created_at) as line, stored, retry_after";

const TEXT = `select ${ROW} from append_messages(
  $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::integer[], $7::uuid[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::uuid[], $13::uuid[], $14::text[], $15::integer[], $16::integer[],
  $17::boolean)`;

const CLAIM_TEXT = `select ${ROW} from claim_and_append(
  $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::integer[], $7::uuid[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::uuid[], $13::uuid[], $14::text[], $15::integer[], $16::integer[])`;

/** The arguments of `append_messages` for a batch, column by column; all but whether it waits. */
function columnsOf(batch: readonly NewMessage[]): (string | null)[] {
  return [
    column(batch, (m) => m.id),
    column(batch, (m) => m.tenantId),
    column(batch, (m) => m.conversationId),
    column(batch, (m) => m.sender.type),
    column(batch, (m) => (m.sender.type === 'system' ? null : m.sender.id)),
    column(batch, (m) => (m.sender.type === 'system' ? null : m.sender.accessVersion)),
    column(batch, (m) => m.clientId),
    column(batch, (m) => quoted(m.messageType)),
    column(batch, (m) => quoted(m.event)),
    column(batch, (m) => quoted(m.data && JSON.stringify(m.data))),
    column(batch, (m) => quoted(m.body)),
    column(batch, contentHash),
    column(batch, (m) => m.replyToId),
    column(batch, (m) => quoted(m.refuseNew)),
    column(batch, (m) => m.sendLimit?.messages),
    column(batch, (m) => m.sendLimit?.seconds),
  ];
}

/**
 * One array as PostgreSQL reads it; null where no message has a value, which says the same and is nothing to read. The
 * driver would write it too, at twice the cost: it looks into each value for what there is to escape.
 */
function column(
  batch: readonly NewMessage[],
  pick: (message: NewMessage) => string | number | null | undefined,
): string | null {
  let isEmpty = true;
  const elements = batch.map((message) => {
    const value = pick(message) ?? null;
    if (value !== null) isEmpty = false;
    return value ?? 'null';
  });
  return isEmpty ? null : `{${elements.join()}}`;
}

/** Text as an element of an array; the other columns hold ids, numbers and words of ours. */
function quoted(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * Sends one batch to the database in one call.
 * @returns one outcome a message, in order; `busy` where another transaction holds the conversation (never with `wait`)
 * @throws what the driver throws: then nothing of the batch was stored, or, on a lost connection, nobody knows
 */
export async function callAppend(
  database: Queryable,
  batch: readonly NewMessage[],
  wait: boolean,
): Promise<(AppendOutcome | 'busy')[]> {
  const result = await database.query<AppendRow>({
    name: 'append_messages',
    text: TEXT,
    values: [...columnsOf(batch), wait],
  });
  const outcomes: (AppendOutcome | 'busy')[] = new Array(batch.length);
  const read = createLineReader();
  for (const row of result.rows) {
    const line = read(row.line);
    const message = batch[line.at];
    if (!message) throw new Error('append_messages answered for a message that was not sent');
    outcomes[line.at] = outcome(message, line, row);
  }
  return outcomes;
}

/** A line `assigned` and the answer by which its sender takes the conversation. */
export interface Claim {
  readonly line: NewMessage;
  readonly answer: NewMessage;
}

/**
 * Claims what is open and nobody's, and stores line and answer, of all of them in one transaction.
 * @returns for each claim both messages as they were stored; null where it could not be claimed, and nothing happened
 * @throws when one that was claimed could not be stored: then nothing of the batch was, or nobody knows
 */
export async function callClaim(
  database: Queryable,
  batch: readonly Claim[],
): Promise<(readonly [line: StoredMessage, answer: StoredMessage] | null)[]> {
  const messages = batch.flatMap(({ line, answer }) => [line, answer]);
  const result = await database.query<AppendRow>({
    name: 'claim_and_append',
    text: CLAIM_TEXT,
    values: columnsOf(messages),
  });
  const stored: (StoredMessage | undefined)[] = new Array(messages.length);
  const read = createLineReader();
  for (const row of result.rows) {
    const line = read(row.line);
    const message = messages[line.at];
    if (!message) throw new Error('claim_and_append answered for a message that was not sent');
    stored[line.at] = freshMessage(message, line);
  }
  return batch.map((_, at) => {
    const [line, answer] = [stored[2 * at], stored[2 * at + 1]];
    return line && answer ? [line, answer] : null;
  });
}

/** What `AppendRow.line` says; `at` counts from 0, and the last three are there with what is new. */
interface Line {
  readonly at: number;
  readonly verdict: string;
  readonly seq: number | null;
  readonly version: number | null;
  readonly createdAt: Date | null;
  /** The same as ISO text. */
  readonly createdAtText: string;
}

/** Reads the lines of one answer. Nearly all that one statement stores has the same time, which is read once. */
function createLineReader(): (line: string) => Line {
  let lastText = '';
  let createdAt = new Date(0);
  let createdAtText = '';
  return (line) => {
    const [ord, verdict = '', seq, version, date, time] = line.split(' ');
    const at = Number(ord) - 1;
    if (seq === undefined) return { at, verdict, seq: null, version: null, createdAt: null, createdAtText: '' };
    const text = `${date} ${time}`;
    if (text !== lastText) {
      lastText = text;
      createdAt = new Date(text);
      createdAtText = createdAt.toISOString();
    }
    return { at, verdict, seq: Number(seq), version: Number(version), createdAt, createdAtText };
  };
}

function outcome(message: NewMessage, line: Line, row: AppendRow): AppendOutcome | 'busy' {
  switch (line.verdict) {
    case 'busy':
      return 'busy';
    case 'new':
      return { verdict: 'new', message: freshMessage(message, line) };
    case 'repeat': {
      if (!row.stored) throw new Error('append_messages answered a repeat without its message');
      return { verdict: 'repeat', message: storedMessage(message, row.stored) };
    }
    case 'too_many':
      return { verdict: 'too_many', retryAfterSeconds: Math.max(1, row.retry_after ?? 1) };
    case 'absent':
    case 'conflict':
    case 'stale':
    case 'closed':
    case 'unassigned':
    case 'assigned_to_other':
      return { verdict: line.verdict };
    default:
      return { verdict: 'refused', code: line.verdict };
  }
}

function freshMessage(message: NewMessage, { seq, version, createdAt, createdAtText }: Line): StoredMessage {
  if (seq === null || version === null || createdAt === null) {
    throw new Error('append_messages stored a message without numbers');
  }
  return {
    ...senderColumns(message),
    id: message.id,
    tenantId: message.tenantId,
    conversationId: message.conversationId,
    seq,
    version,
    firstVersion: version,
    messageType: message.messageType,
    event: message.event ?? null,
    data: message.data ?? null,
    body: message.body,
    replyToId: message.replyToId ?? null,
    clientId: message.clientId,
    createdAt,
    createdAtText,
    editedAt: null,
    deletedAt: null,
    ...(message.originConnectionId ? { originConnectionId: message.originConnectionId } : {}),
  };
}

function storedMessage(message: NewMessage, row: StoredRow): StoredMessage {
  return {
    ...senderColumns(message),
    id: row.id,
    tenantId: message.tenantId,
    conversationId: message.conversationId,
    seq: row.seq,
    version: row.version,
    firstVersion: row.first_version,
    messageType: row.message_type,
    event: row.event,
    data: row.data,
    body: row.body,
    replyToId: row.reply_to_id,
    clientId: message.clientId,
    createdAt: new Date(row.created_at),
    editedAt: row.edited_at ? new Date(row.edited_at) : null,
    deletedAt: row.deleted_at ? new Date(row.deleted_at) : null,
  };
}

function senderColumns({ sender }: NewMessage) {
  return sender.type === 'system'
    ? { senderType: sender.type, senderId: null, senderName: null, senderUserType: null }
    : { senderType: sender.type, senderId: sender.id, senderName: sender.name, senderUserType: sender.userType };
}
