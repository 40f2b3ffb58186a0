/** How numbers and times read for one person. All functions take and give nothing but what they are passed. */
export interface Formats {
  /** `1,234`, in Bengali `১,২৩৪`. */
  number(value: number): string;
  /** `14:02`. */
  clock(at: Date): string;
  /** `21 November`, with the year when it is not `now`'s. */
  day(at: Date, now: Date): string;
  /** `21 November 2026, 14:02`, for titles and logs. */
  full(at: Date): string;
  /** `now`, `2m`, `3h`, `5d`: how long ago, short enough for a list. Longer than 30 days: the day. */
  ago(at: Date, now: Date): string;
  /** `4 minutes`: a duration in words, in the largest whole unit. */
  duration(seconds: number): string;
  /** `2026-11-21`: the calendar day in the reader's zone; equal keys are the same day. */
  dayKey(at: Date): string;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `en` reads day before month and 24 hours, as both of our countries' desks do; `bn` has Bengali digits. */
const INTL_LOCALES: Readonly<Record<string, string>> = { en: 'en-GB', bn: 'bn-BD' };

/** The locale that `Intl` is asked in for one of our languages; any other language is one itself. */
export function intlLocale(language: string): string {
  return INTL_LOCALES[language] ?? language;
}

/** Formats for a language (`en`, `bn`) and an IANA zone. Making them is dear (Intl): keep them per language and zone. */
export function createFormats(language: string, zone: string): Formats {
  const locale = intlLocale(language);
  const number = new Intl.NumberFormat(locale);
  const clock = new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: zone,
  });
  const dayMonth = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', timeZone: zone });
  const dayMonthYear = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: zone,
  });
  // en-CA writes 2026-11-21
  const key = new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const short = unitFormats(locale, 'narrow');
  const long = unitFormats(locale, 'long');

  const day = (at: Date, now: Date) =>
    (key.format(at).slice(0, 4) === key.format(now).slice(0, 4) ? dayMonth : dayMonthYear).format(at);

  return {
    number: (value) => number.format(value),
    clock: (at) => clock.format(at),
    day,
    full: (at) => `${dayMonthYear.format(at)}, ${clock.format(at)}`,
    ago(at, now) {
      const seconds = Math.max(0, Math.floor((now.getTime() - at.getTime()) / 1000));
      if (seconds < MINUTE) return relative.format(0, 'second');
      if (seconds < HOUR) return short.minute.format(Math.floor(seconds / MINUTE));
      if (seconds < DAY) return short.hour.format(Math.floor(seconds / HOUR));
      if (seconds < 30 * DAY) return short.day.format(Math.floor(seconds / DAY));
      return day(at, now);
    },
    duration(seconds) {
      if (seconds < MINUTE) return long.second.format(Math.floor(seconds));
      if (seconds < HOUR) return long.minute.format(Math.floor(seconds / MINUTE));
      if (seconds < DAY) return long.hour.format(Math.floor(seconds / HOUR));
      return long.day.format(Math.floor(seconds / DAY));
    },
    dayKey: (at) => key.format(at),
  };
}

function unitFormats(locale: string, unitDisplay: 'narrow' | 'long') {
  const of = (unit: string) => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay });
  return { second: of('second'), minute: of('minute'), hour: of('hour'), day: of('day') };
}
