import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Entrance, enter, errorCode, type HostPerson, type LiveActor } from './actors.ts';
import { asStored, type Dialogue, isRefusable, type Side } from './dialogues.ts';
import { noteShown, openRecord, type Played, type SentTurn } from './journal.ts';
import type { LiveFrame } from './live-socket.ts';
import type { Answer } from './rest-client.ts';

/** How an agent of this dialogue answers. */
export type AnswerBy = 'rest' | 'socket';

/** A message as the contract shows it; the fields that are looked at here. */
interface ShownMessage {
  readonly seq: number;
  readonly clientId: string;
  readonly senderType: string;
}

/** What is needed to play one dialogue. */
export interface Cast {
  readonly entrance: Entrance;
  readonly user: HostPerson;
  /** Signed in already, watching `admin_support`; shared by several dialogues. */
  readonly agent: LiveActor;
  readonly answerBy: AnswerBy;
  /** A message that the other side's socket has not shown by then counts as lost live; the play goes on. */
  readonly patienceMs: number;
}

/**
 * Plays one dialogue as what it is: the user comes in and writes, the agent answers, each reads what the other wrote,
 * and the agent closes. One turn begins when the one before was acknowledged and shown to the other side.
 * @returns the record; what went wrong stands in its differences
 */
export async function playDialogue(dialogue: Dialogue, cast: Cast): Promise<Played> {
  const played = openRecord(dialogue.id);
  const stopListening: (() => void)[] = [];
  let user: LiveActor | undefined;
  try {
    user = await enter(cast.entrance, cast.user);
    const stage = openStage(played, { user, agent: cast.agent }, cast);
    stopListening.push(...stage.listeners);
    const rest = await stage.start(dialogue.turns);
    for (const turn of rest) await stage.say(turn.from, turn.text);
    await stage.close();
  } catch (error) {
    played.differences.push(`the dialogue broke off: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    for (const stop of stopListening) stop();
    if (played.conversationId) cast.agent.socket.unsubscribe(roomOf(played.conversationId));
    await user?.socket.close();
  }
  return played;
}

function openStage(played: Played, people: Record<Side, LiveActor>, cast: Cast) {
  const { rest } = cast.entrance;
  const byClientId = new Map<string, SentTurn>();
  const wake = new Set<() => void>();

  /** Resolves true when `done`, false when patience ends. */
  async function until(done: () => boolean): Promise<boolean> {
    const deadline = performance.now() + cast.patienceMs;
    while (!done()) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake.add(resolve);
      await Promise.race([promise, sleep(left, undefined, { ref: false })]);
      wake.delete(resolve);
    }
    return true;
  }

  function watch(side: Side, frame: LiveFrame): void {
    if (frame.type === 'message:new') sawMessage(side, frame);
    else if (frame.type === 'message:ack') acknowledged(frame);
    else if (frame.type === 'error' && typeof frame['clientId'] === 'string') refused(frame);
    else if (frame.room !== ownRoom()) return;
    else if (frame.type === 'message:read') sawReadMark(side, frame);
    else if (frame.type === 'conversation:close') played.watches[side].closed = true;
    for (const resolve of wake) resolve();
  }

  function sawMessage(side: Side, frame: LiveFrame): void {
    const message = frame['message'] as ShownMessage; // `message:new` carries one (contract.md).
    if (frame.room === ownRoom()) noteShown(played.watches[side], message.seq);
    // The first message is shown in `admin_support` before anybody can be in the conversation's room.
    const turn = byClientId.get(message.clientId);
    if (turn && turn.from !== side) turn.deliveredAt ??= performance.now();
  }

  function acknowledged(frame: LiveFrame): void {
    const message = frame['message'] as ShownMessage; // `message:ack` carries one (contract.md).
    const turn = byClientId.get(String(frame['clientId']));
    if (turn) settle(turn, message.seq);
  }

  function refused(frame: LiveFrame): void {
    const turn = byClientId.get(String(frame['clientId']));
    if (turn) turn.refused ??= String(frame['code']);
  }

  function sawReadMark(side: Side, frame: LiveFrame): void {
    const { senderType } = frame['participant'] as { senderType: string }; // contract.md, Live.
    if ((senderType === 'user') === (side === 'user')) return;
    played.watches[side].readMark = Math.max(played.watches[side].readMark, Number(frame['seq']));
  }

  function ownRoom(): string | undefined {
    return played.conversationId && roomOf(played.conversationId);
  }

  function newTurn(from: Side, text: string): SentTurn {
    const turn: SentTurn = { clientId: randomUUID(), from, text: asStored(text), sentAt: performance.now() };
    byClientId.set(turn.clientId, turn);
    played.turns.push(turn);
    return turn;
  }

  function settle(turn: SentTurn, seq: number): void {
    turn.ackedAt ??= performance.now();
    if (turn.seq !== undefined && turn.seq !== seq) {
      played.differences.push(`${turn.clientId} was acknowledged at ${turn.seq} and at ${seq}`);
    }
    turn.seq = seq;
  }

  /** A user's first words open the conversation; when the agent speaks first, the user has opened it in silence. */
  async function start(turns: Dialogue['turns']): Promise<Dialogue['turns']> {
    const first = turns[0]?.from === 'user' && !isRefusable(turns[0].text) ? turns[0] : undefined;
    const turn = first && newTurn('user', first.text);
    const message = turn && { body: first.text, clientId: turn.clientId };
    const answer = await rest.ask('POST', '/api/support/conversations', {
      token: people.user.token,
      body: { message },
    });
    expectStatus(answer, [200, 201], 'the conversation cannot be opened');
    // 200 and 201 have the contract's shape.
    const { conversation, message: stored } = answer.body as { conversation: { id: string }; message?: ShownMessage };
    played.conversationId = conversation.id;
    if (turn && stored) settle(turn, stored.seq);
    const room = roomOf(conversation.id);
    await Promise.all([people.user.socket.subscribe(room, 0), people.agent.socket.subscribe(room, 0)]);
    if (turn) await shownAndRead(turn);
    return first ? turns.slice(1) : turns;
  }

  async function say(from: Side, text: string): Promise<void> {
    const turn = newTurn(from, text);
    if (from === 'agent' && cast.answerBy === 'socket') await sendBySocket(turn, text);
    else await sendByRest(turn, text);
    if (turn.refused === undefined) return shownAndRead(turn);
    if (!isRefusable(text)) played.differences.push(`turn ${played.turns.length} was refused: ${turn.refused}`);
  }

  async function sendByRest(turn: SentTurn, text: string, takeOver?: true): Promise<void> {
    const path = `/api/support/conversations/${played.conversationId}/messages`;
    const body = { body: text, clientId: turn.clientId, takeOver };
    const answer = await rest.ask('POST', path, { token: people[turn.from].token, body });
    if (answer.status === 200 || answer.status === 201) {
      settle(turn, (answer.body as { message: ShownMessage }).message.seq); // contract.md, REST.
    } else if (errorCode(answer.body) === 'assigned_to_other' && !takeOver) {
      await sendByRest(turn, text, true);
    } else {
      turn.refused = errorCode(answer.body);
    }
  }

  async function sendBySocket(turn: SentTurn, text: string): Promise<void> {
    const frame = { type: 'message:send', conversationId: played.conversationId, clientId: turn.clientId, body: text };
    let takeOver: true | undefined;
    for (let attempt = 0; ; attempt += 1) {
      delete turn.refused;
      people[turn.from].socket.send({ ...frame, takeOver });
      const answered = await until(() => turn.seq !== undefined || turn.refused !== undefined);
      if (turn.seq !== undefined) return;
      // No answer: the socket was lost on the way; the same client id may be sent again.
      if (!answered && attempt < 3) continue;
      if (turn.refused === 'assigned_to_other' && !takeOver) takeOver = true;
      else if (turn.refused && PATIENT_CODES.includes(turn.refused)) await sleep(500 + Math.random() * 1_000);
      else {
        turn.refused ??= 'no answer';
        return;
      }
    }
  }

  /** Waits until the other side's socket has shown the turn, and moves the other side's read mark to it. */
  async function shownAndRead(turn: SentTurn): Promise<void> {
    if (!(await until(() => turn.deliveredAt !== undefined))) {
      played.differences.push(`turn ${played.turns.indexOf(turn) + 1} was never shown to the other side`);
    }
    if (turn.seq === undefined) return;
    if (turn.from === 'user') {
      const conversationId = played.conversationId;
      people.agent.socket.send({ type: 'message:read', conversationId, seq: turn.seq });
    } else {
      const path = `/api/support/conversations/${played.conversationId}/read`;
      const answer = await rest.ask('POST', path, { token: people.user.token, body: { seq: turn.seq } });
      expectStatus(answer, [200, 204], 'the read mark does not move');
    }
  }

  async function close(): Promise<void> {
    const lastOf = (side: Side): number => played.turns.findLast(({ from, seq }) => from === side && seq)?.seq ?? 0;
    const marksSeen = (): boolean =>
      played.watches.user.readMark >= lastOf('user') && played.watches.agent.readMark >= lastOf('agent');
    if (!(await until(marksSeen))) played.differences.push('a read mark was never shown to the other side');
    const path = `/api/admin/support/conversations/${played.conversationId}/close`;
    const answer = await rest.ask('POST', path, { token: people.agent.token, body: {} });
    expectStatus(answer, [200, 201], 'the conversation cannot be closed');
    played.closed = true;
    const shown = (): boolean => played.watches.user.closed && played.watches.agent.closed;
    if (!(await until(shown))) played.differences.push('the closing was never shown to both sides');
    const { conversation } = answer.body as { conversation: { lastSeq: number } }; // contract.md, Conversations.
    await until(() => Object.values(played.watches).every(({ lastSeq }) => lastSeq >= conversation.lastSeq));
  }

  return {
    listeners: [
      people.user.listen((frame) => watch('user', frame)),
      people.agent.listen((frame) => watch('agent', frame)),
    ],
    start,
    say,
    close,
  };
}

/** Refusals after which the same frame may be sent again a little later. */
const PATIENT_CODES: readonly string[] = ['too_many', 'send_limit', 'unavailable', 'connection_lost'];

function roomOf(conversationId: string): string {
  return `conversation_${conversationId}`;
}

function expectStatus(answer: Answer, allowed: readonly number[], otherwise: string): void {
  if (!allowed.includes(answer.status)) throw new Error(`${otherwise}: ${answer.status} ${errorCode(answer.body)}`);
}
