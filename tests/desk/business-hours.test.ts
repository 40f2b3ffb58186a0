import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BusinessHours, businessClock } from '../../src/desk/index.ts';
import { SupportSettings } from '../../src/tenancy/index.ts';

/** Opening hours beside a slow computation that asks the wall clock of the zone minute by minute. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

function hours(given: object): BusinessHours {
  return SupportSettings.parse({ businessHours: given }).businessHours;
}

const everyDay = (...stretches: [string, string][]) =>
  Object.fromEntries(DAYS.map((day) => [day, stretches.map(([from, to]) => ({ from, to }))]));

/** Whether a minute is open, by another way of reading the wall clock than the module's. */
function slowIsOpen(given: BusinessHours, zone: string): (at: Date) => boolean {
  const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
  const weekday = new Intl.DateTimeFormat('en-US', { timeZone: zone, weekday: 'long' });
  return (at) => {
    const text = wall.format(at); // 2026-03-08 01:59
    if (given.holidays.includes(text.slice(0, 10))) return false;
    const stretches = given.weekly[weekday.format(at).toLowerCase() as (typeof DAYS)[number]];
    return stretches.some(({ from, to }) => from <= text.slice(11, 16) && text.slice(11, 16) < to);
  };
}

/** Around a change of the clocks, a half-hour one among them, and where there is none. */
const PLACES = [
  ['America/New_York', '2026-03-08T07:00:00Z'],
  ['America/New_York', '2026-11-01T06:00:00Z'],
  ['Europe/London', '2026-10-25T01:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
  ['America/St_Johns', '2026-03-08T05:30:00Z'],
  ['America/Santiago', '2026-09-06T04:00:00Z'],
  ['Africa/Casablanca', '2026-02-15T02:00:00Z'],
  ['Pacific/Apia', '2011-12-30T10:00:00Z'],
  ['Asia/Dhaka', '2026-06-01T00:00:00Z'],
  ['Asia/Kathmandu', '2026-06-01T00:00:00Z'],
] as const;

const timeOfDay = fc
  .integer({ min: 0, max: 96 })
  .map(
    (quarter) => `${String(Math.floor(quarter / 4)).padStart(2, '0')}:${String((quarter % 4) * 15).padStart(2, '0')}`,
  );
const stretch = fc
  .tuple(timeOfDay, timeOfDay)
  .filter(([one, other]) => one !== other)
  .map(([one, other]) => (one < other ? { from: one, to: other } : { from: other, to: one }));
const place = fc.constantFrom(...PLACES).chain(([zone, around]) =>
  fc.record({
    zone: fc.constant(zone),
    weekly: fc.record(Object.fromEntries(DAYS.map((day) => [day, fc.array(stretch, { maxLength: 3 })]))),
    holidays: fc.subarray(
      [0, 1, -1].map((days) => new Date(Date.parse(around) + days * 24 * HOUR).toISOString().slice(0, 10)),
    ),
    from: fc.integer({ min: -36 * 60, max: 24 * 60 }).map((minutes) => new Date(Date.parse(around) + minutes * MINUTE)),
    minutes: fc.integer({ min: 0, max: 40 * 60 }),
  }),
);

describe('business time', () => {
  it('agrees with a clock that is asked every minute, through changes of the clocks', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(place, ({ zone, weekly, holidays, from, minutes }) => {
        const given = hours({ timeZone: zone, weekly, holidays });
        const clock = businessClock(given, 'UTC');
        const open: boolean[] = [];
        const isOpen = slowIsOpen(given, zone);
        for (let at = 0; at < minutes; at++) open.push(isOpen(new Date(from.getTime() + at * MINUTE)));
        const to = new Date(from.getTime() + minutes * MINUTE);
        const total = open.filter(Boolean).length;
        expect(clock.businessMinutesBetween(from, to)).toBe(total);
        expect(open.map((_, at) => clock.isOpen(new Date(from.getTime() + at * MINUTE)))).toEqual(open);
        const first = open.indexOf(true);
        if (first >= 0) expect(clock.nextOpening(from)).toEqual(new Date(from.getTime() + first * MINUTE));
        if (open[0] && open.includes(false)) {
          expect(clock.nextClosing(from)).toEqual(new Date(from.getTime() + open.indexOf(false) * MINUTE));
        }
        if (total === 0) return;
        // the last open minute ends the count going forward, the first one begins it going back
        const last = open.lastIndexOf(true);
        expect(clock.addBusinessMinutes(from, total)).toEqual(new Date(from.getTime() + (last + 1) * MINUTE));
        expect(clock.subtractBusinessMinutes(to, total)).toEqual(new Date(from.getTime() + first * MINUTE));
      }),
      { numRuns: 60 },
    );
  });

  it('adds up: two halves make the whole, and adding comes back to what was counted', () => {
    fc.assert(
      fc.property(place, fc.integer({ min: 1, max: 5_000 }), ({ zone, weekly, holidays, from, minutes }, more) => {
        const clock = businessClock(hours({ timeZone: zone, weekly, holidays }), 'UTC');
        const middle = new Date(from.getTime() + minutes * 997);
        const end = new Date(from.getTime() + minutes * MINUTE);
        const between = clock.businessMinutesBetween;
        expect(between(from, middle) + between(middle, end)).toBeCloseTo(between(from, end), 6);
        const due = clock.addBusinessMinutes(from, more);
        if (!due) return;
        expect(between(from, due)).toBeCloseTo(more, 6);
        expect(between(from, new Date(due.getTime() - 1))).toBeLessThan(more);
        const since = clock.subtractBusinessMinutes(due, more);
        expect(between(since!, due)).toBeCloseTo(more, 6);
      }),
      { numRuns: 200 },
    );
  });

  it('has 23 and 25 hours where the clocks change, and stands still on holidays', () => {
    const zone = 'America/New_York';
    const allDay = businessClock(hours({ timeZone: zone }), 'UTC');
    const day = (date: string, next: string, offset: [string, string]) =>
      allDay.businessMinutesBetween(new Date(`${date}T00:00:00${offset[0]}`), new Date(`${next}T00:00:00${offset[1]}`));
    expect(day('2026-03-08', '2026-03-09', ['-05:00', '-04:00'])).toBe(23 * 60);
    expect(day('2026-11-01', '2026-11-02', ['-04:00', '-05:00'])).toBe(25 * 60);
    const nights = businessClock(hours({ timeZone: zone, weekly: everyDay(['01:30', '02:30']) }), 'UTC');
    // half of it does not exist in spring; in autumn 01:30 to 02:00 comes twice
    expect(nights.businessMinutesBetween(new Date('2026-03-08T05:00Z'), new Date('2026-03-09T04:00Z'))).toBe(30);
    expect(nights.businessMinutesBetween(new Date('2026-11-01T04:00Z'), new Date('2026-11-02T05:00Z'))).toBe(90);
    const closed = businessClock(hours({ timeZone: zone, holidays: ['2026-12-25'] }), 'UTC');
    expect(closed.isOpen(new Date('2026-12-25T12:00Z'))).toBe(false);
    expect(closed.nextOpening(new Date('2026-12-25T12:00Z'))).toEqual(new Date('2026-12-26T05:00Z'));
  });

  it('takes the tenant’s zone where the hours name none, and knows when nothing ever opens', () => {
    const given = hours({ weekly: everyDay(['09:00', '17:00']) });
    const at = new Date('2026-06-01T03:30Z');
    expect(businessClock(given, 'Asia/Dhaka').isOpen(at)).toBe(true);
    expect(businessClock(given, 'UTC').isOpen(at)).toBe(false);
    const never = businessClock(hours({ weekly: everyDay() }), 'UTC');
    expect(never.nextOpening(at)).toBeNull();
    expect(never.addBusinessMinutes(at, 1)).toBeNull();
    expect(never.subtractBusinessMinutes(at, 1)).toBeNull();
    expect(never.businessMinutesBetween(at, new Date('2027-06-01T03:30Z'))).toBe(0);
    const always = businessClock(hours({}), 'UTC');
    expect(always.nextClosing(at)).toBeNull();
    expect(always.addBusinessMinutes(at, 90)).toEqual(new Date('2026-06-01T05:00Z'));
  });

  it('around the clock closes for holidays only, and knows at once that none is to come', () => {
    const zone = 'America/New_York';
    const clock = businessClock(hours({ timeZone: zone, holidays: ['2026-12-25', '2026-01-01'] }), 'UTC');
    expect(clock.nextClosing(new Date('2026-11-21T12:00Z'))).toEqual(new Date('2026-12-25T05:00Z'));
    expect(clock.nextClosing(new Date('2026-12-25T04:59Z'))).toEqual(new Date('2026-12-25T05:00Z'));
    expect(clock.nextClosing(new Date('2026-12-25T05:00Z'))).toBeNull();
    expect(clock.isOpen(new Date('2026-12-25T05:00Z'))).toBe(false);
    expect(clock.nextClosing(new Date('2026-12-26T05:00Z'))).toBeNull();
    const always = businessClock(hours({}), 'Asia/Dhaka');
    const began = performance.now();
    for (let row = 0; row < 1_000; row++) expect(always.nextClosing(new Date(1_790_000_000_000 + row))).toBeNull();
    // two years walked through for each would take longer than a minute
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('counts no minute twice where stretches overlap', () => {
    const clock = businessClock(hours({ weekly: everyDay(['09:00', '12:00'], ['11:00', '14:00']) }), 'UTC');
    expect(clock.businessMinutesBetween(new Date('2026-06-01T00:00Z'), new Date('2026-06-02T00:00Z'))).toBe(5 * 60);
  });
});
