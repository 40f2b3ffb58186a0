import { z } from 'zod';
import { SupportSettings } from '../tenancy/index.ts';

/** Days of the week as the settings name them, Monday first. */
export const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
type Weekday = (typeof WEEKDAYS)[number];

/** Stretches of opening hours that one day may have. */
export const STRETCHES = [1, 2, 3, 4] as const;

/** Settings that are whole numbers, in form and settings under the same name. */
const NUMBERS = [
  'agentLimit',
  'autoCloseAfterHours',
  'reopenWithinHours',
  'firstResponseTargetMinutes',
  'nextResponseTargetMinutes',
  'resolutionTargetHours',
  'maxMessageLength',
  'maxAttachmentSizeMb',
  'emailAfterMinutes',
  'retentionDays',
] as const;

const SWITCHES = ['enabled', 'reopenOnMessage', 'pushShowsName', 'pushShowsText'] as const;
const text = (maxLength: number) => z.string().max(maxLength).default('');
const list = (maxItems: number) => z.array(z.string().max(100)).max(maxItems).default([]);
/** Every top-level setting. */
export const SETTING_NAMES = Object.keys(SupportSettings.shape) as (keyof SupportSettings)[]; // of that very schema

/** What the browser posts, all of it text: whatever was typed is shown again, so little is refused here. */
export const SettingsForm = z.strictObject({
  version: z.string().regex(/^\d{1,9}$/),
  /** `save`, or `holiday`: show the form again with one more day. */
  do: z.enum(['save', 'holiday']).default('save'),
  /** JSON of the settings that the form began with. */
  base: text(20_000),
  awayMessage: text(5_000),
  autoAssignMode: text(40),
  timeZone: text(60),
  holidays: list(400),
  newHoliday: text(20),
  allowedAttachmentTypes: list(40),
  frameOrigins: text(10_000),
  sendLimitMessages: text(20),
  sendLimitSeconds: text(20),
  ...Object.fromEntries([...SWITCHES, ...NUMBERS].map((name) => [name, text(20)])),
  ...Object.fromEntries(hourFields().map((name) => [name, text(10)])),
  /** After a conflict: whose value counts. */
  ...Object.fromEntries(SETTING_NAMES.map((name) => [`take_${name}`, z.enum(['mine', 'theirs']).default('mine')])),
});

/** What is typed into the form, by field name. */
export type Typed = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Names of the weekly grid: `monday_closed`, `monday_1_from`, `monday_1_to`, … */
function hourFields(): string[] {
  return WEEKDAYS.flatMap((day) => [
    `${day}_closed`,
    ...STRETCHES.flatMap((number) => [`${day}_${number}_from`, `${day}_${number}_to`]),
  ]);
}

/** The settings as the form shows them. */
export function typedOf(settings: SupportSettings): Typed {
  const { businessHours, sendLimit } = settings;
  return {
    awayMessage: settings.awayMessage,
    autoAssignMode: settings.autoAssignMode,
    timeZone: businessHours.timeZone ?? '',
    holidays: [...businessHours.holidays].sort(),
    newHoliday: '',
    allowedAttachmentTypes: settings.allowedAttachmentTypes,
    frameOrigins: settings.frameOrigins.join('\n'),
    sendLimitMessages: String(sendLimit.messages),
    sendLimitSeconds: String(sendLimit.seconds),
    ...Object.fromEntries(SWITCHES.map((name) => [name, settings[name] ? 'on' : ''])),
    ...Object.fromEntries(NUMBERS.map((name) => [name, String(settings[name])])),
    ...Object.fromEntries(WEEKDAYS.flatMap((day) => typedDay(day, businessHours.weekly[day]))),
  };
}

function typedDay(day: Weekday, hours: readonly { readonly from: string; readonly to: string }[]): [string, string][] {
  return [
    [`${day}_closed`, hours.length === 0 ? 'on' : ''],
    ...hours.flatMap(({ from, to }, at): [string, string][] => [
      [`${day}_${at + 1}_from`, from],
      // a time input knows no 24:00; as an end, midnight is the end of the day
      [`${day}_${at + 1}_to`, to === '24:00' ? '00:00' : to],
    ]),
  ];
}

