import { randomUUID } from 'node:crypto';
import { cpuSeconds } from './cpu.ts';
import { percentile } from './figures.ts';
import { SECONDS } from './workload.ts';

/** How the loop talks to a server; conversation and side by number. */
export interface Lines {
  /** Sends one message of a conversation's side; `acked` and `shown` are told by the callbacks given at opening. */
  send(conversation: number, side: 0 | 1, clientId: string): void;
  close(): Promise<void>;
}

/** Told by the lines. */
export interface LineEvents {
  /** The sender has its acknowledgement. */
  acked(conversation: number, clientId: string): void;
  /** The other side's socket has shown it. */
  shown(conversation: number, clientId: string): void;
  failed(error: Error): void;
}

/** What one run measured. */
export interface LoopResult {
  readonly perSecond: number;
  /** From sending to the other side's socket, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of CPU a message, per process tree. */
  readonly cpuMicros: readonly number[];
}

/**
 * A closed loop: in every conversation one message is in flight, the sides take turns, and the next goes out when the
 * last was acknowledged and shown to the other side.
 * @param pids process trees whose CPU time is counted
 * @throws the first failure of a line
 */
export async function closedLoop(
  conversations: number,
  open: (events: LineEvents) => Promise<Lines>,
  pids: readonly number[],
): Promise<LoopResult> {
  const state = Array.from({ length: conversations }, () => ({
    clientId: '',
    side: 0 as 0 | 1,
    sentAt: 0,
    acked: false,
    shown: false,
  }));
  const latencies: number[] = [];
  let done = 0;
  let running = true;
  let measuring = false;
  let failure: Error | undefined;

  function fire(index: number): void {
    const one = state[index];
    if (!one || !running) return;
    one.clientId = randomUUID();
    one.sentAt = performance.now();
    one.acked = one.shown = false;
    lines.send(index, one.side, one.clientId);
  }

  function settle(index: number, clientId: string, what: 'acked' | 'shown'): void {
    const one = state[index];
    if (!one || one.clientId !== clientId || one[what]) return;
    one[what] = true;
    if (what === 'shown' && measuring) latencies.push(performance.now() - one.sentAt);
    if (!one.acked || !one.shown) return;
    if (measuring) done += 1;
    one.side = one.side === 0 ? 1 : 0;
    fire(index);
  }

  const lines = await open({
    acked: (index, clientId) => settle(index, clientId, 'acked'),
    shown: (index, clientId) => settle(index, clientId, 'shown'),
    failed: (error) => {
      failure ??= error;
    },
  });
  for (let index = 0; index < conversations; index += 1) fire(index);
  await pause(2);
  measuring = true;
  const began = performance.now();
  const cpu = pids.map(cpuSeconds);
  await pause(SECONDS);
  measuring = false;
  const seconds = (performance.now() - began) / 1_000;
  const used = pids.map((pid, index) => cpuSeconds(pid) - (cpu[index] ?? 0));
  running = false;
  await pause(0.5);
  await lines.close();
  if (failure) throw failure;
  return {
    perSecond: done / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuMicros: used.map((one) => (one / Math.max(1, done)) * 1e6),
  };
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
