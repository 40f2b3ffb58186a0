import { describe, expect, it } from 'vitest';
import { createIds } from '../../src/platform/text/ids.ts';
import { createFormats, maskEmail, maskPhone, newId, normaliseText } from '../../src/platform/text/index.ts';
import { preferredLanguage } from '../../src/platform/views/index.ts';

describe('ids', () => {
  it('are UUIDv7 that grow, also within a millisecond and when the clock steps back', () => {
    expect(newId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const times = [1_000, 1_000, 999, 5, 1_001, ...Array<number>(10_000).fill(1_001)];
    let index = 0;
    const id = createIds(() => times[index++] ?? 1_001);
    const made = times.map(() => id());
    expect(made).toEqual(made.toSorted());
    expect(new Set(made).size).toBe(made.length);
  });

  it('carry the time', () => {
    const id = createIds(() => 0x0123_4567_89ab)();
    expect(id.startsWith('01234567-89ab-7')).toBe(true);
  });
});

describe('typed text', () => {
  it('stays as typed, but for CRLF', () => {
    const typed = '  a\r\nb\rc\n\u200d👩‍👩‍👧 কী e\u0301 \u202e';
    expect(normaliseText(typed)).toEqual({ ok: true, text: typed.replace('\r\n', '\n') });
  });

  it('may not hold NUL or half a character', () => {
    expect(normaliseText('a\0b')).toEqual({ ok: false, reason: 'nul' });
    expect(normaliseText('a\ud83d')).toEqual({ ok: false, reason: 'lone_surrogate' });
    expect(normaliseText('\udc00\ud800')).toEqual({ ok: false, reason: 'lone_surrogate' });
  });
});

describe('contacts', () => {
  it('are masked for people who may not use them', () => {
    expect(maskPhone('+8801712345678')).toBe('+880 1•• ••• ••78');
    expect(maskPhone('+1 (312) 555-0123')).toBe('+1 3•• ••• ••23');
    expect(maskPhone('+44 20 7946 0958')).toBe('+44 2•• ••• ••58');
    expect(maskPhone('12345')).toBe('•••••');
    expect(maskPhone('')).toBe('');
    expect(maskEmail('rahim.uddin@example.com')).toBe('r•••@example.com');
    expect(maskEmail('nothing')).toBe('•••');
  });
});

describe('times and numbers', () => {
  const at = new Date('2026-11-21T08:02:00Z');
  const later = (seconds: number) => new Date(at.getTime() + seconds * 1_000);

  it('read in English', () => {
    const formats = createFormats('en', 'Asia/Dhaka');
    expect(formats.clock(at)).toBe('14:02');
    expect(formats.day(at, at)).toBe('21 November');
    expect(formats.day(at, new Date('2027-01-02'))).toBe('21 November 2026');
    expect([20, 130, 7_300, 180_000].map((seconds) => formats.ago(at, later(seconds)))).toEqual([
      'now',
      '2m',
      '2h',
      '2d',
    ]);
    expect(formats.ago(at, later(-60))).toBe('now');
    expect(formats.duration(240)).toBe('4 minutes');
    expect(formats.number(1_234)).toBe('1,234');
    expect(formats.dayKey(new Date('2026-11-21T18:30:00Z'))).toBe('2026-11-22');
  });

  it('read in Bengali, with its digits', () => {
    const formats = createFormats('bn', 'Asia/Dhaka');
    expect(formats.clock(at)).toBe('১৪:০২');
    expect(formats.day(at, at)).toBe('২১ নভেম্বর');
    expect(formats.number(1_234)).toBe('১,২৩৪');
    expect(formats.ago(at, later(130))).toMatch(/^২/);
  });
});

describe('the language', () => {
  it('is what was chosen, what the profile says, what the browser asks for', () => {
    expect(preferredLanguage({ cookie: 'bn', locale: 'en-US', acceptLanguage: 'en' })).toBe('bn');
    expect(preferredLanguage({ cookie: 'xx', locale: 'bn_BD', acceptLanguage: 'en' })).toBe('bn');
    expect(preferredLanguage({ locale: null, acceptLanguage: 'de-DE,bn;q=0.4,en;q=0.3' })).toBe('bn');
    expect(preferredLanguage({ acceptLanguage: '*' })).toBe('en');
    expect(preferredLanguage({ acceptLanguage: ';;q=,,=' })).toBe('en');
  });
});
