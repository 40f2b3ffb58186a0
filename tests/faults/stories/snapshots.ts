import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import { http, type VirtualClient } from '../lab/client.ts';
import { type Lab, type LabConversation, type LabPerson, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story } from './story.ts';

/** Conversations that are told side by side, and pages of each; then everything is judged. */
const CONVERSATIONS = 5;
const PAGES = 8;
/** After the last deed everybody has this long to know it. */
const PATIENCE_MS = 5_000;

/** What somebody has before their eyes: a page, and what came since. */
interface Picture {
  /** Status, holder and end, as JSON. */
  about: string;
  /** By place: version, and what is seen of it, as JSON. */
  readonly messages: Map<number, { readonly version: number; readonly text: string }>;
  /** By participant: how far they have read. */
  readonly marks: Map<string, number>;
}

interface Watcher {
  readonly name: string;
  readonly side: 'user' | 'staff';
  readonly picture: Picture;
  readonly version: number;
}

type Told = Readonly<Record<string, unknown>>;

/**
 * F16: a page and its stream are one: the page as it was read (from any node), and what its stream tells after the
 * page's version (from any node), are what a page that is opened at the end shows. Meanwhile both sides do everything
 * that a conversation knows, at random and at once: they write, edit, delete, react, read, claim, hand over, release,
 * close and reopen. A round is one page opened at a random moment of that.
 */
export const snapshots: Story = (options) =>
  inLab(options, { nodes: 2 }, async (lab) => {
    const rounds = options.rounds ?? 40;
    const anomalies: Anomaly[] = [];
    const deeds: Record<string, number> = {};
    const { rows } = await lab.admin.query<{ epoch: string }>('select log_epoch as epoch from installation');
    const epoch = rows[0]?.epoch ?? '';
    let done = 0;
    while (done < rounds && anomalies.length === 0) {
      const tenant = await lab.newTenant();
      const staff = { agent: await lab.signIn(tenant, 'agent'), lead: await lab.signIn(tenant, 'lead') };
      const conversations = await lab.converse(tenant, Math.min(CONVERSATIONS, Math.ceil((rounds - done) / PAGES)));
      const found = await Promise.all(
        conversations.map((conversation, at) => {
          const pages = Math.min(PAGES, rounds - done - at * PAGES);
          return together({ lab, conversation, staff, pages, name: `${at}`, epoch, deeds });
        }),
      );
      done = Math.min(rounds, done + conversations.length * PAGES);
      anomalies.push(...found.flat(), ...(await lab.judge()));
      options.onRound?.(done, anomalies);
      lab.renew();
    }
    return { anomalies, rounds: done, facts: deeds };
  });

interface Scene {
  readonly lab: Lab;
  readonly conversation: LabConversation;
  readonly staff: { readonly agent: LabPerson; readonly lead: LabPerson };
  readonly pages: number;
  readonly name: string;
  readonly epoch: string;
  readonly deeds: Record<string, number>;
}

