import pg from 'pg';
import { rebuildTenant } from '../../src/reports/index.ts';
import { openTenancy } from '../../src/tenancy/index.ts';
import { adminUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type Step, teller } from './histories.ts';

const quiet = { info() {}, debug() {}, warn() {}, error() {} };
const MINUTE = 60;
const DAY = 86_400;

/** The app with a company whose desk has worked for two months. */
export interface ReportsApp {
  readonly app: RunningApp;
  readonly home: TestTenant;
  readonly admin: pg.Pool;
  /** Makes the numbers of what was written by hand. */
  fold(): Promise<void>;
  stop(): Promise<void>;
}

/** The same months every time, ending now: 120 conversations of three kinds of users, two agents, all that can happen. */
export async function startReportsApp(): Promise<ReportsApp> {
  const app = await startApp();
  const home = await app.newTenant();
  const admin = new pg.Pool({ connectionString: adminUrl(), max: 4 });
  await admin.query(`update tenants set time_zone = 'Asia/Dhaka' where id = $1`, [home.tenant.id]);
  const tenancy = await openTenancy({ database: app.database, log: quiet });
  const tell = teller(admin, home.tenant.id, [home.people.agent.id, home.people['agent-2'].id]);
  const now = Date.now();
  for (let at = 0; at < 120; at++) {
    await tell.whole({
      begins: now - (1 + ((at * 37) % 60)) * DAY * 1_000 - ((at * 7_919) % DAY) * 1_000,
      userType: ['driver', 'customer', 'restaurant'][at % 3] ?? 'driver',
      topic: [null, 'trip', '=cmd()', 'payment'][at % 4] ?? null,
      country: ['BD', 'US', null][at % 3] ?? null,
      steps: stepsOf(at),
    });
  }
  return {
    app,
    home,
    admin,
    async fold() {
      await tenancy.refresh();
      const tenant = (await tenancy.byId(home.tenant.id))!;
      await home.asPerson('system', (scope) => rebuildTenant(scope, tenant));
    },
    async stop() {
      await tenancy.close();
      await admin.end();
      await app.stop();
    },
  };
}

function stepsOf(at: number): Step[] {
  const agent = at % 2;
  const asks: Step = { after: 5 + at, what: { kind: 'user' } };
  if (at % 10 === 9) return [asks];
  if (at % 11 === 7) return [asks, { after: 3 * DAY, what: { kind: 'close', by: 'system' } }];
  const talk: Step[] = [
    asks,
    { after: 20, what: { kind: 'assign', agent, by: at % 4 === 0 ? 'system' : 'agent' } },
    { after: MINUTE * (1 + (at % 13)), what: { kind: 'agent', agent } },
    { after: MINUTE * (at % 7), what: { kind: 'user' } },
    { after: MINUTE * (1 + (at % 29)), what: { kind: 'agent', agent: agent + (at % 5 === 0 ? 1 : 0) } },
  ];
  if (at % 8 === 3) return talk;
  talk.push({ after: MINUTE * 30, what: { kind: 'close', by: at % 6 === 0 ? 'system' : 'agent' } });
  if (at % 9 === 0) {
    talk.push({ after: MINUTE, what: { kind: 'reopen' } }, { after: MINUTE, what: { kind: 'user' } });
    talk.push(
      { after: 2 * MINUTE, what: { kind: 'agent', agent } },
      { after: MINUTE, what: { kind: 'close', by: 'agent' } },
    );
  }
  if (at % 3 === 0) talk.push({ after: MINUTE, what: { kind: 'rate', score: 1 + (at % 5) } });
  return talk;
}
