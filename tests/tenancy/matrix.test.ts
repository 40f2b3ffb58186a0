/**
 * T-TEN1, T-WS2: every id of one tenant, tried by everybody of another and by the tenant's other users, over every route
 * and every room. Made from the registries: a new route with an id is in here by itself, and one that the generator
 * cannot fill fails the test.
 *
 * TWIN: the answer for somebody else's id equals the answer for an id that does not exist. CANARY: nothing that the
 * tenant wrote stands in any answer. Nothing of the tenant's rows changes. And the rightful people do get in, by the
 * same requests, so that "404" means something.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { createSavedReply } from '../../src/desk/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import { saveReportView } from '../../src/reports/index.ts';
import { adminUrl } from '../support/database.ts';
import type { Handle, TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type Prepared, prepare, type Slot, slotsOf, type Thing } from './slots.ts';

/** Who tries, by session. */
interface Intruder {
  readonly who: string;
  readonly api: TestSession;
  readonly browser: TestSession;
  /** What is theirs, to put a foreign id beside. */
  readonly own: Partial<Record<Thing, string>>;
}

/** Not like an id, so that making an answer neutral leaves it. */
const CANARY = `canary${randomUUID().replaceAll('-', '')}`;
const OTHER_TENANTS: readonly Handle[] = ['rahim', 'agent', 'owner'];
const OTHER_USERS: readonly Handle[] = ['driver-2', 'ayesha', 'kacchi-house'];

let app: RunningApp;
let admin: pg.Client;
let victim: TestTenant;
let strangers: Intruder[];
let neighbours: Intruder[];
let things: Record<Thing, string>;

beforeAll(async () => {
  app = await startApp();
  admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  victim = await app.newTenant();
  const other = await app.newTenant();
  things = await fill(victim, CANARY);
  const own = await fill(other, 'nothing special');
  strangers = await Promise.all(OTHER_TENANTS.map((handle) => intruder(other, handle, 'of another tenant', own)));
  neighbours = await Promise.all(OTHER_USERS.map((handle) => intruder(victim, handle, 'of the same tenant', {})));
});

afterAll(async () => {
  await admin?.end();
  await app?.stop();
});

async function intruder(tenant: TestTenant, handle: Handle, where: string, own: Intruder['own']): Promise<Intruder> {
  const [api, browser] = await Promise.all([tenant.signIn(handle), tenant.signIn(handle, 'browser')]);
  return { who: `${handle} ${where}`, api, browser, own };
}

