import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type AvailableAgent,
  assignConversation,
  availableAgents,
  chooseAgent,
  setAgentLanguages,
  setAvailability,
} from '../../src/desk/index.ts';
import type { PersonRow } from '../support/rows.ts';
import { type DeskTest, startDesk } from './desk-node.ts';

/** Who is given what, and why. Races between nodes and with people are stories of tests/faults (F21-assign, F21-claim). */

const NOON = new Date('2027-01-04T12:00:00Z');
const minutes = (count: number) => new Date(NOON.getTime() + count * 60_000);

describe('the choice', () => {
  const agents = fc.uniqueArray(
    fc.record({
      id: fc.uuid(),
      name: fc.constant(''),
      open: fc.nat(6),
      lastServed: fc.nat(1_000),
      languages: fc.subarray(['bn', 'en']),
    }),
    { selector: (agent) => agent.id, maxLength: 8 },
  );

  it('takes nobody who is full or gave it back, and nobody while another is nearer', () => {
    fc.assert(
      fc.property(
        agents,
        fc.constantFrom('round_robin', 'balanced'),
        fc.nat(6),
        fc.constantFrom('bn', 'fr', null),
        (all, mode, limit, language) => {
          const excluded = all.filter((_, at) => at % 3 === 2).map((agent) => agent.id);
          const free = all.filter((agent) => agent.open < limit && !excluded.includes(agent.id));
          const choice = chooseAgent(mode, all, { limit, excluded, language });
          expect(choice === null).toBe(free.length === 0);
          if (!choice) return;
          expect(free).toContainEqual(choice.agent);
          const { open, lastServed } = choice.agent;
          // whoever speaks the user's language comes first, as long as one of them has room
          const speakers = free.filter((agent) => language !== null && agent.languages.includes(language));
          const pool = speakers.length > 0 ? speakers : free;
          expect(pool).toContainEqual(choice.agent);
          const without = chooseAgent(mode, all, { limit, excluded });
          expect(choice.reason === 'speaks_language').toBe(without?.agent.id !== choice.agent.id);
          for (const other of pool) {
            if (mode === 'balanced') expect(open).toBeLessThanOrEqual(other.open);
            if (mode === 'round_robin' || open === other.open) expect(lastServed).toBeLessThanOrEqual(other.lastServed);
          }
          expect(choice.considered.map((one) => one.adminId).sort()).toEqual(all.map((agent) => agent.id).sort());
          expect(choice.considered.filter((one) => one.verdict === 'chosen')).toHaveLength(1);
        },
      ),
    );
  });

  it('is fair within one whatever the number, in both modes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 60 }),
        fc.boolean(),
        (people, work, isBalanced) => {
          let all: AvailableAgent[] = Array.from({ length: people }, (_, at) => ({
            id: `${at}`,
            name: '',
            open: 0,
            lastServed: 0,
            languages: [],
          }));
          for (let turn = 1; turn <= work; turn++) {
            const choice = chooseAgent(isBalanced ? 'balanced' : 'round_robin', all, { limit: 1_000, excluded: [] });
            all = all.map((one) =>
              one.id === choice?.agent.id ? { ...one, open: one.open + 1, lastServed: turn } : one,
            );
          }
          const open = all.map((one) => one.open);
          expect(Math.max(...open) - Math.min(...open)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});

describe('a tenant’s desk', () => {
  let test: DeskTest;
  beforeAll(async () => {
    test = await startDesk(1);
  });
  afterAll(() => test?.stop());

  // nothing is left for the next story: nobody there, nothing open
  afterEach(async () => {
    await test.closeAll();
    await test.admin.query('update agent_presence set last_seen_at = null where tenant_id = $1', [test.home.tenant.id]);
  });

  const assign = (now: Date) => test.nodes[0]!.desk.assign(test.home.tenant.id, now);
  const holderOf = async (id: string) => (await test.row(id)).assigned_admin_id;

  it('gives nothing by itself while the mode is manual, and to those who are there once it is not', async () => {
    const agent = await test.agent(NOON);
    const id = await test.conversation(NOON);
    await test.set({ autoAssignMode: 'manual' });
    expect(await assign(NOON)).toEqual({ assigned: 0, failed: 0, givenBack: 0 });
    expect(await holderOf(id)).toBeNull();

    await test.set({ autoAssignMode: 'balanced' });
    // half a minute without a connection: not there
    expect(await assign(minutes(1))).toMatchObject({ assigned: 0 });
    expect(await assign(NOON)).toMatchObject({ assigned: 1 });
    expect(await holderOf(id)).toBe(agent.id);
    expect(await test.lines(id)).toEqual(['assigned']);
    const { rows } = await test.admin.query(
      `select actor_id, metadata from audit_log where entity_id = $1 and action = 'SUPPORT_CONVERSATION_ASSIGNED'`,
      [id],
    );
    expect(rows).toEqual([{ actor_id: 'system', metadata: { conversationId: id, assignedAdminId: agent.id } }]);
  });

  it('hands out the oldest first, to the limit, and the next one when there is room again', async () => {
    await test.set({ autoAssignMode: 'balanced', agentLimit: 2 });
    const [one, other] = [await test.agent(minutes(10)), await test.agent(minutes(10))];
    const waiting: string[] = [];
    // put there in another order than they wait in
    for (const age of [3, 1, 5, 2, 4]) waiting[5 - age] = await test.conversation(minutes(10 - age));
    const silent = await test.conversation();
    expect(await assign(minutes(10))).toMatchObject({ assigned: 4 });
    const holders = await Promise.all(waiting.map(holderOf));
    expect(holders.slice(0, 4).sort()).toEqual([one.id, one.id, other.id, other.id].sort());
    expect(holders[4]).toBeNull();
    await test.admin.query(`update conversations set status = 'closed', closed_at = now() where id = $1`, [waiting[2]]);
    expect(await assign(minutes(10))).toMatchObject({ assigned: 1 });
    expect(await holderOf(waiting[4]!)).toBe(holders[2]);
    // nobody waits in this one: it comes after all who do
    expect(await holderOf(silent)).toBeNull();
    await test.set({ agentLimit: 3 });
    expect(await assign(minutes(10))).toMatchObject({ assigned: 1 });
    expect(await holderOf(silent)).not.toBeNull();
  });

  it('leaves those alone who are away, may not answer, or were deactivated', async () => {
    await test.set({ autoAssignMode: 'round_robin', agentLimit: 20 });
    const lead = test.home.people.lead;
    const [away, gone] = [await test.agent(minutes(20)), await test.agent(minutes(20))];
    const viewer: PersonRow = { id: test.home.people.viewer.id, tenantId: test.home.tenant.id, type: 'admin' };
    await test.seen([viewer], minutes(20));
    await test.admin.query(`update users set status = 'deactivated' where id = $1`, [gone.id]);
    await test.admin.query(`update agent_presence set choice = 'away' where admin_id = $1`, [away.id]);
    const id = await test.conversation(minutes(20));
    expect(await assign(minutes(20))).toMatchObject({ assigned: 0 });
    const there = (at: Date) => test.home.asPerson('system', (scope) => availableAgents({ ...scope, now: at }));
    expect(await there(minutes(20))).toEqual([]);
    // and they would be given it: the lead was away by choice and takes it back
    await test.home.asPerson('lead', (scope) => setAvailability(scope, 'away'));
    await test.seen([{ id: lead.id, tenantId: test.home.tenant.id, type: 'admin' }], minutes(20));
    expect(await assign(minutes(20))).toMatchObject({ assigned: 0 });
    await test.home.asPerson('lead', (scope) => setAvailability(scope, 'available'));
    expect(await there(minutes(20))).toMatchObject([{ id: lead.id, open: 0 }]);
    expect(await assign(minutes(20))).toMatchObject({ assigned: 1 });
    expect(await holderOf(id)).toBe(lead.id);
    await expect(test.home.asPerson('viewer', (scope) => setAvailability(scope, 'available'))).rejects.toThrow();
  });

  it('does not give it again to who put it back, but to somebody else', async () => {
    await test.set({ autoAssignMode: 'balanced' });
    const { agent: nusrat } = test.home.people;
    await test.seen([{ id: nusrat.id, tenantId: test.home.tenant.id, type: 'admin' }], minutes(30));
    const id = await test.conversation(minutes(30));
    expect(await assign(minutes(30))).toMatchObject({ assigned: 1 });
    await test.home.asPerson('agent', (scope) =>
      assignConversation({ ...scope, now: minutes(30) }, id, { adminId: null }),
    );
    expect(await assign(minutes(30))).toMatchObject({ assigned: 0 });
    const other = await test.agent(minutes(30));
    expect(await assign(minutes(30))).toMatchObject({ assigned: 1 });
    expect(await holderOf(id)).toBe(other.id);
  });

  it('takes back what nobody answered from somebody who has been offline, and gives it to a colleague', async () => {
    await test.set({ autoAssignMode: 'balanced' });
    const leaving = await test.agent(minutes(40));
    const [asked, answered, manual] = [
      await test.conversation(minutes(40)),
      await test.conversation(minutes(40)),
      await test.conversation(minutes(41)),
    ];
    expect(await assign(minutes(40))).toMatchObject({ assigned: 3 });
    expect(await test.write(answered, leaving)).toBe('new');
    await test.admin.query(
      `update messages set created_at = $2 where conversation_id = any ($1) and event = 'assigned'`,
      [[asked, answered], minutes(40)],
    );
    const staying = await test.agent(minutes(44));
    expect(await assign(minutes(44))).toMatchObject({ givenBack: 0 });
    await test.seen([staying], minutes(46));
    await test.admin.query(
      `update messages set created_at = $2 where conversation_id = $1 and event = 'assigned'`,
      [manual, minutes(45)], // as if a lead had handed it over a minute ago
    );
    expect(await assign(minutes(46))).toMatchObject({ givenBack: 1, assigned: 1 });
    expect(await holderOf(asked)).toBe(staying.id);
    expect(await holderOf(answered)).toBe(leaving.id);
    expect(await holderOf(manual)).toBe(leaving.id);
    expect(await test.lines(asked)).toEqual(['assigned', 'released', 'assigned']);
    const { rows } = await test.admin.query(
      'select reason, chosen_admin_id as to, from_admin_id as "from" from assignment_decisions where conversation_id = $1 order by id',
      [asked],
    );
    expect(rows).toEqual([
      { reason: 'only_one_available', to: leaving.id, from: null },
      { reason: 'agent_offline', to: null, from: leaving.id },
      { reason: 'only_one_available', to: staying.id, from: null },
    ]);
  });

  it('gives it to who speaks the user’s language, and to anybody once they are full', async () => {
    await test.set({ autoAssignMode: 'balanced', agentLimit: 2 });
    const [english, bengali] = [await test.agent(minutes(60)), await test.agent(minutes(60))];
    await test.home.asPerson('owner', async (scope) => {
      await setAgentLanguages(scope, english.id, ['en']);
      await setAgentLanguages(scope, bengali.id, ['bn', 'en']);
      await expect(setAgentLanguages(scope, bengali.id, ['klingon'])).rejects.toThrow();
    });
    await expect(test.home.asPerson('lead', (scope) => setAgentLanguages(scope, english.id, []))).rejects.toThrow();
    const asked: string[] = [];
    for (let at = 0; at < 3; at++) asked.push(await test.conversation(minutes(50 + at)));
    await test.admin.query(
      `update users set locale = 'bn-BD' where id = any (select opened_by from conversations where id = any ($1))`,
      [asked],
    );
    expect(await assign(minutes(60))).toMatchObject({ assigned: 3 });
    expect(await Promise.all(asked.map(holderOf))).toEqual([bengali.id, bengali.id, english.id]);
    const { rows } = await test.admin.query<{ reason: string; candidates: { verdict: string }[] }>(
      'select reason, candidates from assignment_decisions where conversation_id = any ($1) order by id',
      [asked],
    );
    expect(rows.map((row) => row.reason).slice(1)).toEqual(['speaks_language', 'only_one_available']);
    expect(rows[1]?.candidates.map((one) => one.verdict).sort()).toEqual(['chosen', 'other_language']);
    expect(rows[2]?.candidates.map((one) => one.verdict).sort()).toEqual(['chosen', 'full']);
    await test.set({ agentLimit: 20 });
  });

  it('does not stop at one that cannot be handed out', async () => {
    await test.set({ autoAssignMode: 'balanced' });
    await test.agent(minutes(50));
    const poison = await test.conversation(minutes(48));
    const id = await test.conversation(minutes(49));
    // a line that cannot be written: its place is taken
    await test.admin.query(
      `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, message_type, event, client_id, content_hash, created_at)
       select gen_random_uuid(), tenant_id, id, 1, 1, 1, 'system', 'system', 'poison', gen_random_uuid(), gen_random_uuid(), now() from conversations where id = $1`,
      [poison],
    );
    const told = console.error;
    console.error = () => {};
    try {
      expect(await assign(minutes(50))).toMatchObject({ assigned: 1, failed: 1 });
    } finally {
      console.error = told;
    }
    expect(await holderOf(id)).not.toBeNull();
    expect(await holderOf(poison)).toBeNull();
  });
});
