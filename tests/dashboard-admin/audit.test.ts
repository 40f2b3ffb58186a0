import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleNames } from '../../src/platform/database/index.ts';
import { csvLine, newId } from '../../src/platform/text/index.ts';
import { readAudit } from '../../src/tenancy/index.ts';
import { userWrites } from '../dashboard/desk-browser.ts';
import { adminUrl, databaseUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type PlainBrowser, plainBrowser } from './admin-pages.ts';

const LOG = '/admin/audit-log';
let app: RunningApp;
let admin: pg.Pool;
let tenant: TestTenant;
let lead: PlainBrowser;

beforeAll(async () => {
  app = await startApp();
  admin = new pg.Pool({ connectionString: adminUrl(), max: 2 });
  tenant = await app.newTenant();
  lead = await plainBrowser(app, tenant, 'lead');
});
afterAll(async () => {
  await admin?.end();
  await app?.stop();
});

const sentences = (html: string) => [...html.matchAll(/<div><p>([^<]*)<\/p>/g)].map(([, text]) => text);

async function write(action: string, more: Partial<Record<'entity' | 'actor' | 'at' | 'type', string>>, metadata = {}) {
  const { rows } = await admin.query<{ id: string }>(
    `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, metadata, created_at)
     values ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, clock_timestamp())) returning id::text`,
    [
      tenant.tenant.id,
      action,
      more.type ?? 'support_conversation',
      more.entity ?? newId(),
      more.actor ?? 'system',
      metadata,
      more.at ?? null,
    ],
  );
  return rows[0]!.id;
}

describe('the audit log', () => {
  test('is for whoever may view it', async () => {
    for (const handle of ['agent', 'viewer'] as const) {
      const browser = await plainBrowser(app, tenant, handle);
      expect((await browser.get(LOG)).status).toBe(403);
      expect((await browser.get(`${LOG}/export`)).status).toBe(403);
      expect((await browser.get('/admin/support-chat')).html).not.toContain(`href="${LOG}"`);
    }
    expect((await lead.get('/admin/support-chat')).html).toContain(`href="${LOG}"`);
    expect((await lead.get(LOG)).status).toBe(200);
  });

  test('says in both languages what happened, with names', async () => {
    const conversation = await userWrites(app, tenant, 'rahim', 'canary text of a message');
    const agent = await plainBrowser(app, tenant, 'agent');
    await agent.post(`/admin/support-chat/${conversation}/assign`, {});
    await agent.post(`/admin/support-chat/${conversation}/close`, {});
    const { html } = await lead.get(LOG);
    expect(sentences(html)).toEqual(
      expect.arrayContaining([
        'Rahim Uddin started a conversation',
        'Rahim Uddin wrote a message',
        'Nusrat Jahan took a conversation',
        'Nusrat Jahan closed a conversation',
        'Nusrat Jahan was refused: dashboard.audit.list',
      ]),
    );
    expect(html).toContain(`href="/admin/support-chat/${conversation}"`);
    expect(html).not.toContain('canary');
    const bangla = await plainBrowser(app, tenant, 'lead', 'bn');
    expect((await bangla.get(LOG)).html).toContain('Nusrat Jahan একটি কথোপকথন বন্ধ করেছেন');
  });

  test('has a sentence for every action of the contract, and shows one it does not know', async () => {
    for (const language of ['en', 'bn'] as const) {
      const browser = await plainBrowser(app, tenant, 'lead', language);
      const actions = [...(await browser.get(LOG)).html.matchAll(/<option value="(SUPPORT_\w+)"/g)].map(
        ([, one]) => one!,
      );
      expect(actions).toHaveLength(19);
      for (const action of actions) await write(action, { entity: 'of-every-kind' });
      const { html } = await browser.get(`${LOG}?entity=of-every-kind`);
      expect(sentences(html).filter((text) => /SUPPORT_|audit\.|\{\{/.test(text!))).toEqual([]);
    }
    await write('SUPPORT_FUTURE_THING', { entity: 'future' });
    expect(sentences((await lead.get(`${LOG}?entity=future`)).html)).toEqual(['The system: SUPPORT_FUTURE_THING']);
  });

  test('narrows by action, person, entity and days of the zone, and pages without gap or repeat', async () => {
    await admin.query(`update tenants set time_zone = 'Asia/Dhaka' where id = $1`, [tenant.tenant.id]);
    await expect
      .poll(async () => (await lead.get(LOG)).html, { timeout: 3_000 })
      .toContain('Times and days in Asia/Dhaka');
    const entity = newId();
    const owner = tenant.people.owner.id;
    // older than everything else, so written by a log of its own tenant below; here only the entity is shared
    const own = await app.newTenant();
    await admin.query(`update tenants set time_zone = 'Asia/Dhaka' where id = $1`, [own.tenant.id]);
    const start = Date.parse('2026-03-01T00:00:00Z');
    await admin.query(
      `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, created_at)
       select $1, case when n % 3 = 0 then 'SUPPORT_CONVERSATION_CLOSED' else 'SUPPORT_MESSAGE_SENT' end, 'support_message',
         'e' || n % 7, case when n % 2 = 0 then $2 else 'system' end, to_timestamp($3 + n * 3600)
       from generate_series(0, 719) n order by n`,
      [own.tenant.id, own.people.agent.id, start / 1_000],
    );
    const all = await own.asPerson('lead', (scope) => readAudit(scope, {}, { limit: 1_000, zone: 'UTC' }));
    expect(all.lines).toHaveLength(720);
    const ids = async (query: string) => {
      const browser = await plainBrowser(app, own, 'lead');
      const found: string[] = [];
      let path: string | undefined = `${LOG}?${query}`;
      while (path) {
        const { html, status } = await browser.get(path);
        expect(status).toBe(200);
        found.push(...[...html.matchAll(/<li id="a(\d+)"/g)].map(([, one]) => one!));
        path = /href="([^"]*before=\d+)"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
      }
      return found;
    };
    const expected = (keep: (line: (typeof all.lines)[number]) => boolean) =>
      all.lines.filter(keep).map(({ id }) => id);
    await expect.poll(async () => (await (await plainBrowser(app, own, 'lead')).get(LOG)).html).toContain('Asia/Dhaka');
    const closed = (line: { action: string }) => line.action === 'SUPPORT_CONVERSATION_CLOSED';
    const agents = (line: { actorId: string }) => line.actorId === own.people.agent.id;
    // 10 March in Dhaka begins on the 9th at 18:00 UTC
    const onTenth = ({ createdAt }: { createdAt: Date }) =>
      createdAt >= new Date('2026-03-09T18:00:00Z') && createdAt < new Date('2026-03-10T18:00:00Z');
    expect(await ids('action=SUPPORT_CONVERSATION_CLOSED')).toEqual(expected(closed));
    expect(await ids(`actor=${own.people.agent.id}`)).toEqual(expected(agents));
    expect(await ids('entity=e3')).toEqual(expected(({ entityId }) => entityId === 'e3'));
    expect(await ids('from=2026-03-10&to=2026-03-10')).toEqual(expected(onTenth));
    expect(expected(onTenth)).toHaveLength(24);
    expect(
      await ids(`from=2026-03-10&to=2026-03-10&actor=${own.people.agent.id}&action=SUPPORT_CONVERSATION_CLOSED`),
    ).toEqual(expected((line) => onTenth(line) && agents(line) && closed(line)));
    expect(await ids('from=2027-01-01')).toEqual([]);
    expect(entity + owner).not.toBe('');
  });

  test('refuses what is no filter', async () => {
    for (const query of [
      'action=DROP',
      'from=yesterday',
      'before=x',
      'before=1e9',
      'entity=%00',
      `actor=${'x'.repeat(201)}`,
    ]) {
      expect([query, (await lead.get(`${LOG}?${query}`)).status]).toEqual([query, 422]);
    }
  });
});

