/**
 * Every number on every page, in its download and in the list behind it is what a computation of our own says, made from
 * the raw rows alone (`plain-numbers.ts`): for random histories with all their edges, for replayed dialogues and for a
 * made-up volume. `LONG=1` for other and more histories.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importsTasks } from '../../src/imports/index.ts';
import { runTask } from '../../src/platform/jobs/index.ts';
import { rebuildTenant } from '../../src/reports/index.ts';
import { loadSupportSettings, openTenancy, saveSupportSettings } from '../../src/tenancy/index.ts';
import { type PlainBrowser, plainBrowser } from '../dashboard-admin/admin-pages.ts';
import { adminUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { history, teller, WORKDAY, week } from './histories.ts';
import { type Asked, among, type Event, eventsOf, rank } from './plain-numbers.ts';

const REPORTS = '/admin/support-reports';
const quiet = {
  info() {},
  debug() {},
  warn() {},
  error: (...told: unknown[]) => console.error(...told),
};
const SECRET_KEY = 'numbers-numbers-numbers-numbers-numbers';
const isLong = process.env['LONG'] === '1';
const TARGETS = { first: 7 * 60, response: 11 * 60, resolution: 5 * 3_600 };

let app: RunningApp;
let admin: pg.Pool;

beforeAll(async () => {
  app = await startApp({ SECRET_KEY });
  admin = new pg.Pool({ connectionString: adminUrl(), max: 4 });
});
afterAll(async () => {
  await admin?.end();
  await app?.stop();
});

/** A company and what must be said of it. */
interface Told {
  readonly home: TestTenant;
  readonly lead: PlainBrowser;
  readonly events: readonly Event[];
  readonly today: string;
}

/** Sets the rules, lets `tell` fill the raw tables, makes the read models and computes what they must say. */
async function company(
  timeZone: string,
  hours: {
    readonly weekly?: ReturnType<typeof week>;
    readonly holidays?: string[];
  },
  tell: (home: TestTenant) => Promise<void>,
): Promise<Told> {
  const home = await app.newTenant();
  await admin.query('update tenants set time_zone = $2 where id = $1', [home.tenant.id, timeZone]);
  const businessHours = await home.asPerson('owner', async (scope) => {
    const { settings, version } = await loadSupportSettings(scope);
    const changed = {
      ...settings,
      firstResponseTargetMinutes: TARGETS.first / 60,
      nextResponseTargetMinutes: TARGETS.response / 60,
      resolutionTargetHours: TARGETS.resolution / 3_600,
      businessHours: { ...settings.businessHours, ...hours },
    };
    await saveSupportSettings(scope, changed, version);
    return changed.businessHours;
  });
  await tell(home);
  const tenancy = await openTenancy({ database: app.database, log: quiet });
  const tenant = (await tenancy.byId(home.tenant.id))!; // it was just made
  await home.asPerson('system', (scope) => rebuildTenant(scope, tenant));
  await tenancy.close();
  const lead = await plainBrowser(app, home, 'lead');
  // a node reads settings once a second
  for (let tries = 0; tries < 100; tries++) {
    if ((await lead.get(`${REPORTS}?period=today`)).html.includes(`days and times of ${timeZone}`)) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  const events = await eventsOf(admin, home.tenant.id, {
    timeZone,
    hours: businessHours,
  });
  const today = new Intl.DateTimeFormat('en-CA', { timeZone }).format(new Date());
  return { home, lead, events, today };
}

/** What a spreadsheet reads (RFC 4180). */
function cellsOf(text: string): string[][] {
  expect(text.startsWith('\uFEFF')).toBe(true);
  const rows: string[][] = [];
  for (const line of text.slice(1).split('\r\n').slice(0, -1)) {
    rows.push(
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
      ),
    );
  }
  return rows;
}

async function download(lead: PlainBrowser, path: string): Promise<string[][]> {
  const response = await lead.get(path);
  expect([path, response.status]).toEqual([path, 200]);
  // text() takes the mark away
  return cellsOf(`\uFEFF${response.html.replace(/^\uFEFF/, '')}`);
}

const plain = (html: string) =>
  html
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll('&amp;', '&')
    .replaceAll(/\s+/g, ' ')
    .trim();
const num = (n: number) => new Intl.NumberFormat('en-GB').format(n);
const count = (events: readonly Event[], of: string) =>
  events.filter((one) => one.of === of).reduce((sum, { n }) => sum + n, 0);
