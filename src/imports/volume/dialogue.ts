import { createIds } from '../../platform/text/index.ts';
import type { VolumePerson } from './people.ts';
import type { Random } from './random.ts';
import { createSubject, createText, type TextKind } from './texts.ts';

/** An agent of the loaded volume; those with a greater pace answer later. */
export interface VolumeAgent {
  readonly id: string;
  readonly name: string;
  readonly pace: number;
}

/** How it stands in the end: settled, under way, or nobody has answered yet. */
export type DialogueEnd = 'closed' | 'open' | 'unanswered';

/** What one conversation is made from. */
export interface DialoguePlan {
  readonly random: Random;
  readonly user: VolumePerson;
  readonly agents: readonly VolumeAgent[];
  readonly startsAt: Date;
  /** Nothing happens later; whatever would is moved back as a whole. */
  readonly now: Date;
  /** Lines of the log, system lines too; at least MIN_LINES unless nobody answers. */
  readonly lines: number;
  readonly end: DialogueEnd;
  /** Minutes until the first and every further answer is late. */
  readonly targets: { readonly first: number; readonly next: number };
}

/** One line of the log; place and version are its number from 1. */
export interface DialogueLine {
  readonly id: string;
  readonly side: 'user' | 'admin' | 'system';
  readonly senderId: string | null;
  readonly body: string | null;
  readonly event: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly at: Date;
}

/** A wait of the user, from the message to the answer or the closing. */
export interface DialogueWait {
  readonly kind: 'first' | 'next';
  readonly askedSeq: number;
  readonly since: Date;
  readonly dueAt: Date;
  /** Null while it lasts. */
  readonly settledAt: Date | null;
  readonly answeredAt: Date | null;
}

/** Who held it, from when until when. */
export interface DialogueHolder {
  readonly agent: VolumeAgent;
  readonly from: Date;
  readonly until: Date | null;
  /** By the desk itself, not by an agent. */
  readonly isAutomatic: boolean;
}

/** Something staff said among themselves. */
export interface DialogueNote {
  readonly id: string;
  readonly author: VolumeAgent;
  readonly body: string;
  readonly afterSeq: number;
  readonly at: Date;
  readonly mentioned: VolumeAgent | null;
}

/** A whole conversation, from the first question to the rating. */
export interface Dialogue {
  readonly id: string;
  readonly user: VolumePerson;
  readonly subject: string | null;
  readonly lines: readonly DialogueLine[];
  readonly holders: readonly DialogueHolder[];
  readonly waits: readonly DialogueWait[];
  readonly notes: readonly DialogueNote[];
  readonly rating: { readonly score: number; readonly comment: string | null; readonly at: Date } | null;
  readonly end: DialogueEnd;
  /** A user id or `system`. */
  readonly closedBy: string | null;
  readonly readByUser: number;
  readonly readByStaff: number;
}

/** A question, who takes it, an answer, the closing. */
export const MIN_LINES = 4;

/** Lines of a question that nobody has answered. */
const MAX_UNANSWERED = 3;
const MINUTE = 60_000;

/** What a dialogue is while it is written. */
interface Draft {
  readonly plan: DialoguePlan;
  readonly newId: () => string;
  readonly lines: DialogueLine[];
  readonly holders: DialogueHolder[];
  readonly waits: DialogueWait[];
  readonly notes: DialogueNote[];
  /** Milliseconds. */
  at: number;
}

/** Makes up a conversation as one goes: question, assignment, answers, sometimes a transfer, a reopening, notes, a rating. */
export function createDialogue(plan: DialoguePlan): Dialogue {
  const { random, user, end } = plan;
  const draft: Draft = {
    plan,
    newId: createIds(() => draft.at),
    lines: [],
    holders: [],
    waits: [],
    notes: [],
    at: plan.startsAt.getTime(),
  };
  const id = draft.newId();
  say(draft, 'opening');
  let closedBy: string | null = null;
  if (end === 'unanswered') {
    while (draft.lines.length < Math.min(plan.lines, MAX_UNANSWERED)) say(draft, 'detail');
  } else {
    closedBy = talk(draft);
  }
  const last = draft.lines.length;
  const readByStaff = last - unreadAtTheEnd(draft);
  const readByUser = random.chance(end === 'closed' ? 0.12 : 0.3) ? Math.max(1, last - random.integer(1, 3)) : last;
  const rating = end === 'closed' && random.chance(0.42) ? rate(draft) : null;
  return moved(
    {
      id,
      user,
      subject: createSubject({ random, locale: user.locale, userType: user.userType }),
      lines: draft.lines,
      holders: draft.holders,
      waits: draft.waits,
      notes: draft.notes,
      rating,
      end,
      closedBy,
      readByUser,
      readByStaff,
    },
    plan,
  );
}

