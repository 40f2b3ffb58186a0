/**
 * What reports are made from is what the raw rows say: for random histories, told in pieces with looks in between, the
 * facts equal a plain walk over each log, the sums a plain addition, and what grew by increments what is made anew.
 */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entities } from '../../src/entities.ts';
import { type Database, openDatabase, transact } from '../../src/platform/database/index.ts';
import { foldTenant, rebuildTenant, verifyTenant } from '../../src/reports/index.ts';
import {
  loadSupportSettings,
  openTenancy,
  type SupportSettings,
  saveSupportSettings,
  type Tenancy,
} from '../../src/tenancy/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { insertPerson } from '../support/rows.ts';
import { type History, history, NIGHT, type Step, type Told, teller, WORKDAY, week } from './histories.ts';

const quiet = { info() {}, debug() {}, warn() {}, error: (...told: unknown[]) => console.error(...told) };
const ALL = { batches: 1_000, everything: true };

let own: FreshDatabase;
let database: Database;
let tenancy: Tenancy;
let admin: pg.Pool;

beforeAll(async () => {
  own = await freshDatabase();
  database = await openDatabase({ url: own.url, entities, log: quiet });
  tenancy = await openTenancy({ database, log: quiet });
  admin = new pg.Pool({ connectionString: own.adminUrl, max: 4 });
});
afterAll(async () => {
  await tenancy?.close();
  await database?.close();
  await admin?.end();
  await own?.drop();
});

/** A company of its own, with a zone, hours and three agents. */
async function company(timeZone: string, businessHours?: Partial<SupportSettings['businessHours']>) {
  const home = await newTenant(database);
  await admin.query('update tenants set time_zone = $2 where id = $1', [home.tenant.id, timeZone]);
  if (businessHours) await openHours(home, businessHours);
  await tenancy.refresh();
  const agents = await Promise.all([1, 2, 3].map(() => insertPerson(admin, home.tenant.id, 'admin')));
  const ids = agents.map(({ id }) => id);
  const info = async () => (await tenancy.byId(home.tenant.id))!;
  const asSystem = <T>(work: Parameters<typeof home.asPerson<T>>[1]) => home.asPerson('system', work);
  return {
    ...home,
    agents: ids,
    tell: teller(admin, home.tenant.id, ids),
    fold: async (limits: Parameters<typeof foldTenant>[2] = ALL) => {
      const tenant = await info();
      return asSystem((scope) => foldTenant(scope, tenant, limits));
    },
    rebuild: async () => {
      const tenant = await info();
      return asSystem((scope) => rebuildTenant(scope, tenant));
    },
    verify: async () => {
      const tenant = await info();
      return asSystem((scope) => verifyTenant(scope, tenant));
    },
  };
}

async function openHours(home: TestTenant, businessHours: Partial<SupportSettings['businessHours']>): Promise<void> {
  await home.asPerson('owner', async (scope) => {
    const now = await loadSupportSettings(scope);
    await saveSupportSettings(
      scope,
      { ...now.settings, businessHours: { ...now.settings.businessHours, ...businessHours } },
      now.version,
    );
  });
  await tenancy.refresh();
}

type Company = Awaited<ReturnType<typeof company>>;

/** Everything that the model holds of a tenant, in order; without the order in which it was written. */
async function model({ tenant }: Company): Promise<string> {
  const parts = await Promise.all(
    [
      // when it was made is its own
      "select to_jsonb(c) - 'folded_at' as row from report_conversations c where tenant_id = $1 order by conversation_id",
      'select * from report_responses where tenant_id = $1 order by conversation_id, seq',
      'select * from report_activity where tenant_id = $1 order by conversation_id, day, side, agent_id',
      'select * from report_cells where tenant_id = $1 order by grain, cell, start',
      'select * from report_agent_cells where tenant_id = $1 order by grain, start, agent, user_type, topic, country',
      'select * from report_dirty_days where tenant_id = $1 order by day',
    ].map((text) => admin.query(text, [tenant.id])),
  );
  return JSON.stringify(parts.map(({ rows }) => rows));
}

