import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listDueResponses, queueFor } from '../../src/desk/index.ts';
import { SupportSettings } from '../../src/tenancy/index.ts';
import { type DeskTest, startDesk } from './desk-node.ts';

/** Who waits for an answer: when it is due, when it is late, and what the others waited. The time is an argument. */

const MINUTE = 60_000;
const ALWAYS = SupportSettings.parse({}).businessHours;

let test: DeskTest;
beforeAll(async () => {
  test = await startDesk(2);
});
afterAll(() => test?.stop());
// nothing is left for the next story
afterEach(async () => {
  await test.closeAll();
  await look(new Date());
  for (const node of test.nodes) node.events.length = 0;
});

const look = (now: Date, node = 0) => test.nodes[node]!.desk.watchResponseTimes(test.home.tenant.id, now);
const due = (ids?: string[]) =>
  test.home.asPerson('viewer', (scope) => listDueResponses(scope, { conversationIds: ids ?? null, limit: 50 }));
const late = () => test.nodes.flatMap((node) => node.events.filter((event) => event.type === 'desk:response-late'));

/** A conversation in which the user has just written, and when. */
async function asked(): Promise<{ id: string; at: number }> {
  const id = await test.conversation();
  await test.write(id);
  return { id, at: (await test.row(id)).waiting_since?.getTime() ?? 0 };
}

describe('the clock of who waits', () => {
  it('runs to the first target, then to the next one, and ends with the answer', async () => {
    await test.set({ firstResponseTargetMinutes: 5, nextResponseTargetMinutes: 15 });
    const agent = await test.agent(null);
    const { id, at } = await asked();
    expect(await look(new Date(at + MINUTE))).toEqual({ started: 1, settled: 0, late: 0 });
    expect(await look(new Date(at + MINUTE), 1)).toEqual({ started: 0, settled: 0, late: 0 });
    expect(await due([id])).toMatchObject([
      { conversationId: id, kind: 'first', dueAt: new Date(at + 5 * MINUTE), lateSince: null, assignedAdminId: null },
    ]);
    await test.admin.query('update conversations set assigned_admin_id = $2 where id = $1', [id, agent.id]);
    expect(await test.write(id, agent)).toBe('new');
    // gone from what is due at once, whoever looks when
    expect(await due([id])).toEqual([]);
    expect(await look(new Date())).toMatchObject({ settled: 1, late: 0 });
    await test.write(id);
    const again = (await test.row(id)).waiting_since?.getTime() ?? 0;
    expect(await look(new Date(again + MINUTE))).toMatchObject({ started: 1 });
    expect(await due([id])).toMatchObject([
      { kind: 'next', dueAt: new Date(again + 15 * MINUTE), assignedAdminId: agent.id },
    ]);
    // what the user adds while waiting does not begin the wait anew
    await test.write(id);
    expect(await look(new Date(again + MINUTE))).toMatchObject({ started: 0, settled: 0 });
    expect(late()).toEqual([]);
  });

  it('is late once, however many nodes look, and leads are told of it', async () => {
    await test.set({ firstResponseTargetMinutes: 5 });
    const { id, at } = await asked();
    await look(new Date(at));
    const at5 = new Date(at + 5 * MINUTE);
    expect(await look(new Date(at + 5 * MINUTE - 1_000))).toMatchObject({ late: 0 });
    await Promise.all([look(at5), look(at5, 1), look(at5), look(at5, 1)]);
    expect(late()).toEqual([
      {
        type: 'desk:response-late',
        tenantId: test.home.tenant.id,
        conversationId: id,
        kind: 'first',
        dueAt: at5.toISOString(),
        assignedAdminId: null,
      },
    ]);
    expect(await due([id])).toMatchObject([{ lateSince: at5 }]);
    expect(await look(new Date(at + 60 * MINUTE))).toMatchObject({ late: 0 });
  });

  it('is late too when the answer came too late between two looks', async () => {
    await test.set({ firstResponseTargetMinutes: 5 });
    const agent = await test.agent(null);
    const { id, at } = await asked();
    await look(new Date(at));
    await test.admin.query(`update response_clocks set due_at = $2 where conversation_id = $1`, [id, new Date(at)]);
    await test.admin.query('update conversations set assigned_admin_id = $2 where id = $1', [id, agent.id]);
    await new Promise((done) => setTimeout(done, 5));
    await test.write(id, agent);
    expect(await look(new Date())).toMatchObject({ settled: 1, late: 1 });
    expect(late()).toHaveLength(1);
  });

  it('stands still outside of the hours, and follows settings that change under way', async () => {
    const weekly = Object.fromEntries(
      ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'].map((day) => [day, []]),
    );
    const { businessHours } = SupportSettings.parse({ businessHours: { weekly } });
    await test.set({ firstResponseTargetMinutes: 5, businessHours });
    const { id, at } = await asked();
    await look(new Date(at));
    expect(await due([id])).toMatchObject([{ dueAt: null }]);
    expect(await look(new Date(at + 1_000 * MINUTE))).toMatchObject({ late: 0 });
    await test.set({ businessHours: ALWAYS, firstResponseTargetMinutes: 30 });
    await look(new Date(at + MINUTE), 1);
    expect(await due([id])).toMatchObject([{ dueAt: new Date(at + 30 * MINUTE) }]);
  });

  it('is sorted by what is due first, and shows nobody but staff', async () => {
    const first = await asked();
    const second = await asked();
    await look(new Date());
    expect((await due()).map((one) => one.conversationId)).toEqual([first.id, second.id]);
    await expect(test.home.asPerson('rahim', (scope) => listDueResponses(scope, { limit: 5 }))).rejects.toThrow();
  });
});

describe('the queue', () => {
  it('counts who waits longer, and tells how long others waited once it knows', async () => {
    await test.admin.query('delete from response_clocks where tenant_id = $1', [test.home.tenant.id]);
    const agent = await test.agent(null);
    const ids = [(await asked()).id, (await asked()).id, (await asked()).id, (await asked()).id];
    const place = (id: string) => test.home.asPerson('agent', (scope) => queueFor(scope, id));
    expect(await Promise.all(ids.map(place))).toEqual(
      [1, 2, 3, 4].map((position) => ({ position, expectedWaitSeconds: null })),
    );
    await look(new Date());
    for (const id of ids.slice(0, 3)) {
      await test.admin.query('update conversations set assigned_admin_id = $2 where id = $1', [id, agent.id]);
      await test.write(id, agent);
    }
    await look(new Date());
    for (const [at, seconds] of [40, 90, 600].entries()) {
      await test.admin.query(
        `update response_clocks set answered_at = waiting_since + make_interval(secs => $2) where conversation_id = $1`,
        [ids[at], seconds],
      );
    }
    expect(await place(ids[3]!)).toEqual({ position: 1, expectedWaitSeconds: 90 });
    expect(await place(ids[0]!)).toEqual({ position: null, expectedWaitSeconds: null });
  });

  it('is closed to whom the conversation does not belong', async () => {
    const { id } = await asked();
    await expect(test.home.asPerson('rahim', (scope) => queueFor(scope, id))).rejects.toThrow('There is nothing here.');
  });
});
