import type { Played, SentTurn } from './journal.ts';
import type { RestCounts } from './rest-client.ts';

/** Percentiles in milliseconds; null when nothing was measured. */
export interface Latency {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** What a replay did and what came of it. */
export interface ReplayReport {
  readonly dialogues: number;
  readonly seconds: number;
  readonly messages: {
    readonly sent: number;
    readonly acknowledged: number;
    /** Shown by the other side's socket. */
    readonly delivered: number;
    /** Not stored, as the contract says of text that cannot be. */
    readonly refused: number;
  };
  /** From sending to the acknowledgement, and to the other side's socket. */
  readonly latencyMs: { readonly acknowledged: Latency; readonly delivered: Latency };
  /** Shown twice in one room; never shown though acknowledged; acknowledged and not held, by any way of reading. */
  readonly duplicates: number;
  readonly gaps: number;
  readonly losses: number;
  readonly closed: number;
  readonly rest: RestCounts;
  readonly reconnects: number;
  /** Every difference between what was sent and what is held or was shown. */
  readonly differences: readonly string[];
}

/** Sums up what was played. */
export function summarise(
  all: readonly Played[],
  run: { seconds: number; rest: RestCounts; sockets: readonly { reconnects: number; resets: number }[] },
): ReplayReport {
  const turns = all.flatMap((played) => played.turns);
  const acknowledged = turns.filter(({ seq }) => seq !== undefined);
  const count = (pattern: RegExp): number =>
    all.flatMap(({ differences }) => differences).filter((line) => pattern.test(line)).length;
  return {
    dialogues: all.length,
    seconds: run.seconds,
    messages: {
      sent: turns.length,
      acknowledged: acknowledged.length,
      delivered: turns.filter(({ deliveredAt }) => deliveredAt !== undefined).length,
      refused: turns.filter(({ refused, seq }) => refused !== undefined && seq === undefined).length,
    },
    latencyMs: {
      acknowledged: latency(acknowledged, ({ ackedAt }) => ackedAt),
      delivered: latency(turns, ({ deliveredAt }) => deliveredAt),
    },
    duplicates: count(/shown twice/),
    gaps: count(/never shown|out of order|numbers are not|last number/),
    losses: count(/is lost|not there/),
    closed: all.filter(({ closed }) => closed).length,
    rest: run.rest,
    reconnects: run.sockets.reduce((sum, { reconnects }) => sum + reconnects, 0),
    differences: all.flatMap(({ dialogueId, differences }) => differences.map((line) => `${dialogueId}: ${line}`)),
  };
}

/** The report as lines for a person. */
export function reportLines(report: ReplayReport): string[] {
  const { messages, latencyMs } = report;
  const rate = report.seconds > 0 ? messages.acknowledged / report.seconds : 0;
  const ms = ({ p50, p95, p99 }: Latency): string => `p50 ${text(p50)}  p95 ${text(p95)}  p99 ${text(p99)} ms`;
  return [
    `dialogues      ${report.dialogues} played, ${report.closed} closed, ${report.seconds.toFixed(1)} s`,
    `messages       ${messages.sent} sent, ${messages.acknowledged} acknowledged, ${messages.delivered} delivered live, ${messages.refused} refused (${rate.toFixed(0)}/s)`,
    `acknowledged   ${ms(latencyMs.acknowledged)}`,
    `delivered      ${ms(latencyMs.delivered)}`,
    `duplicates     ${report.duplicates}`,
    `gaps           ${report.gaps}`,
    `losses         ${report.losses}`,
    `requests       ${report.rest.requests}, told to wait ${report.rest.waits} times, tried again ${report.rest.retries} times; sockets came back ${report.reconnects} times`,
    `differences    ${report.differences.length}`,
  ];
}

function latency(turns: readonly SentTurn[], end: (turn: SentTurn) => number | undefined): Latency {
  const all = turns.flatMap((turn) => {
    const at = end(turn);
    return at === undefined ? [] : [at - turn.sentAt];
  });
  all.sort((a, b) => a - b);
  const at = (share: number): number | null => all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? null;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function text(ms: number | null): string {
  return ms === null ? '-' : ms.toFixed(1);
}
