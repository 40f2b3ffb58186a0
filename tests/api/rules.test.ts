import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { insertConversation, insertPerson } from '../support/rows.ts';
import { type Answer, type ApiApp, type Caller, deskOf, messagesOf, says, startApiApp } from './api-app.ts';

/** Who may do what, and in which state: the rules of contract.md, each with what is allowed beside what is not. */

let app: ApiApp;
const call = {} as Record<'rahim' | 'driver-2' | 'agent' | 'agent-2' | 'lead' | 'viewer' | 'owner', Caller>;

beforeAll(async () => {
  app = await startApiApp();
  for (const handle of ['rahim', 'driver-2', 'agent', 'agent-2', 'lead', 'viewer', 'owner'] as const) {
    call[handle] = await app.as(handle);
  }
});
afterAll(() => app?.stop());

function told(answer: Answer): [number, string | undefined] {
  return [answer.status, answer.body.error?.code];
}

/** Rahim's conversation, open and held by nobody. */
let id: string;
beforeEach(async () => {
  await setSettings({});
  const { conversation } = (await call.rahim.post('/api/support/conversations', { message: says('hello') })).body;
  id = conversation.id;
  await call.lead.post(deskOf(id, 'assign'), { adminId: null });
});

async function holder(): Promise<string | null> {
  return (await call.viewer.get(`/api/support/conversations/${id}`)).body.conversation.assignedAdminId;
}

async function events(): Promise<string[]> {
  const { rows } = await app.admin.query(
    'select event from messages where conversation_id = $1 and event is not null order by seq',
    [id],
  );
  return rows.map((one) => one.event);
}

async function setSettings(changed: object): Promise<void> {
  const { version } = (await call.owner.get('/api/admin/support/settings')).body;
  expect((await call.owner.put('/api/admin/support/settings', { version, settings: changed })).status).toBe(200);
}

/** Rahim's last words. */
async function ownMessage(): Promise<{ id: string }> {
  return (await call.rahim.get(messagesOf(id))).body.items.findLast(
    (one: { senderType: string }) => one.senderType === 'user',
  );
}

