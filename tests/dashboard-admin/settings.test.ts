import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuditRecord, loadSupportSettings, SupportSettings } from '../../src/tenancy/index.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { formFields, type PlainBrowser, plainBrowser } from './admin-pages.ts';

/** The owner changes the settings by plain forms, on one node; another node and the users see the result. */

const SUPPORT = '/admin/settings/support';
let app: RunningApp;
let other: RunningApp;
let tenant: TestTenant;
let owner: PlainBrowser;

beforeAll(async () => {
  [app, other] = [await startApp(), await startApp()];
  tenant = await app.newTenant();
  owner = await plainBrowser(app, tenant, 'owner');
});
afterAll(async () => {
  await app?.stop();
  await other?.stop();
});

const stored = () => tenant.asPerson('system', loadSupportSettings);
const form = async () => formFields((await owner.get(SUPPORT)).html, SUPPORT);

describe('the tab Support', () => {
  test('is for whoever may manage settings, and nobody else sees its entry', async () => {
    expect((await owner.get('/admin/settings')).html).toContain(`href="${SUPPORT}"`);
    for (const handle of ['lead', 'agent', 'viewer'] as const) {
      const browser = await plainBrowser(app, tenant, handle);
      expect((await browser.get(SUPPORT)).status).toBe(403);
      expect((await browser.post(SUPPORT, { version: '0' })).status).toBe(403);
      expect((await browser.get('/admin/support-chat')).html).not.toContain('href="/admin/settings"');
    }
    expect((await owner.get('/admin/support-chat')).html).toContain('href="/admin/settings"');
  });

  test('has a field for every setting of the contract', async () => {
    const fields = Object.keys(await form()).join(' ');
    for (const name of Object.keys(SupportSettings.shape)) {
      const inForm = { businessHours: 'monday_1_from', sendLimit: 'sendLimitMessages' }[name] ?? name;
      // a box without its tick is not posted
      if (name.startsWith('pushShows') || name === 'reopenOnMessage')
        expect((await owner.get(SUPPORT)).html).toContain(`name="${name}"`);
      else expect([name, fields.includes(inForm)]).toEqual([name, true]);
    }
  });

  test('saved as it is, it changes nothing', async () => {
    const before = (await stored()).settings;
    const answer = await owner.post(SUPPORT, { ...(await form()), do: 'save' });
    expect([answer.status, answer.location]).toEqual([303, `${SUPPORT}?saved=1`]);
    expect((await stored()).settings).toEqual(before);
  });

  test('saves every field, holds at once on every node, and the log has old and new values but no text', async () => {
    const driver = await plainBrowser(other, tenant, 'rahim');
    await driver.get('/driver/support');
    const answer = await owner.post(SUPPORT, {
      ...(await form()),
      enabled: '',
      timeZone: 'America/New_York',
      monday_1_from: '09:00',
      monday_1_to: '12:00',
      monday_2_from: '13:00',
      monday_2_to: '00:00',
      sunday_closed: 'on',
      holidays: ['2026-12-16'],
      newHoliday: '2026-12-25',
      awayMessage: 'canary: back\r\ntomorrow',
      autoAssignMode: 'balanced',
      agentLimit: '7',
      autoCloseAfterHours: '48',
      maxMessageLength: '500',
      allowedAttachmentTypes: ['image/png', 'application/pdf'],
      frameOrigins: 'https://canary.example.com\r\nhttps://b.example.com',
      sendLimitMessages: '5',
      sendLimitSeconds: '20',
      pushShowsName: 'on',
      pushShowsText: 'on',
      retentionDays: '365',
    });
    const savedAt = performance.now();
    expect([answer.status, answer.html]).toEqual([303, '']);
    const { settings } = await stored();
    expect(settings).toMatchObject({
      enabled: false,
      awayMessage: 'canary: back\ntomorrow',
      autoAssignMode: 'balanced',
      agentLimit: 7,
      autoCloseAfterHours: 48,
      maxMessageLength: 500,
      allowedAttachmentTypes: ['image/png', 'application/pdf'],
      frameOrigins: ['https://canary.example.com', 'https://b.example.com'],
      sendLimit: { messages: 5, seconds: 20 },
      pushShowsName: true,
      pushShowsText: true,
      retentionDays: 365,
    });
    expect(settings.businessHours).toMatchObject({
      timeZone: 'America/New_York',
      holidays: ['2026-12-16', '2026-12-25'],
      weekly: {
        monday: [
          { from: '09:00', to: '12:00' },
          { from: '13:00', to: '24:00' },
        ],
        tuesday: [{ from: '00:00', to: '24:00' }],
        sunday: [],
      },
    });
    await expect
      .poll(async () => (await driver.get('/driver/support')).html, { timeout: 2_000, interval: 50 })
      .toContain('Support chat is switched off');
    expect(performance.now() - savedAt).toBeLessThan(1_500);

    const [record] = await tenant.asPerson('system', ({ em }) =>
      em.find(AuditRecord, { action: 'SUPPORT_SETTINGS_CHANGED' }, { orderBy: { id: 'desc' }, limit: 1 }),
    );
    expect(record?.metadata).toMatchObject({
      'enabled.old': true,
      'enabled.new': false,
      'agentLimit.old': 20,
      'agentLimit.new': 7,
    });
    expect(String(record?.metadata['businessHours.new'])).toContain('America/New_York');
    expect(String(record?.metadata['fields'])).toContain('awayMessage');
    expect(JSON.stringify(record?.metadata)).not.toMatch(/canary/);
    await owner.post(SUPPORT, { ...(await form()), enabled: 'on' });
  });

  test('says at the field what is wrong, and keeps everything that was typed', async () => {
    const before = await stored();
    const wrong = {
      ...(await form()),
      maxMessageLength: '9000',
      agentLimit: 'many',
      tuesday_1_from: '18:00',
      tuesday_1_to: '09:00',
      wednesday_1_from: '',
      wednesday_1_to: '',
      timeZone: 'Mars/Olympus',
      frameOrigins: 'https://a.example.com/path <b>"x"</b>',
      newHoliday: '2026-02-31',
      awayMessage: 'x'.repeat(1_001),
      sendLimitSeconds: '0',
    };
    const answer = await owner.post(SUPPORT, wrong);
    expect(answer.status).toBe(422);
    for (const id of [
      'f-maxMessageLength-error',
      'f-agentLimit-error',
      'tuesday-error',
      'wednesday-error',
      'f-timeZone-error',
      'f-frameOrigins-error',
      'f-newHoliday-error',
      'f-awayMessage-error',
      'f-sendLimitSeconds-error',
    ]) {
      expect([id, answer.html.includes(`id="${id}"`)]).toEqual([id, true]);
    }
    expect(answer.html).toContain('A whole number from 1 to 8,000.');
    expect(answer.html).toContain('The end must come after the beginning.');
    expect(answer.html).not.toContain('<b>"x"');
    const { do: _, ...kept } = formFields(answer.html, SUPPORT);
    expect(kept).toEqual(wrong);
    expect(await stored()).toEqual(before);
    const bangla = await plainBrowser(app, tenant, 'owner', 'bn');
    expect((await bangla.post(SUPPORT, wrong)).html).toContain('১ থেকে ৮,০০০ এর মধ্যে');
  });

  test('adds a holiday without script and without saving, and a tick less removes one', async () => {
    const before = await stored();
    const added = await owner.post(SUPPORT, {
      ...(await form()),
      newHoliday: '2027-01-01',
      do: 'holiday',
      agentLimit: '',
    });
    expect(added.status).toBe(200);
    const fields = formFields(added.html, SUPPORT);
    expect(fields).toMatchObject({
      holidays: ['2026-12-16', '2026-12-25', '2027-01-01'],
      newHoliday: '',
      agentLimit: '',
    });
    expect(added.html).toContain('1 January 2027');
    expect(await stored()).toEqual(before);
    await owner.post(SUPPORT, { ...fields, agentLimit: '7', holidays: ['2027-01-01'] });
    expect((await stored()).settings.businessHours.holidays).toEqual(['2027-01-01']);
  });

  test('of two who save, the second sees both values and decides', async () => {
    const [mine, theirs] = [await form(), await form()];
    await owner.post(SUPPORT, { ...theirs, agentLimit: '11', retentionDays: '30' });
    const refused = await owner.post(SUPPORT, { ...mine, agentLimit: '12', maxMessageLength: '600' });
    expect(refused.status).toBe(409);
    expect(refused.html).toMatch(/12 conversations[\s\S]*11 conversations/);
    expect((await stored()).settings).toMatchObject({ agentLimit: 11, maxMessageLength: 500, retentionDays: 30 });

    const decision = formFields(refused.html, SUPPORT);
    // what I did not touch is offered as the colleague left it, what I changed as mine
    expect(decision).toMatchObject({
      take_agentLimit: 'mine',
      take_maxMessageLength: 'mine',
      take_retentionDays: 'theirs',
    });
    const saved = await owner.post(SUPPORT, { ...decision, take_agentLimit: 'theirs' });
    expect(saved.status).toBe(303);
    expect((await stored()).settings).toMatchObject({ agentLimit: 11, maxMessageLength: 600, retentionDays: 30 });
  });
});