describe('the download', () => {
  test('has every line of the filter, the newest first, and is in the log itself', async () => {
    const entity = newId();
    await admin.query(
      `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id)
       select $1, 'SUPPORT_MESSAGE_SENT', 'support_message', $2, 'system' from generate_series(1, 2500)`,
      [tenant.tenant.id, entity],
    );
    const { html, headers, status } = await lead.get(`${LOG}/export?entity=${entity}`);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="audit-log-\d{4}-\d\d-\d\d\.csv"$/);
    const lines = html.trim().split('\r\n');
    expect(lines).toHaveLength(2_501);
    const ids = lines.slice(1).map((line) => Number(line.split(',')[0]));
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    expect(sentences((await lead.get(LOG)).html)[0]).toBe('Tanvir Ahmed took out the audit log');
  });

  test('holds no formula, whatever stands in the log (T-EX1)', async () => {
    const starts = [
      '=',
      '+',
      '-',
      '@',
      '\t',
      '\r',
      '\0',
      '"=',
      "'=",
      '\uFEFF=',
      ' =',
      '\uFF1D',
      '\uFF0B',
      '\uFF0D',
      '\uFF20',
      '|',
      '%',
    ];
    const cells = starts.flatMap((start) => [`${start}1+1`, `${start}cmd|' /C calc'!A0`, `${start}"x,y"\r\nz`]);
    for (const cell of cells) {
      const [parsed] = parseCsv(csvLine([cell]));
      expect([cell, parsed?.[0]?.[0]]).toEqual([cell, "'"]);
      expect(parsed?.[0]?.slice(1)).toBe(cell.replaceAll('\0', ''));
    }
    // the control: what is none stays as it is
    for (const plain of ['1', 'Rahim Uddin', 'a=b', '{"a":-1}', 'রহিম', 'a "b", c']) {
      expect(parseCsv(csvLine([plain, 'x']))).toEqual([[plain, 'x']]);
    }
    const entity = '=HYPERLINK("http://evil.example";"x")';
    await write('SUPPORT_ACCESS_REFUSED', { type: 'door', entity, actor: '+1' }, { code: '@SUM(1)' });
    const { html } = await lead.get(`${LOG}/export?entity=${encodeURIComponent(entity)}`);
    const rows = parseCsv(html.replace(/^\uFEFF/, ''));
    expect(rows).toHaveLength(2);
    expect(rows[1]).toContain(`'${entity}`);
    expect(rows[1]?.filter((cell) => /^[\s"]*[=+\-@]/.test(cell))).toEqual([]);
  });
});

/** RFC 4180, by the letter. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    if (end !== '\r\n') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

describe('200,000 lines', () => {
  let big: TestTenant;
  beforeAll(async () => {
    big = await app.newTenant();
    await admin.query(
      `insert into audit_log (tenant_id, action, entity_type, entity_id, actor_id, created_at)
       select case when n % 4 = 0 then $2::uuid else $1::uuid end,
         case when n % 100 = 0 then 'SUPPORT_ROLE_CHANGED' when n % 10 = 0 then 'SUPPORT_CONVERSATION_CLOSED' else 'SUPPORT_MESSAGE_SENT' end,
         'support_message', 'e' || n % 50000, case when n % 1000 = 1 then $3 else 'user' || n % 2000 end,
         to_timestamp(1767225600 + n * 60)
       from generate_series(1, 200000) n order by n`,
      [big.tenant.id, tenant.tenant.id, big.people.agent.id],
    );
    await admin.query('analyze audit_log');
  });

  test('no filter and no page makes a sequential scan, or reads far more than it shows', async () => {
    const names = ['action', 'actorId', 'entityId', 'dateFrom', 'dateTo'] as const;
    const values = {
      action: ['SUPPORT_ROLE_CHANGED', 'SUPPORT_MESSAGE_SENT', 'SUPPORT_EXPORTED'],
      actorId: [big.people.agent.id],
      entityId: ['e77'],
      dateFrom: ['2026-02-10'],
      dateTo: ['2026-02-20'],
    };
    let filters: Record<string, string>[] = [{}];
    for (const name of names)
      filters = filters.flatMap((one) => [one, ...values[name].map((value) => ({ ...one, [name]: value }))]);
    expect(filters).toHaveLength(64);
    const statements: [Record<string, string>, string][] = [];
    for (const one of filters) {
      for (const before of [undefined, '999999999999']) {
        await big.asPerson('lead', async (scope) => {
          const em = Object.assign(Object.create(scope.em), {
            async execute(sql: string, given: unknown[]) {
              let at = 0;
              statements.push([one, sql.replaceAll('?', () => `'${String(given[at++])}'`)]);
              return [];
            },
          });
          await readAudit({ ...scope, em }, one, { before, limit: 50, zone: 'Asia/Dhaka' });
        });
      }
    }
    const { app: role } = roleNames(databaseUrl());
    const client = await admin.connect();
    try {
      await client.query(`set role ${role}`);
      await client.query(`select set_config('app.tenant_id', $1, false)`, [big.tenant.id]);
      for (const [filter, sql] of statements) {
        const { rows } = await client.query(`explain (analyze, format json) ${sql}`);
        const [{ Plan: plan, 'Execution Time': ms }] = rows[0]['QUERY PLAN'];
        expect([filter, nodesOf(plan).filter((node) => node['Node Type'] === 'Seq Scan')]).toEqual([filter, []]);
        expect([filter, ms < 60]).toEqual([filter, true]);
      }
      // the control: without its index the scan is found
      await client.query('reset role');
      await client.query('begin');
      await client.query('drop index audit_log_by_entity, audit_log_newest, audit_log_by_actor, audit_log_by_action');
      await client.query(`set local role ${role}`);
      const entity = statements.find(([filter]) => Object.keys(filter).join() === 'entityId')![1];
      const { rows } = await client.query(`explain (format json) ${entity.replace('order by l.id desc', '')}`);
      expect(nodesOf(rows[0]['QUERY PLAN'][0].Plan).map((node) => node['Node Type'])).toContain('Seq Scan');
      await client.query('rollback');
    } finally {
      await client.query('reset role');
      client.release(true);
    }
  });
});

interface Plan {
  readonly 'Node Type': string;
  readonly Plans?: readonly Plan[];
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}
