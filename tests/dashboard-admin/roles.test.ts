import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import {
  CAPABILITIES,
  changeRole,
  createRole,
  listRoles,
  mayGrant,
  removeRole,
  setAdminStatus,
  setRoles,
} from '../../src/identity/index.ts';
import { AuditRecord } from '../../src/tenancy/index.ts';
import type { Handle, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type Fields, formFields, type PlainBrowser, plainBrowser } from './admin-pages.ts';

/** T-RB6: nobody grants what they lack, the last owner stays; and what changes, changes on open sockets too. */

const ROLES = '/admin/roles';
let app: RunningApp;
let tenant: TestTenant;
let owner: PlainBrowser;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.newTenant();
  owner = await plainBrowser(app, tenant, 'owner');
});
afterAll(() => app?.stop());

const person = (handle: Handle) => `${ROLES}/people/${tenant.people[handle].id}`;
const audited = async () => {
  const records = await tenant.asPerson('system', ({ em }) =>
    em.find(AuditRecord, { action: 'SUPPORT_ROLE_CHANGED' }, { orderBy: { id: 'asc' } }),
  );
  return records.map(({ entityId, metadata }) => ({ entityId, ...metadata }));
};

describe('the roles page', () => {
  test('is for whoever manages roles', async () => {
    for (const handle of ['lead', 'agent', 'viewer'] as const) {
      const browser = await plainBrowser(app, tenant, handle);
      expect((await browser.get(ROLES)).status).toBe(403);
      expect((await browser.post(person(handle), { roles: ['tenant_admin'] })).status).toBe(403);
      expect((await browser.post(ROLES, { label: 'x', capabilities: ['SUPPORT_CHAT'] })).status).toBe(403);
      expect((await browser.get('/admin/support-chat')).html).not.toContain(`href="${ROLES}"`);
    }
    const { html } = await owner.get(ROLES);
    expect(html).toContain('Nusrat Jahan');
    expect(html).not.toContain('Rahim Uddin');
    for (const capability of CAPABILITIES) expect(html).toContain(`value="${capability}"`);
  });

  test('changes what somebody may do, on their open socket within a second, by a plain form', async () => {
    const session = await tenant.signIn('agent-2');
    const socket = new WebSocket(`${app.base.replace('http', 'ws')}/ws`, 'support.v1.json', {
      headers: session.bearer,
    });
    await new Promise((resolve) => socket.once('open', resolve));
    const subscribed = new Promise((resolve) => socket.once('message', (data) => resolve(JSON.parse(String(data)))));
    socket.send(JSON.stringify({ type: 'subscribe', room: 'admin_support' }));
    expect(await subscribed).toMatchObject({ type: 'subscribed' });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));

    const begun = performance.now();
    expect((await owner.post(person('agent-2'), { roles: '' })).status).toBe(422);
    await owner.post(ROLES, { label: 'Watch', capabilities: ['VIEW_AUDIT_LOG'] });
    expect((await owner.post(person('agent-2'), { roles: ['watch'] })).location).toBe(`${ROLES}?done=person`);
    expect(await closed).toBe(4403);
    expect(performance.now() - begun).toBeLessThan(1_500);
    const browser = await plainBrowser(app, tenant, 'agent-2');
    expect((await browser.get('/admin/support-chat')).status).toBe(403);

    expect(formFields((await owner.get(ROLES)).html, person('agent-2'))).toEqual({ roles: 'watch' });
    await owner.post(person('agent-2'), { roles: ['support_agent', 'support_viewer'] });
    await expect.poll(async () => (await browser.get('/admin/support-chat')).status).toBe(200);
    expect(formFields((await owner.get(ROLES)).html, person('agent-2'))).toEqual({
      roles: ['support_viewer', 'support_agent'],
    });
    expect((await audited()).slice(-2)).toEqual([
      { entityId: tenant.people['agent-2'].id, roles: 'watch' },
      { entityId: tenant.people['agent-2'].id, roles: 'support_agent,support_viewer' },
    ]);
  });

  test('says which languages somebody answers in, which is audited and shown', async () => {
    const path = `${person('agent')}/languages`;
    expect((await owner.post(path, { languages: ['en', 'bn'] })).location).toBe(`${ROLES}?done=person`);
    const { html } = await owner.get(ROLES);
    expect(formFields(html, path)).toEqual({ languages: ['bn', 'en'] });
    expect(html).toContain('Bangla, English');
    expect((await (await plainBrowser(app, tenant, 'owner', 'bn')).get(ROLES)).html).toContain('বাংলা, ইংরেজি');
    const refused = await owner.post(path, { languages: ['xx'] });
    expect([refused.status, refused.html.includes('Choose languages from the list.')]).toEqual([422, true]);
    const log = (await owner.get('/admin/audit-log?action=SUPPORT_AGENT_CHANGED')).html;
    expect(log).toContain('Farhana Rahman set the languages of Nusrat Jahan');
    expect(log).toContain('Languages: Bangla, English');
    expect((await owner.post(path, { languages: '' })).status).toBe(303);
    expect(formFields((await owner.get(ROLES)).html, path)).toEqual({});
    expect(
      (await owner.post(`${ROLES}/people/${tenant.people.rahim.id}/languages`, { languages: ['en'] })).status,
    ).toBe(404);
    expect((await (await plainBrowser(app, tenant, 'lead')).post(path, { languages: ['en'] })).status).toBe(403);
  });

  test('keeps the last owner, against roles and against deactivating', async () => {
    const refused = await owner.post(person('owner'), { roles: ['support_agent'] });
    expect([refused.status, refused.html.includes('The last owner cannot be taken away.')]).toEqual([409, true]);
    const self = await owner.post(`${person('owner')}/status`, { status: 'deactivated' });
    expect([self.status, self.html.includes('You cannot deactivate yourself.')]).toEqual([409, true]);
    // the control: with a second owner the first may go
    await owner.post(person('lead'), { roles: ['tenant_admin'] });
    const second = await plainBrowser(app, tenant, 'lead');
    await expect.poll(async () => (await second.get(ROLES)).status).toBe(200);
    expect((await second.post(person('owner'), { roles: ['support_lead'] })).status).toBe(303);
    expect((await second.post(person('owner'), { roles: ['tenant_admin'] })).status).toBe(303);
    expect((await second.post(person('lead'), { roles: ['support_lead'] })).status).toBe(303);
    await expect.poll(async () => (await owner.get(ROLES)).status).toBe(200);
  });

  test('two owners who remove each other at once: one stays', async () => {
    const own = await app.newTenant();
    await own.asPerson('owner', (scope) => setRoles(scope, own.people.lead.id, ['tenant_admin']));
    const asOwner = (handle: 'owner' | 'lead', other: 'owner' | 'lead') =>
      own.asPerson('owner', (scope) =>
        setAdminStatus(
          { ...scope, actor: { ...scope.actor, id: own.people[handle].id } },
          own.people[other].id,
          'deactivated',
        ),
      );
    const outcomes = await Promise.allSettled([asOwner('owner', 'lead'), asOwner('lead', 'owner')]);
    expect(outcomes.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  test('a role of its own: made, held, changed for those who hold it, and removed', async () => {
    const made = await owner.post(ROLES, {
      label: 'Night shift',
      capabilities: ['SUPPORT_CHAT', 'VIEW_SUPPORT_CHAT_LIST'],
    });
    expect(made.location).toBe(`${ROLES}?done=role`);
    const twin = await owner.post(ROLES, { label: 'night SHIFT', capabilities: ['SUPPORT_CHAT'] });
    expect([twin.status, twin.html.includes('There is a role of that name already.')]).toEqual([409, true]);
    expect(formFields(twin.html, ROLES)).toEqual({ label: 'night SHIFT', capabilities: 'SUPPORT_CHAT' });
    await owner.post(person('viewer'), { roles: ['night_shift'] });
    const viewer = await plainBrowser(app, tenant, 'viewer');
    await expect.poll(async () => (await viewer.get('/admin/audit-log')).status).toBe(403);
    await owner.post(`${ROLES}/named/night_shift`, {
      label: 'Night watch',
      capabilities: ['SUPPORT_CHAT', 'VIEW_AUDIT_LOG'],
    });
    await expect.poll(async () => (await viewer.get('/admin/audit-log')).status, { timeout: 1_500 }).toBe(200);
    const used = await owner.post(`${ROLES}/named/night_shift/remove`, {});
    expect([used.status, used.html.includes('Somebody still holds this role.')]).toEqual([409, true]);
    await owner.post(person('viewer'), { roles: ['support_viewer'] });
    expect((await owner.post(`${ROLES}/named/night_shift/remove`, {})).location).toBe(`${ROLES}?done=removed`);
    expect((await audited()).filter(({ entityId }) => entityId === 'night_shift')).toEqual([
      { entityId: 'night_shift', change: 'created', capabilities: 'SUPPORT_CHAT,VIEW_SUPPORT_CHAT_LIST' },
      { entityId: 'night_shift', change: 'saved', capabilities: 'SUPPORT_CHAT,VIEW_AUDIT_LOG' },
      { entityId: 'night_shift', change: 'removed', capabilities: 'SUPPORT_CHAT,VIEW_AUDIT_LOG' },
    ]);
    for (const [fields, status] of [
      [{ label: '', capabilities: ['SUPPORT_CHAT'] }, 422],
      [{ label: 'x' }, 422],
      [{ label: 'x', capabilities: ['ROOT'] }, 422],
      [{ label: 'x'.repeat(61), capabilities: ['SUPPORT_CHAT'] }, 422],
    ] as const) {
      expect([fields, (await owner.post(ROLES, fields)).status]).toEqual([fields, status]);
    }
    expect(
      (await owner.post(`${ROLES}/named/support_agent`, { label: 'x', capabilities: ['SUPPORT_CHAT'] })).status,
    ).toBe(409);
    expect((await owner.post(`${ROLES}/named/nothing`, { label: 'x', capabilities: ['SUPPORT_CHAT'] })).status).toBe(
      404,
    );
    // a label without Latin letters has a name all the same
    expect((await owner.post(ROLES, { label: 'রাতের দল', capabilities: ['SUPPORT_CHAT'] })).status).toBe(303);
  });

  test('an invitation: a link that is shown once, a password, a desk; deactivated and let in again', async () => {
    const email = 'new.agent@example.com';
    const invited = await owner.post(`${ROLES}/people`, {
      name: ' New   Agent ',
      email: ' New.Agent@Example.com ',
      roles: ['support_agent'],
    });
    expect(invited.status).toBe(200);
    expect(invited.headers.get('cache-control')).toMatch(/no-store/);
    const url = /value="(http[^"]+\/admin\/password\/sgp_[^"]+)"/.exec(invited.html)?.[1] ?? '';
    expect(url.startsWith(app.base)).toBe(true);
    const page = (await owner.get(ROLES)).html;
    expect(page).toContain('New Agent');
    expect(page).not.toContain('sgp_');
    const twice = await owner.post(`${ROLES}/people`, { name: 'Other', email, roles: ['support_agent'] });
    expect([twice.status, twice.html.includes('Somebody with this email is in the team already.')]).toEqual([
      409,
      true,
    ]);
    expect(formFields(twice.html, `${ROLES}/people`)).toEqual({ name: 'Other', email, roles: 'support_agent' });
    const incomplete: Fields[] = [
      { name: '', email, roles: ['support_agent'] },
      { name: 'x', email: 'nobody', roles: ['support_agent'] },
      { name: 'x', email: 'a@b.example' },
    ];
    for (const wrong of incomplete) {
      expect((await owner.post(`${ROLES}/people`, wrong)).status).toBe(422);
    }

    const password = 'a few words in a row';
    const set = (link: string) =>
      fetch(link, {
        method: 'POST',
        redirect: 'manual',
        headers: { origin: app.base },
        body: new URLSearchParams({ password }),
      });
    expect((await set(url)).status).toBe(303);
    expect((await set(url)).status).toBe(404);
    const session = async () => {
      const body = JSON.stringify({ tenant: tenant.tenant.slug, email, password });
      const answer = await fetch(`${app.base}/api/support/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      return { status: answer.status, ...((await answer.json()) as { accessToken?: string; user?: { id: string } }) };
    };
    const { accessToken, user, status } = await session();
    expect(status).toBe(201);
    const list = () =>
      fetch(`${app.base}/api/admin/support/conversations`, { headers: { authorization: `Bearer ${accessToken}` } });
    expect((await list()).status).toBe(200);

    const path = `${ROLES}/people/${user?.id}`;
    expect((await owner.post(`${path}/status`, { status: 'deactivated' })).status).toBe(303);
    await expect.poll(async () => (await list()).status, { timeout: 1_500 }).toBe(401);
    expect((await session()).status).toBe(401);
    expect((await owner.get(ROLES)).html).toContain('deactivated');
    expect((await owner.post(`${path}/status`, { status: 'active' })).status).toBe(303);
    expect((await session()).status).toBe(201);
    expect((await owner.post(`${path}/link`, {})).html).toContain('/admin/password/sgp_');
    expect((await owner.post(`${person('agent')}/link`, {})).status).toBe(409);

    const lines = (await audited()).filter(({ entityId }) => entityId === user?.id);
    expect(lines.map((line) => ('change' in line ? line.change : 'roles'))).toEqual([
      'invited',
      'deactivated',
      'activated',
      'link',
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/@|sgp_|Agent/);
  });
});

describe('the ceiling (T-RB6)', () => {
  test('whoever manages roles with less than all may give, take and make no more than they have', async () => {
    await owner.post(ROLES, {
      label: 'Team captain',
      capabilities: ['SUPPORT_CHAT', 'VIEW_SUPPORT_CHAT_LIST', 'MANAGE_ROLES'],
    });
    await owner.post(person('lead'), { roles: ['team_captain'] });
    const captain = await plainBrowser(app, tenant, 'lead');
    await expect.poll(async () => (await captain.get(ROLES)).status).toBe(200);
    const { html } = await captain.get(ROLES);
    // neither the owner nor an agent may be touched: they have more
    expect(html).not.toContain(`action="${person('owner')}"`);
    expect(html).not.toContain(`action="${person('agent')}"`);
    expect(html).toContain(`action="${person('viewer')}"`);
    const attempts: [string, Record<string, string | string[]>][] = [
      [person('lead'), { roles: ['tenant_admin'] }],
      [person('viewer'), { roles: ['support_agent'] }],
      [person('agent'), { roles: ['support_viewer'] }],
      [`${person('owner')}/status`, { status: 'deactivated' }],
      [`${person('agent')}/status`, { status: 'deactivated' }],
      [`${person('owner')}/link`, {}],
      [`${ROLES}/people`, { name: 'x', email: 'x@y.example', roles: ['tenant_admin'] }],
      [ROLES, { label: 'more', capabilities: ['VIEW_AUDIT_LOG'] }],
      [`${ROLES}/named/team_captain`, { label: 'more', capabilities: ['MANAGE_ROLES', 'MANAGE_PRIVACY'] }],
    ];
    for (const [path, fields] of attempts)
      expect([path, (await captain.post(path, fields)).status]).toEqual([path, 403]);
    // the control: within the ceiling it works
    expect((await captain.post(person('viewer'), { roles: ['support_viewer', 'team_captain'] })).status).toBe(303);
    await owner.post(person('viewer'), { roles: ['support_viewer'] });
    await owner.post(person('lead'), { roles: ['support_lead'] });
  });

  test('over the whole lattice: after any attempts nobody has what the one who tried lacks', async () => {
    const own = await app.newTenant();
    const capability = fc.subarray([...CAPABILITIES], { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(capability, capability, capability, async (mine, existing, wish) => {
        const has = new Set<string>([...mine, 'MANAGE_ROLES']);
        const label = `r ${Math.random().toString(36).slice(2)}`;
        const name = await own.asPerson('owner', (scope) => createRole(scope, { label, capabilities: existing }));
        const asMe = <T>(work: Parameters<typeof own.asPerson<T>>[1]) =>
          own.asPerson('lead', (scope) =>
            work({ ...scope, actor: { ...scope.actor, capabilities: has, can: (one: string) => has.has(one) } }),
          );
        const isMine = (all: readonly string[]) => all.every((one) => has.has(one));
        const outcomes = await Promise.allSettled([
          asMe((scope) => createRole(scope, { label: `${label} new`, capabilities: wish })),
          asMe((scope) => changeRole(scope, name, { label, capabilities: wish })),
        ]);
        expect(outcomes.map((one) => one.status)).toEqual([
          isMine(wish) ? 'fulfilled' : 'rejected',
          isMine(wish) && isMine(existing) ? 'fulfilled' : 'rejected',
        ]);
        const roles = await own.asPerson('owner', listRoles);
        for (const role of roles.filter((one) => one.label.startsWith(label))) {
          const untouched = role.name === name && role.capabilities.length === existing.length && !isMine(existing);
          expect(untouched || isMine(role.capabilities)).toBe(true);
          expect(mayGrant({ id: 'x', tenantId: 'x', can: (one) => has.has(one) }, role.capabilities)).toBe(
            isMine(role.capabilities),
          );
          await own.asPerson('owner', (scope) => removeRole(scope, role.name));
        }
      }),
      { numRuns: 40 },
    );
  });
});
