import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPABILITIES } from '../../src/identity/index.ts';
import type { Route } from '../../src/platform/http/index.ts';
import { call } from '../live/live-app.ts';
import { giveOwnRole } from '../support/own-role.ts';
import type { Handle, TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { prepare, slotsOf, type Thing } from '../tenancy/slots.ts';
import { postForm, sendPhoto, userWrites } from './desk-browser.ts';

/** Which fields each role gets from each door, and that contacts are for those who may see them (T-RB7). */

/** As `agent-2` holds it here: every right but contacts. */
const UNSEEING = CAPABILITIES.filter((one) => one !== 'VIEW_USER_CONTACTS');
const PHONE = '1712345678';
const STAFF: readonly Handle[] = ['viewer', 'agent', 'agent-2', 'lead', 'owner'];
const USERS: readonly Handle[] = ['rahim', 'ayesha', 'kacchi-house'];

let app: RunningApp;
let tenant: TestTenant;
let sessions: Record<string, TestSession>;
let browsers: Record<string, TestSession>;
let ids: Record<string, string>;
let attachmentId: string;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.newTenant();
  await giveOwnRole(tenant, 'agent-2', UNSEEING);
  const everybody = [...STAFF, ...USERS];
  sessions = Object.fromEntries(
    await Promise.all(everybody.map(async (one) => [one, await tenant.signIn(one)] as const)),
  );
  browsers = Object.fromEntries(
    await Promise.all(everybody.map(async (one) => [one, await tenant.signIn(one, 'browser')] as const)),
  );
  ids = {};
  for (const handle of USERS) ids[handle] = await userWrites(app, tenant, handle, `Question of ${handle}`);
  const id = ids['rahim'];
  const lead = sessions['lead']!;
  const rahim = sessions['rahim']!;
  // one conversation with everything that a door could tell of
  await call(app, lead, 'POST', `/api/admin/support/conversations/${id}/assign`, {});
  const { message } = await call(app, lead, 'POST', `/api/support/conversations/${id}/messages`, {
    body: 'An answer',
    clientId: randomUUID(),
  });
  await call(app, rahim, 'PUT', `/api/support/conversations/${id}/messages/${message.id}/reaction`, {
    reaction: 'thanks',
  });
  await call(app, lead, 'POST', `/api/admin/support/conversations/${id}/notes`, { body: 'Ask @Farhana Rahman' });
  attachmentId = await sendPhoto(app, rahim, id ?? '', { body: 'And a file' });
  await tenant.asPerson('system', (scope) =>
    scope.em.getConnection().execute(
      `insert into assignment_decisions (tenant_id, conversation_id, mode, reason, chosen_admin_id, candidates, waiting_since, created_at)
       values (?, ?, 'balanced', 'fewest_open', ?, ?::jsonb, now(), now())`,
      [
        tenant.tenant.id,
        id,
        lead.person.id,
        JSON.stringify([{ adminId: lead.person.id, open: 0, lastServed: 0, verdict: 'chosen' }]),
      ],
    ),
  );
  // the clocks of answers are started by a leading node; here they stand already
  await tenant.asPerson('system', (scope) =>
    scope.em.getConnection().execute(
      `insert into response_clocks (conversation_id, waiting_since, tenant_id, kind, asked_seq, settings_version, due_at)
       select id, waiting_since, tenant_id, 'first', last_seq, 1, waiting_since + interval '5 minutes'
       from conversations where tenant_id = ? and waiting_since is not null on conflict do nothing`,
      [tenant.tenant.id],
    ),
  );
  await postForm(app, tenant, 'lead', '/admin/saved-replies', {
    title: 'Hello',
    shortcut: 'hello',
    body: 'Hi {{customer}}',
  });
});
afterAll(() => app?.stop());

/** Every key of an answer with the way to it, `items[].sender.name`, sorted. */
function keysOf(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((one) => keysOf(one, `${at}[]`)))].sort();
  if (value === null || typeof value !== 'object') return [at];
  const inside = Object.entries(value).flatMap(([key, one]) => keysOf(one, at === '' ? key : `${at}.${key}`));
  return [...new Set(inside)].sort();
}

/** The words of a list, each with what stands before it. */
const under = (prefix: string, words: string) => words.split(' ').map((word) => prefix + word);

const CONVERSATION =
  'id kind userId userType subject topic context status priority lastSeq version unreadCount lastMessageAt createdAt updatedAt closedAt';
