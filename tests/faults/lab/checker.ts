import type { FinalMessage, HistoryEvent } from './history.ts';

type Changed = Extract<HistoryEvent, { type: 'changed' }>;

/** What can be wrong (faults.md, "Recorder and checker"). */
export type AnomalyKind =
  | 'lost'
  | 'phantom'
  | 'resurrected'
  | 'duplicate'
  | 'gap'
  | 'reorder'
  | 'divergence'
  | 'stale'
  | 'cross'
  | 'sender-order'
  | 'cut-off'
  | 'unanswered'
  | 'cursor';

/** One broken promise, with what shows it. */
export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly what: string;
}

/** After a revocation this much may still arrive: the second of D7, and what was on its way already. */
const CUT_OFF_MS = 1_500;
/** Every message of the lab carries its tenant's canary. */
const CANARY = /canary-([\w-]+?)-end/;

/** What a checker needs to know beside the history. */
export interface CheckOptions {
  /** The log as it stands when all is over. */
  readonly final: readonly FinalMessage[];
  /** System lines and messages that others wrote are no phantoms when their senders are not of the lab. */
  readonly senders?: ReadonlySet<string>;
}

/** Judges a history by the promises. Pure: the same history gives the same anomalies. */
export function check(history: readonly HistoryEvent[], { final, senders }: CheckOptions): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const say = (kind: AnomalyKind, what: string) => void anomalies.push({ kind, what });
  const truth = indexFinal(final, say);
  checkSends(history, truth, say, senders);
  checkStreams(history, truth, say);
  return anomalies;
}

