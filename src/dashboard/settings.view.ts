import { z } from 'zod';
import { createFormats } from '../platform/text/index.ts';
import type { Show } from '../platform/views/index.ts';
import { SupportSettings } from '../tenancy/index.ts';
import { holidaysOf, many, one, SETTING_NAMES, STRETCHES, type Typed, WEEKDAYS } from './settings-form.ts';

/** One field as `views/dashboard/_settings-field` takes it. */
interface FieldView {
  readonly name: string;
  readonly kind: 'number' | 'switch' | 'select' | 'text';
  readonly value: string;
  /** Key of the unit's word, for numbers. */
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  readonly options?: readonly string[];
  readonly error: string | null;
}

/** One day of the weekly grid. */
interface DayView {
  readonly day: string;
  readonly closed: boolean;
  readonly stretches: readonly { readonly number: number; readonly from: string; readonly to: string }[];
  /** The next stretch, empty, where there is room for one. */
  readonly more: number | null;
  readonly error: string | null;
  /** Names of the fields that are wrong. */
  readonly wrong: readonly string[];
}

/** The tab Support, as `views/dashboard/settings-support` takes it. */
export interface SettingsView {
  readonly version: number;
  readonly base: string;
  readonly saved: boolean;
  readonly wrongCount: number;
  readonly fields: Readonly<Record<string, FieldView>>;
  readonly days: readonly DayView[];
  readonly holidays: readonly { readonly day: string; readonly words: string }[];
  readonly newHoliday: { readonly value: string; readonly error: string | null };
  readonly timeZones: readonly string[];
  readonly tenantZone: string;
  readonly types: readonly { readonly type: string; readonly checked: boolean }[];
}

/** What makes the view: what is typed, against which version, and what is wrong with it. */
export interface SettingsState {
  readonly typed: Typed;
  readonly version: number;
  readonly base: SupportSettings;
  readonly errors?: Readonly<Record<string, string>>;
  readonly saved?: boolean;
  /** Also show the new holiday as one of the list. */
  readonly addHoliday?: boolean;
}

/** A value of two savers, in words. */
export interface Difference {
  readonly name: string;
  readonly mine: string;
  readonly theirs: string;
  /** True when the person did not touch it: then the other's is offered first. */
  readonly untouched: boolean;
}

const UNITS: Readonly<Record<string, string>> = {
  agentLimit: 'conversations',
  autoCloseAfterHours: 'hours',
  reopenWithinHours: 'hours',
  firstResponseTargetMinutes: 'minutes',
  nextResponseTargetMinutes: 'minutes',
  resolutionTargetHours: 'hours',
  maxMessageLength: 'characters',
  maxAttachmentSizeMb: 'megabytes',
  emailAfterMinutes: 'minutes',
  retentionDays: 'days',
  sendLimitMessages: 'messages',
  sendLimitSeconds: 'seconds',
};

/** The part of a JSON schema that gives a number's limits. */
interface Limits {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Limits>>;
}

/** The form with what is typed in it. */
export function settingsView(show: Show, tenantZone: string, state: SettingsState): SettingsView {
  const { typed, errors = {} } = state;
  const error = (name: string) => sentenceOf(show, name, errors[name]);
  const field = (name: string, kind: FieldView['kind'], more: Partial<FieldView> = {}): [string, FieldView] => [
    name,
    { name, kind, value: one(typed, name), error: error(name), ...more },
  ];
  return {
    version: state.version,
    base: JSON.stringify(state.base),
    saved: state.saved ?? false,
    wrongCount: Object.keys(errors).length,
    fields: Object.fromEntries([
      field('enabled', 'switch'),
      field('pushShowsName', 'switch'),
      field('pushShowsText', 'switch'),
      field('reopenOnMessage', 'switch'),
      field('awayMessage', 'text'),
      field('frameOrigins', 'text'),
      field('timeZone', 'select'),
      field('autoAssignMode', 'select', { options: ['manual', 'round_robin', 'balanced'] }),
      ...Object.entries(UNITS).map(([name, unit]) => field(name, 'number', { unit, ...limitsOf(name) })),
    ]),
    days: WEEKDAYS.map((day) => dayView(show, typed, errors, day)),
    holidays: (state.addHoliday ? holidaysOf(typed) : many(typed, 'holidays')).map((day) => ({
      day,
      words: dayInWords(show, day),
    })),
    newHoliday: { value: state.addHoliday ? '' : one(typed, 'newHoliday'), error: error('newHoliday') },
    timeZones: Intl.supportedValuesOf('timeZone'),
    tenantZone,
    types: SupportSettings.shape.allowedAttachmentTypes.unwrap().element.options.map((type) => ({
      type,
      checked: many(typed, 'allowedAttachmentTypes').includes(type),
    })),
  };
}

