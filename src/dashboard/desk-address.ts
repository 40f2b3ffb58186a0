/** What the list is narrowed by, as it stands in the desk's URL. */
export interface DeskFilters {
  readonly status?: 'open' | 'closed' | undefined;
  readonly userType?: string | undefined;
  /** A user id, `me` or `none`. */
  readonly assignedAdminId?: string | undefined;
  readonly dateFrom?: string | undefined;
  readonly dateTo?: string | undefined;
  readonly q?: string | undefined;
  /** `me`: only conversations whose notes name the agent. */
  readonly mentions?: 'me' | undefined;
  /** `due`: who waits for an answer, what is due first coming first; otherwise the newest message first. */
  readonly sort?: 'due' | undefined;
  /** `1`: only those whose answer is late. */
  readonly late?: '1' | undefined;
}

/** Path of the desk. */
export const DESK = '/admin/support-chat';

const FILTER_NAMES = [
  'status',
  'userType',
  'assignedAdminId',
  'dateFrom',
  'dateTo',
  'q',
  'mentions',
  'sort',
  'late',
] as const;

/** Only the filters of what a query may hold. */
export function filtersOf(query: DeskFilters): DeskFilters {
  return Object.fromEntries(FILTER_NAMES.flatMap((name) => (query[name] ? [[name, query[name]]] : [])));
}

/** `?status=open&q=…`, or nothing; `more` are parameters beside the filters. */
export function deskQuery(filters: DeskFilters, more: Readonly<Record<string, string | number>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...filtersOf(filters), ...more })) query.set(name, String(value));
  return query.size > 0 ? `?${query}` : '';
}

/** The desk with a conversation open (or none), the filters as they are. */
export function deskHref(
  conversationId: string | null,
  filters: DeskFilters,
  more: Readonly<Record<string, string | number>> = {},
): string {
  return `${conversationId ? `${DESK}/${conversationId}` : DESK}${deskQuery(filters, more)}`;
}

const PROFILES: Readonly<Record<string, string>> = {
  drivers: 'driver',
  customers: 'customer',
  restaurants: 'restaurant',
};

/** User type whose profiles lie below `/admin/<plural>`, or null. */
export function profileType(plural: string): string | null {
  return Object.hasOwn(PROFILES, plural) ? (PROFILES[plural] ?? null) : null;
}

/** Path of somebody's profile; null for user types that have no such page. */
export function profileHref({ id, userType }: { readonly id: string; readonly userType: string }): string | null {
  const plural = Object.keys(PROFILES).find((name) => PROFILES[name] === userType);
  return plural ? `/admin/${plural}/${id}` : null;
}
