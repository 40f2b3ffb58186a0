import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiApp, type Caller, deskOf, messagesOf, says, startApiApp } from './api-app.ts';

/** A conversation from its first word to its end, through HTTP, by the demo people. */

let app: ApiApp;
let rahim: Caller;
let agent: Caller;
let viewer: Caller;

beforeAll(async () => {
  app = await startApiApp();
  [rahim, agent, viewer] = await Promise.all([app.as('rahim'), app.as('agent'), app.as('viewer')]);
});
afterAll(() => app?.stop());

describe('a driver and an agent', () => {
  let id: string;

  test('the driver opens a conversation with his first message', async () => {
    const started = await rahim.post('/api/support/conversations', {
      subject: 'Bonus',
      topic: 'payments',
      context: { type: 'trip', id: 'T-1', label: 'Trip to Gulshan' },
      message: says('Where is my bonus?\r\nI did 20 trips.'),
    });
    expect(started.status).toBe(201);
    const { conversation, message } = started.body;
    id = conversation.id;
    expect(conversation).toMatchObject({
      kind: 'support',
      userId: rahim.person.id,
      userType: 'driver',
      subject: 'Bonus',
      context: { type: 'trip', id: 'T-1', label: 'Trip to Gulshan' },
      status: 'open',
      priority: 'medium',
      lastSeq: 1,
      version: 1,
      unreadCount: 0,
      closedAt: null,
    });
    expect(Object.keys(conversation)).not.toContain('assignedAdminId');
    expect(Object.keys(conversation)).not.toContain('unreadByStaff');
    expect(message).toMatchObject({
      seq: 1,
      senderType: 'user',
      body: 'Where is my bonus?\nI did 20 trips.',
      read: false,
    });
    expect(message.sender).toEqual({ id: rahim.person.id, userType: 'driver', name: 'Rahim Uddin' });
  });

  test('the agent finds it, and it counts as unread', async () => {
    const list = await agent.get('/api/admin/support/conversations?status=open&assignedAdminId=none');
    expect(list.status).toBe(200);
    expect(list.body.items).toHaveLength(1);
    expect(list.body.items[0]).toMatchObject({ id, unreadCount: 1, unreadByStaff: 1, assignedAdminId: null });
    expect(list.body.nextCursor).toBeNull();
  });

  test("a viewer's reading moves nothing for the driver; the agent's does", async () => {
    expect((await viewer.post(`/api/support/conversations/${id}/read`, { seq: 1 })).body).toEqual({ seq: 1 });
    expect((await viewer.get(`/api/support/conversations/${id}`)).body.conversation).toMatchObject({
      unreadCount: 0,
      unreadByStaff: 1,
    });
    expect((await rahim.get(messagesOf(id))).body.items[0].read).toBe(false);
    await agent.post(`/api/support/conversations/${id}/read`, { seq: 1 });
    expect((await agent.get(`/api/support/conversations/${id}`)).body.conversation).toMatchObject({
      unreadCount: 0,
      unreadByStaff: 0,
    });
    expect((await rahim.get(messagesOf(id))).body.items[0].read).toBe(true);
  });

  test('his answer takes the conversation, and a line says so without telling the driver who he is to us', async () => {
    const answer = await agent.post(messagesOf(id), says('I am looking into it.'));
    expect(answer.status).toBe(201);
    expect(answer.body.message).toMatchObject({ seq: 3, senderType: 'admin', sender: { id: agent.person.id } });
    const seenByStaff = (await agent.get(messagesOf(id))).body.items;
    expect(seenByStaff.map((one: { seq: number }) => one.seq)).toEqual([1, 2, 3]);
    expect(seenByStaff[1]).toMatchObject({
      messageType: 'system',
      event: 'assigned',
      data: { adminId: agent.person.id },
    });

    const seenByRahim = await rahim.get(messagesOf(id));
    expect(seenByRahim.body.items[1]).toMatchObject({ event: 'assigned', data: { adminName: 'Nusrat Jahan' } });
    expect(seenByRahim.body.items[2].sender).toEqual({ id: null, userType: 'admin', name: 'Nusrat Jahan' });
    expect(JSON.stringify(seenByRahim.body)).not.toContain(agent.person.id);
    // the control: staff do get the id
    expect(JSON.stringify(seenByStaff)).toContain(agent.person.id);
  });

  test('the driver has one unread message; a system line does not count', async () => {
    const mine = await rahim.get('/api/support/conversations/me');
    expect(mine.body.items).toHaveLength(1);
    expect(mine.body.items[0]).toMatchObject({ id, unreadCount: 1, lastSeq: 3 });
    await rahim.post(`/api/support/conversations/${id}/read`, { seq: 3 });
    expect((await rahim.get(`/api/support/conversations/${id}`)).body.conversation.unreadCount).toBe(0);
    expect((await agent.get(messagesOf(id))).body.items[2].read).toBe(true);
  });

  test('read marks go forward only, and never beyond what there is', async () => {
    expect((await rahim.post(`/api/support/conversations/${id}/read`, { seq: 1 })).body).toEqual({ seq: 3 });
    expect((await rahim.post(`/api/support/conversations/${id}/read`, { seq: 999 })).body).toEqual({ seq: 3 });
    const next = await agent.post(messagesOf(id), says('It will be paid tomorrow.'));
    expect(next.body.message.seq).toBe(4);
    expect((await rahim.get(`/api/support/conversations/${id}`)).body.conversation.unreadCount).toBe(1);
    await rahim.post(`/api/support/conversations/${id}/read`, { seq: 4 });
  });

  test('an edit and a deletion take the next versions and keep their places', async () => {
    const before = (await rahim.get(`/api/support/conversations/${id}`)).body.conversation.version;
    const first = (await rahim.get(`${messagesOf(id)}?after=0&limit=1`)).body.items[0];
    const edited = await rahim.patch(`${messagesOf(id)}/${first.id}`, { body: 'Where is my bonus? 21 trips.' });
    expect(edited.body.message).toMatchObject({ seq: 1, version: before + 1, body: 'Where is my bonus? 21 trips.' });
    expect(edited.body.message.editedAt).not.toBeNull();
    // the same text again is no change
    expect((await rahim.patch(`${messagesOf(id)}/${first.id}`, { body: 'Where is my bonus? 21 trips.' })).body).toEqual(
      edited.body,
    );

    const more = (await rahim.post(messagesOf(id), says('thanks, my number is 01712345678'))).body.message;
    const gone = await rahim.del(`${messagesOf(id)}/${more.id}`);
    expect(gone.body.message).toMatchObject({ seq: more.seq, version: before + 3, body: null });
    const changes = (await agent.get(`${messagesOf(id)}?changedAfter=${before}`)).body.items;
    expect(changes.map((one: { seq: number; version: number }) => [one.seq, one.version])).toEqual([
      [1, before + 1],
      [more.seq, before + 3],
    ]);
    expect((await rahim.patch(`${messagesOf(id)}/${more.id}`, { body: 'back' })).body.error.code).toBe(
      'message_deleted',
    );
    const rows = await app.admin.query(
      'select body, preview from messages m join conversations c on c.id = m.conversation_id where m.id = $1',
      [more.id],
    );
    expect(rows.rows).toEqual([{ body: null, preview: null }]);
  });

  test("nobody changes another's message", async () => {
    const [first] = (await rahim.get(`${messagesOf(id)}?after=0&limit=1`)).body.items;
    const answer = await agent.patch(`${messagesOf(id)}/${first.id}`, { body: 'I said that' });
    expect([answer.status, answer.body.error.code]).toEqual([403, 'not_your_message']);
    expect((await agent.del(`${messagesOf(id)}/${first.id}`)).status).toBe(403);
    expect((await rahim.get(`${messagesOf(id)}?after=0&limit=1`)).body.items[0].body).toBe(
      'Where is my bonus? 21 trips.',
    );
  });

  test('closing stops messages; a repeat of an old one is still answered', async () => {
    const last = says('One more thing');
    const sent = await rahim.post(messagesOf(id), last);
    expect(sent.status).toBe(201);
    const closed = await agent.post(deskOf(id, 'close'));
    expect(closed.status).toBe(200);
    expect(closed.body.conversation).toMatchObject({ status: 'closed' });
    expect(closed.body.conversation.closedAt).not.toBeNull();
    // closing again changes nothing
    expect((await agent.post(deskOf(id, 'close'))).body.conversation.version).toBe(closed.body.conversation.version);

    const refused = await rahim.post(messagesOf(id), says('hello?'));
    expect([refused.status, refused.body.error.code]).toEqual([409, 'conversation_closed']);
    expect((await agent.post(messagesOf(id), says('hello?'))).body.error.code).toBe('conversation_closed');
    const repeated = await rahim.post(messagesOf(id), last);
    expect(repeated.status).toBe(200);
    expect(repeated.body.message).toMatchObject({ id: sent.body.message.id, seq: sent.body.message.seq });
    const conflicting = await rahim.post(messagesOf(id), { ...last, body: 'Something else' });
    expect([conflicting.status, conflicting.body.error.code]).toEqual([409, 'client_id_reused']);
  });

  test('the driver reopens it in time, and it goes on', async () => {
    const reopened = await rahim.post(`/api/support/conversations/${id}/reopen`);
    expect(reopened.status).toBe(200);
    expect(reopened.body.conversation).toMatchObject({ status: 'open', closedAt: null });
    expect((await rahim.post(messagesOf(id), says('Still there?'))).status).toBe(201);
    const events = (await agent.get(messagesOf(id))).body.items.filter((one: { event: string | null }) => one.event);
    expect(events.map((one: { event: string }) => one.event)).toEqual(['assigned', 'closed', 'reopened']);
    expect(events[2].data).toMatchObject({ actorSide: 'user', actorName: 'Rahim Uddin' });
  });

  test('the audit log tells all of it and nothing of what was said', async () => {
    const { rows } = await app.admin.query(
      `select action, entity_type, entity_id, actor_id, metadata from audit_log where tenant_id = $1 and action like 'SUPPORT_%' order by id`,
      [app.home.tenant.id],
    );
    const told = rows.filter((one) => one.entity_id === id || one.metadata.conversationId === id);
    const count = (action: string) => told.filter((one) => one.action === action).length;
    expect(count('SUPPORT_CONVERSATION_CREATED')).toBe(1);
    expect(count('SUPPORT_CONVERSATION_ASSIGNED')).toBe(1);
    expect(count('SUPPORT_CONVERSATION_CLOSED')).toBe(1);
    expect(count('SUPPORT_CONVERSATION_REOPENED')).toBe(1);
    expect(count('SUPPORT_MESSAGE_EDITED')).toBe(1);
    expect(count('SUPPORT_MESSAGE_DELETED')).toBe(1);
    const messages = await app.admin.query(
      `select count(*)::int as n from messages where conversation_id = $1 and sender_type <> 'system'`,
      [id],
    );
    expect(count('SUPPORT_MESSAGE_SENT')).toBe(messages.rows[0].n);
    expect(told.find((one) => one.action === 'SUPPORT_CONVERSATION_CREATED')).toMatchObject({
      entity_type: 'support_conversation',
      entity_id: id,
      actor_id: rahim.person.id,
      metadata: { userId: rahim.person.id, userType: 'driver' },
    });
    expect(told.find((one) => one.action === 'SUPPORT_CONVERSATION_CLOSED')?.metadata).toEqual({
      conversationId: id,
      closedBy: agent.person.id,
    });
    const text = JSON.stringify(told);
    for (const secret of ['bonus', 'thanks', '01712345678', 'Rahim', 'Nusrat', '@']) expect(text).not.toContain(secret);
    // the control: the ids are there
    expect(text).toContain(rahim.person.id);
  });
});

