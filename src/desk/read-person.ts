import { type HostContext, type Person, User } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Forbidden, NotFound } from '../platform/errors/index.ts';
import { maskEmail, maskPhone } from '../platform/text/index.ts';

/** A user as staff may see them. */
export interface PersonRecord {
  readonly id: string;
  readonly userType: string;
  /** The person's id at the host. */
  readonly hostId: string;
  readonly name: string;
  /** Masked unless the reader has VIEW_USER_CONTACTS; null when the host gave none. */
  readonly email: string | null;
  readonly phone: string | null;
  /** ISO 3166-1 alpha-2. */
  readonly country: string | null;
  /** What the host wants shown, as it came; and since when it is so. */
  readonly profile: Readonly<Record<string, unknown>>;
  readonly profileAt: Date | null;
  /** What the last visit was about. */
  readonly context: HostContext | null;
  readonly lastSeenAt: Date | null;
  readonly createdAt: Date;
}

/**
 * One of the host's users, for the details of a conversation and the profile pages.
 * @throws Forbidden without VIEW_SUPPORT_CHAT_LIST.
 * @throws NotFound when there is no such user; admins are not users.
 */
export async function readPerson(scope: Scope<Person>, id: string): Promise<PersonRecord> {
  if (!scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const user = await scope.em.findOne(User, { id });
  if (!user || user.isAdmin()) throw new NotFound();
  return {
    id: user.id,
    userType: user.userType,
    hostId: user.sub,
    name: user.name,
    ...contactsFor(scope.actor, { email: user.email ?? null, phone: user.phone ?? null }),
    country: user.country ?? null,
    profile: user.profile,
    profileAt: user.profileAt ?? null,
    context: user.context ?? null,
    lastSeenAt: user.lastSeenAt ?? null,
    createdAt: user.createdAt,
  };
}

/** Where a person can be reached. */
export interface Contacts {
  readonly email: string | null;
  readonly phone: string | null;
}

/** Contacts as this reader may see them: whole with VIEW_USER_CONTACTS, masked otherwise. */
export function contactsFor(reader: Pick<Person, 'can'>, { email, phone }: Contacts): Contacts {
  if (reader.can('VIEW_USER_CONTACTS')) return { email, phone };
  return { email: email && maskEmail(email), phone: phone && maskPhone(phone) };
}