const shift = (day: string, days: number) => new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);

const COUNTED = [
  ...['opened', 'closed', 'reopened', 'abandoned', 'autoAssigned', 'autoClosed', 'messagesIn', 'messagesOut'],
] as const;
const DURATIONS = ['first', 'response', 'resolution'] as const;
const CLOCKS = [
  ['all', 'all_hours', 'All hours'],
  ['open', 'business_hours', 'Business hours'],
] as const;
const AGES: [name: string, fromHours: number, words: string][] = [
  ['hour', 0, 'up to 1 hour'],
  ['hours4', 1, '1 to 4 hours'],
  ['day', 4, '4 to 24 hours'],
  ['days3', 24, '1 to 3 days'],
  ['week', 72, '3 to 7 days'],
  ['older', 168, 'more than 7 days'],
];

function ageOf(openedAt: number): string {
  const hours = (Date.now() - openedAt) / 3_600_000;
  return AGES.findLast(([, from]) => hours >= from)?.[0] ?? 'hour';
}

/** Median, the 90th percentile, and how many are within the target. */
function spread(events: readonly Event[], duration: keyof typeof TARGETS, clock: 'all' | 'open') {
  const values = events
    .filter(({ of }) => of === duration)
    .map(({ secs = 0, openSecs = 0 }) => (clock === 'all' ? secs : openSecs));
  return {
    count: values.length,
    median: rank(values, 0.5),
    p90: rank(values, 0.9),
    within: values.filter((seconds) => seconds <= TARGETS[duration]).length,
  };
}

function ratings(events: readonly Event[]) {
  const scores = events.filter(({ of }) => of === 'rated').map(({ score = 0 }) => score);
  return {
    rated: scores.length,
    closed: count(events, 'closed'),
    average: scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length,
    of: (score: number) => scores.filter((one) => one === score).length,
  };
}

function grainOf(asked: Asked): 'day' | 'month' {
  return Date.parse(asked.to) - Date.parse(asked.from) >= 92 * 86_400_000 ? 'month' : 'day';
}

/** Every line of the overview's download but those of days and hours without anything, as `measure|part|statistic`. */
function overviewLines(all: readonly Event[], asked: Asked): Record<string, [string, string]> {
  const days = Math.round((Date.parse(asked.to) - Date.parse(asked.from)) / 86_400_000) + 1;
  const before = {
    ...asked,
    from: shift(asked.from, -days),
    to: shift(asked.from, -1),
  };
  const [now, then] = [among(all, asked), among(all, before)];
  const lines: Record<string, [string, string]> = {};
  const text = (value: number | null) => (value === null ? '' : String(value));
  const add = (key: string, value: number | string | null, earlier: number | string | null) => {
    lines[key] = [
      typeof value === 'string' ? value : text(value),
      typeof earlier === 'string' ? earlier : text(earlier),
    ];
  };
  add('period||from', asked.from, before.from);
  add('period||to', asked.to, before.to);
  for (const name of COUNTED) add(`${name}||count`, count(now, name), count(then, name));
  for (const duration of DURATIONS) {
    for (const [clock, part] of CLOCKS) {
      const [one, other] = [spread(now, duration, clock), spread(then, duration, clock)];
      const key = `${duration}_time|${part}`;
      add(`${key}|count`, one.count, other.count);
      add(`${key}|median_seconds`, one.median, other.median);
      add(`${key}|p90_seconds`, one.p90, other.p90);
      add(`${key}|target_seconds`, TARGETS[duration], TARGETS[duration]);
      add(`${key}|within_target`, one.within, other.within);
    }
  }
  const [rated, ratedBefore] = [ratings(now), ratings(then)];
  add('rating||rated', rated.rated, ratedBefore.rated);
  add('rating||of_closed', rated.closed, ratedBefore.closed);
  add('rating||average', rated.average?.toFixed(2) ?? '', ratedBefore.average?.toFixed(2) ?? '');
  for (const score of [1, 2, 3, 4, 5]) add(`rating|${score}|count`, rated.of(score), ratedBefore.of(score));
  add('open_now||count', count(now, 'open'), '');
  add('waiting_now||count', count(now, 'waiting'), '');
  for (const [name] of AGES) {
    const open = now.filter(({ of, openedAt = 0 }) => of === 'open' && ageOf(openedAt) === name);
    add(`open_now|age_${name}|count`, open.length, '');
  }
  const grain = grainOf(asked);
  for (const one of now) {
    const start = grain === 'day' ? one.day : `${one.day.slice(0, 7)}-01`;
    if (['opened', 'closed', 'messagesIn', 'messagesOut'].includes(one.of)) {
      const key = `${one.of}_by_${grain}|${start}|count`;
      add(key, Number(lines[key]?.[0] ?? 0) + one.n, '');
    }
    if (one.of === 'opened') {
      const slot = one.slot ?? 0;
      const key = `opened_by_hour_of_week|${Math.floor(slot / 24) + 1}-${String(slot % 24).padStart(2, '0')}|count`;
      add(key, Number(lines[key]?.[0] ?? 0) + 1, '');
    }
  }
  return lines;
}

