import { type Scope, transact } from '../platform/database/index.ts';
import { Conflict, Forbidden } from '../platform/errors/index.ts';
import { recordAudit } from './record-audit.ts';
import { Setting } from './setting.entity.ts';
import { readSupportSettings, type SupportSettings } from './support-settings.ts';
import type { AuditEntry } from './types.ts';

const SECTION = 'support';

/** The settings as the database has them now, with the version to save against (0 until first saved). */
export async function loadSupportSettings(scope: Scope): Promise<{ settings: SupportSettings; version: number }> {
  const stored = await scope.em.findOne(Setting, { section: SECTION });
  return { settings: readSupportSettings(stored?.data ?? {}).settings, version: stored?.version ?? 0 };
}

/**
 * Replaces the tab's settings and returns the new version. Every node follows within a second; this one tells
 * `settings:changed` after the commit.
 * @throws Forbidden without MANAGE_SUPPORT_SETTINGS.
 * @throws Conflict `settings_changed` when somebody saved since `expectedVersion` was read.
 */
export async function saveSupportSettings(
  scope: Scope,
  settings: SupportSettings,
  expectedVersion: number,
): Promise<number> {
  if (!scope.actor.can('MANAGE_SUPPORT_SETTINGS')) throw new Forbidden();
  return transact(scope, async (inside) => {
    const before = await loadSupportSettings(inside);
    const saved = await write(inside, settings, expectedVersion);
    if (saved === null) throw new Conflict('settings_changed', 'Somebody else has saved these settings meanwhile.');
    recordAudit(inside, {
      action: 'SUPPORT_SETTINGS_CHANGED',
      entityType: 'settings',
      entityId: SECTION,
      metadata: changesAsMetadata(saved, before.settings, settings),
    });
    inside.emit({ type: 'settings:changed', tenantId: inside.tenant.id });
    return saved;
  });
}

/** One statement decides who was first; null when it was somebody else. */
async function write(scope: Scope, settings: SupportSettings, expectedVersion: number): Promise<number | null> {
  const values = [JSON.stringify(settings), scope.now, scope.actor.id, scope.tenant.id, SECTION];
  const rows =
    expectedVersion === 0
      ? await scope.em.execute<{ version: number }[]>(
          `insert into settings (data, updated_at, updated_by, tenant_id, section) values (?::jsonb, ?, ?, ?, ?)
           on conflict (tenant_id, section) do nothing returning version`,
          values,
        )
      : await scope.em.execute<{ version: number }[]>(
          `update settings set data = ?::jsonb, updated_at = ?, updated_by = ?, version = version + 1
           where tenant_id = ? and section = ? and version = ? returning version`,
          [...values, expectedVersion],
        );
  return rows[0]?.version ?? null;
}

/** Fields that hold what somebody wrote, or addresses: the log says that they changed, never what they say. */
const UNSAID: readonly string[] = ['awayMessage', 'frameOrigins'];

/** `{version, fields}`, and for each changed field `<field>.old` and `<field>.new`; what is no scalar as JSON. */
function changesAsMetadata(version: number, before: SupportSettings, after: SupportSettings): AuditEntry['metadata'] {
  const fields = changedFields(before, after);
  const values = fields
    .filter((name) => !UNSAID.includes(name))
    .flatMap((name) => [
      [`${name}.old`, scalar(before[name])],
      [`${name}.new`, scalar(after[name])],
    ]);
  return { version, fields: fields.join(','), ...Object.fromEntries(values) };
}

function scalar(value: unknown): string | number | boolean {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
    ? value
    : JSON.stringify(value);
}

function changedFields(before: SupportSettings, after: SupportSettings): (keyof SupportSettings)[] {
  const names = Object.keys(after) as (keyof SupportSettings)[]; // keys of one and the same schema
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