/** How many of each kind, for people. */
export function summary(anomalies: readonly Anomaly[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of anomalies) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

type Say = (kind: AnomalyKind, what: string) => void;

interface Truth {
  /** By conversation, then seq. */
  readonly logs: ReadonlyMap<string, ReadonlyMap<number, FinalMessage>>;
  /** By conversation, sender and client id. */
  readonly byClientId: ReadonlyMap<string, readonly FinalMessage[]>;
}

function indexFinal(final: readonly FinalMessage[], say: Say): Truth {
  const logs = new Map<string, Map<number, FinalMessage>>();
  const byClientId = new Map<string, FinalMessage[]>();
  for (const message of final) {
    const log = logs.get(message.conversation) ?? new Map<number, FinalMessage>();
    logs.set(message.conversation, log);
    if (log.has(message.seq)) say('duplicate', `two messages stand at ${message.conversation} ${message.seq}`);
    log.set(message.seq, message);
    if (message.sender === null) continue;
    const key = sendKey(message.conversation, message.sender, message.clientId);
    byClientId.set(key, [...(byClientId.get(key) ?? []), message]);
  }
  for (const [conversation, log] of logs) {
    let last = 0;
    for (const { seq, lastSeq } of log.values()) last = Math.max(last, seq, lastSeq);
    const missing = Array.from({ length: last }, (_, at) => at + 1).filter((seq) => !log.has(seq));
    if (missing.length > 0) say('gap', `${conversation} has no ${few(missing)} of ${last}`);
  }
  for (const [key, copies] of byClientId) {
    if (copies.length > 1) say('duplicate', `${key} stands at ${few(copies.map((one) => one.seq))}`);
  }
  return { logs, byClientId };
}

interface Send {
  readonly process: string;
  readonly sender: string;
  readonly conversation: string;
  readonly clientId: string;
  readonly body: string;
  readonly order: number;
  seq: number | null;
  okOrder: number | null;
  isFailed: boolean;
  /** Some answer told to try again, so what was sent behind it may have overtaken it. */
  wasRefused: boolean;
}

function checkSends(
  history: readonly HistoryEvent[],
  truth: Truth,
  say: Say,
  senders: ReadonlySet<string> | undefined,
): void {
  const sends = new Map<string, Send>();
  const changes = new Set<string>();
  for (const event of history) {
    if (event.type === 'changed') changes.add(`${event.conversation} ${event.seq} ${event.version}`);
  }
  for (const [order, event] of history.entries()) {
    if (event.type === 'invoke') {
      const key = `${event.process} ${event.clientId}`;
      if (!sends.has(key)) {
        sends.set(key, { ...event, order, seq: null, okOrder: null, isFailed: false, wasRefused: false });
      }
      continue;
    }
    if (event.type !== 'ok' && event.type !== 'fail' && event.type !== 'info') continue;
    const send = sends.get(`${event.process} ${event.clientId}`);
    if (!send) {
      say('phantom', `an answer for ${event.clientId}, which ${event.process} never sent`);
      continue;
    }
    if (event.type === 'info') send.wasRefused ||= event.cause === 'refused';
    else if (event.type === 'fail') send.isFailed = true;
    else {
      if (send.seq !== null && send.seq !== event.seq) {
        say('duplicate', `${event.clientId} was acknowledged at ${send.seq} and at ${event.seq}`);
      }
      // a repeat is answered with what stands there now, which may have been changed since
      const isChanged = event.body !== send.body && changes.has(`${send.conversation} ${event.seq} ${event.version}`);
      if (event.body !== send.body && !isChanged)
        say('divergence', `the answer for ${event.clientId} carries another text`);
      send.seq = event.seq;
      send.okOrder = order;
    }
  }

  const bodies = new Map<string, string>();
  for (const send of sends.values()) {
    const key = sendKey(send.conversation, send.sender, send.clientId);
    bodies.set(key, send.body);
    const [stored] = truth.byClientId.get(key) ?? [];
    if (send.seq !== null && !stored) say('lost', `${send.clientId} was acknowledged at ${send.seq} and is not there`);
    if (send.seq !== null && stored && stored.seq !== send.seq) {
      say('divergence', `${send.clientId} was acknowledged at ${send.seq} and stands at ${stored.seq}`);
    }
    if (send.isFailed && send.seq === null && stored && !hasTwin(sends, send)) {
      say('resurrected', `${send.clientId} was refused and is there`);
    }
    if (send.seq === null && !send.isFailed) say('unanswered', `${send.clientId} of ${send.process} has no answer`);
  }
  for (const [key, copies] of truth.byClientId) {
    const body = bodies.get(key);
    const sender = copies[0]?.sender;
    if (body === undefined) {
      if (senders && sender && senders.has(sender)) say('phantom', `${key} is there, and nobody sent it`);
    } else if (copies.some((copy) => copy.version === copy.firstVersion && copy.body !== body)) {
      say('divergence', `${key} is stored with another text`);
    }
  }
  for (const event of history) if (event.type === 'changed') checkChange(event, truth, say);
  checkOrder([...sends.values()], say);
}

/** A change that was answered stands, unless a later one stands in its place. */
function checkChange({ process, conversation, seq, version, body }: Changed, truth: Truth, say: Say): void {
  const stored = truth.logs.get(conversation)?.get(seq);
  const what = `the change of ${conversation} ${seq} to version ${version} by ${process}`;
  if (!stored || stored.version < version) say('lost', `${what} is not there`);
  else if (stored.version === version && stored.body !== body) say('divergence', `${what} is stored with another text`);
}

/** The same message sent by another device of the same person. */
function hasTwin(sends: ReadonlyMap<string, Send>, one: Send): boolean {
  for (const other of sends.values()) {
    if (other !== one && other.clientId === one.clientId && other.sender === one.sender && other.seq !== null)
      return true;
  }
  return false;
}

/** What one device sent stands in the order in which it was sent. */
function checkOrder(sends: readonly Send[], say: Say): void {
  const lanes = new Map<string, Send[]>();
  for (const send of sends) {
    if (send.seq === null) continue;
    const key = `${send.process} ${send.conversation}`;
    const lane = lanes.get(key);
    if (lane) lane.push(send);
    else lanes.set(key, [send]);
  }
  for (const lane of lanes.values()) {
    let before: Send | undefined;
    for (const send of lane.sort((a, b) => a.order - b.order)) {
      const waited = before?.okOrder !== null && before !== undefined && before.okOrder < send.order;
      if (before && (before.seq ?? 0) > (send.seq ?? 0) && (waited || !before.wasRefused)) {
        say(
          'sender-order',
          `${send.process} sent ${before.clientId} (${before.seq}) before ${send.clientId} (${send.seq})`,
        );
      }
      if (!before || (send.seq ?? 0) > (before.seq ?? 0)) before = send;
    }
  }
}

/** What one process has of one conversation. */
interface Stream {
  /** Highest version it was told. */
  version: number;
  /** Below and at this place it got everything by its page, or by an earlier stream. */
  base: number;
  /** What its page, or the cursor it came with, already held. */
  baseVersion: number;
  /** The newest version it was told of each place. */
  readonly seen: Map<number, number>;
  /** Highest place of a new message. */
  top: number;
}

interface Process {
  readonly sender: string;
  readonly tenant: string;
  readonly mayRead: ReadonlySet<string>;
  /** Version by conversation and place of what it was answered. */
  readonly acked: Map<string, number>;
  revokedAt: number | null;
}

function checkStreams(history: readonly HistoryEvent[], truth: Truth, say: Say): void {
  const processes = new Map<string, Process>();
  const streams = new Map<string, Stream>();
  const contents = new Map<string, string | null>();
  const acked: { conversation: string; seq: number; at: number }[] = [];

  for (const event of history) {
    switch (event.type) {
      case 'client':
        // who was killed and started again is the same one
        if (processes.has(event.process)) break;
        processes.set(event.process, {
          sender: event.sender,
          tenant: event.tenant,
          mayRead: new Set(event.mayRead),
          acked: new Map(),
          revokedAt: null,
        });
        break;
      case 'revoked': {
        const process = processes.get(event.process);
        if (process) process.revokedAt ??= event.at;
        break;
      }
      case 'ok':
        acked.push({ conversation: event.conversation, seq: event.seq, at: event.at });
        processes.get(event.process)?.acked.set(`${event.conversation} ${event.seq}`, event.version);
        break;
      case 'subscribed':
        subscribed(event);
        break;
      case 'frame':
        frame(event);
        break;
      case 'quiet':
        quiet(event);
        break;
      default:
    }
  }

  function subscribed(event: Extract<HistoryEvent, { type: 'subscribed' }>): void {
    const key = `${event.process} ${event.conversation}`;
    const process = processes.get(event.process);
    if (process && !process.mayRead.has(event.conversation)) {
      say('cross', `${event.process} was let into ${event.conversation}`);
    }
    const known = streams.get(key);
    if (event.status === 'resumed') {
      if (event.after === null || event.after > event.version) {
        say('cursor', `${event.process} was told "resumed" at ${event.version}, having asked for ${event.after}`);
      }
      const from = newStream(event.after ?? 0, truth, event.conversation);
      if (known) goBack(known, from);
      else streams.set(key, from);
      return;
    }
    // the page is loaded again: everything up to the version is there
    const fresh = newStream(event.version, truth, event.conversation);
    for (const [seq, version] of known?.seen ?? []) fresh.seen.set(seq, version);
    streams.set(key, fresh);
  }

  function frame(event: Extract<HistoryEvent, { type: 'frame' }>): void {
    const { process: name, conversation, seq, version, body, kind } = event;
    const process = processes.get(name);
    const where = `${name} at ${conversation} ${seq} (version ${version})`;
    if (process && !process.mayRead.has(conversation)) say('cross', `${where}: not theirs to read`);
    const canary = CANARY.exec(body ?? '')?.[1];
    if (process && canary && canary !== process.tenant) say('cross', `${where}: the canary of ${canary}`);
    if (process?.revokedAt != null && event.at > process.revokedAt + CUT_OFF_MS) {
      say('cut-off', `${where}: ${Math.round(event.at - process.revokedAt)} ms after access ended`);
    }
    const content = `${conversation} ${seq} ${version}`;
    const known = contents.get(content);
    if (known !== undefined && known !== body) say('divergence', `${where}: another text than others saw`);
    contents.set(content, body);
    const stored = truth.logs.get(conversation)?.get(seq);
    if (!stored) say('phantom', `${where}: not in the log`);
    else if (stored.version === version && stored.body !== body) say('divergence', `${where}: not what is stored`);

    const stream = streams.get(`${name} ${conversation}`);
    if (!stream) {
      say('phantom', `${where}: before it was subscribed`);
      return;
    }
    if (version === stream.version) say('duplicate', `${where}: told twice`);
    else if (version < stream.version) say('reorder', `${where}: after version ${stream.version}`);
    stream.version = Math.max(stream.version, version);
    if (kind === 'new') {
      if (stream.seen.has(seq)) say('duplicate', `${where}: new twice`);
      const first = stored?.firstVersion ?? 0;
      if (first > version) say('phantom', `${where}: new before it was there, with version ${first}`);
      missing(stream, process, conversation, seq - 1, where, 'gap', version);
      stream.top = Math.max(stream.top, seq);
    }
    stream.seen.set(seq, version);
  }

  /** Places up to `to` that the process cannot have. Its own may still be on their way as an ack. */
  function missing(
    stream: Stream,
    process: Process | undefined,
    conversation: string,
    to: number,
    where: string,
    kind: 'gap' | 'stale',
    upTo = Number.POSITIVE_INFINITY,
  ): void {
    const log = truth.logs.get(conversation);
    const left: number[] = [];
    for (let seq = Math.max(stream.base, kind === 'gap' ? stream.top : 0) + 1; seq <= to; seq++) {
      if (stream.seen.has(seq) || process?.acked.has(`${conversation} ${seq}`)) continue;
      const stored = log?.get(seq);
      // its own may still be on its way as an ack; what was changed since comes with its later version
      if (kind === 'gap' && (stored?.sender === process?.sender || (stored?.version ?? 0) > upTo)) continue;
      left.push(seq);
    }
    if (left.length > 0) say(kind, `${where}: without ${few(left)}`);
  }

  function quiet(event: Extract<HistoryEvent, { type: 'quiet' }>): void {
    const stream = streams.get(`${event.process} ${event.conversation}`);
    const where = `${event.process} at ${event.conversation}`;
    if (!stream) {
      say('stale', `${where}: never subscribed`);
      return;
    }
    let last = 0;
    for (const one of acked) if (one.conversation === event.conversation) last = Math.max(last, one.seq);
    const process = processes.get(event.process);
    missing(stream, process, event.conversation, last, where, 'stale');
    const unheard: number[] = [];
    for (const { seq, version } of truth.logs.get(event.conversation)?.values() ?? []) {
      const told = Math.max(stream.seen.get(seq) ?? 0, process?.acked.get(`${event.conversation} ${seq}`) ?? 0);
      // places that it lacks altogether are told above
      if (version > stream.baseVersion && (told > 0 || seq <= stream.base) && told < version) unheard.push(seq);
    }
    if (unheard.length > 0) say('stale', `${where}: does not know how ${few(unheard)} changed`);
  }
}

function newStream(version: number, truth: Truth, conversation: string): Stream {
  let base = 0;
  for (const { seq, firstVersion } of truth.logs.get(conversation)?.values() ?? []) {
    if (firstVersion <= version) base = Math.max(base, seq);
  }
  return { version, base, baseVersion: version, seen: new Map(), top: 0 };
}

/** Somebody resumes from an older cursor than they had got to: what lies behind it comes again, once. */
function goBack(stream: Stream, from: Stream): void {
  if (from.version >= stream.version) return;
  stream.version = from.version;
  stream.base = Math.min(stream.base, from.base);
  stream.baseVersion = Math.min(stream.baseVersion, from.baseVersion);
  stream.top = 0;
  for (const [seq, version] of stream.seen) {
    if (version > from.version) stream.seen.delete(seq);
    else stream.top = Math.max(stream.top, seq);
  }
}

function sendKey(conversation: string, sender: string, clientId: string): string {
  return `${conversation} ${sender} ${clientId}`;
}

function few(numbers: readonly number[]): string {
  return numbers.slice(0, 8).join(', ') + (numbers.length > 8 ? ` … (${numbers.length})` : '');
}
