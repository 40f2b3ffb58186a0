import { z } from 'zod';
import {
  AGES,
  BEHIND,
  type Behind,
  isPlace,
  PERIODS,
  type Period,
  type PeriodName,
  periodOf,
  type ReportFilter,
} from '../../reports/index.ts';

const ANY = '';
/** In an address: those without a topic, or of whom no country is known. */
export const NONE = '-';

const word = z
  .string()
  .max(100)
  .refine((text) => !text.includes('\0') && text.isWellFormed(), { message: 'invalid' })
  .default(ANY);
const day = z.union([z.literal(ANY), z.iso.date()]).default(ANY);

/** What every report can be asked for; what is empty does not narrow. */
const asked = {
  period: z.enum(PERIODS).default('7'),
  from: day,
  to: day,
  userType: word,
  topic: word,
  country: word,
  agent: z.union([z.literal(ANY), z.literal('none'), z.uuid()]).default(ANY),
  shown: z.string().max(30).default(ANY),
};

const number = (max: number) => z.union([z.literal(ANY), z.coerce.number().int().min(0).max(max)]).default(ANY);

/**
 * The form always sends its days: they are meant when they are others than those that it was `shown` with, otherwise
 * the name of the period is.
 */
function meantDays<G extends { period: PeriodName; from: string; to: string; shown: string }>({ shown, ...given }: G) {
  const isTyped = shown !== ANY && `${given.from}_${given.to}` !== shown;
  return isTyped ? { ...given, period: 'range' as const } : given;
}

/** The overview and the agents. */
export const ReportQuery = z.object(asked).transform(meantDays);

/** What is behind a number. */
export const BehindQuery = z
  .object({
    ...asked,
    of: z.enum(BEHIND).default('opened'),
    slot: number(167),
    score: number(5),
    age: z.union([z.literal(ANY), z.enum(AGES.map(({ name }) => name))]).default(ANY),
    side: z.enum(['', 'in', 'out']).default(ANY),
    clock: z.enum(['', 'all', 'open']).default(ANY),
    before: z.union([z.literal(ANY), z.string().max(80).refine(isPlace, { message: 'invalid' })]).default(ANY),
  })
  .transform(meantDays);

export type GivenReport = z.output<typeof ReportQuery>;
export type GivenBehind = z.output<typeof BehindQuery>;

/** The days asked for; `today` is the tenant's. */
export function periodAsked({ period, from, to }: GivenReport, today: string): Period {
  return periodOf(period, { ...(from ? { from } : {}), ...(to ? { to } : {}) }, today);
}

/** The filter asked for. */
export function filterAsked({ userType, topic, country, agent }: GivenReport): ReportFilter {
  const named = (value: string) => (value === NONE ? '' : value || null);
  return { userType: userType || null, topic: named(topic), country: named(country), agent: agent || null };
}

/** An address with what differs from what is shown without it. */
export function reportHref(
  path: string,
  given: GivenReport,
  more: Readonly<Record<string, string | number>> = {},
): string {
  const { period, from, to, ...filter } = given;
  const days = period === 'range' ? { period, from, to } : { period };
  const query = new URLSearchParams();
  const plain: Partial<Record<keyof GivenReport, string>> = {
    userType: filter.userType,
    topic: filter.topic,
    country: filter.country,
    agent: filter.agent,
  };
  for (const [name, value] of Object.entries({ ...days, ...plain, ...more })) {
    if (value !== ANY && !(name === 'period' && value === '7')) query.set(name, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

/** The page behind one number. */
export function behindHref(
  given: GivenReport,
  of: Behind,
  more: Readonly<Record<string, string | number>> = {},
): string {
  return reportHref('/admin/support-reports/conversations', given, { of, ...more });
}
