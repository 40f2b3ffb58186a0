import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** One socket of a crowd. */
export interface MemberSpec {
  readonly token: string;
  /** The room's name. */
  readonly room: string;
  readonly format: 'json' | 'page';
  /** A loopback address of its own, e.g. 127.0.0.2; one address has 28,000 ports to one server. */
  readonly from?: string;
}

/** What one socket has seen. */
export interface MemberReport {
  /** Last version; -1 before the first subscription. */
  last: number;
  frames: number;
  duplicates: number;
  gaps: number;
  /** Told that it cannot resume, though it had a cursor. */
  resets: number;
  connects: number;
  /** How often it was closed, by code. */
  codes: Record<number, number>;
  /** When it reached the last goal, milliseconds since 1970. */
  backAt: number;
  readonly isIn: boolean;
}

/** Down to a crowd's process. */
export type CrowdOrder =
  | { type: 'come'; ports: readonly number[]; members: readonly MemberSpec[]; perSecond: number }
  | { type: 'await'; id: number; goals: readonly number[]; timeoutMs: number }
  | { type: 'pause' | 'resume'; members: readonly number[] }
  | { type: 'report'; id: number }
  | { type: 'leave' };

/** Up from it. */
export type CrowdAnswer =
  | { type: 'awaited'; id: number; missing: number; at: number; backAt: readonly number[] }
  | { type: 'report'; id: number; members: readonly MemberReport[]; late: readonly number[] };

/** Sockets in processes of their own. */
export interface Crowd {
  /** Resolves when every member is in its room and has at least `goal(member)` of it; tells how many are not by then. */
  reach(
    goal: (member: number) => number,
    timeoutMs: number,
  ): Promise<{ missing: number; at: number; backAt: number[] }>;
  /** Stops reading, or goes on. */
  pause(members: readonly number[]): void;
  resume(members: readonly number[]): void;
  /** What came so far. `late`: milliseconds from the time in a message's text (`textNow`) to each who got it; forgotten then. */
  report(): Promise<{ members: MemberReport[]; late: number[] }>;
  close(): Promise<void>;
}

const PROCESS = fileURLToPath(new URL('crowd-process.ts', import.meta.url));

/** Brings a crowd of sockets that come back by themselves; a member's number is its place in `members`. */
export function openCrowd({
  members,
  ports,
  processes = 2,
  perSecond = 2_000,
}: {
  readonly members: readonly MemberSpec[];
  readonly ports: readonly number[];
  readonly processes?: number;
  /** How fast they connect first. */
  readonly perSecond?: number;
}): Crowd {
  const children: ChildProcess[] = [];
  /** Member numbers by process. */
  const parts: number[][] = Array.from({ length: processes }, () => []);
  for (const at of members.keys()) parts[at % processes]?.push(at);
  const answers = new Map<number, (answer: CrowdAnswer) => void>();
  let lastId = 0;
  for (const part of parts) {
    const child = fork(PROCESS, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.on('message', (answer: CrowdAnswer) => {
      answers.get(answer.id)?.(answer);
      answers.delete(answer.id);
    });
    children.push(child);
    tell(child, {
      type: 'come',
      ports,
      members: part.map((at) => members[at] as MemberSpec), // a number of a member
      perSecond: perSecond / processes,
    });
  }

  function tell(child: ChildProcess | undefined, order: CrowdOrder): void {
    if (child?.connected) child.send(order);
  }

  function ask<A extends CrowdAnswer['type']>(
    make: (id: number, part: number) => CrowdOrder,
  ): Promise<Extract<CrowdAnswer, { type: A }>[]> {
    return Promise.all(
      children.map(
        (child, part) =>
          new Promise<Extract<CrowdAnswer, { type: A }>>((resolve, reject) => {
            lastId += 1;
            // an answer has the type of what was asked
            answers.set(lastId, (answer) => resolve(answer as Extract<CrowdAnswer, { type: A }>));
            child.once('exit', () => reject(new Error('a process of the crowd has ended')));
            tell(child, make(lastId, part));
          }),
      ),
    );
  }

  function spread(type: 'pause' | 'resume', chosen: readonly number[]): void {
    for (const [part, child] of children.entries()) {
      const mine = chosen.filter((at) => at % processes === part).map((at) => Math.floor(at / processes));
      tell(child, { type, members: mine });
    }
  }

  function joined<T>(lists: readonly (readonly T[])[]): T[] {
    return Array.from(members.keys(), (at) => lists[at % processes]?.[Math.floor(at / processes)] as T); // as they were parted
  }

  return {
    async reach(goal, timeoutMs) {
      const found = await ask<'awaited'>((id, part) => ({
        type: 'await',
        id,
        goals: (parts[part] ?? []).map(goal),
        timeoutMs,
      }));
      return {
        missing: found.reduce((sum, one) => sum + one.missing, 0),
        at: Math.max(...found.map((one) => one.at)),
        backAt: joined(found.map((one) => one.backAt)),
      };
    },
    pause: (chosen) => spread('pause', chosen),
    resume: (chosen) => spread('resume', chosen),
    async report() {
      const found = await ask<'report'>((id) => ({ type: 'report', id }));
      return { members: joined(found.map((one) => one.members)), late: found.flatMap((one) => [...one.late]) };
    },
    async close() {
      const left = children.filter((child) => child.exitCode === null && child.signalCode === null);
      for (const child of left) tell(child, { type: 'leave' });
      await Promise.all(
        left.map(async (child) => {
          const ended = once(child, 'exit');
          child.disconnect();
          await ended;
        }),
      );
    },
  };
}

/** The beginning of a text whose way is to be timed. */
export function textNow(): string {
  return `at ${(performance.timeOrigin + performance.now()).toFixed(3)} `;
}