function dayView(show: Show, typed: Typed, errors: Readonly<Record<string, string>>, day: string): DayView {
  const all = STRETCHES.map((number) => ({
    number,
    from: one(typed, `${day}_${number}_from`),
    to: one(typed, `${day}_${number}_to`),
  }));
  const shown = all.filter(({ number, from, to }) => number === 1 || from !== '' || to !== '');
  const wrong = Object.keys(errors).filter((name) => name.startsWith(`${day}_`));
  const [first] = wrong;
  return {
    day,
    closed: one(typed, `${day}_closed`) !== '',
    stretches: shown,
    more: all.find(({ number }) => !shown.some((other) => other.number === number))?.number ?? null,
    error: first ? sentenceOf(show, first, errors[first]) : null,
    wrong,
  };
}

function sentenceOf(show: Show, name: string, code: string | undefined): string | null {
  if (!code) return null;
  return show.t([`settings.error.${code}`, 'settings.error.not_allowed'], numbersInWords(show, limitsOf(name)));
}

function numbersInWords(show: Show, limits: { min?: number; max?: number }): Record<string, string> {
  const { number } = createFormats(show.reader.language, show.reader.zone);
  return Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, number(value)]));
}

function limitsOf(name: string): { min?: number; max?: number } {
  const schema = z.toJSONSchema(SupportSettings, { io: 'output', unrepresentable: 'any' }) as Limits; // only what it names is read
  const limits =
    name === 'sendLimitMessages' || name === 'sendLimitSeconds'
      ? schema.properties?.['sendLimit']?.properties?.[name === 'sendLimitSeconds' ? 'seconds' : 'messages']
      : schema.properties?.[name];
  const { minimum, maximum } = limits ?? {};
  return { ...(minimum !== undefined && { min: minimum }), ...(maximum !== undefined && { max: maximum }) };
}

/** Where two savers differ, in words; `base` is what the person began with. */
export function differences(
  show: Show,
  mine: SupportSettings,
  theirs: SupportSettings,
  base: SupportSettings | null,
): Difference[] {
  return SETTING_NAMES.filter((name) => JSON.stringify(mine[name]) !== JSON.stringify(theirs[name])).map((name) => ({
    name,
    mine: valueInWords(show, name, mine),
    theirs: valueInWords(show, name, theirs),
    untouched: base !== null && JSON.stringify(mine[name]) === JSON.stringify(base[name]),
  }));
}

/** A setting's value as a person reads it. */
export function valueInWords(show: Show, name: keyof SupportSettings, settings: SupportSettings): string {
  const value = settings[name];
  const { number } = createFormats(show.reader.language, show.reader.zone);
  if (typeof value === 'boolean') return show.t(value ? 'settings.on' : 'settings.off');
  if (typeof value === 'number') return `${number(value)} ${show.t(`settings.unit.${UNITS[name]}`)}`;
  if (name === 'autoAssignMode') return show.t(`settings.mode.${String(value)}`);
  if (typeof value === 'string') return value || show.t('settings.empty');
  if (Array.isArray(value)) return value.join(', ') || show.t('settings.empty');
  if (name === 'sendLimit') {
    const { messages, seconds } = settings.sendLimit;
    return show.t('settings.sendLimitWords', { messages: number(messages), seconds: number(seconds) });
  }
  return hoursInWords(show, settings);
}

function hoursInWords(show: Show, { businessHours }: SupportSettings): string {
  const hoursOf = (day: (typeof WEEKDAYS)[number]) =>
    businessHours.weekly[day].map(({ from, to }) => `${from}–${to}`).join(', ') || show.t('settings.closed');
  const runs: { from: string; to: string; hours: string }[] = [];
  for (const day of WEEKDAYS) {
    const last = runs.at(-1);
    if (last?.hours === hoursOf(day)) last.to = day;
    else runs.push({ from: day, to: day, hours: hoursOf(day) });
  }
  const word = (day: string) => show.t(`settings.day.${day}`);
  const days = runs.map(({ from, to, hours }) => `${from === to ? word(from) : `${word(from)}–${word(to)}`} ${hours}`);
  const holidays = businessHours.holidays.map((day) => dayInWords(show, day)).join(', ');
  return [businessHours.timeZone ?? show.t('settings.tenantZoneWord'), ...days, holidays].filter(Boolean).join('; ');
}

/** A calendar day, which is the same day everywhere; what is none is shown as it is. */
function dayInWords(show: Show, day: string): string {
  const at = new Date(`${day}T12:00:00Z`);
  if (Number.isNaN(at.getTime())) return day;
  return createFormats(show.reader.language, 'UTC')
    .full(at)
    .replace(/,[^,]*$/, '');
}
