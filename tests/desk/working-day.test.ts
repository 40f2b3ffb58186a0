import { afterAll, beforeAll, expect, it } from 'vitest';
import { businessClock, type ConsideredAgent } from '../../src/desk/index.ts';
import { SupportSettings } from '../../src/tenancy/index.ts';
import type { PersonRow } from '../support/rows.ts';
import { type DeskTest, races, startDesk } from './desk-node.ts';

/**
 * Days in fast motion, on two nodes: agents come and go, users write, a weekend whose clocks change and a holiday pass.
 * Afterwards every assignment is explained and fair, everything due is closed, and nothing else is.
 */

const MINUTE = 60_000;
/** How often everybody moves and the desk looks. */
const STEP_MINUTES = races(60, 15);
const BEGIN = Date.parse('2025-03-07T14:00:00Z'); // Friday, 09:00 in New York; on Sunday its clocks go forward
const END = Date.parse('2025-03-13T14:00:00Z');
const LIMIT = 4;
const IDLE_HOURS = 6;
const WORKDAY = [{ from: '09:00', to: '17:00' }];

const settings = SupportSettings.parse({
  autoAssignMode: 'balanced',
  agentLimit: LIMIT,
  autoCloseAfterHours: IDLE_HOURS,
  businessHours: {
    timeZone: 'America/New_York',
    weekly: {
      ...Object.fromEntries(['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((day) => [day, WORKDAY])),
      saturday: [],
      sunday: [],
    },
    holidays: ['2025-03-11'],
  },
});
const clock = businessClock(settings.businessHours, 'UTC');

let test: DeskTest;
beforeAll(async () => {
  test = await startDesk(2);
  await test.set(settings);
});
afterAll(() => test?.stop());

/** The same days every time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

interface Line {
  readonly conversation_id: string;
  readonly sender_type: string;
  readonly event: string | null;
  readonly created_at: Date;
}

interface Decision {
  readonly conversation_id: string;
  readonly reason: string;
  readonly chosen_admin_id: string | null;
  readonly from_admin_id: string | null;
  readonly candidates: ConsideredAgent[];
  readonly waiting_since: Date | null;
  readonly created_at: Date;
}

it('explains every assignment, closes what is due and nothing else', { timeout: 3_600_000 }, async () => {
  const tenantId = test.home.tenant.id;
  const random = seeded(20_250_307);
  const [agentCount, total] = [races(6, 20), races(50, 500)];
  const agents: PersonRow[] = [];
  for (let at = 0; at < agentCount; at++) agents.push(await test.agent(null));
  const here = new Set<PersonRow>();
  const wasHere = new Set<string>();
  const steps = (END - BEGIN) / (STEP_MINUTES * MINUTE);
  let started = 0;

  /** Messages have the database's time; here it is the one of the story. */
  async function at(now: Date): Promise<void> {
    const real = '2025-06-01';
    await test.admin.query('update messages set created_at = $2 where tenant_id = $1 and created_at > $3', [
      tenantId,
      now,
      real,
    ]);
    await test.admin.query(
      `update conversations set last_message_at = least(last_message_at, $2), waiting_since = least(waiting_since, $2),
         created_at = least(created_at, $2) where tenant_id = $1 and (last_message_at > $3 or waiting_since > $3 or created_at > $3)`,
      [tenantId, now, real],
    );
  }

  for (let step = 0; step < steps; step++) {
    const now = new Date(BEGIN + step * STEP_MINUTES * MINUTE);
    const isOpen = clock.isOpen(now);
    for (const agent of agents) {
      if (random() < (isOpen ? 0.15 : 0.5)) {
        if (isOpen && random() < 0.6) here.add(agent);
        else here.delete(agent);
      }
    }
    await test.seen([...here], now);
    for (const agent of here) wasHere.add(`${agent.id} ${now.getTime()}`);

    const { rows: open } = await test.admin.query<{ id: string; holder: string | null; waits: boolean }>(
      `select id, assigned_admin_id as holder, waiting_since is not null as waits from conversations
       where tenant_id = $1 and status = 'open' order by id`,
      [tenantId],
    );
    for (const { id, holder, waits } of open) {
      const agent = [...here].find((one) => one.id === holder);
      if (agent && waits && random() < 0.5) await test.write(id, agent);
      else if (random() < 0.03) await test.write(id);
    }
    while (started < total && random() < (total / steps) * 1.5) {
      await test.write(await test.conversation());
      started++;
    }
    await at(now);
    await Promise.all(
      test.nodes.flatMap(({ desk }) => [
        desk.assign(tenantId, now),
        desk.closeIdle(tenantId, now),
        desk.watchResponseTimes(tenantId, now),
      ]),
    );
    await at(now);
  }
  expect(started).toBe(total);
  expect(test.nodes.flatMap((node) => node.events)).not.toEqual([]);

  const { rows: lines } = await test.admin.query<Line>(
    'select conversation_id, sender_type, event, created_at from messages where tenant_id = $1 order by conversation_id, seq',
    [tenantId],
  );
  const { rows: decisions } = await test.admin.query<Decision>(
    'select * from assignment_decisions where tenant_id = $1 order by id',
    [tenantId],
  );

  // every assignment is a decision, and each is what the rule says of those who were there
  const changes = lines.filter(({ event }) => event === 'assigned' || event === 'released');
  expect(changes.length).toBeGreaterThan(total / 2);
  expect(decisions).toHaveLength(changes.length);
  expect(lines.filter(({ event }) => event === 'transferred')).toEqual([]);
  for (const decision of decisions) {
    if (decision.chosen_admin_id === null) {
      expect(decision.reason).toBe('agent_offline');
      expect(wasHere).not.toContain(`${decision.from_admin_id} ${decision.created_at.getTime()}`);
      continue;
    }
    expect(wasHere).toContain(`${decision.chosen_admin_id} ${decision.created_at.getTime()}`);
    const chosen = decision.candidates.find((one) => one.verdict === 'chosen');
    expect(chosen).toMatchObject({ adminId: decision.chosen_admin_id });
    expect(chosen?.open).toBeLessThan(LIMIT);
    for (const passed of decision.candidates.filter((one) => one.verdict === 'passed')) {
      expect(passed.open).toBeGreaterThanOrEqual(chosen?.open ?? 0);
      if (passed.open === chosen?.open) expect(passed.lastServed).toBeGreaterThanOrEqual(chosen.lastServed);
    }
    for (const full of decision.candidates.filter((one) => one.verdict === 'full')) expect(full.open).toBe(LIMIT);
  }
  // oldest first, as long as they are handed out at the same time
  const given = decisions.filter((one) => one.chosen_admin_id !== null && one.waiting_since !== null);
  for (const [index, decision] of given.entries()) {
    const before = given[index - 1];
    if (before?.created_at.getTime() !== decision.created_at.getTime()) continue;
    expect(decision.waiting_since?.getTime()).toBeGreaterThanOrEqual(before.waiting_since?.getTime() ?? 0);
  }

  // whatever closed was due and warned in time; whatever is open is not due
  const lastStep = new Date(END - STEP_MINUTES * MINUTE);
  let closedByItself = 0;
  for (const log of Map.groupBy(lines, (line) => line.conversation_id).values()) {
    const closing = log.at(-1)?.event === 'closed' ? log.at(-1) : undefined;
    const moved = log.filter(({ event }) => event !== 'closing_soon' && event !== 'closed').at(-1);
    const warned = log.at(closing ? -2 : -1);
    const idleUntil = (when: Date) => clock.businessMinutesBetween(moved?.created_at ?? when, when);
    if (closing) {
      closedByItself++;
      expect(warned?.event).toBe('closing_soon');
      const warnedAt = warned?.created_at ?? closing.created_at;
      expect(idleUntil(closing.created_at)).toBeGreaterThanOrEqual(IDLE_HOURS * 60);
      // at the first look at which it was due and had been warned for long enough
      expect(idleUntil(closing.created_at)).toBeLessThanOrEqual(IDLE_HOURS * 60 + 2 * STEP_MINUTES);
      expect(clock.businessMinutesBetween(warnedAt, closing.created_at)).toBeGreaterThanOrEqual(IDLE_HOURS * 15);
    } else {
      expect(idleUntil(lastStep)).toBeLessThan(IDLE_HOURS * 60);
      expect(warned?.event === 'closing_soon').toBe(idleUntil(lastStep) >= IDLE_HOURS * 45);
    }
  }
  expect(closedByItself).toBeGreaterThan(total / 4);

  // nobody is late twice for the same wait, and whoever was answered in time is not late
  const { rows: clocks } = await test.admin.query<{ due_at: Date; answered_at: Date | null; breached_at: Date | null }>(
    'select due_at, answered_at, breached_at from response_clocks where tenant_id = $1',
    [tenantId],
  );
  const told = test.nodes.flatMap((node) => node.events.filter((event) => event.type === 'desk:response-late'));
  expect(told).toHaveLength(clocks.filter((one) => one.breached_at !== null).length);
});