/** `4 min 32 s`, two parts at most, rounded down. */
function span(seconds: number | null): string {
  if (seconds === null) return '–';
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

const share = (part: number, whole: number) => num(Math.round((part / whole) * 1_000) / 10);

/** Everything that the overview's page must say, in its words. */
function overviewWords(lines: Record<string, [string, string]>): string[] {
  const value = (key: string) => Number(lines[key]?.[0] ?? 0);
  const earlier = (key: string) => Number(lines[key]?.[1] ?? 0);
  const maybe = (key: string, at: 0 | 1) => (lines[key]?.[at] ? Number(lines[key][at]) : null);
  const was = (key: string) => {
    const [now, then] = [value(key), earlier(key)];
    if (then === 0) return `before: ${num(then)}`;
    const change = Math.round(((now - then) / then) * 100);
    const sign = change > 0 ? '+' : change < 0 ? '\u2212' : '';
    return `before: ${num(then)} (${sign}${num(Math.abs(change))} %)`;
  };
  const closed = value('closed||count');
  const ofClosed = (key: string) => (closed === 0 ? '' : `${share(value(key), closed)} % of ${num(closed)} closed `);
  const words = [
    `Opened ${num(value('opened||count'))} ${was('opened||count')} Conversations opened`,
    `Closed ${num(closed)} ${was('closed||count')} Conversations that are closed`,
    `Messages in ${num(value('messagesIn||count'))} ${was('messagesIn||count')} Messages of users`,
    `Messages out ${num(value('messagesOut||count'))} ${was('messagesOut||count')} Messages of agents`,
    `Open now ${num(value('open_now||count'))} Conversations that are open`,
    `Waiting now ${num(value('waiting_now||count'))} Open conversations in which`,
    `Reopened ${num(value('reopened||count'))} ${was('reopened||count')} Conversations whose`,
    `Abandoned ${num(value('abandoned||count'))} ${ofClosed('abandoned||count')}${was('abandoned||count')} Conversations closed`,
    `Closed automatically ${num(value('autoClosed||count'))} ${ofClosed('autoClosed||count')}${was('autoClosed||count')} Conversations closed`,
    `Assigned automatically ${num(value('autoAssigned||count'))} ${was('autoAssigned||count')} Conversations that the system`,
    ...AGES.map(([name, , said]) => `${said} ${num(value(`open_now|age_${name}|count`))} `),
  ];
  for (const duration of DURATIONS) {
    for (const [, part, said] of CLOCKS) {
      const key = `${duration}_time|${part}`;
      const [n, within] = [value(`${key}|count`), value(`${key}|within_target`)];
      const times = [
        maybe(`${key}|median_seconds`, 0),
        maybe(`${key}|median_seconds`, 1),
        maybe(`${key}|p90_seconds`, 0),
      ];
      const target = n === 0 ? '– –' : `${share(within, n)} % (${num(within)}) ${num(n - within)}`;
      words.push(`${said} ${num(n)} ${times.map(span).join(' ')} ${target}`);
    }
  }
  const average = maybe('rating||average', 0);
  if (average !== null) words.push(`${num(average)} of 5`);
  const rated = value('rating||rated');
  words.push(`${num(rated)} rating${rated === 1 ? '' : 's'} of ${num(closed)} closed conversations`);
  for (const score of [1, 2, 3, 4, 5]) words.push(` ${score} ${num(value(`rating|${score}|count`))} `);
  return words;
}

/** Hours of the week in the map and in the table beside it; days or months in the chart and in its table. */
function expectCharts(html: string, lines: Record<string, [string, string]>): void {
  const slots = Array.from({ length: 168 }, (_, slot) =>
    Number(
      lines[`opened_by_hour_of_week|${Math.floor(slot / 24) + 1}-${String(slot % 24).padStart(2, '0')}|count`]?.[0] ??
        0,
    ),
  );
  const opened = slots.reduce((sum, n) => sum + n, 0);
  const map = [...html.matchAll(/<title>\w+ (\d+): ([\d,]+)<\/title>/g)].map(([, , n = '']) =>
    Number(n.replace(',', '')),
  );
  expect(map).toEqual(opened === 0 ? [] : slots);
  const tables = [...html.matchAll(/<table[^>]*>[\s\S]*?<\/table>/g)].map(([table]) =>
    [...table.matchAll(/<tr>[\s\S]*?<\/tr>/g)].map(([row]) =>
      [...row.matchAll(/<td class="num tabular">([\s\S]*?)<\/td>/g)].map(([, cell = '']) =>
        Number(plain(cell).replaceAll(',', '')),
      ),
    ),
  );
  const hours = tables.find((rows) => rows.length === 25) ?? [];
  if (opened > 0) {
    const asTable = hours.slice(1);
    expect(slots.map((_, slot) => asTable[slot % 24]?.[Math.floor(slot / 24)])).toEqual(slots);
  }
  // the table beside the chart, and the heights of its columns
  const series = tables.find((rows) => rows[1]?.length === 4) ?? [];
  const wanted = (name: string) =>
    Object.entries(lines)
      .filter(([key]) => /_by_(day|month)\|/.test(key) && key.startsWith(`${name}_by_`))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, [value]]) => Number(value))
      .filter((n) => n > 0);
  for (const [at, name] of ['opened', 'closed', 'messagesIn', 'messagesOut'].entries()) {
    expect([
      name,
      series
        .slice(1)
        .map((row) => row[at])
        .filter((n) => n !== 0),
    ]).toEqual([name, wanted(name)]);
  }
  for (const [kind, name] of [
    ['first', 'opened'],
    ['second', 'closed'],
  ] as const) {
    const columns = [
      ...html.matchAll(
        new RegExp(`<rect class="chart-${kind}" x="[^"]*" y="[^"]*" width="[^"]*" height="([^"]*)"/>`, 'g'),
      ),
    ]
      .map(([, height]) => Number(height))
      .filter((height) => height !== 10);
    const values = wanted(name);
    expect([name, columns.length]).toEqual([name, values.length]);
    const tops = [...html.matchAll(/class="chart-text end" x="46" y="[^"]*">([\d,]+)</g)].map(([, n = '']) =>
      Number(n.replaceAll(',', '')),
    );
    const unit = 184 / Math.max(...tops);
    for (const [index, value] of values.entries())
      expect(Math.abs((columns[index] ?? 0) - value * unit)).toBeLessThan(0.2);
  }
}

