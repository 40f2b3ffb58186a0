/**
 * How long reports take on a volume: `DATABASE_URL=… node tests/bench/reports.ts [rounds]`, on a database that
 * `npm run task seed-volume` and `npm run task reports:rebuild` have filled. Server time from the question to the
 * numbers, one after the other, as a lead who tries everything; every answer is a new question to the database.
 */
import { entities } from '../../src/entities.ts';
import { listAdmins, type Person } from '../../src/identity/index.ts';
import { openDatabase } from '../../src/platform/database/index.ts';
import {
  BEHIND,
  type Period,
  periodOf,
  type ReportFilter,
  readAgents,
  readBehind,
  readChoices,
  readConversationReport,
  readDeskNow,
  readOverview,
  readPage,
} from '../../src/reports/index.ts';
import { openTenancy, systemActor } from '../../src/tenancy/index.ts';

const quiet = { info() {}, debug() {}, warn() {}, error: console.error };
const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL is missing');
const rounds = Number(process.argv[2] ?? 5);
const database = await openDatabase({ url, entities, log: quiet });
const tenancy = await openTenancy({ database, log: quiet });
const tenant = await tenancy.bySlug('safego');
if (!tenant) throw new Error('there is no tenant safego');
const actor = systemActor(tenant.id) as Person; // what it may do is all that reports ask
const inScope = <T>(work: Parameters<typeof database.withScope<Person, T>>[2]) =>
  database.withScope(tenant, actor, work);

const agents = await inScope((scope) => listAdmins(scope));
const today = new Date().toISOString().slice(0, 10);
const everything: ReportFilter = { userType: null, topic: null, country: null, agent: null };
const { topics } = await inScope((scope) => readChoices(scope));
const agent = agents.at(-1)?.id ?? null;
const filters: [string, ReportFilter][] = [
  ['everything', everything],
  ['one user type', { ...everything, userType: 'driver' }],
  ['type and country', { ...everything, userType: 'driver', country: 'BD' }],
  ['type, topic, country', { ...everything, userType: 'driver', topic: topics.at(-1) ?? '', country: 'BD' }],
  ['one agent', { ...everything, agent }],
  ['agent and type', { ...everything, agent, userType: 'driver' }],
];
const day = (back: number) => new Date(Date.parse(today) - back * 86_400_000).toISOString().slice(0, 10);
const periods: [string, Period][] = [
  ['today', periodOf('today', {}, today)],
  ['7 days', periodOf('7', {}, today)],
  ['30 days', periodOf('30', {}, today)],
  ['90 days', periodOf('90', {}, today)],
  ['a year, from the middle of a month', { from: day(380), to: day(15) }],
  ['a century', { from: '1970-01-01', to: '2199-12-31' }],
];

const kinds = new Map<string, number[]>();
async function time(kind: string, what: string, work: () => Promise<unknown>): Promise<void> {
  const took: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    // one that is cut off counts as long as it took
    await work().catch((error: Error) => console.log(`${kind}, ${what}: ${error.message}`));
    took.push(performance.now() - began);
  }
  kinds.set(kind, [...(kinds.get(kind) ?? []), ...took]);
  took.sort((one, other) => one - other);
  console.log(`${`${kind}, ${what}`.padEnd(72)} median ${at(took, 0.5)} ms, most ${at(took, 1)} ms`);
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(0).padStart(4);
}

const targets = tenant.support;
const ids = agents.map(({ id }) => id);
const list = { slot: null, score: null, age: null, target: null };
for (const [periodName, period] of periods) {
  for (const [filterName, filter] of filters) {
    const what = `${periodName}, ${filterName}`;
    await time('overview', what, () => inScope((scope) => readOverview(scope, { period, filter, targets })));
    await time('agents', what, () => inScope((scope) => readAgents(scope, { period, filter, targets, agents: ids })));
  }
  for (const [filterName, filter] of filters.slice(0, 2)) {
    for (const behind of BEHIND) {
      await time('list', `${behind}, ${periodName}, ${filterName}`, () =>
        inScope((scope) => readBehind(scope, { behind, period, filter, ...list }, { before: null, limit: 50 })),
      );
    }
  }
}
await time('form', 'topics and countries to choose from', () => inScope((scope) => readChoices(scope)));
await time('live', 'the desk now', () => inScope((scope) => readDeskNow(scope)));
const some = await inScope((scope) =>
  readPage(
    scope,
    {
      behind: 'closed',
      period: periodOf('90', {}, today),
      filter: everything,
      ...list,
    },
    null,
    40,
  ),
);
for (const { conversationId } of some.rows) {
  await time('one conversation', conversationId.slice(-6), () =>
    inScope((scope) => readConversationReport(scope, conversationId)),
  );
}
for (const [kind, took] of kinds) {
  took.sort((one, other) => one - other);
  console.log(
    `${kind}: ${took.length} answers, median ${at(took, 0.5)} ms, p95 ${at(took, 0.95)} ms, most ${at(took, 1)} ms`,
  );
}
await tenancy.close();
await database.close();
