import { sql } from 'kysely';
import { conversationNumber, type PersonRecord, type Rating, readPerson, readRating } from '../../desk/index.ts';
import { type KnownName, type Person, readNames } from '../../identity/index.ts';
import { accessConversation, type Conversation, type MessageView, readWholeLog, rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden, NotFound } from '../../platform/errors/index.ts';

/** The most that one report holds; of a longer conversation it has the newest. */
export const MAX_REPORTED_MESSAGES = 2_000;

/** An answer's wait, in whole seconds: by the clock on the wall and by the opening hours. */
export interface Wait {
  readonly isFirst: boolean;
  readonly secs: number;
  readonly openSecs: number;
}

/** What the reports count of this conversation; null until the read models have taken it in. */
export interface CountedFacts {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly answers: number;
  readonly firstSecs: number | null;
  readonly firstOpenSecs: number | null;
  readonly resolutionSecs: number | null;
  readonly resolutionOpenSecs: number | null;
  readonly reopens: number;
  readonly isAutoClosed: boolean;
  readonly isAbandoned: boolean;
}

/** One conversation, whole, as a lead reads or prints it. */
export interface ConversationReport {
  readonly conversation: Conversation;
  /** As staff know it, e.g. `A1B2C3`. */
  readonly number: string;
  readonly person: PersonRecord;
  /** Who holds it. */
  readonly holder: KnownName | null;
  readonly rating: Rating | null;
  readonly facts: CountedFacts | null;
  /** Lines of the log that the facts do not know yet. */
  readonly uncounted: number;
  readonly messages: readonly MessageView[];
  /** By the place of the answer. */
  readonly waits: ReadonlyMap<number, Wait>;
  /** False when the oldest lines are left out. */
  readonly isWhole: boolean;
}

/**
 * Everything about one support conversation: its log with system lines, what was counted of it, and how long each answer
 * took. The counts and waits are those that the other reports add up, so that the numbers agree.
 * @throws Forbidden without VIEW_SUPPORT_REPORTS; NotFound when it is not there, not theirs to read, or of another kind.
 */
export async function readConversationReport(scope: Scope<Person>, id: string): Promise<ConversationReport> {
  if (!scope.actor.can('VIEW_SUPPORT_REPORTS')) throw new Forbidden();
  const conversation = await accessConversation(scope, id);
  if (conversation.kind !== 'support' || !conversation.openedBy) throw new NotFound();
  const holderId = conversation.assignedAdminId ?? null;
  const [facts] = await rows(scope, factsStatement(scope, id));
  const counted = await rows(scope, waitsStatement(scope, id, conversation.lastSeq));
  const { messages, isWhole } = await readWholeLog(scope, conversation, {
    audience: 'staff',
    most: MAX_REPORTED_MESSAGES,
  });
  return {
    conversation,
    number: conversationNumber(id),
    person: await readPerson(scope, conversation.openedBy),
    holder: holderId ? ((await readNames(scope, [holderId])).get(holderId) ?? null) : null,
    rating: await readRating(scope, id),
    facts: facts ?? null,
    uncounted: conversation.lastSeq - (facts?.lastSeq ?? 0),
    messages,
    waits: new Map(counted.map(({ seq, ...wait }) => [seq, wait])),
    isWhole,
  };
}

function factsStatement(scope: Scope, id: string) {
  return sql<CountedFacts & { lastSeq: number }>`
    select f.last_seq as "lastSeq", f.messages_in as "messagesIn", f.messages_out as "messagesOut",
      (select count(*)::integer from report_responses r
       where r.conversation_id = f.conversation_id and r.tenant_id = f.tenant_id) as answers,
      f.first_secs as "firstSecs", f.first_open_secs as "firstOpenSecs", f.resolution_secs as "resolutionSecs",
      f.resolution_open_secs as "resolutionOpenSecs", f.reopens, f.is_auto_closed as "isAutoClosed",
      f.is_abandoned as "isAbandoned"
    from report_conversations f where f.conversation_id = ${id} and f.tenant_id = ${scope.tenant.id}`;
}

function waitsStatement(scope: Scope, id: string, lastSeq: number) {
  return sql<Wait & { seq: number }>`
    select r.seq, r.secs, r.open_secs as "openSecs", not exists (
      select 1 from report_responses e
      where e.conversation_id = r.conversation_id and e.tenant_id = r.tenant_id and e.seq < r.seq) as "isFirst"
    from report_responses r
    where r.conversation_id = ${id} and r.tenant_id = ${scope.tenant.id} and r.seq > ${lastSeq - MAX_REPORTED_MESSAGES}
    order by r.seq limit ${MAX_REPORTED_MESSAGES}`;
}
