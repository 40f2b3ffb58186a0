import { z } from 'zod';

/** Types of attachment that are offered; nothing that a browser or a desktop would run. */
const ATTACHMENT_TYPES = [
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'application/pdf',
  'text/plain',
  'audio/mpeg',
  'audio/mp4',
  'audio/ogg',
  'audio/webm',
  'video/mp4',
  'video/webm',
] as const;

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
type Weekday = (typeof WEEKDAYS)[number];

const ALWAYS = { from: '00:00', to: '24:00' } as const;

const timeOfDay = z.string().regex(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/, 'time_of_day');

/** One stretch of opening hours; `to` after `from`, `24:00` is the end of the day. */
const OpeningHours = z
  .strictObject({ from: timeOfDay, to: timeOfDay })
  .refine((hours) => hours.from < hours.to, { message: 'ends_before_it_begins' });

/** No entry for a day: closed. */
const weekly = z.strictObject(
  Object.fromEntries(WEEKDAYS.map((day) => [day, z.array(OpeningHours).max(4).default([ALWAYS])])) as Record<
    // Object.fromEntries forgets the keys it was given
    Weekday,
    z.ZodDefault<z.ZodArray<typeof OpeningHours>>
  >,
);

const BusinessHours = z.strictObject({
  /** IANA name; null is the tenant's zone. */
  timeZone: z.string().refine(isTimeZone, { message: 'time_zone' }).nullable().default(null),
  weekly: weekly.prefault({}),
  /** Days on which nobody is there, `YYYY-MM-DD`. */
  holidays: z.array(z.iso.date()).max(366).default([]),
});

/** Exact, and nothing that a policy would read as more: URL takes `https://*.example.com` and `https://a;b` for hosts. */
const EXACT_ORIGIN = /^https?:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

const origin = z.string().refine((value) => EXACT_ORIGIN.test(value) && URL.parse(value)?.origin === value, {
  message: 'origin',
});

const SendLimit = z.strictObject({
  /** Messages a user may send within `seconds`; staff six times that. */
  messages: z.int().min(1).max(1_000).default(10),
  seconds: z.int().min(1).max(3_600).default(10),
});

/** Settings of a tenant, tab Support; every field has a default, so an empty object is a valid section. */
export const SupportSettings = z.strictObject({
  enabled: z.boolean().default(true),
  businessHours: BusinessHours.prefault({}),
  /** Shown to users outside of the hours; empty: the product's own sentence in the reader's language. */
  awayMessage: z.string().trim().max(1_000).default(''),
  autoAssignMode: z.enum(['manual', 'round_robin', 'balanced']).default('manual'),
  /** Open conversations one agent is given automatically at most. */
  agentLimit: z.int().min(1).max(1_000).default(20),
  /** Without a message for so long, a conversation closes by itself; 0 is never. */
  autoCloseAfterHours: z.int().min(0).max(8_760).default(0),
  /** How long a user may reopen a closed conversation; 0 is never. */
  reopenWithinHours: z.int().min(0).max(8_760).default(72),
  /** Whether a user's message into a closed conversation reopens it while that time lasts; otherwise it is refused. */
  reopenOnMessage: z.boolean().default(false),
  firstResponseTargetMinutes: z.int().min(1).max(10_080).default(5),
  nextResponseTargetMinutes: z.int().min(1).max(10_080).default(15),
  /** A conversation should be closed after so many open hours; for reports. */
  resolutionTargetHours: z.int().min(1).max(8_760).default(24),
  /** Characters of one message. */
  maxMessageLength: z.int().min(1).max(8_000).default(4_000),
  maxAttachmentSizeMb: z.int().min(1).max(50).default(10),
  allowedAttachmentTypes: z
    .array(z.enum(ATTACHMENT_TYPES))
    .default(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'application/pdf']),
  /** An unread answer is mailed after so long; 0 is never. */
  emailAfterMinutes: z.int().min(0).max(10_080).default(15),
  /** Whether a push notice shows who answered. */
  pushShowsName: z.boolean().default(false),
  /** Whether a push notice shows the message's first line. */
  pushShowsText: z.boolean().default(false),
  /** Origins whose pages may frame the chat, e.g. `https://app.example.com`. */
  frameOrigins: z.array(origin).max(20).default([]),
  /** Days after which closed conversations are removed; 0 is for ever. */
  retentionDays: z.int().min(0).max(36_500).default(0),
  sendLimit: SendLimit.prefault({}),
});

export type SupportSettings = z.output<typeof SupportSettings>;

/** What a tenant has that never saved the tab. */
export const DEFAULT_SUPPORT_SETTINGS: SupportSettings = SupportSettings.parse({});

/**
 * Reads a stored section. What a field cannot take (saved by another version of the app) falls back to that field's
 * default and is named in `dropped`; a tenant is never shut out by its own settings.
 */
export function readSupportSettings(stored: Readonly<Record<string, unknown>>): {
  settings: SupportSettings;
  dropped: string[];
} {
  const dropped = Object.keys(stored).filter((name) => !SupportSettings.shape[name as keyof SupportSettings]);
  const usable: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(SupportSettings.shape)) {
    if (!Object.hasOwn(stored, name)) continue;
    const value = name === 'allowedAttachmentTypes' ? withoutRetired(stored[name]) : stored[name];
    if (field.safeParse(value).success) usable[name] = value;
    else dropped.push(name);
  }
  return { settings: SupportSettings.parse(usable), dropped };
}

/** HEIC was offered once and nobody could ever look at one: the rest of a saved list stays. */
function withoutRetired(types: unknown): unknown {
  return Array.isArray(types) ? types.filter((type) => type !== 'image/heic') : types;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
