import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AuditRecord,
  DEFAULT_SUPPORT_SETTINGS,
  loadSupportSettings,
  readSupportSettings,
  recordRefusal,
  SupportSettings,
  saveSupportSettings,
  systemActor,
} from '../../src/tenancy/index.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { type Node, openNode, quiet } from './node.ts';

/** A tenant's settings, at hand on every node, and the log of what was done. */

let here: Node;
let there: Node;
let ours: TestTenant;

beforeAll(async () => {
  [here, there] = [await openNode(), await openNode()];
  ours = await newTenant(here.database);
});
afterAll(async () => {
  await here?.close();
  await there?.close();
});

describe('settings', () => {
  test('have the defaults of the contract', () => {
    expect(DEFAULT_SUPPORT_SETTINGS).toMatchObject({
      enabled: true,
      autoAssignMode: 'manual',
      autoCloseAfterHours: 0,
      maxMessageLength: 4_000,
      maxAttachmentSizeMb: 10,
      pushShowsText: false,
      retentionDays: 0,
      sendLimit: { messages: 10, seconds: 10 },
    });
  });

  test('a new tenant is known on every node when its first person comes', async () => {
    const fresh = await newTenant(here.database);
    expect(() => there.tenancy.supportSettings(fresh.tenant.id)).toThrow();
    await there.identity.authenticate((await fresh.signIn('rahim')).token);
    expect(there.tenancy.supportSettings(fresh.tenant.id)).toEqual(DEFAULT_SUPPORT_SETTINGS);
  });

  test('a change holds on every node within a second; the second of two savers is told', async () => {
    await there.tenancy.byId(ours.tenant.id);
    const changed = { ...DEFAULT_SUPPORT_SETTINGS, enabled: false, maxMessageLength: 100 };
    const outcomes = await Promise.allSettled([
      ours.asPerson('owner', (scope) => saveSupportSettings(scope, changed, 0)),
      ours.asPerson('owner', (scope) => saveSupportSettings(scope, changed, 0)),
    ]);
    expect(outcomes.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect
      .poll(() => there.tenancy.supportSettings(ours.tenant.id), { timeout: 1_000, interval: 10 })
      .toEqual(changed);
    expect(await ours.asPerson('owner', loadSupportSettings)).toEqual({ settings: changed, version: 1 });
    await ours.asPerson('owner', (scope) => saveSupportSettings(scope, DEFAULT_SUPPORT_SETTINGS, 1));
    await expect(ours.asPerson('owner', (scope) => saveSupportSettings(scope, changed, 1))).rejects.toMatchObject({
      code: 'settings_changed',
    });
    await expect(ours.asPerson('lead', (scope) => saveSupportSettings(scope, changed, 2))).rejects.toMatchObject({
      status: 403,
    });
    const written = await ours.asPerson('system', (scope) =>
      scope.em.find(AuditRecord, { action: 'SUPPORT_SETTINGS_CHANGED' }, { orderBy: { id: 'asc' } }),
    );
    expect(written.map((one) => one.metadata)).toEqual([
      {
        version: 1,
        fields: 'enabled,maxMessageLength',
        'enabled.old': true,
        'enabled.new': false,
        'maxMessageLength.old': 4_000,
        'maxMessageLength.new': 100,
      },
      {
        version: 2,
        fields: 'enabled,maxMessageLength',
        'enabled.old': false,
        'enabled.new': true,
        'maxMessageLength.old': 100,
        'maxMessageLength.new': 4_000,
      },
    ]);
  });

  test('what cannot be is refused; what another version stored is read as far as it goes', () => {
    for (const wrong of [
      { maxMessageLength: 8_001 },
      { maxAttachmentSizeMb: 51 },
      { allowedAttachmentTypes: ['text/html'] },
      { frameOrigins: ['https://a.example/path'] },
      { frameOrigins: ['https://*.example.com'] },
      { frameOrigins: ["https://a.example;script-src 'unsafe-inline'"] },
      { frameOrigins: ['https://a.example;x'] },
      { frameOrigins: ['javascript:alert(1)'] },
      { businessHours: { timeZone: 'Mars/Base' } },
      { businessHours: { weekly: { monday: [{ from: '10:00', to: '09:00' }] } } },
      { somethingElse: 1 },
    ]) {
      expect([wrong, SupportSettings.safeParse(wrong).success]).toEqual([wrong, false]);
    }
    const read = readSupportSettings({ enabled: false, maxMessageLength: 'long', fromTomorrow: 1 });
    expect(read.settings).toEqual({ ...DEFAULT_SUPPORT_SETTINGS, enabled: false });
    expect(read.dropped.sort()).toEqual(['fromTomorrow', 'maxMessageLength']);
  });
});

describe('the audit log', () => {
  test('takes lines, and gives none away', async () => {
    const { tenant } = ours;
    await recordRefusal(here.database, quiet, tenant, systemActor(tenant.id), {
      door: 'api.messages.create',
      code: 'forbidden',
    });
    await ours.asPerson('system', async (scope) => {
      const [line] = await scope.em.find(AuditRecord, { action: 'SUPPORT_ACCESS_REFUSED' });
      expect(line).toMatchObject({
        actorId: 'system',
        entityId: 'api.messages.create',
        metadata: { code: 'forbidden' },
      });
      await expect(
        scope.em.execute("update audit_log set actor_id = 'x' where tenant_id = ?", [tenant.id]),
      ).rejects.toThrow(/permission denied/);
      await expect(scope.em.execute('delete from audit_log where tenant_id = ?', [tenant.id])).rejects.toThrow(
        /permission denied/,
      );
      await expect(scope.em.execute('truncate audit_log')).rejects.toThrow(/permission denied/);
    });
  });

  test('of another tenant is out of sight', async () => {
    const other = await newTenant(here.database);
    expect(await other.asPerson('system', (scope) => scope.em.count(AuditRecord))).toBe(0);
    const unfiltered = await other.asPerson('system', (scope) =>
      scope.em.execute<unknown[]>('select 1 from audit_log'),
    );
    expect(unfiltered).toEqual([]);
  });
});
