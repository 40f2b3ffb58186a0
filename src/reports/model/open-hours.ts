import { sql } from 'kysely';
import { type BusinessHours, businessClock } from '../../desk/index.ts';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import type { TenantInfo } from '../../tenancy/index.ts';

/** What the facts depend on besides the raw rows: days are days of the zone, open time follows the hours. */
export interface Rules {
  readonly timeZone: string;
  readonly hours: BusinessHours;
}

/** The rules that hold now. */
export function rulesOf(tenant: Pick<TenantInfo, 'timeZone' | 'support'>): Rules {
  return { timeZone: tenant.timeZone, hours: tenant.support.businessHours };
}

/** One stretch during which the desk is open; milliseconds since 1970, end excluded. */
export interface OpenStretch {
  readonly opens: number;
  readonly closes: number;
}

/** Every open stretch within [from, to), in order. */
export function openStretches({ timeZone, hours }: Rules, from: Date, to: Date): OpenStretch[] {
  const clock = businessClock(hours, timeZone);
  const found: OpenStretch[] = [];
  let at: Date | null = from;
  while (at && at < to) {
    const opens: Date | null = clock.nextOpening(at);
    if (!opens || opens >= to) break;
    // null: it does not close within two years, and so not before the end
    const closes: Date | null = clock.nextClosing(opens);
    found.push({ opens: opens.getTime(), closes: Math.min(closes?.getTime() ?? Infinity, to.getTime()) });
    at = closes;
  }
  return found;
}

/** Writes the hours that open time is looked up in, in place of what was there. */
export async function storeOpenHours(scope: Scope, stretches: readonly OpenStretch[]): Promise<void> {
  await rows(scope, sql`delete from report_open_hours where tenant_id = ${scope.tenant.id}`);
  let before = 0;
  const lines = stretches.map(({ opens, closes }) => {
    const line = { opens: new Date(opens).toISOString(), closes: new Date(closes).toISOString(), before };
    before += (closes - opens) / 1_000;
    return line;
  });
  await rows(
    scope,
    sql`
      insert into report_open_hours (tenant_id, opens, closes, before)
      select ${scope.tenant.id}, * from unnest(
        ${lines.map((line) => line.opens)}::timestamptz[], ${lines.map((line) => line.closes)}::timestamptz[],
        ${lines.map((line) => line.before)}::bigint[])`,
  );
}

/** The first instant at which the two differ, before `until`; null when they are the same as far as that. */
export function firstDifference(
  one: readonly OpenStretch[],
  other: readonly OpenStretch[],
  until: number,
): number | null {
  const within = (list: readonly OpenStretch[]) =>
    list.filter(({ opens }) => opens < until).map(({ opens, closes }) => ({ opens, closes: Math.min(closes, until) }));
  const [left, right] = [within(one), within(other)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [a, b] = [left[at], right[at]];
    if (a?.opens !== b?.opens) return Math.min(a?.opens ?? Infinity, b?.opens ?? Infinity);
    if (a?.closes !== b?.closes) return Math.min(a?.closes ?? Infinity, b?.closes ?? Infinity);
  }
  return null;
}