describe('answering', () => {
  test('the first answer takes it; a colleague needs takeOver and the right to assign', async () => {
    expect((await call.agent.post(messagesOf(id), says('mine'))).status).toBe(201);
    expect(await holder()).toBe(call.agent.person.id);
    const other = says('mine too');
    expect(told(await call['agent-2'].post(messagesOf(id), other))).toEqual([409, 'assigned_to_other']);
    expect(await holder()).toBe(call.agent.person.id);
    const taken = await call['agent-2'].post(messagesOf(id), { ...other, takeOver: true });
    expect(taken.status).toBe(201);
    expect(await holder()).toBe(call['agent-2'].person.id);
    expect((await events()).slice(-2)).toEqual(['assigned', 'transferred']);
    // a repeat is answered whoever holds it by now
    await call.lead.post(deskOf(id, 'assign'), { adminId: call.agent.person.id });
    expect((await call['agent-2'].post(messagesOf(id), other)).status).toBe(200);
  });

  test('two admins answer at once: one takes it, the other is told', async () => {
    for (let round = 0; round < 10; round++) {
      await call.lead.post(deskOf(id, 'assign'), { adminId: null });
      const answers = await Promise.all([
        call.agent.post(messagesOf(id), says('first')),
        call['agent-2'].post(messagesOf(id), says('first')),
        call.lead.post(messagesOf(id), says('first')),
      ]);
      expect(answers.map((one) => one.status).sort()).toEqual([201, 409, 409]);
      const winner = answers.find((one) => one.status === 201);
      expect(await holder()).toBe(winner?.body.message.sender.id);
    }
  });

  test('first answers by the hundred, two admins after each: one line, one holder, one answer each', async () => {
    const claims = vi.spyOn(app.messaging.appender, 'claim');
    const { id: tenantId } = app.home.tenant;
    const ids = await Promise.all(
      Array.from({ length: 40 }, async () => insertConversation(app.admin, await insertPerson(app.admin, tenantId))),
    );
    const admins = [call.agent, call['agent-2']];
    const answers = await Promise.all(
      ids.flatMap((one) => admins.map((admin) => admin.post(messagesOf(one), says('first')))),
    );
    expect(answers.map((one) => one.status).sort()).toEqual([...ids.map(() => 201), ...ids.map(() => 409)]);
    const { rows } = await app.admin.query(
      `select c.id, array_agg(coalesce(m.event, m.sender_type) order by m.seq) as log,
         bool_and(m.sender_id = c.assigned_admin_id) filter (where m.sender_type = 'admin') as "isHolders",
         bool_and(m.data ->> 'adminId' = c.assigned_admin_id::text and m.data ->> 'actorName' is not null)
           filter (where m.event = 'assigned') as "isTold",
         (select count(*)::integer from audit_log a where a.entity_id = c.id::text
            and a.action = 'SUPPORT_CONVERSATION_ASSIGNED' and a.actor_id = c.assigned_admin_id::text) as audited,
         (select array_agg(p.side order by p.side) from conversation_participants p
            where p.conversation_id = c.id and p.left_at is null) as "takePart"
       from conversations c join messages m on m.conversation_id = c.id where c.id = any ($1) group by c.id`,
      [ids],
    );
    expect(rows).toEqual(
      ids.map(() => ({
        id: expect.any(String),
        log: ['assigned', 'admin'],
        isHolders: true,
        isTold: true,
        audited: 1,
        takePart: ['admin'],
      })),
    );
    // none of them went by the slow door because the quick one was locked
    const claimed = await Promise.all(claims.mock.results.map((one) => one.value));
    expect(claimed.filter((one) => one !== null)).toHaveLength(ids.length);
  });

  test('a viewer reads and never writes; losing the right counts at once', async () => {
    expect((await call.viewer.get(messagesOf(id))).status).toBe(200);
    expect(told(await call.viewer.post(messagesOf(id), says('no')))).toEqual([403, 'forbidden']);
    expect(told(await call.viewer.post(deskOf(id, 'assign')))).toEqual([403, 'forbidden']);
    expect(told(await call.viewer.post(deskOf(id, 'close')))).toEqual([403, 'forbidden']);
    expect(told(await call.viewer.post(`/api/support/conversations/${id}/reopen`))).toEqual([403, 'forbidden']);
    // without a look at what changed, the append itself compares
    await app.admin.query('update users set access_version = access_version + 1 where id = $1', [call.agent.person.id]);
    expect((await call.agent.post(messagesOf(id), says('with new rights'))).status).toBe(201);
    await app.admin.query(`update users set status = 'deactivated' where id = $1`, [call.agent.person.id]);
    expect((await call.agent.post(messagesOf(id), says('gone'))).status).toBe(401);
    await app.admin.query(`update users set status = 'active' where id = $1`, [call.agent.person.id]);
    await app.refresh();
  });

  test('users open conversations, admins do not', async () => {
    expect(told(await call.agent.post('/api/support/conversations', { message: says('hi') }))).toEqual([
      403,
      'forbidden',
    ]);
    expect((await call.agent.get('/api/support/conversations/me')).body.items).toEqual([]);
    expect((await call.rahim.get('/api/support/conversations/me')).body.items).not.toEqual([]);
  });
});

