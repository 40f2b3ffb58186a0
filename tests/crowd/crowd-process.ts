/**
 * One process of a crowd: thousands of sockets that follow a room each, come back by themselves and judge what they are
 * given. Spoken to over the channel of `fork`; ends with its parent.
 */
import { WebSocket } from 'ws';
import type { CrowdAnswer, CrowdOrder, MemberReport, MemberSpec } from './crowd.ts';

/** Longest wait before a try; each waits a random part of it, which doubles from a quarter of a second. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2_000;

interface Member extends MemberReport {
  readonly spec: MemberSpec;
  socket: WebSocket | null;
  failures: number;
  epoch: string;
  isIn: boolean;
  goal: number;
  timer: NodeJS.Timeout | null;
}

const members: Member[] = [];
let ports: readonly number[] = [];
let isLeaving = false;
let late: number[] = [];
let waiting: { id: number; deadline: NodeJS.Timeout } | null = null;
let unmet = 0;

process.on('disconnect', () => process.exit(0));
process.on('message', obey);

function obey(order: CrowdOrder): void {
  switch (order.type) {
    case 'come':
      ({ ports } = order);
      come(order.members, order.perSecond);
      return;
    case 'await':
      awaitGoals(order.id, order.goals, order.timeoutMs);
      return;
    case 'pause':
      for (const at of order.members) members[at]?.socket?.pause();
      return;
    case 'resume':
      for (const at of order.members) members[at]?.socket?.resume();
      return;
    case 'report':
      answer({ type: 'report', id: order.id, members: members.map(reportOf), late });
      late = [];
      return;
    case 'leave':
      isLeaving = true;
      for (const member of members) {
        if (member.timer) clearTimeout(member.timer);
        member.socket?.terminate();
      }
      return;
    default:
      order satisfies never;
  }
}

function answer(text: CrowdAnswer): void {
  process.send?.(text);
}

function come(specs: readonly MemberSpec[], perSecond: number): void {
  for (const spec of specs) {
    const member: Member = {
      spec,
      socket: null,
      failures: 0,
      epoch: '',
      isIn: false,
      goal: -1,
      timer: null,
      last: -1,
      frames: 0,
      duplicates: 0,
      gaps: 0,
      resets: 0,
      connects: 0,
      codes: {},
      backAt: 0,
    };
    members.push(member);
    member.timer = setTimeout(() => connect(member), ((members.length - 1) * 1_000) / perSecond);
  }
}

function connect(member: Member): void {
  const { spec } = member;
  const port = ports[Math.floor(Math.random() * ports.length)];
  const isPage = spec.format === 'page';
  const path = isPage
    ? `/ws?room=${spec.room}${member.last < 0 ? '' : `&after=${member.epoch}:${member.last}`}`
    : '/ws';
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, isPage ? [] : ['support.v1.json'], {
    headers: { authorization: `Bearer ${spec.token}` },
    perMessageDeflate: false,
    skipUTF8Validation: true,
    handshakeTimeout: 30_000,
    ...(spec.from ? { localAddress: spec.from } : {}),
  });
  member.socket = ws;
  ws.on('error', () => {});
  ws.on('open', () => {
    member.connects += 1;
    if (isPage) return;
    const after = member.last < 0 ? '' : `,"after":"${member.epoch}:${member.last}"`;
    ws.send(`{"type":"subscribe","room":"${spec.room}"${after}}`);
  });
  // one buffer a message with ws's default binaryType
  ws.on('message', (data) => (isPage ? readFragment(member, data as Buffer) : readFrame(member, data as Buffer)));
  ws.on('close', (code) => {
    member.socket = null;
    member.isIn = false;
    member.codes[code] = (member.codes[code] ?? 0) + 1;
    if (isLeaving) return;
    member.failures += 1;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(member.failures, 8));
    member.timer = setTimeout(() => connect(member), Math.random() * longest);
  });
}

function readFrame(member: Member, data: Buffer): void {
  const frame = JSON.parse(data.toString()) as {
    type: string;
    status?: string;
    version?: number | null;
    epoch?: string;
    room?: string;
    message?: { version: number; body: string | null };
  };
  if (frame.type === 'subscribed') welcomed(member, frame.status ?? '', frame.version ?? 0, frame.epoch ?? '');
  else if (frame.type === 'message:new' && frame.message && frame.room === member.spec.room) {
    took(member, frame.message.version);
    const sentAt = /^at (\d+\.\d+)/.exec(frame.message.body ?? '')?.[1];
    if (sentAt) late.push(now() - Number(sentAt));
  }
}

/** What a page's code reads of its fragments: where the log stands. */
function readFragment(member: Member, data: Buffer): void {
  const text = data.toString();
  const welcome = /<hx-subscribed room="[^"]*" status="(\w+)" at="(?:([\w-]+):(\d+))?"/.exec(text);
  if (welcome) {
    welcomed(member, welcome[1] ?? '', Number(welcome[3] ?? member.last), welcome[2] ?? member.epoch);
    return;
  }
  const cursor = /<hx-cursor room="[^"]*" at="[\w-]+:(\d+)"/.exec(text);
  if (!cursor) return;
  took(member, Number(cursor[1]));
  const sentAt = /at (\d{13}\.\d+)/.exec(text)?.[1];
  if (sentAt) late.push(now() - Number(sentAt));
}

function welcomed(member: Member, status: string, version: number, epoch: string): void {
  member.isIn = true;
  member.failures = 0;
  member.epoch = epoch;
  if (status === 'reset') {
    // where it stood before does not count any more; a first time is no reset
    if (member.last >= 0) member.resets += 1;
    member.last = version;
  }
  met(member);
}

/** In these stories nothing is edited, so the log has every version once. */
function took(member: Member, version: number): void {
  member.frames += 1;
  if (version <= member.last) member.duplicates += 1;
  else {
    if (version > member.last + 1) member.gaps += 1;
    member.last = version;
  }
  met(member);
}

function met(member: Member): void {
  if (member.goal < 0 || !member.isIn || member.last < member.goal) return;
  member.goal = -1;
  member.backAt = now();
  unmet -= 1;
  if (unmet === 0) finish();
}

/** Answers when every member is in its room and has this version of it, or when the time is over. */
function awaitGoals(id: number, goals: readonly number[], timeoutMs: number): void {
  waiting = { id, deadline: setTimeout(finish, timeoutMs) };
  unmet = members.length;
  for (const [at, member] of members.entries()) {
    member.goal = goals[at] ?? 0;
    met(member);
  }
}

function finish(): void {
  if (!waiting) return;
  clearTimeout(waiting.deadline);
  const { id } = waiting;
  waiting = null;
  answer({ type: 'awaited', id, missing: unmet, at: now(), backAt: members.map(({ backAt }) => backAt) });
}

function reportOf({ last, frames, duplicates, gaps, resets, connects, codes, backAt, isIn }: Member): MemberReport {
  return { last, frames, duplicates, gaps, resets, connects, codes, backAt, isIn };
}

/** Milliseconds since 1970 with fractions, the same clock in every process of the machine. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