/** A conversation of Rahim's that says the word wherever something can be said; gives the ids of all that is in it. */
async function fill(tenant: TestTenant, word: string): Promise<Record<Thing, string>> {
  const [rahim, agent] = await Promise.all([tenant.signIn('rahim'), tenant.signIn('agent')]);
  const post = async (session: TestSession, path: string, body: object): Promise<Record<string, { id: string }>> => {
    const headers = { ...session.bearer, 'content-type': 'application/json' };
    const answer = await fetch(new URL(path, app.base), { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, { id: string }>; // contract.md, REST
  };
  const started = await post(rahim, '/api/support/conversations', {
    subject: word,
    topic: word.slice(0, 40),
    message: { body: word, clientId: randomUUID() },
  });
  const conversation = started['conversation']?.id ?? '';
  const messages = `/api/support/conversations/${conversation}/messages`;
  await post(agent, messages, { body: `${word} too`, clientId: randomUUID() });
  // What users and admins may still change is their own newest message.
  const message = (await post(rahim, messages, { body: word, clientId: randomUUID() }))['message']?.id ?? '';
  const form = new FormData();
  form.append('clientId', randomUUID());
  form.append('file', new Blob(['%PDF-1.4 ', word]), `${word}.pdf`);
  const uploaded = await fetch(new URL(`/api/support/conversations/${conversation}/attachments`, app.base), {
    method: 'POST',
    headers: rahim.bearer,
    body: form,
  });
  // contract.md, REST; in no message yet, so that it can be put into one
  const attachment = ((await uploaded.json()) as Record<string, { id: string }>)['attachment']?.id ?? '';
  // the neighbour is shown their own name, and that is no secret to them
  await admin.query('update users set name = $2 || name, email = $2 || email where tenant_id = $1 and id <> $3', [
    tenant.tenant.id,
    word,
    tenant.people['driver-2'].id,
  ]);
  const savedReply = await tenant.asPerson('owner', (scope) =>
    createSavedReply(scope, { shortcut: 'canary', title: word, body: word }),
  );
  const reportView = await tenant.asPerson('owner', (scope) =>
    saveReportView(
      scope,
      {
        name: word,
        report: 'overview',
        query: '',
        filter: { userType: null, topic: null, country: null, agent: null },
        isShared: true,
        isWeekly: false,
      },
      'UTC',
    ),
  );
  const { rahim: driver, ayesha, 'kacchi-house': restaurant, agent: assigned } = tenant.people;
  return {
    conversation,
    message,
    attachment,
    driver: driver.id,
    customer: ayesha.id,
    restaurant: restaurant.id,
    admin: assigned.id,
    savedReply: savedReply.id,
    reportView,
  };
}

/**
 * Everything that the tenant has, as one hash a table. What a refusal writes into the audit log is no change of it, nor
 * what jobs write meanwhile.
 */
const BY_JOBS = ['report_open_hours', 'report_states', 'response_clocks', 'conversation_words', 'word_marks'];
async function hashes(tenantId: string): Promise<Record<string, string>> {
  const { rows: tables } = await admin.query<{ name: string }>(
    `select table_name as name from information_schema.columns
     where table_schema = 'public' and column_name = 'tenant_id' and table_name not in ('sessions', 'agent_presence')
       and table_name <> all ($1)`,
    [BY_JOBS],
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await admin.query<{ hash: string }>(
      `select coalesce(md5(string_agg(row_text, '|' order by row_text)), '') as hash
       from (select t::text as row_text from ${pg.escapeIdentifier(name)} t where t.tenant_id = $1
         ${name === 'audit_log' ? `and action <> 'SUPPORT_ACCESS_REFUSED'` : ''}) as all_rows`,
      [tenantId],
    );
    found[name] = rows[0]?.hash ?? '';
  }
  return found;
}

interface Said {
  readonly status: number;
  /** Everything the answer said but what differs with every request. */
  readonly told: string;
  readonly raw: string;
}

async function send(
  request: Prepared,
  session: TestSession,
  face: 'page' | 'json',
  ids: readonly string[],
): Promise<Said> {
  const headers: Record<string, string> = {
    origin: app.base,
    'sec-fetch-site': 'same-origin',
    ...(face === 'page' ? { ...session.cookie, accept: 'text/html' } : session.bearer),
  };
  let body: string | FormData | undefined;
  if (request.kind === 'json') {
    headers['content-type'] = 'application/json';
    body = JSON.stringify(request.body);
  } else if (request.kind === 'form') {
    headers['content-type'] = 'application/x-www-form-urlencoded';
    body = new URLSearchParams(request.body as Record<string, string>).toString(); // Form fields are strings.
  } else if (request.kind === 'multipart') {
    body = new FormData();
    body.append('file', new Blob(['probe'], { type: 'text/plain' }), 'probe.txt');
    body.append('clientId', randomUUID());
  } else if (request.kind === 'bytes') {
    headers['content-type'] = 'application/offset+octet-stream';
    headers['upload-offset'] = '0';
    body = 'probe';
  }
  const answer = await fetch(new URL(request.path, app.base), {
    method: request.method,
    headers,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(2_000),
  });
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream');
  const text = isStream ? await firstOfStream(answer) : await answer.text();
  const requestId = answer.headers.get('x-request-id') ?? '<none>';
  const head = [...answer.headers]
    .filter(([name]) => !['date', 'x-request-id', 'set-cookie', 'etag', 'content-length'].includes(name))
    .map(([name, value]) => `${name}: ${value}`);
  const raw = [answer.status, ...[...answer.headers].map(([name, value]) => `${name}: ${value}`), text].join('\n');
  return {
    status: answer.status,
    told: neutral([answer.status, ...head, text.replaceAll(requestId, '<request>')].join('\n'), ids),
    raw,
  };
}

/** What an event stream says in its first moments. */
async function firstOfStream(answer: Response): Promise<string> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let said = '';
  const end = setTimeout(() => void reader?.cancel(), 300);
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) said += part.value;
  clearTimeout(end);
  return said;
}

