import type { Scope } from '../../platform/database/index.ts';
import { type Entrance, enter, type HostPerson, type LiveActor } from './actors.ts';
import { compareWithHeld } from './compare.ts';
import type { Dialogue } from './dialogues.ts';
import { readFromTables, readOverRest } from './held-conversations.ts';
import { judgeWatch, type Played } from './journal.ts';
import { playDialogue } from './play-dialogue.ts';
import { type ReplayReport, summarise } from './replay-report.ts';

/** What a replay needs. */
export interface ReplayOptions {
  readonly dialogues: readonly Dialogue[];
  readonly entrance: Entrance;
  /** Dialogues that are played at the same time. */
  readonly concurrency: number;
  /** The types that the users take in turn. */
  readonly userTypes: readonly string[];
  /** Who answers; each holds one socket. */
  readonly agents: readonly HostPerson[];
  /** Makes this run's users new ones. */
  readonly runId: string;
  /** A unit of work in the tenant, for looking into the tables. */
  readonly inTenant: <T>(work: (scope: Scope) => Promise<T>) => Promise<T>;
  /** Told now and then how far it is. */
  readonly onProgress: (done: number, all: number) => void;
  /** A message that the other side's socket has not shown by then counts as lost live (20 seconds). */
  readonly patienceMs?: number;
}

/** Nothing on this path takes longer; a server that is restarted meanwhile is back by then. */
const DELIVERY_PATIENCE_MS = 20_000;

/** Conversations that one look into the tables takes. */
const TABLE_BATCH = 100;

/**
 * Plays dialogues through a running server, several at once, and compares what it then holds, over REST and in its
 * tables, with what was sent.
 * @returns the report; the run is good when it has no differences
 */
export async function replayDialogues(options: ReplayOptions): Promise<ReplayReport> {
  const { dialogues, entrance, agents, patienceMs = DELIVERY_PATIENCE_MS } = options;
  const began = performance.now();
  const desk = await Promise.all(agents.map((agent) => enterDesk(entrance, agent)));
  const queue = dialogues.map((dialogue, index) => ({ dialogue, index }));
  const all: Played[] = [];

  async function playOnAndOn(): Promise<void> {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { dialogue, index } = next;
      const userType = options.userTypes[index % options.userTypes.length] ?? 'customer';
      const agent = desk[index % desk.length];
      if (!agent) throw new Error('a replay needs an agent');
      const user = { userType, sub: `replay-${options.runId}-${index + 1}`, name: `Replay ${index + 1}` };
      const answerBy = index % 2 === 0 ? 'rest' : 'socket';
      const played = await playDialogue(dialogue, { entrance, user, agent, answerBy, patienceMs });
      await compareOverRest(entrance, agent, played);
      all.push(played);
      options.onProgress(all.length, dialogues.length);
    }
  }

  await Promise.all(Array.from({ length: Math.min(options.concurrency, dialogues.length) }, playOnAndOn));
  const seconds = (performance.now() - began) / 1_000;
  await options.inTenant((scope) => compareWithTables(scope, all));
  await Promise.all(desk.map(({ socket }) => socket.close()));
  return summarise(all, { seconds, rest: entrance.rest.counts, sockets: desk.map(({ socket }) => socket.counts) });
}

/** An agent comes in and watches the desk, where every conversation's messages are shown. */
async function enterDesk(entrance: Entrance, person: HostPerson): Promise<LiveActor> {
  const agent = await enter(entrance, person);
  await agent.socket.subscribe('admin_support');
  return agent;
}

async function compareOverRest({ rest }: Entrance, agent: LiveActor, played: Played): Promise<void> {
  if (!played.conversationId) return;
  try {
    const held = await readOverRest(rest, agent.token, played.conversationId);
    played.differences.push(...compareWithHeld(played, held, 'REST'));
    for (const side of ['user', 'agent'] as const) judgeWatch(played, side, held.lastSeq);
  } catch (error) {
    played.differences.push(error instanceof Error ? error.message : String(error));
  }
}

async function compareWithTables(scope: Scope, all: readonly Played[]): Promise<void> {
  const opened = all.filter(({ conversationId }) => conversationId !== undefined);
  for (let from = 0; from < opened.length; from += TABLE_BATCH) {
    const batch = opened.slice(from, from + TABLE_BATCH);
    const held = await readFromTables(
      scope,
      batch.flatMap(({ conversationId }) => conversationId ?? []),
    );
    for (const played of batch) {
      played.differences.push(...compareWithHeld(played, held.get(played.conversationId ?? ''), 'database'));
    }
  }
}
