import type { Database } from '../../platform/database/index.ts';
import { Conflict } from '../../platform/errors/index.ts';
import { loadSupportSettings, saveSupportSettings, systemActor, type Tenancy } from '../../tenancy/index.ts';
import { DEMO_TENANTS } from './demo-people.ts';

/**
 * Demo mode: names the demo's own host page among those that may frame the chat of the first demo tenant, by both names
 * of this machine and the port that was taken. Writes nothing when they are named.
 */
export async function allowDemoHost(
  { database, tenancy }: { readonly database: Database; readonly tenancy: Pick<Tenancy, 'bySlug'> },
  port: string,
): Promise<void> {
  const tenant = await tenancy.bySlug(DEMO_TENANTS[0]?.slug ?? '');
  if (!tenant) return;
  await database.withScope(tenant, systemActor(tenant.id), async (scope) => {
    const { settings, version } = await loadSupportSettings(scope);
    const missing = ['127.0.0.1', 'localhost']
      .map((name) => `http://${name}${port && `:${port}`}`)
      .filter((origin) => !settings.frameOrigins.includes(origin));
    if (missing.length === 0) return;
    // ports of earlier starts make way
    const frameOrigins = [...settings.frameOrigins, ...missing].slice(-20);
    await saveSupportSettings(scope, { ...settings, frameOrigins }, version).catch((error) => {
      // a node that starts beside this one was first
      if (!(error instanceof Conflict)) throw error;
    });
  });
}