describe('for random histories', () => {
  const places: [string, string, Partial<SupportSettings['businessHours']> | undefined][] = [
    ['open all the time, in Dhaka', 'Asia/Dhaka', undefined],
    ['by day, in New York', 'America/New_York', { weekly: week(WORKDAY), holidays: ['2025-03-10', '2025-07-04'] }],
    [
      'by night and in another zone than the days',
      'Asia/Kathmandu',
      { weekly: week(NIGHT), timeZone: 'America/New_York' },
    ],
  ];
  test.each(places)(
    'the model equals the raw rows, and the increments the rebuild: %s',
    async (_name, zone, hours) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(history, { minLength: 1, maxLength: 6 }),
          fc.array(fc.record({ which: fc.nat(), steps: fc.integer({ min: 1, max: 6 }) }), { maxLength: 6 }),
          fc.nat(),
          async (histories, pieces, gone) => {
            const home = await company(zone, hours);
            const told: Told[] = [];
            for (const one of histories) told.push(await home.tell.begin(one));
            await home.fold();
            // in pieces, with a look after each
            for (const { which, steps } of pieces) {
              const at = which % histories.length;
              await tellOn(home, histories[at]!, told[at]!, steps);
              await home.fold();
            }
            for (const [at, one] of histories.entries()) await tellOn(home, one, told[at]!, one.steps.length);
            // one of them is erased, and one person turns out to live elsewhere
            const erased = told[gone % told.length]!;
            await admin.query('delete from messages where conversation_id = $1', [erased.id]);
            await admin.query('delete from conversations where id = $1', [erased.id]);
            await admin.query(`update users set country = 'NP' where id = $1`, [told[0]!.userId]);
            await admin.query('insert into access_changes (tenant_id, user_id) values ($1, $2)', [
              home.tenant.id,
              told[0]!.userId,
            ]);
            await home.fold();

            const seen = await home.verify();
            expect(seen).toMatchObject({ differences: [], behind: 0, conversations: histories.length - 1 });
            const grown = await model(home);
            await home.rebuild();
            expect(await model(home)).toBe(grown);
            expect((await home.verify()).differences).toEqual([]);
          },
        ),
        { numRuns: process.env['LONG'] === '1' ? 300 : 6, endOnFailure: true },
      );
    },
    600_000,
  );
});

async function tellOn(home: Company, { steps }: History, told: Told, howMany: number): Promise<void> {
  for (const step of steps.slice(told.next, told.next + howMany)) await home.tell.tell(told, step);
  told.next = Math.min(steps.length, told.next + howMany);
}

const user: Step['what'] = { kind: 'user' };
const answers = (number: number): Step['what'] => ({ kind: 'agent', agent: number });
const closes = (by: 'system' | 'agent' | 'user'): Step['what'] => ({ kind: 'close', by });
const steps = (...list: [after: number, what: Step['what']][]): Step[] =>
  list.map(([after, one]) => ({ after, what: one }));
const plain = { userType: 'driver', topic: 'trip', country: 'BD' };
const HOUR = 3_600;

