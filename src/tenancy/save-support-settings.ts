import { type Scope, transact } from '../platform/database/index.ts';
import { Conflict, Forbidden } from '../platform/errors/index.ts';
import { recordAudit } from './record-audit.ts';
import { Setting } from './setting.entity.ts';
import { readSupportSettings, type SupportSettings } from './support-settings.ts';

const SECTION = 'support';

/** The settings as the database has them now, with the version to save against (0 until first saved). */
export async function loadSupportSettings(scope: Scope): Promise<{ settings: SupportSettings; version: number }> {
  const stored = await scope.em.findOne(Setting, { section: SECTION });
  return { settings: readSupportSettings(stored?.data ?? {}).settings, version: stored?.version ?? 0 };
}

/**
 * Replaces the tab's settings and returns the new version. Every node follows within a second.
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
      metadata: { version: saved, fields: changedFields(before.settings, settings).join(',') },
    });
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

function changedFields(before: SupportSettings, after: SupportSettings): string[] {
  return Object.keys(after).filter((name) => {
    const field = name as keyof SupportSettings; // keys of one and the same schema
    return JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  });
}