describe('assigning', () => {
  test('claim, hand over, release', async () => {
    expect((await call.agent.post(deskOf(id, 'assign'))).body.conversation.assignedAdminId).toBe(call.agent.person.id);
    const before = (await events()).length;
    expect((await call.agent.post(deskOf(id, 'assign'))).status).toBe(200);
    expect((await events()).length).toBe(before);
    expect(told(await call['agent-2'].post(deskOf(id, 'assign')))).toEqual([409, 'assigned_to_other']);
    const over = await call.lead.post(deskOf(id, 'assign'), { adminId: call['agent-2'].person.id });
    expect(over.body.conversation.assignedAdminId).toBe(call['agent-2'].person.id);
    expect(
      (await call.lead.post(deskOf(id, 'assign'), { adminId: null })).body.conversation.assignedAdminId,
    ).toBeNull();
    expect((await events()).slice(-3)).toEqual(['assigned', 'transferred', 'released']);
  });

  test('only to an active admin of the tenant who may answer', async () => {
    const foreign = (await app.newTenant()).people.agent.id;
    for (const adminId of [call.rahim.person.id, call.viewer.person.id, foreign, randomUUID()]) {
      const answer = await call.lead.post(deskOf(id, 'assign'), { adminId });
      expect([answer.status, answer.body.error?.fields]).toEqual([422, { adminId: 'unknown' }]);
    }
    expect(await holder()).toBeNull();
    expect((await call.lead.post(deskOf(id, 'assign'), { adminId: call.agent.person.id })).status).toBe(200);
  });

  test('three claim at once: one wins, two are told', async () => {
    for (let round = 0; round < 10; round++) {
      await call.lead.post(deskOf(id, 'assign'), { adminId: null });
      const answers = await Promise.all(
        [call.agent, call['agent-2'], call.lead].map((one) => one.post(deskOf(id, 'assign'))),
      );
      expect(answers.map((one) => one.status).sort()).toEqual([200, 409, 409]);
    }
  });

  test('a closed one is not handed about', async () => {
    await call.agent.post(deskOf(id, 'close'));
    expect(told(await call.agent.post(deskOf(id, 'assign')))).toEqual([409, 'conversation_closed']);
    await call.agent.post(deskOf(id, 'reopen'));
    expect((await call.agent.post(deskOf(id, 'assign'))).status).toBe(200);
  });
});

describe('reopening', () => {
  test('a user in time, never when it is 0, admins always', async () => {
    await call.agent.post(deskOf(id, 'close'));
    await setSettings({ reopenWithinHours: 0 });
    expect(told(await call.rahim.post(`/api/support/conversations/${id}/reopen`))).toEqual([409, 'reopen_expired']);
    await setSettings({ reopenWithinHours: 2 });
    await app.admin.query(`update conversations set closed_at = now() - interval '2 hours 1 second' where id = $1`, [
      id,
    ]);
    expect(told(await call.rahim.post(`/api/support/conversations/${id}/reopen`))).toEqual([409, 'reopen_expired']);
    await app.admin.query(`update conversations set closed_at = now() - interval '1 hour 59 minutes' where id = $1`, [
      id,
    ]);
    expect((await call.rahim.post(`/api/support/conversations/${id}/reopen`)).status).toBe(200);

    await call.agent.post(deskOf(id, 'close'));
    await app.admin.query(`update conversations set closed_at = now() - interval '1 year' where id = $1`, [id]);
    expect((await call.agent.post(deskOf(id, 'reopen'))).body.conversation.status).toBe('open');
  });

  test('not beside another open one, which is named', async () => {
    await call.agent.post(deskOf(id, 'close'));
    const next = (await call.rahim.post('/api/support/conversations', { message: says('next') })).body.conversation.id;
    for (const answer of [
      await call.rahim.post(`/api/support/conversations/${id}/reopen`),
      await call.agent.post(deskOf(id, 'reopen')),
    ]) {
      expect(told(answer)).toEqual([409, 'another_open']);
      expect(answer.body.error.conversationId).toBe(next);
    }
    await call.agent.post(deskOf(next, 'close'));
    expect((await call.agent.post(deskOf(id, 'reopen'))).status).toBe(200);
  });

  test('reopening and opening at once leave one open conversation', async () => {
    for (let round = 0; round < 10; round++) {
      await call.agent.post(deskOf(id, 'close'));
      const answers = await Promise.all([
        call.rahim.post(`/api/support/conversations/${id}/reopen`),
        call.rahim.post('/api/support/conversations', { message: says(`race ${round}`) }),
        call.agent.post(deskOf(id, 'reopen')),
      ]);
      expect(answers.filter((one) => one.status >= 500)).toEqual([]);
      const { rows } = await app.admin.query(
        `select id from conversations where tenant_id = $1 and opened_by = $2 and status = 'open'`,
        [app.home.tenant.id, call.rahim.person.id],
      );
      expect(rows).toHaveLength(1);
      id = rows[0].id;
    }
  });
});