describe('by hand', () => {
  interface Kept {
    first_secs: number | null;
    first_open_secs: number | null;
    resolution_secs: number | null;
    resolution_open_secs: number | null;
    is_abandoned: boolean;
    reopens: number;
    opened_day: string;
    closed_day: string | null;
    first_day: string | null;
    first_agent_id: string | null;
    secs: number[];
  }
  async function kept(home: Company, told: Told): Promise<Kept> {
    const { rows } = await admin.query<Kept>(
      `select c.*, c.opened_day::text, c.closed_day::text, c.first_day::text, array(
         select r.secs from report_responses r where r.conversation_id = c.conversation_id order by r.seq) as secs
       from report_conversations c where c.conversation_id = $1 and c.tenant_id = $2`,
      [told.id, home.tenant.id],
    );
    return rows[0]!;
  }
  async function madeOf(home: Company, history: Omit<History, keyof typeof plain>): Promise<Kept> {
    const told = await home.tell.whole({ ...plain, ...history });
    await home.fold();
    return kept(home, told);
  }

  let dhaka: Company;
  let york: Company;
  beforeAll(async () => {
    dhaka = await company('Asia/Dhaka');
    york = await company('America/New_York', { weekly: week(WORKDAY), holidays: ['2025-03-10'] });
  });
  afterAll(async () => {
    expect((await dhaka.verify()).differences).toEqual([]);
    expect((await york.verify()).differences).toEqual([]);
  });
  const begins = Date.parse('2025-05-05T04:00:00Z');

  test('the first answer is measured from the first question, each answer from the first thing unanswered', async () => {
    const made = await madeOf(dhaka, {
      begins,
      steps: steps([10, user], [50, user], [100, answers(0)], [5, answers(1)], [60, user], [30, answers(1)]),
    });
    expect(made).toMatchObject({ first_secs: 150, secs: [150, 30], first_agent_id: dhaka.agents[0] });
  });

  test('system lines, handing over and a warning are no answers', async () => {
    const made = await madeOf(dhaka, {
      begins,
      steps: steps(
        [0, user],
        [60, { kind: 'assign', agent: 0, by: 'system' }],
        [60, { kind: 'assign', agent: 1, by: 'agent' }],
        [60, { kind: 'warn' }],
        [60, closes('system')],
      ),
    });
    expect(made).toMatchObject({ first_secs: null, secs: [], is_abandoned: true, resolution_secs: null });
  });

  test('an agent who writes before anything was asked has answered nothing', async () => {
    const made = await madeOf(dhaka, { begins, steps: steps([5, answers(0)], [60, user], [20, answers(0)]) });
    expect(made).toMatchObject({ first_secs: 20, secs: [20] });
  });

  test('answered before it was assigned: it counts for who answered', async () => {
    const made = await madeOf(dhaka, {
      begins,
      steps: steps([0, user], [30, answers(2)], [30, { kind: 'assign', agent: 1, by: 'agent' }]),
    });
    expect(made).toMatchObject({ first_secs: 30, first_agent_id: dhaka.agents[2] });
  });

  test('reopened: resolved at the last closing, and who was not answered begins to wait anew', async () => {
    const made = await madeOf(dhaka, {
      begins,
      steps: steps(
        [0, user],
        [HOUR, closes('user')],
        [HOUR, { kind: 'reopen' }],
        [HOUR, user],
        [60, answers(0)],
        [HOUR, closes('agent')],
      ),
    });
    expect(made).toMatchObject({
      first_secs: 3 * HOUR + 60,
      secs: [60],
      resolution_secs: 4 * HOUR + 60,
      is_abandoned: false,
      reopens: 1,
    });
  });

  test('reopened and not closed again: it is closed no more', async () => {
    const made = await madeOf(dhaka, {
      begins,
      steps: steps([0, user], [60, answers(0)], [60, closes('agent')], [60, { kind: 'reopen' }]),
    });
    expect(made).toMatchObject({ closed_day: null, resolution_secs: null, reopens: 1 });
  });

  test('an answer after midnight belongs to the next day of the zone', async () => {
    const made = await madeOf(dhaka, {
      begins: Date.parse('2025-05-05T17:59:00Z'), // 23:59 in Dhaka
      steps: steps([0, user], [120, answers(0)]),
    });
    expect(made).toMatchObject({ opened_day: '2025-05-05', first_day: '2025-05-06' });
  });

  test('a deleted or edited answer was given all the same', async () => {
    const made = await madeOf(dhaka, {
      begins,
      steps: steps([0, user], [60, answers(0)], [5, { kind: 'edit' }], [5, { kind: 'delete' }]),
    });
    expect(made).toMatchObject({ first_secs: 60, secs: [60] });
  });

  test('the night in which the clocks go forward has an hour less', async () => {
    const made = await madeOf(york, {
      begins: Date.parse('2025-03-09T04:30:00Z'), // Saturday, 23:30; Sunday has 23 hours
      steps: steps([0, user], [24 * HOUR, answers(0)]),
    });
    // a weekend: none of it is open
    expect(made).toMatchObject({
      opened_day: '2025-03-08',
      first_day: '2025-03-10',
      first_secs: 24 * HOUR,
      first_open_secs: 0,
    });
  });

  test('over a lunch break, a weekend and a holiday only the open hours count', async () => {
    const made = await madeOf(york, {
      begins: Date.parse('2025-03-07T16:30:00Z'), // Friday, 11:30
      steps: steps([0, user], [4 * 24 * HOUR, answers(0)]), // Tuesday, 12:30: the clocks have changed; Monday is a holiday
    });
    // Friday 11:30 to 12:30 and 13:30 to 18:00, Tuesday 09:00 to 12:30
    expect(made).toMatchObject({ first_secs: 4 * 24 * HOUR, first_open_secs: (1 + 4.5 + 3.5) * HOUR });
  });
});