/** From the assignment to the end; gives who closed it. */
function talk(draft: Draft): string | null {
  const { random, lines: wanted, end } = draft.plan;
  const ending = end === 'closed' ? 1 : 0;
  if (wanted >= 8 && random.chance(0.3)) say(draft, 'detail');
  assign(draft, random.chance(0.6));
  answer(draft);
  const transferAt = wanted >= 10 && random.chance(0.08) ? random.integer(6, wanted - 3) : 0;
  const reopenAt = ending && wanted >= 12 && random.chance(0.06) ? random.integer(6, wanted - 5) : 0;
  while (draft.lines.length < wanted - ending) {
    const room = wanted - ending - draft.lines.length;
    const place = draft.lines.length;
    if (transferAt > 0 && place >= transferAt && draft.holders.length === 1 && room >= 2) transfer(draft);
    else if (reopenAt > 0 && place >= reopenAt && room >= 4 && !hasEvent(draft, 'closed')) closeAndReopen(draft);
    else if (draft.lines.at(-1)?.side === 'user' && !random.chance(0.25)) answer(draft);
    else if (draft.lines.at(-1)?.side === 'admin' && random.chance(0.3)) answer(draft);
    else say(draft, random.chance(0.12) ? 'thanks' : 'detail');
    if (random.chance(0.008)) note(draft);
  }
  return ending ? close(draft) : null;
}

function say(draft: Draft, kind: TextKind): void {
  const { random, user } = draft.plan;
  if (draft.lines.length > 0) draft.at += random.skewed(1.5 * MINUTE, 1.2);
  push(draft, { side: 'user', senderId: user.id, body: text(draft, kind) });
  if (draft.waits.at(-1)?.settledAt === null) return;
  const kindOfWait = draft.lines.some((line) => line.side === 'admin') ? 'next' : 'first';
  draft.waits.push({
    kind: kindOfWait,
    askedSeq: draft.lines.length,
    since: new Date(draft.at),
    dueAt: new Date(draft.at + draft.plan.targets[kindOfWait] * MINUTE),
    settledAt: null,
    answeredAt: null,
  });
}

function answer(draft: Draft): void {
  const { random } = draft.plan;
  const agent = holder(draft);
  const isFirst = !draft.lines.some((line) => line.side === 'admin');
  draft.at += random.skewed((isFirst ? 4 : 2) * agent.pace * MINUTE, isFirst ? 1.1 : 0.9);
  push(draft, { side: 'admin', senderId: agent.id, body: text(draft, 'answer') });
  settle(draft, true);
}

function settle(draft: Draft, isAnswered: boolean): void {
  const wait = draft.waits.at(-1);
  if (!wait || wait.settledAt) return;
  const settledAt = new Date(draft.at);
  draft.waits[draft.waits.length - 1] = { ...wait, settledAt, answeredAt: isAnswered ? settledAt : null };
}

function assign(draft: Draft, isAutomatic: boolean): void {
  const agent = draft.plan.random.one(draft.plan.agents);
  draft.at += draft.plan.random.skewed(isAutomatic ? 0.3 * MINUTE : 2 * MINUTE, 0.8);
  draft.holders.push({ agent, from: new Date(draft.at), until: null, isAutomatic });
  const by = isAutomatic ? null : agent;
  line(draft, 'assigned', { adminId: agent.id, adminName: agent.name, fromAdminId: null }, by);
}

function transfer(draft: Draft): void {
  const { random, agents } = draft.plan;
  const from = holder(draft);
  const others = agents.filter((one) => one !== from);
  const to = others.length > 0 ? random.one(others) : from;
  if (random.chance(0.5)) note(draft, to);
  draft.at += random.skewed(3 * MINUTE, 0.8);
  const held = draft.holders.at(-1);
  if (held) draft.holders[draft.holders.length - 1] = { ...held, until: new Date(draft.at) };
  draft.holders.push({ agent: to, from: new Date(draft.at), until: null, isAutomatic: false });
  line(draft, 'transferred', { adminId: to.id, adminName: to.name, fromAdminId: from.id }, from);
}

function closeAndReopen(draft: Draft): void {
  close(draft);
  draft.at += draft.plan.random.skewed(600 * MINUTE, 0.9);
  const { user } = draft.plan;
  line(draft, 'reopened', {}, { id: user.id, name: user.name }, 'user');
  say(draft, 'detail');
}