describe('switched off', () => {
  test('users neither start nor send; reading stays; admins are not affected; a repeat is still answered', async () => {
    const said = says('before');
    const before = await call.rahim.post(messagesOf(id), said);
    await setSettings({ enabled: false });
    expect(told(await call.rahim.post(messagesOf(id), says('while off')))).toEqual([403, 'support_disabled']);
    expect(told(await call['driver-2'].post('/api/support/conversations', { message: says('hi') }))).toEqual([
      403,
      'support_disabled',
    ]);
    expect((await call.rahim.get(messagesOf(id))).status).toBe(200);
    expect((await call.rahim.post(messagesOf(id), said)).body.message.id).toBe(before.body.message.id);
    expect((await call.agent.post(messagesOf(id), says('we are closed today'))).status).toBe(201);
    await setSettings({});
    expect((await call.rahim.post(messagesOf(id), says('on again'))).status).toBe(201);
  });

  test("a tenant's own limit of characters holds, and a repeat survives its lowering", async () => {
    const long = says('x'.repeat(120));
    expect((await call.rahim.post(messagesOf(id), long)).status).toBe(201);
    await setSettings({ maxMessageLength: 100 });
    expect((await call.rahim.post(messagesOf(id), says('x'.repeat(101)))).body.error.fields).toEqual({
      body: 'too_long',
    });
    expect((await call.rahim.post(messagesOf(id), says('x'.repeat(100)))).status).toBe(201);
    expect((await call.rahim.post(messagesOf(id), long)).status).toBe(200);
  });

  test('settings are saved against their version', async () => {
    const { version, settings } = (await call.owner.get('/api/admin/support/settings')).body;
    expect(told(await call.lead.get('/api/admin/support/settings'))).toEqual([403, 'forbidden']);
    expect((await call.owner.put('/api/admin/support/settings', { version, settings })).body.version).toBe(version + 1);
    expect(told(await call.owner.put('/api/admin/support/settings', { version, settings }))).toEqual([
      409,
      'settings_changed',
    ]);
  });
});

describe('nobody else', () => {
  test('another user, another tenant and nobody: a conversation that is not theirs is not there (and theirs is)', async () => {
    const stranger = await app.as('agent', await app.newTenant());
    const message = await ownMessage();
    const missing = randomUUID();
    const doors = (of: string, said: string): [string, string, unknown?][] => [
      ['get', `/api/support/conversations/${of}`],
      ['get', messagesOf(of)],
      ['post', messagesOf(of), says('in')],
      ['patch', `${messagesOf(of)}/${said}`, { body: 'in' }],
      ['del', `${messagesOf(of)}/${said}`],
      ['post', `/api/support/conversations/${of}/read`, { seq: 1 }],
      ['post', `/api/support/conversations/${of}/reopen`],
    ];
    const desk = (of: string): [string, string, unknown?][] => [
      ['post', deskOf(of, 'assign')],
      ['post', deskOf(of, 'close')],
      ['post', deskOf(of, 'reopen')],
    ];
    const ask = (who: Caller, [method, path, body]: [string, string, unknown?]) => who[method as 'post'](path, body); // the methods above are Caller's
    for (const [who, list] of [
      [call['driver-2'], doors] as const,
      [stranger, (of: string, said: string) => [...doors(of, said), ...desk(of)]] as const,
    ]) {
      const twins = list(missing, randomUUID());
      for (const [at, door] of list(id, message.id).entries()) {
        const theirs = await ask(who, door);
        const none = await ask(who, twins[at]!);
        expect([door, theirs.status, theirs.body.error]).toEqual([door, 404, none.body.error]);
        expect(none.status).toBe(404);
      }
    }
    for (const door of [...doors(id, message.id), ...desk(id)]) expect((await ask(app.nobody, door)).status).toBe(401);
    // the control: its owner gets in by the same doors
    for (const door of doors(id, message.id)) expect((await ask(call.rahim, door)).status).toBeLessThan(300);
  });
});