/** One conversation in which everything happens while pages are opened; resolves to the pictures that are wrong. */
async function together({ lab, conversation, staff, pages, name, epoch, deeds }: Scene): Promise<Anomaly[]> {
  const { random } = lab;
  const { id, user } = conversation;
  const anomalies: Anomaly[] = [];
  const phone = lab.client({ name: `phone-${name}`, person: user, rooms: [id] });
  const desk = lab.client({ name: `desk-${name}`, person: staff.agent, rooms: [id] });
  await connected([phone, desk]);
  let isRunning = true;
  let number = 0;

  const call = async (
    person: LabPerson,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> => {
    const answer = await http({ port: random.pick(lab.ports()), method, path, token: person.token, body });
    // one of two who are at once may be refused; nothing may break
    if (answer.status >= 500) anomalies.push({ kind: 'unanswered', what: `${method} ${path}: ${answer.status}` });
    return answer;
  };
  const verb = (person: LabPerson, what: string, body: unknown = {}) =>
    call(person, 'POST', `/api/admin/support/conversations/${id}/${what}`, body);
  const read = async (person: LabPerson, client: VirtualClient) => {
    const seq = Math.max(1, (client.cursor(id)?.version ?? 1) - random.between(0, 3));
    await call(person, 'POST', `/api/support/conversations/${id}/read`, { seq });
  };
  const react = async (person: LabPerson, others: VirtualClient) => {
    const theirs = others.own.at(-random.between(1, 6));
    if (!theirs) return;
    const path = `/api/support/conversations/${id}/messages/${theirs.id}/reaction`;
    const isBack = random.chance(0.3);
    const answer = await http({
      port: random.pick(lab.ports()),
      method: isBack ? 'DELETE' : 'PUT',
      path,
      token: person.token,
      ...(isBack ? {} : { body: { reaction: random.pick(['thanks', 'got_it', 'on_my_way']) } }),
    });
    if (answer.status >= 500) anomalies.push({ kind: 'unanswered', what: `a reaction: ${answer.status}` });
  };
  const write = async (person: LabPerson, client: VirtualClient) => {
    number += 1;
    await client.send(id, textOf(person, number));
  };
  const change = async (person: LabPerson, client: VirtualClient, isDeletion: boolean) => {
    number += 1;
    const own = client.own.at(-random.between(1, 6));
    if (own) await client.change(own, isDeletion ? null : `${textOf(person, number)} edited`);
  };

  const ofBoth = (person: LabPerson, client: VirtualClient, others: VirtualClient) => ({
    write: () => write(person, client),
    edit: () => change(person, client, false),
    delete: () => change(person, client, true),
    react: () => react(person, others),
    read: () => read(person, client),
  });
  const userDeeds = ofBoth(user, phone, desk);
  const deskDeeds = {
    ...ofBoth(staff.agent, desk, phone),
    claim: () => verb(staff.agent, 'assign'),
    'hand over': () => verb(staff.lead, 'assign', { adminId: random.pick([staff.agent.id, staff.lead.id]) }),
    release: () => verb(staff.lead, 'assign', { adminId: null }),
    close: () => verb(staff.lead, 'close'),
    reopen: () => verb(staff.lead, 'reopen'),
  };
  const act = async (table: Readonly<Record<string, () => Promise<unknown>>>, often: readonly string[]) => {
    const names = [...Object.keys(table), ...often];
    while (isRunning) {
      const deed = random.pick(names);
      deeds[deed] = (deeds[deed] ?? 0) + 1;
      await table[deed]?.();
      await sleep(random.between(0, 8));
    }
  };
  const acting = [
    act(userDeeds, ['write', 'read']),
    // what was closed is open again soon, or nobody could write
    act(deskDeeds, ['write', 'claim', 'reopen', 'reopen']),
  ];

  const watchers: Watcher[] = [];
  async function open(watcher: string, side: Watcher['side'], withPage = true): Promise<Watcher> {
    const person = side === 'user' ? user : staff.lead;
    const page = await openPage(lab, person, id);
    await sleep(withPage ? random.between(0, 20) : 0);
    const { picture, version } = page;
    const client = lab.client({
      name: watcher,
      person,
      rooms: [id],
      silenceMs: 30_000,
      onFrame: (frame) => {
        if (frame['type'] === 'subscribed' && frame['status'] !== 'resumed')
          anomalies.push({ kind: 'cursor', what: `${watcher} was told to load its page again` });
        takeFrame(picture, frame);
      },
    });
    client.setCursor(id, `${epoch}:${version}`);
    const one = { name: watcher, side, picture, version };
    watchers.push(one);
    return one;
  }
  for (let at = 0; at < pages; at++) {
    await sleep(random.between(0, 20));
    await open(`page-${name}-${at}`, at % 2 === 0 ? 'user' : 'staff');
  }
  await sleep(random.between(0, 60));
  isRunning = false;
  await Promise.all(acting);

  const rest = watchers.slice();
  // a page of the end, and what a subscription says beside it: marks are in no page
  const ends = { user: await open(`end-user-${name}`, 'user'), staff: await open(`end-staff-${name}`, 'staff') };
  const wrong = () =>
    rest.flatMap(({ name: who, side, picture, version }) => {
      const what = difference(picture, ends[side].picture);
      return what ? [`${who} of the ${side}, page of version ${version}: ${what}`] : [];
    });
  const since = performance.now();
  while (performance.now() - since < 300 || (wrong().length > 0 && performance.now() - since < PATIENCE_MS)) {
    await sleep(50);
  }
  anomalies.push(...wrong().map((what) => ({ kind: 'divergence' as const, what })));
  return anomalies;
}

/** The conversation first, then its messages: what comes in between comes with the stream as well. */
async function openPage(lab: Lab, person: LabPerson, id: string): Promise<{ picture: Picture; version: number }> {
  const get = async (path: string): Promise<Told> => {
    const port = lab.random.pick(lab.ports());
    const answer = await http({ port, method: 'GET', path, token: person.token });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    return answer.body as Told;
  };
  const base = `/api/support/conversations/${id}`;
  const { conversation } = (await get(base)) as { conversation: Told };
  const picture: Picture = { about: aboutOf(conversation), messages: new Map(), marks: new Map() };
  let cursor: string | null = '';
  while (cursor !== null) {
    const page = (await get(`${base}/messages?limit=100${cursor && `&cursor=${cursor}`}`)) as {
      items: readonly Told[];
      nextCursor: string | null;
    };
    for (const message of page.items) takeMessage(picture, message);
    cursor = page.nextCursor;
  }
  return { picture, version: conversation['version'] as number };
}

function takeFrame(picture: Picture, frame: Told): void {
  const { conversation, message, readMarks } = frame as {
    conversation?: Told;
    message?: Told;
    readMarks?: readonly Told[];
  };
  // what is told last is what is: nobody is asked to compare versions of a state
  if (conversation) picture.about = aboutOf(conversation);
  if (message && frame['type'] !== 'message:ack') takeMessage(picture, message);
  for (const mark of [...(readMarks ?? []), ...(frame['type'] === 'message:read' ? [frame] : [])]) {
    const { senderType, name } = mark['participant'] as { senderType: string; name: string };
    const who = `${senderType} ${name}`;
    picture.marks.set(who, Math.max(picture.marks.get(who) ?? 0, mark['seq'] as number));
  }
}

function aboutOf({ status, assignedAdminId, closedAt }: Told): string {
  return JSON.stringify({ status, assignedAdminId, closedAt });
}

/** A later version of a message takes its place; whether it was read follows from the marks. */
function takeMessage(picture: Picture, { read: _read, ...message }: Told): void {
  const { seq, version } = message as { seq: number; version: number };
  if ((picture.messages.get(seq)?.version ?? 0) > version) return;
  picture.messages.set(seq, { version, text: JSON.stringify(message, inOrder) });
}

/** For `JSON.stringify`: members by name, in whatever order they came. */
function inOrder(_name: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Where two pictures of one conversation part; null where they are the same. */
function difference(mine: Picture, fresh: Picture): string | null {
  if (mine.about !== fresh.about) return `${mine.about} and not ${fresh.about}`;
  for (const [seq, { text }] of fresh.messages) {
    const own = mine.messages.get(seq)?.text;
    if (own !== text) return `${seq} is ${own ?? 'not there'} and not ${text}`;
  }
  for (const seq of mine.messages.keys()) if (!fresh.messages.has(seq)) return `${seq} is there`;
  for (const [who, seq] of fresh.marks) {
    if (mine.marks.get(who) !== seq) return `${who} has read ${mine.marks.get(who) ?? 'nothing'} and not ${seq}`;
  }
  return null;
}
