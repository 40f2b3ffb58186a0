import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestTenant } from '../support/people.ts';
import { type ApiApp, type Caller, deskOf, messagesOf, says, startApiApp } from './api-app.ts';

/** What staff find on the list, and in which order. */

const USERS = ['rahim', 'driver-2', 'ayesha', 'customer-2', 'kacchi-house', 'restaurant-2'] as const;
const LIST = '/api/admin/support/conversations';

let app: ApiApp;
let agent: Caller;
const ids = {} as Record<(typeof USERS)[number], string>;

beforeAll(async () => {
  app = await startApiApp();
  agent = await app.as('agent');
  for (const handle of USERS) {
    const user = await app.as(handle);
    ids[handle] = (
      await user.post('/api/support/conversations', { message: says(`I am ${handle}`) })
    ).body.conversation.id;
  }
});
afterAll(() => app?.stop());

async function found(query: string, who = agent): Promise<string[]> {
  const answer = await who.get(`${LIST}?${query}`);
  expect(answer.status).toBe(200);
  const handles = Object.entries(ids);
  return answer.body.items.map((one: { id: string }) => handles.find(([, id]) => id === one.id)?.[0]);
}

describe('order and pages', () => {
  test('newest last message first; a new message moves a conversation to the top', async () => {
    expect(await found('')).toEqual([...USERS].reverse());
    await (await app.as('rahim')).post(messagesOf(ids.rahim), says('up again'));
    expect((await found(''))[0]).toBe('rahim');
  });

  test('conversations of the same microsecond, and others a microsecond apart, each come once', async () => {
    await app.admin.query(
      `update conversations set last_message_at = timestamptz '2026-03-01 10:00:00.123456+00' where tenant_id = $1`,
      [app.home.tenant.id],
    );
    await app.admin.query(
      `update conversations set last_message_at = last_message_at + interval '1 microsecond' where id = any ($1)`,
      [[ids.rahim, ids.ayesha]],
    );
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await agent.get(`${LIST}?limit=1${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items.map((one: { id: string }) => one.id));
      cursor = body.nextCursor ?? '';
    } while (cursor);
    expect(seen).toHaveLength(USERS.length);
    expect(new Set(seen).size).toBe(USERS.length);
    expect(new Set(seen.slice(0, 2))).toEqual(new Set([ids.rahim, ids.ayesha]));
  });

  test("another list's cursor, or a made up one, is refused", async () => {
    const of = (text: string) => Buffer.from(text).toString('base64url');
    for (const cursor of [
      'x',
      of(' '),
      of(`2026-02-30 10:00:00+00 ${ids.rahim}`),
      of(`0000-01-01 10:00:00+00 ${ids.rahim}`),
      of('2026-03-01'),
      of(`2026-13-99 10:00:00+00 ${ids.rahim}`),
      of(`now() ${ids.rahim}`),
    ]) {
      const answer = await agent.get(`${LIST}?cursor=${cursor}`);
      expect([cursor, answer.status, answer.body.error?.code]).toEqual([cursor, 400, 'bad_cursor']);
    }
  });
});

describe('filters', () => {
  test('user type, status and who holds it, alone and together', async () => {
    await agent.post(deskOf(ids.rahim, 'assign'));
    await agent.post(deskOf(ids['driver-2'], 'close'));
    const is = async (query: string, ...handles: string[]) =>
      expect((await found(query)).sort()).toEqual(handles.sort());
    await is('userType=driver', 'rahim', 'driver-2');
    await is('userType=driver&status=open', 'rahim');
    await is('assignedAdminId=me', 'rahim');
    await is(`assignedAdminId=${agent.person.id}`, 'rahim');
    await is('assignedAdminId=none&userType=driver', 'driver-2');
    await is('assignedAdminId=none&status=open', 'ayesha', 'customer-2', 'kacchi-house', 'restaurant-2');
    expect(await found('assignedAdminId=me', await app.as('agent-2'))).toEqual([]);
    for (const query of [
      'status=all',
      'userType=DRIVER',
      'assignedAdminId=you',
      'dateFrom=1.3.2026',
      'dateTo=2026-02-30',
      'dateFrom=0000-01-01',
      'dateFrom=10000-01-01',
    ]) {
      expect([query, (await agent.get(`${LIST}?${query}`)).status]).toEqual([query, 422]);
    }
  });

  test("dates are whole days of the tenant's zone", async () => {
    await app.admin.query(`update tenants set time_zone = 'Asia/Dhaka' where id = $1`, [app.home.tenant.id]);
    await app.refresh();
    const at = (handle: (typeof USERS)[number], time: string) =>
      app.admin.query('update conversations set last_message_at = $2 where id = $1', [ids[handle], time]);
    // Dhaka is six hours ahead: its 5 March begins at 18:00 on the 4th
    await at('rahim', '2026-03-04 17:59:59.999999+00');
    await at('ayesha', '2026-03-04 18:00:00+00');
    await at('customer-2', '2026-03-05 17:59:59.999999+00');
    await at('kacchi-house', '2026-03-05 18:00:00+00');
    expect(await found('dateFrom=2026-03-05&dateTo=2026-03-05')).toEqual(['customer-2', 'ayesha']);
    expect((await found('dateFrom=2026-03-05')).includes('kacchi-house')).toBe(true);
    expect(await found('dateFrom=2026-03-04&dateTo=2026-03-04')).toEqual(['rahim']);
    expect(await found('dateFrom=2026-03-06&dateTo=2026-03-05')).toEqual([]);
  });

  test('people by the beginning of name, email, phone or host id, and by whole ids', async () => {
    const { slug } = app.home.tenant;
    const lead = await app.as('lead');
    expect(await found('q=rahim')).toEqual(['rahim']);
    expect(await found('q=RAHIM%20UD')).toEqual(['rahim']);
    expect(await found(`q=${encodeURIComponent(`ayesha@${slug}`)}`, lead)).toEqual(['ayesha']);
    expect(await found('q=kacchi')).toEqual(['kacchi-house']);
    expect(await found(`q=${app.home.people['restaurant-2'].id}`)).toEqual(['restaurant-2']);
    expect(await found(`q=${ids.ayesha}`)).toEqual(['ayesha']);
    expect(await found('q=%2B8801712345678', lead)).toHaveLength(USERS.length);
    expect(await found('q=8801712', lead)).toHaveLength(USERS.length);
    expect(await found('q=%2B8801712&userType=restaurant&status=open', lead)).toHaveLength(2);
    for (const none of ['%25', '_', "'", '\\', '*', 'uddin%25', 'nobody']) expect(await found(`q=${none}`)).toEqual([]);
  });

  test('whoever is not shown contacts finds nobody by them, however much of one is guessed', async () => {
    const lead = await app.as('lead');
    const { email } = app.home.people.rahim;
    for (const q of ['880', '8801712345678', '+8801712345678', email, email.slice(0, 7)]) {
      const query = `q=${encodeURIComponent(q)}`;
      expect([q, (await found(query, lead)).includes('rahim')]).toEqual([q, true]);
      for (const who of [agent, await app.as('viewer')]) expect([q, await found(query, who)]).toEqual([q, []]);
    }
    // names, host ids and what was said are for everybody at the desk
    expect(await found('q=restaurant-2')).toEqual(['restaurant-2']);
    await (await app.as('customer-2')).post(messagesOf(ids['customer-2']), says('call me: 8801712345678'));
    expect(await found('q=8801712345678')).toEqual(['customer-2']);
  });

  test("another tenant's people are never found", async () => {
    const other: TestTenant = await app.newTenant();
    const stranger = await app.as('agent', other);
    for (const query of ['', 'q=rahim', `q=${ids.rahim}`, `q=${app.home.people.rahim.id}`, 'q=%2B880']) {
      expect(await found(query, stranger)).toEqual([]);
    }
    expect(await found('q=rahim')).toEqual(['rahim']);
  });

  test('staff without the right to see the list do not', async () => {
    const rahim = await app.as('rahim');
    expect((await rahim.get(LIST)).status).toBe(403);
    expect((await app.nobody.get(LIST)).status).toBe(401);
  });
});

describe('unread', () => {
  test('counts others, not oneself and not system lines, per admin and for all staff', async () => {
    const lead = await app.as('lead');
    const ayesha = await app.as('ayesha');
    for (let n = 0; n < 5; n++) await ayesha.post(messagesOf(ids.ayesha), says(`more ${n}`));
    const of = async (who: Caller) => {
      const { conversation } = (await who.get(`/api/support/conversations/${ids.ayesha}`)).body;
      return [conversation.unreadCount, conversation.unreadByStaff];
    };
    expect(await of(agent)).toEqual([6, 6]);
    await agent.post(messagesOf(ids.ayesha), says('an answer'));
    expect(await of(agent)).toEqual([6, 6]);
    // an answer of a colleague is unread for the lead, and is no user's message
    expect(await of(lead)).toEqual([7, 6]);
    await agent.post(`/api/support/conversations/${ids.ayesha}/read`, { seq: 4 });
    expect(await of(agent)).toEqual([2, 2]);
    expect(await of(lead)).toEqual([7, 2]);
    await lead.post(`/api/support/conversations/${ids.ayesha}/read`, { seq: 100 });
    expect(await of(lead)).toEqual([0, 0]);
    expect(await of(agent)).toEqual([2, 0]);
    expect((await ayesha.get('/api/support/conversations/me')).body.items[0].unreadCount).toBe(1);
  });
});
