import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { lockConversation } from '../../src/messaging/index.ts';
import { transact } from '../../src/platform/database/index.ts';
import { listJobRuns, startJobs } from '../../src/platform/jobs/index.ts';
import { SupportSettings } from '../../src/tenancy/index.ts';
import { freshDatabase } from '../support/database.ts';
import { newTenant } from '../support/people.ts';
import { insertConversation } from '../support/rows.ts';
import { type DeskTest, startDesk } from './desk-node.ts';

/**
 * What closes by itself, and what must not (T-JB1 to T-JB4, F22). The time is an argument. A message that races the
 * closing is a story of tests/faults (T-JB2).
 */

const HOUR = 3_600_000;
// a Wednesday; before every message that is written here, as messages have the database's time
const NOON = new Date('2025-01-08T12:00:00Z');
const hours = (count: number) => new Date(NOON.getTime() + count * HOUR);

let test: DeskTest;
beforeAll(async () => {
  test = await startDesk(2);
});
afterAll(() => test?.stop());

// nothing is left for the next story
afterEach(async () => {
  await test.closeAll();
});

const run = (now: Date, node = 0) => test.nodes[node]!.desk.closeIdle(test.home.tenant.id, now);

/** An open conversation in which nothing has happened since then. */
async function silent(since: Date): Promise<string> {
  const id = await test.conversation();
  await test.write(id);
  await test.silentSince(id, since);
  return id;
}

describe('a conversation in which nobody writes', () => {
  it('stays while closing is switched off', async () => {
    await test.set({ autoCloseAfterHours: 0 });
    const id = await silent(hours(-1_000));
    expect(await run(NOON)).toEqual({ warned: 0, closed: 0, failed: 0 });
    expect(await test.row(id)).toMatchObject({ status: 'open' });
  });

  it('is warned when a quarter of the time is left, then closed by the system, once on two nodes', async () => {
    await test.set({ autoCloseAfterHours: 24 });
    const id = await silent(NOON);
    expect(await run(hours(17.9))).toMatchObject({ warned: 0 });
    const warned = await Promise.all([run(hours(18)), run(hours(18), 1)]);
    expect(warned[0].warned + warned[1].warned).toBe(1);
    expect(await test.lines(id)).toEqual(['closing_soon']);
    const { rows: told } = await test.admin.query(
      `select data from messages where conversation_id = $1 and event = 'closing_soon'`,
      [id],
    );
    expect(told[0].data).toMatchObject({ closesAt: hours(24).toISOString(), actorSide: 'system' });

    expect(await run(hours(23.9))).toMatchObject({ closed: 0, warned: 0 });
    const closed = await Promise.all([run(hours(24)), run(hours(24), 1), run(hours(24)), run(hours(24), 1)]);
    expect(closed.reduce((sum, one) => sum + one.closed, 0)).toBe(1);
    expect(await test.lines(id)).toEqual(['closing_soon', 'closed']);
    expect(await test.row(id)).toMatchObject({ status: 'closed', closed_by: 'system', waiting_since: null });
    const { rows } = await test.admin.query(
      `select actor_id, metadata from audit_log where entity_id = $1 and action = 'SUPPORT_CONVERSATION_CLOSED'`,
      [id],
    );
    expect(rows).toEqual([{ actor_id: 'system', metadata: { conversationId: id, closedBy: 'system' } }]);
  });

  it('has its whole warning even when the job was down or the setting is new', async () => {
    await test.set({ autoCloseAfterHours: 24 });
    const id = await silent(hours(-500));
    expect(await run(NOON)).toMatchObject({ warned: 1, closed: 0 });
    expect(await run(hours(5.9))).toMatchObject({ closed: 0 });
    expect(await run(hours(6))).toMatchObject({ closed: 1 });
    expect(await test.row(id)).toMatchObject({ status: 'closed' });
  });

  it('stays when somebody writes after the warning, and begins anew', async () => {
    await test.set({ autoCloseAfterHours: 24 });
    const id = await silent(hours(-20));
    expect(await run(NOON)).toMatchObject({ warned: 1 });
    expect(await test.write(id)).toBe('new');
    await test.silentSince(id, hours(1));
    expect(await run(hours(24))).toMatchObject({ closed: 0, warned: 1 });
    expect(await run(hours(30))).toMatchObject({ closed: 1 });
    expect(await test.lines(id)).toEqual(['closing_soon', 'closing_soon', 'closed']);
  });

  it('stays when the settings give it more time, or switch closing off, after the warning', async () => {
    await test.set({ autoCloseAfterHours: 24 });
    const id = await silent(hours(-20));
    expect(await run(NOON)).toMatchObject({ warned: 1 });
    await test.set({ autoCloseAfterHours: 240 });
    expect(await run(hours(24))).toMatchObject({ closed: 0 });
    await test.set({ autoCloseAfterHours: 0 });
    expect(await run(hours(2_400))).toMatchObject({ closed: 0 });
    await test.set({ autoCloseAfterHours: 24 });
    await test.silentSince(id, hours(-20));
    // warned anew: an old warning is none
    expect(await run(hours(2_400))).toMatchObject({ closed: 0, warned: 1 });
    expect(await test.row(id)).toMatchObject({ status: 'open' });
  });

  it('does not age while nobody is there', async () => {
    const weekly = Object.fromEntries(
      ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((day) => [day, [{ from: '09:00', to: '17:00' }]]),
    );
    const { businessHours } = SupportSettings.parse({
      businessHours: { timeZone: 'UTC', weekly: { ...weekly, saturday: [], sunday: [] }, holidays: ['2025-01-13'] },
    });
    await test.set({ autoCloseAfterHours: 8, businessHours });
    const id = await silent(new Date('2025-01-10T15:00:00Z')); // Friday; two hours are left of it
    for (let at = Date.parse('2025-01-10T15:00Z'); at < Date.parse('2025-01-14T13:00Z'); at += HOUR) {
      expect(await run(new Date(at))).toMatchObject({ warned: 0, closed: 0 });
    }
    // Monday is a holiday: six hours of the eight are over on Tuesday at 13:00
    expect(await run(new Date('2025-01-14T13:00Z'))).toMatchObject({ warned: 1 });
    expect(await run(new Date('2025-01-14T14:59Z'))).toMatchObject({ closed: 0 });
    expect(await run(new Date('2025-01-14T15:00Z'))).toMatchObject({ closed: 1 });
    expect(await test.row(id)).toMatchObject({ status: 'closed' });
    await test.set({ businessHours: SupportSettings.parse({}).businessHours });
  });

  it('does not stop the others when it cannot be closed', async () => {
    await test.set({ autoCloseAfterHours: 24 });
    const [poison, id] = [await silent(hours(-25)), await silent(hours(-24))];
    expect(await run(NOON)).toMatchObject({ warned: 2 });
    await test.admin.query(
      `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, message_type, event, client_id, content_hash, created_at)
       select gen_random_uuid(), tenant_id, id, last_seq + 1, 9, 9, 'system', 'system', 'poison', gen_random_uuid(), gen_random_uuid(), now() from conversations where id = $1`,
      [poison],
    );
    const told = console.error;
    console.error = () => {};
    try {
      expect(await run(hours(6))).toMatchObject({ closed: 1, failed: 1 });
    } finally {
      console.error = told;
    }
    expect(await test.row(id)).toMatchObject({ status: 'closed' });
    expect(await test.row(poison)).toMatchObject({ status: 'open' });
  });
});

