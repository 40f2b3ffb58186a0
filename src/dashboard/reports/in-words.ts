import { intlLocale } from '../../platform/text/index.ts';
import type { Show } from '../../platform/views/index.ts';

/** Two parts at most, the greatest first, e.g. 4 minutes and 32 seconds; views write number and unit. */
export type Span = readonly (readonly [n: number, unit: 'd' | 'h' | 'm' | 's'])[];

/** Whole seconds as people read them; smaller parts are left out, never rounded up. */
export function spanOf(seconds: number): Span {
  const [d, h, m, s] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  if (d > 0)
    return h > 0
      ? [
          [d, 'd'],
          [h, 'h'],
        ]
      : [[d, 'd']];
  if (h > 0)
    return m > 0
      ? [
          [h, 'h'],
          [m, 'm'],
        ]
      : [[h, 'h']];
  if (m > 0)
    return s > 0
      ? [
          [m, 'm'],
          [s, 's'],
        ]
      : [[m, 'm']];
  return [[s, 's']];
}

/** A day, a month or a year of no zone (`2026-11-21`, `2026-11`, `2026`) in the reader's language. */
export function dayInWords(show: Show, day: string, form: 'day' | 'short' | 'month' | 'year'): string {
  const parts = {
    day: { day: 'numeric', month: 'long', year: 'numeric' },
    short: { day: 'numeric', month: 'short' },
    month: { month: 'short', year: 'numeric' },
    year: { year: 'numeric' },
  } as const;
  const locale = intlLocale(show.reader.language);
  const whole = `${day}-01-01`.slice(0, 10);
  return new Intl.DateTimeFormat(locale, { ...parts[form], timeZone: 'UTC' }).format(new Date(`${whole}T00:00:00Z`));
}

/** Monday is 0. */
export function weekdayInWords(show: Show, weekday: number): string {
  const locale = intlLocale(show.reader.language);
  // the 1st of January 2024 was a Monday
  return new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' }).format(Date.UTC(2024, 0, 1 + weekday));
}

/** A type that nobody wrote a word for keeps its name. */
export function userTypeInWords(show: Show, userType: string): string {
  return show.t(`shared.type.${userType}`, { defaultValue: userType });
}

/** '' is none. */
export function topicInWords(show: Show, topic: string): string {
  if (topic === '') return show.t('reports.noTopic');
  // words of programs are shown as they are
  return /^[a-z_]+$/.test(topic) ? show.t(`chat.topic.${topic}`, { defaultValue: topic }) : topic;
}

/** '' is unknown; a code that nobody knows stays as the host sent it. */
export function countryInWords(show: Show, country: string): string {
  if (country === '') return show.t('reports.noCountry');
  try {
    return new Intl.DisplayNames(show.reader.language, { type: 'region' }).of(country) ?? country;
  } catch {
    return country;
  }
}