describe('paging a log', () => {
  test('before, after, the newest and the cursors give every message once', async () => {
    const ayesha = await app.as('ayesha');
    const { conversation } = (await ayesha.post('/api/support/conversations', { message: says('1') })).body;
    const path = messagesOf(conversation.id);
    for (let n = 2; n <= 25; n++) await ayesha.post(path, says(String(n)));
    const seqs = (answer: { body: { items: { seq: number }[] } }) => answer.body.items.map((one) => one.seq);

    const newest = await ayesha.get(`${path}?limit=10`);
    expect(seqs(newest)).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
    const earlier = await ayesha.get(`${path}?limit=10&cursor=${newest.body.nextCursor}`);
    expect(seqs(earlier)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    const first = await ayesha.get(`${path}?limit=10&cursor=${earlier.body.nextCursor}`);
    expect(seqs(first)).toEqual([1, 2, 3, 4, 5]);
    expect(first.body.nextCursor).toBeNull();

    expect(seqs(await ayesha.get(`${path}?before=6&limit=3`))).toEqual([3, 4, 5]);
    const forwards = await ayesha.get(`${path}?after=0&limit=20`);
    expect(seqs(forwards).at(-1)).toBe(20);
    expect(seqs(await ayesha.get(`${path}?cursor=${forwards.body.nextCursor}`))).toEqual([21, 22, 23, 24, 25]);
    expect((await ayesha.get(`${path}?after=25`)).body).toEqual({ items: [], nextCursor: null });
    expect((await ayesha.get(`${path}?changedAfter=25`)).body).toEqual({ items: [], nextCursor: null });
  });

  test('what cannot be asked is refused, never guessed', async () => {
    const ayesha = await app.as('ayesha');
    const path = messagesOf((await ayesha.get('/api/support/conversations/me')).body.items[0].id);
    const status = async (query: string) => (await ayesha.get(`${path}?${query}`)).status;
    expect(await status('limit=100')).toBe(200);
    expect(await status('limit=101')).toBe(422);
    expect(await status('limit=0')).toBe(422);
    expect(await status('limit=1e9')).toBe(422);
    expect(await status('after=-1')).toBe(422);
    expect(await status('after=')).toBe(422);
    expect(await status('after=1&before=5')).toBe(422);
    expect(await status('order=desc')).toBe(400);
    expect(await status('after=1&after=2')).toBe(400);
    expect(await status(`cursor=${Buffer.from('x1; drop table').toString('base64url')}`)).toBe(400);
    expect((await ayesha.get(messagesOf(randomUUID()))).status).toBe(404);
    expect((await ayesha.get(messagesOf('not-an-id'))).status).toBe(404);
  });
});