const FOR_STAFF = 'assignedAdminId unreadByStaff';
const MESSAGE =
  'id conversationId seq version senderType sender.id sender.userType sender.name messageType event body replyToId read clientId createdAt editedAt deletedAt ' +
  'attachments[].id attachments[].fileName attachments[].mediaType attachments[].size attachments[].state attachments[].url attachments[].thumbnailUrl attachments[].width attachments[].height ' +
  'reactions[].reaction reactions[].participant.id reactions[].participant.senderType reactions[].participant.name';

const DATA_FOR_STAFF = 'data data.actorId data.actorName data.actorSide data.adminId data.adminName data.fromAdminId';
const DATA_FOR_USERS = 'data data.actorName data.actorSide data.adminName';
const NOTE = 'id conversationId version author.id author.name body mentions[].id mentions[].name clientId createdAt';
const FILE = 'id fileName mediaType size state url thumbnailUrl width height';
const DECISION =
  'mode reason chosen.id chosen.name from candidates[].adminId candidates[].name candidates[].open candidates[].lastServed candidates[].verdict waitingSince createdAt';

/** A door that answers JSON, and the keys that staff and users get of it; null where it is not theirs. */
interface Told {
  readonly path: string;
  readonly staff: readonly string[] | null;
  readonly users: readonly string[] | null;
  /** The roles that it is for, when not for all staff. */
  readonly roles?: readonly Handle[];
}

const page = (words: string) => [...under('items[].', words), 'nextCursor'];

/** By path, with `:id` for the conversation and `:file` for its file. */
const TOLD: readonly Told[] = [
  { path: '/api/admin/support/conversations', staff: page(`${CONVERSATION} ${FOR_STAFF}`), users: null },
  { path: '/api/admin/support/conversations/:id/decisions', staff: under('items[].', DECISION), users: null },
  { path: '/api/admin/support/conversations/:id/notes', staff: page(NOTE), users: null },
  {
    path: '/api/admin/support/due',
    staff: under('items[].', 'conversationId kind waitingSince dueAt lateSince assignedAdminId'),
    users: null,
  },
  {
    path: '/api/admin/support/availability',
    staff: ['choice', 'chosenAt'],
    users: null,
    roles: ['agent', 'agent-2', 'lead', 'owner'],
  },
  { path: '/api/support/conversations/me', staff: ['nextCursor'], users: page(CONVERSATION) },
  {
    path: '/api/support/conversations/:id',
    staff: under('conversation.', `${CONVERSATION} ${FOR_STAFF}`),
    users: under('conversation.', CONVERSATION),
  },
  {
    path: '/api/support/conversations/:id/messages',
    staff: page(`${MESSAGE} ${DATA_FOR_STAFF}`),
    users: page(`${MESSAGE} ${DATA_FOR_USERS}`),
  },
  {
    path: '/api/support/conversations/:id/queue',
    staff: ['position', 'expectedWaitSeconds'],
    users: ['position', 'expectedWaitSeconds'],
  },
  { path: '/api/support/attachments/:file', staff: under('attachment.', FILE), users: under('attachment.', FILE) },
];

/** Doors that tell of no person: settings of the house, its description, whether somebody is there, how it runs. */
const OF_NOBODY = [
  '/api/admin/support/settings',
  '/api/openapi.json',
  '/api/support/state',
  '/files/:ticket',
  '/healthz',
  '/metrics',
  '/readyz',
];

describe('JSON', () => {
  test('every door is in the table', () => {
    const asked = app.routes.filter((one) => one.face === 'json' && one.method === 'GET').map((one) => one.path);
    const known = [...TOLD.map((one) => one.path.replace(':file', ':id')), ...OF_NOBODY];
    expect(asked.toSorted()).toEqual(known.toSorted());
  });

  test.each(TOLD)('$path gives each role its keys and no other', async ({ path, staff, users, roles = STAFF }) => {
    for (const handle of [...STAFF, 'rahim' as const]) {
      const address = path.replace(':id', ids['rahim']!).replace(':file', attachmentId);
      const answer = await fetch(app.base + address, { headers: sessions[handle]!.bearer });
      const expected = handle === 'rahim' ? users : roles.includes(handle) ? staff : null;
      const keys = answer.ok ? keysOf(await answer.json()) : null;
      expect([handle, keys]).toEqual([handle, expected && [...expected].sort()]);
    }
    // other users get nothing of his
    for (const handle of ['ayesha', 'kacchi-house'] as const) {
      const address = path.replace(':id', ids['rahim']!).replace(':file', attachmentId);
      const answer = await fetch(app.base + address, { headers: sessions[handle]!.bearer });
      const text = await answer.text();
      expect([handle, text.includes(tenant.people.rahim.id), text.includes(ids['rahim']!)]).toEqual([
        handle,
        false,
        false,
      ]);
    }
  });
});

