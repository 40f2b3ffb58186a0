import type { Database, Log, TenantRef } from '../platform/database/index.ts';
import { Unavailable } from '../platform/errors/index.ts';
import { type ChangeWatch, watchChanges } from './change-watch.ts';
import { DEFAULT_SUPPORT_SETTINGS, readSupportSettings, type SupportSettings } from './support-settings.ts';
import type { TenantStatus } from './tenant.entity.ts';

/** A tenant as every node holds it in memory. */
export interface TenantInfo extends TenantRef {
  readonly name: string;
  readonly userTypes: readonly string[];
  readonly timeZone: string;
  readonly languages: readonly string[];
  readonly status: TenantStatus;
  readonly support: SupportSettings;
  /** 0 until the tab was saved for the first time. */
  readonly supportVersion: number;
}

/** Tenants and their settings of one process, kept up to date by a look at what changed each half second. */
export interface Tenancy {
  /** An active tenant, or null. Asks the database for a name it does not know yet. */
  bySlug(slug: string): Promise<TenantInfo | null>;
  /** Any tenant, or null. Asks the database for an id it does not know yet. */
  byId(id: string): Promise<TenantInfo | null>;
  /** All active tenants, by slug. */
  active(): Promise<TenantInfo[]>;
  /**
   * Settings of the tab Support, at once and without a query, at most a second old. The tenant must have been met
   * before, which `authenticate()` and `byId()` see to; throws `Unavailable` otherwise.
   */
  supportSettings(tenantId: string): SupportSettings;
  /** The tenant itself under the same conditions. */
  tenant(tenantId: string): TenantInfo;
  /** Makes sure that what is held is at most a second old; costs nothing while the look-out works. */
  ensureFresh(): Promise<void>;
  /** Reads changes now, after an own commit. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

interface ChangeRow {
  horizon: string;
  id: string | null;
  slug: string;
  name: string;
  user_types: string[];
  time_zone: string;
  languages: string[];
  status: TenantStatus;
  support: Record<string, unknown> | null;
  support_version: number | null;
}

/** Loads all tenants and begins to follow their changes. Rejects when the database does not answer. */
export async function openTenancy(deps: { readonly database: Database; readonly log: Log }): Promise<Tenancy> {
  const { database, log } = deps;
  const byId = new Map<string, TenantInfo>();
  const idBySlug = new Map<string, string>();
  let horizon: string | null = null;

  async function look(): Promise<void> {
    const { rows } = await database.systemPool.query<ChangeRow>({
      name: 'tenancy-changes',
      text: 'select * from tenancy_changes($1::text::xid8)',
      values: [horizon],
    });
    for (const row of rows) {
      horizon = row.horizon;
      if (row.id) hold(row, row.id);
    }
  }

  function hold(row: ChangeRow, id: string): void {
    const known = byId.get(id);
    // slugs do not change; kept right all the same
    if (known && known.slug !== row.slug) idBySlug.delete(known.slug);
    byId.set(id, tenantInfo(row, id, log));
    idBySlug.set(row.slug, id);
  }

  const watch: ChangeWatch = watchChanges({ name: 'tenancy', look, log });
  await watch.lookNow();

  async function ensureFresh(): Promise<void> {
    if (!watch.isTrusted()) await watch.lookNow();
  }

  async function find(look: () => TenantInfo | undefined): Promise<TenantInfo | null> {
    await ensureFresh();
    if (!look()) await watch.lookNow();
    return look() ?? null;
  }

  function tenant(tenantId: string): TenantInfo {
    const known = byId.get(tenantId);
    if (!known) throw new Unavailable(1, 'tenant_not_loaded', 'This is not ready yet.');
    return known;
  }

  return {
    async bySlug(slug) {
      const found = await find(() => byId.get(idBySlug.get(slug) ?? ''));
      return found?.status === 'active' ? found : null;
    },
    byId: (id) => find(() => byId.get(id)),
    async active() {
      await ensureFresh();
      return [...byId.values()]
        .filter((one) => one.status === 'active')
        .sort((a, b) => (a.slug < b.slug ? -1 : Number(a.slug > b.slug)));
    },
    supportSettings: (tenantId) => tenant(tenantId).support,
    tenant,
    ensureFresh,
    refresh: () => watch.lookNow(),
    close: () => watch.close(),
  };
}

function tenantInfo(row: ChangeRow, id: string, log: Log): TenantInfo {
  let support = DEFAULT_SUPPORT_SETTINGS;
  if (row.support) {
    const read = readSupportSettings(row.support);
    support = read.settings;
    if (read.dropped.length > 0) log.warn({ tenantId: id, fields: read.dropped }, 'settings that cannot be read');
  }
  return Object.freeze({
    id,
    slug: row.slug,
    name: row.name,
    userTypes: Object.freeze(row.user_types),
    timeZone: row.time_zone,
    languages: Object.freeze(row.languages),
    status: row.status,
    support,
    supportVersion: row.support_version ?? 0,
  });
}
