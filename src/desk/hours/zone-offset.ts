/** Milliseconds to add to UTC for the wall clock of a zone, at an instant (milliseconds since 1970). */
export type ZoneOffset = (at: number) => number;

/** Offsets that are kept: asking Intl takes some microseconds, and lists ask for the same weeks for each row. */
const KEPT = 4_096;

/** Reads a zone's offset from Intl alone, so that the rules are those of the running system's time zone data. */
export function zoneOffset(timeZone: string): ZoneOffset {
  const kept = new Map<number, number>();
  const format = new Intl.DateTimeFormat('en', {
    timeZone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (at) => {
    let offset = kept.get(at);
    if (offset === undefined) {
      if (kept.size >= KEPT) kept.clear();
      offset = read(at);
      kept.set(at, offset);
    }
    return offset;
  };

  function read(at: number): number {
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    const wholeSecond = Math.floor(at / 1_000) * 1_000;
    return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSecond;
  }
}