/** The ids that were asked for, and what is new in every answer, become words. */
function neutral(text: string, ids: readonly string[]): string {
  return ids
    .reduce((so, id) => so.replaceAll(id, '<id>'), text)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replace(/\b\d\d:\d\d\b/g, '<hour>')
    .replace(/data-left="\d+"/g, 'data-left="<seconds>"')
    .replace(/#[mn]\d+/g, '#m<seq>');
}

/** Where two answers part, short enough to read. */
function firstDifference(one: string, other: string): string {
  const at = [...one].findIndex((letter, index) => letter !== other[index]);
  const from = Math.max(0, at - 40);
  return `${JSON.stringify(one.slice(from, at + 120))} beside ${JSON.stringify(other.slice(from, at + 120))}`;
}

function idsFor(slots: readonly Slot[], pick: (slot: Slot) => string): Record<string, string> {
  return Object.fromEntries(slots.map((slot) => [`${slot.where}.${slot.name}`, pick(slot)]));
}

describe('over every route', () => {
  it('knows what to put into every id of every route', () => {
    expect(app.routes.length).toBeGreaterThan(10);
    expect(app.routes.flatMap((route) => slotsOf(route).unknown)).toEqual([]);
  });

  it("answers another tenant's ids as ids of nothing, and changes nothing", { timeout: 120_000 }, async () => {
    const before = await hashes(victim.tenant.id);
    const { tried, wrong } = await tryEverywhere(strangers);
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(3 * 10);
    expect(await hashes(victim.tenant.id)).toEqual(before);
  });

  it("answers another user's ids as ids of nothing, and changes nothing", { timeout: 120_000 }, async () => {
    const before = await hashes(victim.tenant.id);
    const { tried, wrong } = await tryEverywhere(neighbours);
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(3 * 10);
    expect(await hashes(victim.tenant.id)).toEqual(before);
  });

  /** Last, because it changes what it reaches: whoever may does get another answer for the real id. */
  it('lets the rightful people in by the same requests', { timeout: 120_000 }, async () => {
    const rightful = await Promise.all(
      (['rahim', 'agent', 'owner'] as const).map((handle) => intruder(victim, handle, '', {})),
    );
    const unreached: string[] = [];
    // Reading first, while the conversation is as it was filled.
    const routes = app.routes.toSorted((a, b) => Number(a.method !== 'GET') - Number(b.method !== 'GET'));
    for (const route of routes) {
      const { slots } = slotsOf(route);
      // A filter narrows a list that is one's own anyway: nothing is reached by it.
      // A file goes with a text's client id only, which reopening does not ask for.
      // A file can be sent once, so it is tried while it is free.
      const isReopening = route.name === 'chat.conversations.reopen';
      const tried = slots.filter(
        ({ name }) => name !== 'assignedAdminId' && name !== 'agent' && !(isReopening && name === 'attachmentIds'),
      );
      for (const slot of tried.toSorted(
        (a, b) => Number(b.thing === 'attachment') - Number(a.thing === 'attachment'),
      )) {
        const reached = await Promise.all(rightful.map((person) => differs(person, route, slots, slot)));
        if (!reached.includes(true)) unreached.push(`${route.name} ${slot.where}.${slot.name}`);
      }
    }
    expect(unreached).toEqual([]);
  });

  async function differs(person: Intruder, route: RunningApp['routes'][number], slots: readonly Slot[], slot: Slot) {
    const session = route.face === 'page' ? person.browser : person.api;
    const real = idsFor(slots, ({ thing }) => things[thing]);
    const wrong = { ...real, [`${slot.where}.${slot.name}`]: newId() };
    const nothing = await send(prepare(route, wrong), session, route.face, Object.values(wrong));
    const something = await send(prepare(route, real), session, route.face, Object.values(real));
    return something.told !== nothing.told;
  }

  /** One slot at a time is the victim's, then all of them together; the others are the intruder's own, or nothing's. */
  async function tryEverywhere(people: readonly Intruder[]): Promise<{ tried: number; wrong: string[] }> {
    const wrong: string[] = [];
    let tried = 0;
    for (const route of app.routes) {
      const { slots } = slotsOf(route);
      const attempts = slots.length > 1 ? [...slots.map((slot) => [slot]), slots] : slots.map((slot) => [slot]);
      for (const real of attempts) {
        for (const person of people) {
          const session = route.face === 'page' ? person.browser : person.api;
          const nothing = idsFor(
            slots,
            (slot) => (real.includes(slot) ? undefined : person.own[slot.thing]) ?? newId(),
          );
          const theirs = { ...nothing, ...idsFor(real, (slot) => things[slot.thing]) };
          const [twin, said] = [
            await send(prepare(route, nothing), session, route.face, Object.values(nothing)),
            await send(prepare(route, theirs), session, route.face, Object.values(theirs)),
          ];
          tried += 1;
          const what = `${person.who}: ${route.name} with ${real.map((slot) => `${slot.where}.${slot.name}`).join(', ')}`;
          if (said.told !== twin.told) wrong.push(`${what}: ${firstDifference(said.told, twin.told)}`);
          if (said.raw.includes(CANARY)) wrong.push(`${what}: says the canary`);
          if (said.status >= 500) wrong.push(`${what}: ${said.status}`);
        }
      }
    }
    return { tried, wrong };
  }
});

describe('over every room', () => {
  /** The name of a room of this kind with that id; null for a kind that the test does not know. */
  function roomName(kind: string, id: string): string | null {
    const names: Record<string, string> = {
      conversation: `conversation_${id}`,
      conversation_staff: `conversation_${id}_staff`,
      user: `user_${id}`,
      admin_support: 'admin_support',
    };
    return names[kind] ?? null;
  }

  function thingIn(kind: string): string {
    return kind === 'user' ? things.driver : things.conversation;
  }

  it('knows the name of every kind of room', () => {
    const named = app.rooms.map(({ kind, parse }) => [kind, parse(roomName(kind, things.conversation) ?? '')]);
    expect(named.length).toBeGreaterThanOrEqual(3);
    expect(named).toEqual(app.rooms.map(({ kind }) => [kind, kind === 'admin_support' ? '' : things.conversation]));
  });

  it('answers a frame with an id of somebody else as one with an id of nothing', { timeout: 60_000 }, async () => {
    const before = await hashes(victim.tenant.id);
    const kinds = app.rooms.filter(({ kind }) => kind !== 'admin_support').map(({ kind }) => kind);
    for (const person of [...strangers, ...neighbours]) {
      const frames = (pick: (kind: string) => string): object[] => [
        ...kinds.map((kind) => ({ type: 'subscribe', room: roomName(kind, pick(kind)), after: 0 })),
        { type: 'message:send', conversationId: pick('conversation'), clientId: randomUUID(), body: 'probe' },
        { type: 'message:read', conversationId: pick('conversation'), seq: 1 },
        { type: 'typing', conversationId: pick('conversation'), isTyping: true },
      ];
      const nothing = newId();
      const twin = await converse(
        person.api,
        frames(() => nothing),
        [nothing],
      );
      const said = await converse(person.api, frames(thingIn), Object.values(things));
      expect(said, person.who).toEqual(twin);
      expect(twin.length, 'every subscription is answered').toBeGreaterThanOrEqual(kinds.length);
      expect(twin.join()).not.toContain('subscribed');
    }
    expect(await hashes(victim.tenant.id)).toEqual(before);
  });

  it("shows nothing of the tenant in another tenant's rooms, pages and streams", { timeout: 60_000 }, async () => {
    const agent = strangers.find(({ who }) => who.startsWith('agent'));
    if (!agent) throw new Error('an agent of another tenant tries');
    const rahim = await victim.signIn('rahim');
    const own = await victim.signIn('agent');
    const rooms = app.rooms.map(({ kind }) => roomName(kind, thingIn(kind)) ?? '');
    const query = rooms.map((room) => `room=${room}&after=0`).join('&');
    const speak = async (): Promise<void> => {
      await fetch(new URL(`/api/support/conversations/${things.conversation}/messages`, app.base), {
        method: 'POST',
        headers: { ...rahim.bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ body: CANARY, clientId: randomUUID() }),
      });
    };
    const subscribe = rooms.map((room) => ({ type: 'subscribe', room, after: 0 }));
    const [theirs, page, stream, rightful] = await Promise.all([
      converse(agent.api, subscribe, [], speak),
      converse(agent.browser, [], [], undefined, `/ws?${query}`),
      fetch(new URL(`/events?${query}`, app.base), { headers: agent.browser.cookie }).then(firstOfStream),
      converse(own, subscribe, []),
    ]);
    for (const said of [theirs.join(), page.join(), stream]) expect(said).not.toContain(CANARY);
    expect(rightful.join(), 'the tenant itself does hear it').toContain(CANARY);
  });

  /** Sends frames and listens until it has been quiet for a while; gives what came, made neutral and sorted. */
  async function converse(
    session: TestSession,
    frames: readonly object[],
    ids: readonly string[],
    meanwhile?: () => Promise<void>,
    path = '/ws',
  ): Promise<string[]> {
    const isPage = path !== '/ws';
    const headers = isPage ? { ...session.cookie, origin: app.base } : session.bearer;
    const socket = new WebSocket(new URL(path, app.base.replace('http', 'ws')), isPage ? [] : ['support.v1.json'], {
      headers: { ...headers },
    });
    const said: string[] = [];
    let lastAt = performance.now();
    const note = (text: string): void => {
      lastAt = performance.now();
      said.push(neutral(text, ids));
    };
    socket.on('message', (data) => note(String(data)));
    socket.on('close', (code) => note(`closed ${code}`));
    socket.on('error', (error) => note(`error ${error.message}`));
    await new Promise((resolve) => socket.once('open', resolve).once('close', resolve));
    for (const frame of frames) socket.send(JSON.stringify(frame));
    await meanwhile?.();
    while (performance.now() - lastAt < 400) await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = said.length;
    socket.terminate();
    return said.slice(0, closed).sort();
  }
});