/** What was typed, as settings, or what is wrong with it: field name to code (`between`, `ends_before_it_begins`, …). */
export function readTyped(
  typed: Typed,
  current: SupportSettings,
): { settings: SupportSettings } | { errors: Readonly<Record<string, string>> } {
  // a setting that has no place in the form stays what it is
  const parsed = SupportSettings.safeParse({ ...current, ...candidate(typed) });
  if (parsed.success) return { settings: parsed.data };
  const errors: Record<string, string> = {};
  for (const issue of parsed.error.issues) errors[fieldOf(typed, issue.path)] ??= codeOf(issue);
  return { errors };
}

function candidate(typed: Typed): Record<string, unknown> {
  return {
    awayMessage: one(typed, 'awayMessage').replaceAll('\r\n', '\n'),
    autoAssignMode: one(typed, 'autoAssignMode'),
    businessHours: {
      timeZone: one(typed, 'timeZone') || null,
      weekly: Object.fromEntries(
        WEEKDAYS.map((day) => [day, stretches(typed, day).map(({ from, to }) => ({ from, to }))]),
      ),
      holidays: holidaysOf(typed),
    },
    allowedAttachmentTypes: many(typed, 'allowedAttachmentTypes'),
    frameOrigins: one(typed, 'frameOrigins')
      .split(/\s+/)
      .filter((line) => line !== ''),
    sendLimit: {
      messages: wholeNumber(one(typed, 'sendLimitMessages')),
      seconds: wholeNumber(one(typed, 'sendLimitSeconds')),
    },
    ...Object.fromEntries(SWITCHES.map((name) => [name, one(typed, name) !== ''])),
    ...Object.fromEntries(NUMBERS.map((name) => [name, wholeNumber(one(typed, name))])),
  };
}

/** The days that stay, and the new one, each once, in order. */
export function holidaysOf(typed: Typed): string[] {
  const days = [...many(typed, 'holidays'), one(typed, 'newHoliday')].filter((day) => day !== '');
  return [...new Set(days)].sort();
}

/** A day's stretches as typed, with the number of their fields; an open day without any has one that is empty. */
function stretches(typed: Typed, day: Weekday): { number: number; from: string; to: string }[] {
  if (one(typed, `${day}_closed`) !== '') return [];
  const all = STRETCHES.map((number) => {
    const [from, to] = [one(typed, `${day}_${number}_from`), one(typed, `${day}_${number}_to`)];
    return { number, from, to: to === '00:00' ? '24:00' : to };
  });
  const given = all.filter(({ from, to }) => from !== '' || to !== '');
  return given.length > 0 ? given : all.slice(0, 1);
}

/** Text that is no whole number stays text, which the schema refuses. */
function wholeNumber(typed: string): number | string {
  return /^\d{1,9}$/.test(typed.trim()) ? Number(typed) : typed;
}

/** One field's text. */
export function one(typed: Typed, name: string): string {
  const value = typed[name];
  return typeof value === 'string' ? value : '';
}

/** A field's list of texts. */
export function many(typed: Typed, name: string): readonly string[] {
  const value = typed[name];
  return Array.isArray(value) ? value : [];
}

/** At which field of the form something is wrong. */
function fieldOf(typed: Typed, path: readonly PropertyKey[]): string {
  const [name, part, day, at, end] = path.map(String);
  if (name === 'sendLimit') return part === 'seconds' ? 'sendLimitSeconds' : 'sendLimitMessages';
  if (name !== 'businessHours') return name ?? '';
  if (part === 'holidays') return 'newHoliday';
  if (part !== 'weekly') return 'timeZone';
  const weekday = WEEKDAYS.find((known) => known === day) ?? 'monday';
  const number = stretches(typed, weekday)[Number(at)]?.number ?? 1;
  return `${weekday}_${number}_${end ?? 'to'}`;
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (/^[a-z][a-z0-9_]*$/.test(issue.message)) return issue.message;
  if (issue.code === 'too_big' || issue.code === 'too_small') {
    return issue.origin === 'string' || issue.origin === 'array' ? 'too_long' : 'between';
  }
  return issue.code === 'invalid_type' ? 'between' : issue.code === 'invalid_format' ? 'date' : 'not_allowed';
}