function close(draft: Draft): string {
  const { random } = draft.plan;
  const agent = random.chance(0.84) ? holder(draft) : null;
  draft.at += agent ? random.skewed(6 * MINUTE, 1.1) : random.skewed(1_440 * MINUTE, 0.3);
  line(draft, 'closed', { closedBy: agent?.id ?? 'system' }, agent);
  settle(draft, false);
  return agent?.id ?? 'system';
}

function note(draft: Draft, mentioned: VolumeAgent | null = null): void {
  const { random, agents } = draft.plan;
  const at = draft.at + random.integer(10, 50) * 1_000;
  const named = mentioned ?? (random.chance(0.25) ? random.one(agents) : null);
  draft.notes.push({
    id: createIds(() => at)(),
    author: holder(draft),
    body: `${named ? `@${named.name} ` : ''}${text(draft, 'note')}`,
    afterSeq: draft.lines.length,
    at: new Date(at),
    mentioned: named,
  });
}

/** Better the sooner the first answer came, and never the same for two. */
function rate(draft: Draft): NonNullable<Dialogue['rating']> {
  const { random, user } = draft.plan;
  const first = draft.waits[0];
  const minutes = first?.answeredAt ? (first.answeredAt.getTime() - first.since.getTime()) / MINUTE : 60;
  const lost =
    (minutes > 10 ? 1 : 0) + (minutes > 45 ? 1 : 0) + (random.chance(0.25) ? 1 : 0) + (random.chance(0.08) ? 2 : 0);
  const about = { random, locale: user.locale, userType: user.userType };
  return {
    score: Math.max(1, 5 - lost),
    comment: random.chance(0.3) ? createText(about, 'comment') : null,
    at: new Date(draft.at + random.skewed(4 * MINUTE, 1)),
  };
}

function line(
  draft: Draft,
  event: string,
  data: Record<string, unknown>,
  actor: { readonly id: string; readonly name: string } | null,
  side: 'admin' | 'user' = 'admin',
): void {
  const by = { actorId: actor?.id ?? 'system', actorSide: actor ? side : 'system', actorName: actor?.name ?? null };
  push(draft, { side: 'system', senderId: null, body: null, event, data: { ...data, ...by } });
}

function push(
  draft: Draft,
  said: Pick<DialogueLine, 'side' | 'senderId' | 'body'> & Partial<Pick<DialogueLine, 'event' | 'data'>>,
): void {
  draft.lines.push({ event: null, data: null, ...said, id: draft.newId(), at: new Date(draft.at) });
}

function text(draft: Draft, kind: TextKind): string {
  const { random, user } = draft.plan;
  return createText({ random, locale: user.locale, userType: user.userType }, kind);
}

function holder(draft: Draft): VolumeAgent {
  const held = draft.holders.at(-1)?.agent ?? draft.plan.agents[0];
  if (!held) throw new Error('a volume needs agents');
  return held;
}

function hasEvent(draft: Draft, event: string): boolean {
  return draft.lines.some((one) => one.event === event);
}

/** What the user wrote after the last answer has been read by nobody in an open conversation. */
function unreadAtTheEnd(draft: Draft): number {
  if (draft.plan.end === 'closed') return 0;
  const answered = draft.lines.findLastIndex((one) => one.side === 'admin');
  return draft.lines.length - 1 - answered;
}

/** Moves everything back when it would end in the future; what is open has its last line a short while ago. */
function moved(dialogue: Dialogue, { random, now }: DialoguePlan): Dialogue {
  const last = dialogue.rating?.at ?? dialogue.lines.at(-1)?.at ?? now;
  const latest = now.getTime() - Math.min(random.skewed(90 * MINUTE, 1.6), 5 * 1_440 * MINUTE) - 1_000;
  const by = dialogue.end === 'closed' ? Math.max(0, last.getTime() - latest) : last.getTime() - latest;
  if (by === 0) return dialogue;
  const back = (at: Date) => new Date(at.getTime() - by);
  const orNull = (at: Date | null) => at && back(at);
  return {
    ...dialogue,
    lines: dialogue.lines.map((one) => ({ ...one, at: back(one.at) })),
    holders: dialogue.holders.map((one) => ({ ...one, from: back(one.from), until: orNull(one.until) })),
    waits: dialogue.waits.map((one) => ({
      ...one,
      since: back(one.since),
      dueAt: back(one.dueAt),
      settledAt: orNull(one.settledAt),
      answeredAt: orNull(one.answeredAt),
    })),
    notes: dialogue.notes.map((one) => ({ ...one, at: back(one.at) })),
    rating: dialogue.rating && { ...dialogue.rating, at: back(dialogue.rating.at) },
  };
}