/** What the list behind a link must hold: what counts, how much, and how long it took. */
function behind(all: readonly Event[], href: string, period: Asked): string[] {
  const given = Object.fromEntries(new URL(href, 'http://x').searchParams);
  const { of = 'opened', slot, score, age, side, clock } = given;
  const narrowed = among(all, {
    ...given,
    from: period.from,
    to: period.to,
  }).filter(
    (one) =>
      one.of === of &&
      (slot === undefined || one.slot === Number(slot)) &&
      (score === undefined || one.score === Number(score)) &&
      (age === undefined || ageOf(one.openedAt ?? 0) === age) &&
      (side === undefined ||
        ((clock === 'open' ? one.openSecs : one.secs) ?? 0) <= TARGETS[of as keyof typeof TARGETS] === (side === 'in')),
  );
  if (of !== 'messagesIn' && of !== 'messagesOut') {
    const times = (one: Event) => (one.secs === undefined ? '' : ` ${one.secs} ${one.openSecs}`);
    return narrowed.map((one) => `${one.conversation} 1${times(one)}`).sort();
  }
  // a line for each conversation, day and writer
  const sums = new Map<string, number>();
  for (const one of narrowed) {
    const key = `${one.conversation} ${one.day} ${one.agent ?? ''}`;
    sums.set(key, (sums.get(key) ?? 0) + one.n);
  }
  return [...sums].map(([key, n]) => `${key.slice(0, 36)} ${n}`).sort();
}

const isTimed = (of: string) => of === 'first' || of === 'response' || of === 'resolution';