const THINGS = (): Partial<Record<Thing, string>> => ({
  conversation: ids['rahim']!,
  driver: tenant.people.rahim.id,
  customer: tenant.people.ayesha.id,
  restaurant: tenant.people['kacchi-house'].id,
  admin: tenant.people.lead.id,
});

/** What a browser gets at every address of the desk that shows something; the first three as fragments too. */
async function pagesFor(handle: Handle): Promise<{ name: string; status: number; text: string }[]> {
  const things = THINGS();
  const asked: { name: string; path: string; target?: string }[] = [];
  for (const route of app.routes) {
    if (!isStaffPage(route)) continue;
    const given = Object.fromEntries(
      slotsOf(route).slots.map((slot) => [`${slot.where}.${slot.name}`, things[slot.thing] ?? randomUUID()]),
    );
    const { path } = prepare(route, given);
    asked.push({ name: route.name, path });
    if (!route.name.startsWith('dashboard.desk.')) continue;
    for (const target of ['list', 'more', 'thread', 'details', 'notes-region', 'conversation-state', 'tools']) {
      asked.push({ name: `${route.name} ${target}`, path, target });
    }
  }
  for (const q of ['Rahim', PHONE, tenant.people.rahim.email]) {
    asked.push({ name: `search ${q}`, path: `/admin/support-chat?q=${encodeURIComponent(q)}` });
  }
  asked.push({ name: 'privacy search', path: '/admin/privacy?q=Rahim' });
  const got: { name: string; status: number; text: string }[] = [];
  for (const { name, path, target } of asked) {
    const answer = await fetch(app.base + path, {
      headers: {
        ...browsers[handle]!.cookie,
        'sec-fetch-site': 'same-origin',
        ...(target && { 'hx-request': 'true', 'hx-target': target }),
      },
      redirect: 'manual',
    });
    // what was typed into the search stands in its field, and in the links that keep it
    const text = (await answer.text()).replaceAll(encodeURIComponent(path), '');
    got.push({ name, status: answer.status, text: name.startsWith('search') ? withoutTyped(text) : text });
  }
  return got;
}

/** A page without the values of its fields and its addresses, which say what the reader typed. */
function withoutTyped(html: string): string {
  return html.replace(/ (value|href|hx-get|action|data-rows|data-reload|content)="[^"]*"/g, '');
}

function isStaffPage(route: Route): boolean {
  return (
    route.method === 'GET' && route.face === 'page' && route.path.startsWith('/admin/') && route.policy.needsSession
  );
}

const contactsIn = (text: string, handle: Handle) =>
  [tenant.people[handle].email, PHONE, `0${PHONE}`].filter((one) => text.replaceAll('&#43;', '+').includes(one));

describe('pages', () => {
  test.each(['viewer', 'agent', 'agent-2'] as const)('mask contacts for %s, whatever is asked for', async (handle) => {
    let shown = 0;
    for (const { name, status, text } of await pagesFor(handle)) {
      expect([name, status < 500]).toEqual([name, true]);
      for (const user of USERS) expect([name, user, contactsIn(text, user)]).toEqual([name, user, []]);
      if (status === 200 && text.includes('r•••@')) shown += 1;
    }
    // the list, the conversation with its details, the profile: they are there, and masked
    expect(shown).toBeGreaterThan(3);
  });

  test.each(['lead', 'owner'] as const)('show contacts to %s at the desk and on profiles', async (handle) => {
    const pages = await pagesFor(handle);
    for (const name of ['dashboard.desk.list', 'dashboard.desk.conversation', 'dashboard.drivers.profile']) {
      const found = pages.find((one) => one.name === name);
      expect([name, contactsIn(found?.text ?? '', 'rahim').length > 0]).toEqual([name, true]);
    }
    const profile = pages.find((one) => one.name === 'dashboard.drivers.profile')?.text ?? '';
    expect(contactsIn(profile, 'rahim').length).toBeGreaterThan(1);
  });

  test.each(USERS)('tell %s nothing of staff but names, and nothing of other users', async (handle) => {
    const type = tenant.people[handle].userType;
    for (const path of [
      `/${type}`,
      `/${type}/support`,
      `/${type}/support/conversations/${ids[handle]}`,
      `/${type}/support/conversations/${ids[handle]}/transcript`,
      `/${type}/support/notices`,
    ]) {
      const answer = await fetch(app.base + path, { headers: browsers[handle]!.cookie });
      const text = await answer.text();
      expect([path, answer.status]).toEqual([path, 200]);
      for (const other of Object.values(tenant.people)) {
        if (other.handle === handle) continue;
        const told = [other.email, other.id].filter((one) => text.includes(one));
        expect([path, other.handle, told]).toEqual([path, other.handle, []]);
      }
    }
  });
});
