import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { transact } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';
import { tellDesk } from '../events.ts';
import { type TimeColumn, timeOf } from '../time-column.ts';

/** Whether an agent wants conversations; somebody who never said does. */
export const AVAILABILITY_CHOICES = ['available', 'away'] as const;
export type AvailabilityChoice = (typeof AVAILABILITY_CHOICES)[number];

/** Without a connection for so long, an agent is given nothing new: a page that loads again is not away. */
const PRESENT_FOR_MS = 30_000;

/** The caller's own availability. */
export interface Availability {
  readonly choice: AvailabilityChoice;
  /** Null until they chose. */
  readonly chosenAt: Date | null;
}

/** An agent who may be given a conversation now, with what they hold. */
export interface AvailableAgent {
  readonly id: string;
  readonly name: string;
  /** Open conversations they hold. */
  readonly open: number;
  /** Number of the decision that gave them their last one; 0 for nobody served yet. */
  readonly lastServed: number;
  /** ISO 639 codes they answer in. */
  readonly languages: readonly string[];
}

/** The caller's own choice. @throws Forbidden without REPLY_SUPPORT_CHAT. */
export async function readAvailability(scope: Scope<Person>): Promise<Availability> {
  refuseOthers(scope);
  const [own] = await rows(
    scope,
    sql<{ choice: AvailabilityChoice; chosenAt: TimeColumn | null }>`
      select choice, chosen_at as "chosenAt" from agent_presence
      where tenant_id = ${scope.tenant.id} and admin_id = ${scope.actor.id}`,
  );
  return own ? { choice: own.choice, chosenAt: timeOf(own.chosenAt) } : { choice: 'available', chosenAt: null };
}

/**
 * Says whether the caller takes conversations. Away: nothing new is given, what they hold stays.
 * @throws Forbidden without REPLY_SUPPORT_CHAT.
 */
export async function setAvailability(scope: Scope<Person>, choice: AvailabilityChoice): Promise<Availability> {
  refuseOthers(scope);
  return transact(scope, async (inside) => {
    await rows(
      inside,
      sql`
        insert into agent_presence as p (tenant_id, admin_id, choice, chosen_at)
        values (${inside.tenant.id}, ${inside.actor.id}, ${choice}, ${inside.now})
        on conflict (tenant_id, admin_id) do update set choice = excluded.choice, chosen_at = excluded.chosen_at`,
    );
    tellDesk(inside, { type: 'desk:availability', tenantId: inside.tenant.id, adminId: inside.actor.id });
    return { choice, chosenAt: inside.now };
  });
}

function refuseOthers(scope: Scope<Person>): void {
  if (scope.actor.side !== 'admin' || !scope.actor.can('REPLY_SUPPORT_CHAT')) throw new Forbidden();
}

/** Active admins who may answer, are connected, and have not said that they are away; who was served longest ago first. */
export async function availableAgents(scope: Scope): Promise<AvailableAgent[]> {
  const seenSince = new Date(scope.now.getTime() - PRESENT_FOR_MS);
  return rows(
    scope,
    sql<AvailableAgent>`
      select u.id, u.name, p.last_served::float8 as "lastServed", held.open, coalesce(l.languages, '{}') as languages
      from agent_presence p
      join users u on u.id = p.admin_id and u.tenant_id = p.tenant_id and u.user_type = 'admin' and u.status = 'active'
      left join agent_languages l on l.tenant_id = p.tenant_id and l.admin_id = p.admin_id
      cross join lateral (
        select count(*)::int as open from conversations c
        where c.tenant_id = p.tenant_id and c.assigned_admin_id = p.admin_id and c.kind = 'support' and c.status = 'open') held
      where p.tenant_id = ${scope.tenant.id} and p.choice = 'available' and p.last_seen_at > ${seenSince}
        and exists (
          select 1 from role_assignments a join roles r on r.id = a.role_id and r.tenant_id = a.tenant_id
          where a.tenant_id = p.tenant_id and a.user_id = p.admin_id and 'REPLY_SUPPORT_CHAT' = any (r.capabilities))
      order by p.last_served, u.id`,
  );
}

/** Notes that these admins are connected at `scope.now`; returns those who had not been for a while. */
export async function noteSeen(scope: Scope, adminIds: readonly string[]): Promise<string[]> {
  const { now, tenant } = scope;
  const seenSince = new Date(now.getTime() - PRESENT_FOR_MS);
  const back = await rows(
    scope,
    sql<{ id: string }>`
      with asked as (
        select u.id, p.last_seen_at from users u
        left join agent_presence p on p.tenant_id = u.tenant_id and p.admin_id = u.id
        where u.tenant_id = ${tenant.id} and u.user_type = 'admin' and u.id = any (${adminIds}::uuid[])
      ), noted as (
        insert into agent_presence as p (tenant_id, admin_id, last_seen_at)
        select ${tenant.id}, id, ${now} from asked order by id
        on conflict (tenant_id, admin_id) do update set last_seen_at = excluded.last_seen_at
          where p.last_seen_at is null or p.last_seen_at < excluded.last_seen_at
      )
      select id from asked where last_seen_at is null or last_seen_at <= ${seenSince}`,
  );
  return back.map((one) => one.id);
}