/** Follows every link of a page to its list and the list's download. */
async function expectLists({ lead, events }: Told, html: string, asked: Asked): Promise<number> {
  const links = new Map(
    [...html.matchAll(/<a\b[^>]*href="(\/admin\/support-reports\/conversations\?[^"]*)"[^>]*>([^<]*)<\/a>/g)].map(
      ([, href = '', text = '']) => [href.replaceAll('&amp;', '&'), text],
    ),
  );
  for (const [href, text] of links) {
    if (!/\d/.test(text)) continue;
    const of = new URL(href, 'http://x').searchParams.get('of') ?? 'opened';
    const expected = behind(events, href, asked);
    const rows = (await download(lead, href.replace('/conversations?', '/conversations/export?'))).slice(1);
    const found = rows.map((row) => `${row[0]} ${row[1]}${isTimed(of) ? ` ${row[10]} ${row[11]}` : ''}`).sort();
    expect([href, found]).toEqual([href, expected]);
    const total = expected.reduce((sum, row) => sum + Number(row.split(' ')[1]), 0);
    const shown = /\(([\d,]+)\)/.exec(text)?.[1] ?? /[\d,]+/.exec(text)?.[0] ?? '';
    expect([href, shown]).toEqual([href, num(total)]);
    expect((await lead.get(href)).html).toContain(`<span class="tabular">${num(total)}</span></h2>`);
  }
  return links.size;
}

const query = (asked: Asked) => new URLSearchParams({ period: 'range', ...asked }).toString();

async function expectOverview(told: Told, asked: Asked): Promise<void> {
  const expected = overviewLines(told.events, asked);
  const rows = (await download(told.lead, `${REPORTS}/export?${query(asked)}`)).slice(1);
  // days and hours without anything are there too, and say so
  const found = Object.fromEntries(
    rows
      .filter(([name = '', , , value]) => !(value === '0' && /_by_/.test(name)))
      .map(([name, part, statistic, value = '', before = '']) => [`${name}|${part}|${statistic}`, [value, before]]),
  );
  expect(found).toEqual(expected);
  const { html, status } = await told.lead.get(`${REPORTS}?${query(asked)}`);
  expect(status).toBe(200);
  const report = html.slice(html.indexOf('<div id="report"'), html.indexOf('</main>'));
  const text = ` ${plain(report)} `;
  for (const words of overviewWords(expected)) expect(text).toContain(words);
  expectCharts(report, expected);
  expect(await expectLists(told, report, asked)).toBeGreaterThan(20);
}

async function expectAgents(told: Told, asked: Asked): Promise<void> {
  const now = among(told.events, asked);
  const people = new Set(now.filter(({ of }) => of !== 'open' && of !== 'waiting').map(({ agent }) => agent ?? 'none'));
  const rows = (await download(told.lead, `${REPORTS}/agents/export?${query(asked)}`)).slice(1);
  const { html } = await told.lead.get(`${REPORTS}/agents?${query(asked)}`);
  const report = html.slice(html.indexOf('<div id="report"'), html.indexOf('</main>'));
  const text = plain(report);
  expect(new Set(rows.map((row) => row[1]))).toEqual(people);
  for (const row of rows) {
    const [name = '', id = ''] = row;
    const own = now.filter(({ agent }) => (agent ?? 'none') === id);
    const rated = ratings(own);
    const times = (['first', 'response'] as const).flatMap((duration) =>
      CLOCKS.map(([clock]) => spread(own, duration, clock)),
    );
    expect(row.slice(2)).toEqual(
      [
        ...[count(own, 'closed'), count(own, 'messagesOut'), rated.rated, rated.average?.toFixed(2) ?? ''],
        ...times.flatMap((one) => [one.count, one.median ?? '', one.p90 ?? '', one.within]),
      ].map(String),
    );
    const half = (all: (typeof times)[number], open: (typeof times)[number]) =>
      `${num(all.count)} ${span(all.median)} ${span(open.median)} ${open.count === 0 ? '–' : `${share(open.within, open.count)} %`}`;
    const average = rated.average === null ? '–' : num(Math.round(rated.average * 100) / 100);
    expect(text).toContain(
      `${name} ${num(count(own, 'messagesOut'))} ${num(count(own, 'closed'))} ${half(times[0]!, times[1]!)} ${half(times[2]!, times[3]!)} ${num(rated.rated)} ${average}`,
    );
  }
  if (people.size > 0) expect(await expectLists(told, report, asked)).toBeGreaterThan(3);
}

