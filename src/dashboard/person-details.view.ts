import type { PersonRecord } from '../desk/index.ts';
import { profileHref } from './desk-address.ts';
import { initials } from './initials.ts';

/** One thing that the host tells of a person. */
export interface ProfileFact {
  /** Name of a sentence in `desk.stat`, when `word` is null. */
  readonly key: string;
  /** What we have no sentence for, made readable. */
  readonly word: string | null;
  readonly kind: 'number' | 'day' | 'text';
  readonly value: string | number;
}

/** Who somebody is, for the details of a conversation and for the profile page. */
export interface PersonDetails {
  readonly id: string;
  readonly name: string;
  readonly initials: string;
  readonly userType: string;
  readonly hostId: string;
  readonly country: string | null;
  /** The country in the reader's language. */
  readonly countryName: string | null;
  readonly email: string | null;
  readonly phone: string | null;
  readonly profileHref: string | null;
  readonly stats: readonly ProfileFact[];
  /** ISO 8601: since when the host's profile is as it is. */
  readonly profileAt: string | null;
}

/** What `views/locales` has words for, in `desk.stat`. */
const KNOWN = new Set(
  'completedTrips trips rating orders completedOrders cancelled driverSince customerSince partnerSince memberSince city vehicle branch school quizzes bestScore acceptanceRate'.split(
    ' ',
  ),
);

/** More than this is no glance. */
const MAX_FACTS = 24;
const MAX_TEXT = 300;

/** The view of a person in the reader's language (`en`, `bn`). */
export function personDetails(person: PersonRecord, language: string): PersonDetails {
  return {
    id: person.id,
    name: person.name,
    initials: initials(person.name),
    userType: person.userType,
    hostId: person.hostId,
    country: person.country,
    countryName: person.country && countryName(person.country, language),
    email: person.email,
    phone: person.phone,
    profileHref: profileHref(person),
    stats: Object.entries(person.profile)
      .flatMap(([key, value]) => fact(key, value) ?? [])
      .slice(0, MAX_FACTS),
    profileAt: person.profileAt?.toISOString() ?? null,
  };
}

/** Numbers, days and short texts; the host may send anything, and what is neither is not shown. */
function fact(key: string, value: unknown): ProfileFact | null {
  const named = { key, word: KNOWN.has(key) ? null : readable(key) };
  if (typeof value === 'number' && Number.isFinite(value)) return { ...named, kind: 'number', value };
  if (typeof value !== 'string' || value.trim() === '') return null;
  if (/^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))) {
    // noon, so that the day is the same one in every zone but the outermost
    return { ...named, kind: 'day', value: `${value}T12:00:00Z` };
  }
  return { ...named, kind: 'text', value: value.slice(0, MAX_TEXT) };
}

/** `lastTripCity` becomes `last trip city`. */
function readable(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase()
    .slice(0, 60);
}

function countryName(code: string, language: string): string {
  try {
    return new Intl.DisplayNames(language, { type: 'region' }).of(code) ?? code;
  } catch {
    return code; // not an ISO code: the host's word as it came
  }
}
