import { sql } from 'kysely';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { firstDifference, openStretches, type Rules, storeOpenHours } from './open-hours.ts';
import { CLOCKS_MAY_DIFFER, lockModel } from './report-state.ts';

/** Hours are laid out from here, or from the oldest conversation; and so far ahead. */
const HOURS_FROM = Date.parse('2015-01-01T00:00:00Z');
const HOURS_AHEAD_MS = 60 * 86_400_000;
const HOURS_LEFT_MS = 14 * 86_400_000;

interface StoredRules {
  readonly rules: Rules | null;
  readonly hoursFrom: Date | string | null;
  readonly hoursTo: Date | string | null;
  readonly oldest: Date | string | null;
  readonly now: Date | string;
}

/**
 * Lays the opening hours out when they, or the zone, are others than the facts were made with, and notes from when on
 * facts are to be made anew: a holiday of next month changes nothing that has happened.
 */
export async function followRules(scope: Scope, rules: Rules): Promise<void> {
  await lockModel(scope);
  const tenantId = scope.tenant.id;
  await rows(scope, sql`insert into report_states (tenant_id) values (${tenantId}) on conflict do nothing`);
  const [state] = await rows(
    scope,
    sql<StoredRules>`
      select s.rules, s.hours_from as "hoursFrom", s.hours_to as "hoursTo", clock_timestamp() as now,
        (select min(c.created_at) from conversations c
         where c.tenant_id = s.tenant_id and c.created_at < coalesce(s.hours_from, ${new Date(HOURS_FROM)}::timestamptz)
           and c.active_at >= active_bin(s.settled_to - ${CLOCKS_MAY_DIFFER}::interval)
           and c.last_message_at >= s.settled_to - ${CLOCKS_MAY_DIFFER}::interval) as oldest
      from report_states s where s.tenant_id = ${tenantId}`,
  );
  if (!state) return;
  const now = time(state.now) ?? 0;
  const known = { from: time(state.hoursFrom), to: time(state.hoursTo), oldest: time(state.oldest) };
  const isSame = JSON.stringify(state.rules) === JSON.stringify(await asStored(scope, rules));
  if (isSame && known.oldest === null && known.to !== null && known.to > now + HOURS_LEFT_MS) return;
  const from = new Date(Math.min(known.oldest ?? Infinity, known.from ?? HOURS_FROM));
  const to = new Date(now + HOURS_AHEAD_MS);
  const laidOut = openStretches(rules, from, to);
  await storeOpenHours(scope, laidOut);
  const changedAt = state.rules ? refoldSince(state.rules, rules, laidOut, { from, now }) : null;
  await rows(
    scope,
    sql`
      update report_states set rules = ${JSON.stringify(rules)}::jsonb, hours_from = ${from}, hours_to = ${to},
        refold_after = case when ${changedAt}::timestamptz is null then refold_after else '00000000-0000-0000-0000-000000000000' end,
        refold_since = case when ${changedAt}::timestamptz is null then refold_since
          else least(refold_since, ${changedAt}::timestamptz) end
      where tenant_id = ${tenantId}`,
  );
}

/** As jsonb gives it back, so that two can be compared. */
async function asStored(scope: Scope, rules: Rules): Promise<unknown> {
  const [row] = await rows(scope, sql<{ rules: unknown }>`select ${JSON.stringify(rules)}::jsonb as rules`);
  return row?.rules;
}

/** Since when what has happened counts otherwise; null when nothing does. Another zone has other days. */
function refoldSince(
  before: Rules,
  rules: Rules,
  laidOut: ReturnType<typeof openStretches>,
  { from, now }: { from: Date; now: number },
): Date | null {
  if (before.timeZone !== rules.timeZone) return from;
  const changed = firstDifference(openStretches(before, from, new Date(now)), laidOut, now);
  return changed === null ? null : new Date(changed);
}

function time(at: Date | string | null): number | null {
  return at === null ? null : new Date(at).getTime();
}