describe('random histories in New York, with opening hours and holidays', () => {
  let told: Told;
  beforeAll(async () => {
    const seed = isLong ? Date.now() : 8;
    console.log(`seed ${seed}`);
    told = await company(
      'America/New_York',
      { weekly: week(WORKDAY), holidays: ['2025-03-10', '2025-07-04'] },
      async (home) => {
        const tell = teller(admin, home.tenant.id, [
          home.people.agent.id,
          home.people['agent-2'].id,
          home.people.lead.id,
        ]);
        for (const one of fc.sample(history, {
          numRuns: isLong ? 400 : 70,
          seed,
        }))
          await tell.whole(one);
      },
    );
  }, 120_000);

  const year = { from: '2025-01-01', to: '2026-01-31' };
  const asked: [string, () => Asked][] = [
    ['a year and more', () => year],
    ['the weekend on which clocks go forward', () => ({ from: '2025-03-08', to: '2025-03-10' })],
    ['the day on which clocks go back', () => ({ from: '2025-11-02', to: '2025-11-02' })],
    ['a quarter, one user type', () => ({ from: '2025-02-15', to: '2025-05-10', userType: 'driver' })],
    ['a topic full of signs, one country', () => ({ ...year, topic: 'a "b" {c}, =', country: 'BD' })],
    ['no topic and no country', () => ({ ...year, topic: '-', country: '-' })],
    ['an agent', () => ({ ...year, agent: told.home.people.agent.id })],
    [
      'an agent and everything else',
      () => ({
        ...year,
        agent: told.home.people['agent-2'].id,
        userType: 'customer',
        country: 'US',
      }),
    ],
    ['what nobody holds', () => ({ ...year, agent: 'none' })],
    ['a time without anything', () => ({ from: '2020-01-01', to: '2020-02-01' })],
  ];
  test.each(asked)('overview: %s', (_name, of) => expectOverview(told, of()), 120_000);
  test.each(asked)('agents: %s', (_name, of) => expectAgents(told, of()), 120_000);

  test('the control: a number that is one off is seen', async () => {
    const one = told.events.find(({ of }) => of === 'closed')!;
    await expect(expectOverview({ ...told, events: [...told.events, one] }, year)).rejects.toThrow();
    const slow = told.events.map((event) =>
      event.of === 'response' ? { ...event, secs: (event.secs ?? 0) + 1 } : event,
    );
    await expect(expectOverview({ ...told, events: slow }, year)).rejects.toThrow();
  });
});

describe('replayed dialogues and a made-up volume', () => {
  let told: Told;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'numbers-'));
    told = await company('Asia/Dhaka', {}, async (home) => {
      const config = { ...app.config, databaseUrl: app.config.databaseUrl };
      const deps = {
        config,
        log: quiet,
        database: async () => app.database,
        print: console.log,
      };
      const { slug } = home.tenant;
      await runTask(
        importsTasks,
        'seed-volume',
        ['--tenant', slug, '--conversations', '200', '--messages', '2400'],
        deps,
      );
      const file = join(folder, 'dialogues.jsonl');
      const turns = ['Where is my order?', 'আমি দেখছি', 'Thank you', 'It is on its way', 'কখন আসবে?', 'In ten minutes'];
      const dialogues = Array.from({ length: 12 }, (_, index) => ({
        id: `n${index}`,
        services: [['RideSharing_1', 'Restaurants_1'][index % 2]],
        turns: turns.slice(0, 2 + (index % 5)).map((text, at) => ({
          from: (at + (index % 3 === 2 ? 1 : 0)) % 2 ? 'agent' : 'user',
          text,
        })),
      }));
      writeFileSync(file, dialogues.map((one) => `${JSON.stringify(one)}\n`).join(''));
      await runTask(
        importsTasks,
        'replay',
        ['--file', file, '--url', app.base, '--tenant', slug, '--concurrency', '4'],
        deps,
      );
    });
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('overview and agents: today, 30 days, everything, narrowed', async () => {
    const { today } = told;
    expect(count(told.events, 'opened')).toBe(212);
    const all = { from: shift(today, -900), to: today };
    await expectOverview(told, { from: today, to: today });
    await expectOverview(told, { from: shift(today, -29), to: today });
    await expectOverview(told, all);
    await expectOverview(told, {
      ...all,
      userType: 'restaurant',
      country: 'BD',
    });
    await expectAgents(told, all);
    await expectAgents(told, { ...all, userType: 'driver' });
  }, 240_000);
});
