import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BUILTIN_ROLES,
  CAPABILITIES,
  mayGrant,
  RoleAssignment,
  setRoles,
  wouldLoseLastOwner,
} from '../../src/identity/index.ts';
import { AuditRecord } from '../../src/tenancy/index.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { type Node, openNode } from './node.ts';

/** Who may hand out what (T-RB6). */

let node: Node;
let ours: TestTenant;

beforeAll(async () => {
  node = await openNode();
  ours = await newTenant(node.database);
});
afterAll(() => node?.close());

const some = fc.subarray([...CAPABILITIES]);
const actorWith = (capabilities: readonly string[]) => ({
  id: 'x',
  tenantId: 'x',
  can: (one: string) => capabilities.includes(one),
});

test('nobody hands out more than they have, and only who manages roles hands out anything', () => {
  fc.assert(
    fc.property(some, some, (own, given) => {
      const expected = own.includes('MANAGE_ROLES') && given.every((one) => own.includes(one));
      expect(mayGrant(actorWith(own), given)).toBe(expected);
    }),
  );
});

test('the last owner stays', () => {
  expect(wouldLoseLastOwner(['a'], 'a', false)).toBe(true);
  expect(wouldLoseLastOwner(['a'], 'a', true)).toBe(false);
  expect(wouldLoseLastOwner(['a', 'b'], 'a', false)).toBe(false);
  expect(wouldLoseLastOwner(['a'], 'b', false)).toBe(false);
});

test('the roles are those of the contract', () => {
  const count = (name: string) => BUILTIN_ROLES.find((role) => role.name === name)?.capabilities.length;
  expect(['support_viewer', 'support_agent', 'support_lead', 'tenant_admin'].map(count)).toEqual([2, 5, 9, 12]);
});

describe('setting roles', () => {
  test('an owner makes a viewer an agent; it is written down', async () => {
    const { viewer, owner } = ours.people;
    await ours.asPerson('owner', (scope) => setRoles(scope, viewer.id, ['support_agent']));
    const person = await node.identity.authenticate((await ours.signIn('viewer')).token);
    expect([person?.can('REPLY_SUPPORT_CHAT'), person?.accessVersion]).toEqual([true, 2]);
    await ours.asPerson('system', async (scope) => {
      expect(await scope.em.find(AuditRecord, { action: 'SUPPORT_ROLE_CHANGED', entityId: viewer.id })).toMatchObject([
        { actorId: owner.id, metadata: { roles: 'support_agent' } },
      ]);
    });
  });

  test('an agent may not; a user, a stranger or an unknown role is not found; the last owner stays', async () => {
    const { agent, lead, owner, rahim } = ours.people;
    const other = await newTenant(node.database);
    const attempt = (who: 'agent' | 'owner', id: string, roles: string[]) =>
      ours.asPerson(who, (scope) => setRoles(scope, id, roles));
    await expect(attempt('agent', lead.id, ['tenant_admin'])).rejects.toMatchObject({ status: 403 });
    await expect(attempt('owner', rahim.id, ['tenant_admin'])).rejects.toMatchObject({ status: 404 });
    await expect(attempt('owner', other.people.lead.id, ['support_agent'])).rejects.toMatchObject({ status: 404 });
    await expect(attempt('owner', agent.id, ['king'])).rejects.toMatchObject({ status: 404 });
    await expect(attempt('owner', owner.id, ['support_agent'])).rejects.toMatchObject({ code: 'last_owner' });
  });

  test('two owners who remove each other at once: one is left', async () => {
    const { people } = ours;
    await ours.asPerson('owner', (scope) => setRoles(scope, people.lead.id, ['tenant_admin']));
    const outcomes = await Promise.allSettled([
      ours.asPerson('owner', (scope) => setRoles(scope, people.lead.id, [])),
      ours.asPerson('owner', (scope) => setRoles(scope, people.owner.id, [])),
    ]);
    expect(outcomes.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    const left = await ours.asPerson('system', (scope) =>
      scope.em.find(RoleAssignment, { userId: { $in: [people.lead.id, people.owner.id] } }),
    );
    expect(left.length).toBe(1);
  });
});