describe('the job', () => {
  it('works in every tenant by that tenant’s settings, and reaches nothing of another one', async () => {
    // a database of its own: the job looks into every tenant there is
    const fresh = await freshDatabase();
    const alone = await startDesk(1, fresh);
    onTestFinished(async () => {
      await alone.stop();
      await fresh.drop();
    });
    await alone.set({ autoCloseAfterHours: 24 });
    const { database, desk } = alone.nodes[0]!;
    const other = await newTenant(database); // never closes
    const mine = await alone.conversation();
    const person = { id: other.people.rahim.id, tenantId: other.tenant.id, type: 'user' } as const;
    const theirs = await insertConversation(alone.admin, person);
    for (const id of [mine, theirs]) await alone.silentSince(id, hours(-500));
    const runner = startJobs(desk.jobs, { database, log: { info() {}, warn() {}, debug() {}, error() {} } });
    const job = desk.jobs.find((one) => one.name === 'desk.close-idle');
    const log = { info() {}, warn() {}, debug() {}, error: console.error };
    expect(await job?.run({ database, log, now: NOON })).toEqual({ tenants: 2, warned: 1, closed: 0, failed: 0 });
    expect(await job?.run({ database, log, now: hours(6) })).toEqual({ tenants: 2, warned: 0, closed: 1, failed: 0 });
    expect(await alone.row(mine)).toMatchObject({ status: 'closed', closed_by: 'system' });
    expect(await alone.row(theirs)).toMatchObject({ status: 'open', last_seq: 0 });
    for (const { name } of desk.jobs) await runner.runNow(name);
    await runner.stop();
    expect((await listJobRuns(database, 1)).map(({ job: name, outcome }) => [name, outcome])).toEqual(
      desk.jobs.map(({ name }) => [name, 'done']).sort(),
    );
    // an id of another tenant is an id of nothing there
    const reached = await alone.home.asPerson('system', (scope) =>
      transact(scope, (inside) => lockConversation(inside, theirs)),
    );
    expect(reached).toBeNull();
  });
});

describe('a node that slept', () => {
  it('wakes with the time and the settings of before, and closes nothing that it should not', async () => {
    await test.set({ autoCloseAfterHours: 24 });
    const id = await silent(hours(-24));
    expect(await run(NOON)).toMatchObject({ warned: 1 });
    // it has decided to close this one, and sleeps before it has the lock
    const holder = await test.admin.connect();
    await holder.query('begin');
    await holder.query('select 1 from conversations where id = $1 for update', [id]);
    const sleeping = run(hours(6));
    await expect
      .poll(
        async () => (await test.admin.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'`)).rowCount,
      )
      .toBeGreaterThan(0);
    // meanwhile a message came
    await holder.query('update conversations set last_seq = last_seq + 1 where id = $1', [id]);
    await holder.query('commit');
    holder.release();
    expect(await sleeping).toMatchObject({ closed: 0, failed: 0 });
    expect(await test.row(id)).toMatchObject({ status: 'open' });
    await test.admin.query('update conversations set last_seq = last_seq - 1 where id = $1', [id]);

    // and the same while the setting is switched off under way
    await test.silentSince(id, hours(-24));
    expect(await run(NOON)).toMatchObject({ warned: 1 });
    const again = await test.admin.connect();
    await again.query('begin');
    await again.query('select 1 from conversations where id = $1 for update', [id]);
    const other = run(hours(6));
    await expect
      .poll(
        async () => (await test.admin.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'`)).rowCount,
      )
      .toBeGreaterThan(0);
    await test.set({ autoCloseAfterHours: 0 });
    await again.query('commit');
    again.release();
    expect(await other).toMatchObject({ closed: 0, failed: 0 });
    expect(await test.row(id)).toMatchObject({ status: 'open' });
  });
});