describe('looking for what has happened', () => {
  test('a commit that comes late is found, whatever was looked at meanwhile', async () => {
    const home = await company('Asia/Dhaka');
    const now = () => Date.now();
    const late = await home.tell.begin({ ...plain, begins: now(), steps: [] });
    const quick = await home.tell.begin({ ...plain, begins: now(), steps: [] });
    await home.fold({ batches: 10 });
    const slow = await admin.connect();
    try {
      await slow.query('begin');
      await slow.query(`update conversations set last_seq = 1, last_message_at = clock_timestamp() where id = $1`, [
        late.id,
      ]);
      await home.tell.tell({ ...quick, at: now() }, { after: 0, what: user });
      for (let at = 0; at < 3; at++) await home.fold({ batches: 10 });
      const { rows } = await admin.query(
        'select conversation_id from report_conversations where tenant_id = $1 and last_seq = 1',
        [home.tenant.id],
      );
      expect(rows).toEqual([{ conversation_id: quick.id }]);
      const { rows: states } = await admin.query<{ early: boolean }>(
        `select settled_to <= (select last_message_at from conversations where id = $2) as early from report_states where tenant_id = $1`,
        [home.tenant.id, quick.id],
      );
      // the cursor waits for whoever began before
      expect(states[0]?.early).toBe(true);
      await slow.query('commit');
    } finally {
      slow.release();
    }
    await home.fold({ batches: 10 });
    expect((await home.verify()).behind).toBe(0);
  });

  test('what is being spoken waits for a pause, and at most three minutes', async () => {
    const home = await company('Asia/Dhaka');
    const told = await home.tell.whole({ ...plain, begins: Date.now() - 600_000, steps: steps([0, user]) });
    const patient = { batches: 1_000, isPatient: true };
    const madeAfter = async (said: string, made: string) => {
      await admin.query(
        `update conversations set last_seq = last_seq + 1, last_message_at = clock_timestamp() - $2::interval where id = $1`,
        [told.id, said],
      );
      await admin.query(
        `update report_conversations set folded_at = clock_timestamp() - $2::interval where conversation_id = $1`,
        [told.id, made],
      );
      return (await home.fold(patient)).folded;
    };
    // new, and silent for longer than anybody pauses
    expect((await home.fold(patient)).folded).toBe(1);
    expect(await madeAfter('1 second', '1 minute')).toBe(0);
    expect(await madeAfter('40 seconds', '1 minute')).toBe(1);
    expect(await madeAfter('1 second', '200 seconds')).toBe(1);
    // what it says of its age allows for that
    const { rows } = await admin.query<{ age: number }>(
      'select extract(epoch from clock_timestamp() - as_of)::float8 as age from report_states where tenant_id = $1',
      [home.tenant.id],
    );
    expect(rows[0]?.age).toBeGreaterThan(179);
  });

  test('other opening hours make anew what they change, and nothing else', async () => {
    const home = await company('UTC');
    const told = await home.tell.whole({
      ...plain,
      begins: Date.parse('2025-05-05T08:30:00Z'),
      steps: steps([0, user], [HOUR, answers(0)], [HOUR, closes('agent')]),
    });
    await home.fold();
    const open = async () =>
      (await admin.query('select first_open_secs from report_conversations where conversation_id = $1', [told.id]))
        .rows[0];
    expect(await open()).toEqual({ first_open_secs: HOUR });
    await openHours(home, { weekly: week([{ from: '09:00', to: '17:00' }]) });
    await home.fold({ batches: 10 });
    expect(await open()).toEqual({ first_open_secs: HOUR / 2 });
    await openHours(home, { holidays: ['2199-01-01'] });
    expect(await home.fold({ batches: 10 })).toMatchObject({ folded: 0 });
    expect((await home.verify()).differences).toEqual([]);
  });

  test('what is not right is found and made right', async () => {
    const home = await company('UTC');
    const told = await home.tell.whole({
      ...plain,
      begins: Date.parse('2025-05-05T08:30:00Z'),
      steps: steps([0, user], [HOUR, answers(0)]),
    });
    await home.fold();
    await admin.query('update report_conversations set first_secs = 1 where conversation_id = $1', [told.id]);
    await admin.query(`update report_cells set counts[1] = 7 where tenant_id = $1 and grain = 'month'`, [
      home.tenant.id,
    ]);
    await admin.query(
      `insert into report_activity select gen_random_uuid(), day, side, agent_id, tenant_id, user_type, topic, country, 3
      from report_activity where tenant_id = $1`,
      [home.tenant.id],
    );
    const { differences } = await home.verify();
    expect(differences.some((one) => one.includes(told.id))).toBe(true);
    expect(differences.some((one) => one.startsWith('month 2025-05'))).toBe(true);
    expect(differences.some((one) => one.includes('no conversation any more'))).toBe(true);
    await home.rebuild();
    expect((await home.verify()).differences).toEqual([]);
  });

  test('one company is never counted in another', async () => {
    const [one, other] = [await company('UTC'), await company('UTC')];
    await one.tell.whole({ ...plain, begins: Date.parse('2025-05-05T08:30:00Z'), steps: steps([0, user]) });
    await one.fold();
    await other.fold();
    expect(JSON.parse(await model(other))).toEqual([[], [], [], [], [], []]);
    const seen = await other.asPerson('system', (scope) =>
      transact(scope, (inside) => inside.em.execute(`select count(*)::int as n from report_conversations`)),
    );
    expect(seen).toEqual([{ n: 0 }]);
  });
});