describe('mass assignment (T-RB4)', () => {
  const MAGIC = [
    'id',
    'tenantId',
    'tenant_id',
    'senderId',
    'sender_id',
    'senderType',
    'seq',
    'version',
    'createdAt',
    'created_at',
    'updatedAt',
    'editedAt',
    'deletedAt',
    'status',
    'assignedAdminId',
    'userId',
    'openedBy',
    'userType',
    'priority',
    'role',
    'roles',
    'isAdmin',
    'isInternal',
    'internal',
    'permissions',
    'capabilities',
    'event',
    'data',
    'messageType',
    'unreadByStaff',
    'lastSeq',
    'closedBy',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '$where',
    'password_hash',
    'access_version',
    'read',
    'refuseNew',
    'connectionId',
  ];

  test('every body and query refuses every member that it does not name; nothing changes', async () => {
    const bodies: [string, string, object][] = [
      ['post', '/api/support/conversations', { message: says('more') }],
      ['post', messagesOf(id), says('more')],
      ['post', `/api/support/conversations/${id}/read`, { seq: 0 }],
    ];
    const desk: [string, string, object][] = [
      ['post', deskOf(id, 'assign'), {}],
      ['post', deskOf(id, 'close'), {}],
    ];
    const message = await ownMessage();
    bodies.push(['patch', `${messagesOf(id)}/${message.id}`, { body: 'edited' }]);
    const before = await snapshot();
    for (const [who, list] of [
      [call.rahim, bodies],
      [call.agent, desk],
    ] as const) {
      for (const [method, path, body] of list) {
        for (const key of MAGIC.filter((one) => !Object.hasOwn(body, one))) {
          const text = JSON.stringify(body).replace(
            /\}$/,
            `${body && Object.keys(body).length ? ',' : ''}${JSON.stringify(key)}:1}`,
          );
          const answer = await who[method as 'post'](path, text);
          expect([path, key, ...told(answer)]).toEqual([path, key, 400, 'unknown_field']);
        }
      }
    }
    for (const key of ['tenantId', 'sort', 'order', 'direction', 'select', 'fields', 'where']) {
      expect((await call.agent.get(`/api/admin/support/conversations?${key}=1`)).status).toBe(400);
    }
    expect(await snapshot()).toEqual(before);
    // the control: without the extra member the same bodies go through
    for (const [method, path, body] of bodies)
      expect((await call.rahim[method as 'post'](path, body)).status).toBeLessThan(300);
    expect(await snapshot()).not.toEqual(before);
  });

  test('what is nested is strict too', async () => {
    const refused = [
      { message: { ...says('x'), senderId: call.agent.person.id } },
      { context: { type: 'trip', id: '1', label: 'x', url: 'javascript:1' } },
    ];
    for (const body of refused) expect((await call.rahim.post('/api/support/conversations', body)).status).toBe(400);
    expect((await call.rahim.post('/api/support/conversations', { context: { type: 'trip' } })).status).toBe(422);
  });

  async function snapshot(): Promise<unknown> {
    const { rows } = await app.admin.query(
      `select md5(string_agg(c::text, ',' order by c.id)) as conversations,
         (select md5(string_agg(m::text, ',' order by m.id)) from messages m where m.tenant_id = $1) as messages
       from conversations c where c.tenant_id = $1`,
      [app.home.tenant.id],
    );
    return rows[0];
  }
});

describe('the description', () => {
  test('openapi.json describes every JSON route with its schemas; the page needs no script', async () => {
    const { status, body } = await app.nobody.get('/api/openapi.json');
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
    for (const route of app.routes.filter((one) => one.summary)) {
      const path = route.path.replaceAll(/:([a-zA-Z]+)/g, '{$1}');
      const described = body.paths[path]?.[route.method.toLowerCase()];
      expect([route.name, described?.operationId]).toEqual([route.name, route.name]);
      if (route.reply) expect(described.responses['2XX'].content['application/json'].schema.type).toBe('object');
    }
    const post = body.paths['/api/support/conversations/{id}/messages'].post;
    expect(post.requestBody.content['application/json'].schema.additionalProperties).toBe(false);
    const docs = await app.nobody.get('/api/docs');
    expect(docs.status).toBe(200);
    expect(docs.body).toContain('POST /api/support/conversations/{id}/messages');
    expect(docs.body).not.toContain('<script');
  });
});
