import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { AppError } from '../../platform/errors/index.ts';
import type { Messaging } from '../messaging.ts';
import { rows } from '../rows.ts';
import type { Quota } from './files.ts';

interface UsageRow {
  readonly owner_id: string;
  readonly bytes: string | number;
  readonly files: string | number;
}

const MEGABYTE = 1024 * 1024;

/**
 * Whether there is room for one more file of this person and this tenant, before anything of it is here.
 * @throws 413 `attachment_quota`
 */
export async function refuseWithoutRoom(scope: Scope<Person>, messaging: Pick<Messaging, 'files'>): Promise<void> {
  const { tenant, actor } = scope;
  const sums = await rows(
    scope,
    sql<UsageRow>`
      select owner_id, bytes, files from attachment_usage
      where tenant_id = ${tenant.id} and owner_id in (${tenant.id}, ${actor.id})`,
  );
  for (const sum of sums) refuseBeyondQuota(scope, messaging, sum);
}

/**
 * Adds one file to the tenant's sum and the person's, always in this order, inside the surrounding transaction.
 * @throws 413 `attachment_quota` when it is over by now
 */
export async function countUsage(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'files'>,
  bytes: number,
): Promise<void> {
  for (const owner of [scope.tenant.id, scope.actor.id]) {
    const [sum] = await rows(
      scope,
      sql<UsageRow>`
        insert into attachment_usage as u (tenant_id, owner_id, bytes, files)
        values (${scope.tenant.id}, ${owner}, ${bytes}, 1)
        on conflict (tenant_id, owner_id) do update set bytes = u.bytes + excluded.bytes, files = u.files + 1
        returning owner_id, bytes, files - 1 as files`,
    );
    if (sum) refuseBeyondQuota(scope, messaging, sum);
  }
}

/** Takes one file of a person out of both sums again. */
export async function giveBackUsage(scope: Scope, ownerId: string, bytes: number): Promise<void> {
  for (const owner of [scope.tenant.id, ownerId]) {
    await rows(
      scope,
      sql`
        update attachment_usage set bytes = greatest(0, bytes - ${bytes}), files = greatest(0, files - 1)
        where tenant_id = ${scope.tenant.id} and owner_id = ${owner}`,
    );
  }
}

function refuseBeyondQuota(scope: Scope<Person>, { files }: Pick<Messaging, 'files'>, sum: UsageRow): void {
  const isTenant = sum.owner_id === scope.tenant.id;
  const quota: Quota = isTenant
    ? files.quota.tenant
    : scope.actor.side === 'admin'
      ? files.quota.staff
      : files.quota.user;
  if (Number(sum.bytes) <= quota.bytes && Number(sum.files) < quota.files) return;
  const whose = isTenant ? 'All files here' : 'Your files';
  const maxMb = Math.floor(quota.bytes / MEGABYTE);
  const sentence = `${whose} have reached the limit of ${maxMb} MB and ${quota.files} files.`;
  throw new AppError(413, 'attachment_quota', sentence, {
    detail: { maxMb, maxFiles: quota.files },
  });
}
