/**
 * Reports over HTTP: how long whole pages take from the question to the last byte, then a download of a million rows and
 * what the server's memory does meanwhile:
 * `DATABASE_URL=… node tests/bench/reports-over-http.ts`, on the database that `tests/bench/reports.ts` wants. The server is
 * a process of its own. Then the same download by somebody who goes away in the middle.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entities } from '../../src/entities.ts';
import { openSession } from '../../src/identity/index.ts';
import { openDatabase } from '../../src/platform/database/index.ts';
import { openTenancy, systemActor } from '../../src/tenancy/index.ts';
import { startProduct } from './servers.ts';

const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL is missing');

const PERIODS = ['period=today', 'period=7', 'period=30', 'period=90', 'period=range&from=1970-01-01&to=2199-12-31'];
const FILTERS = ['', '&userType=driver', '&userType=driver&topic=trip&country=BD', '&agent=none&userType=customer'];

/** Every page in every period under several filters; the first round is what it takes to load and is not counted. */
async function measurePages(base: string, token: string): Promise<void> {
  for (const page of ['', '/agents', '/conversations', '/live', '/views']) {
    const took: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const period of PERIODS) {
        for (const filter of FILTERS) {
          const began = performance.now();
          const answer = await fetch(`${base}/admin/support-reports${page}?${period}${filter}`, {
            headers: { cookie: `safego=${token}` },
          });
          await answer.text();
          if (answer.status !== 200 && round === 0) console.log(`${page} ${period}${filter}: ${answer.status}`);
          if (round > 0) took.push(performance.now() - began);
        }
      }
    }
    took.sort((one, other) => one - other);
    const at = (share: number) => (took[Math.ceil(took.length * share) - 1] ?? 0).toFixed(0);
    console.log(
      `page ${page || '/'}: ${took.length} answers, median ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(1)} ms`,
    );
  }
}

await measure();

async function measure(): Promise<void> {
  const quiet = { info() {}, debug() {}, warn() {}, error: console.error };
  const database = await openDatabase({ url: url ?? '', entities, log: quiet });
  const tenancy = await openTenancy({ database, log: quiet });
  const tenant = await tenancy.bySlug('safego');
  if (!tenant) throw new Error('there is no tenant safego');
  const inScope = <T>(work: Parameters<typeof database.withScope<never, T>>[2]) =>
    database.withScope(tenant, systemActor(tenant.id) as never, work);
  const token = await inScope(async (scope) => {
    const [lead] = await scope.em.execute<{ id: string }[]>(
      `select a.user_id as id from role_assignments a join roles r on r.id = a.role_id and r.tenant_id = a.tenant_id
       where a.tenant_id = ? and r.name = 'support_lead' limit 1`,
      [tenant.id],
    );
    if (!lead) throw new Error('the tenant has no lead');
    const session = openSession(scope, { id: lead.id, side: 'admin' }, 'browser');
    await scope.em.flush();
    return session.token;
  });
  const audited = () =>
    inScope(async (scope) => {
      const [row] = await scope.em.execute<{ n: number }[]>(
        `select count(*)::int as n from audit_log where tenant_id = ? and action = 'SUPPORT_EXPORTED'`,
        [tenant.id],
      );
      return row?.n ?? 0;
    });
  const running = () =>
    inScope(async (scope) => {
      const [row] = await scope.em.execute<{ n: number }[]>(
        `select count(*)::int as n from pg_stat_activity where state = 'active' and query like '%report_responses%' and pid <> pg_backend_pid()`,
      );
      return row?.n ?? 0;
    });

  const folder = mkdtempSync(join(tmpdir(), 'reports-over-http-'));
  const server = await startProduct(url ?? '', folder);
  const { base } = server;
  const memory = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_000;
  const path = `${base}/admin/support-reports/conversations/export?of=response&period=range&from=1970-01-01&to=2199-12-31`;
  const get = (signal?: AbortSignal) =>
    fetch(path, { headers: { cookie: `safego=${token}` }, ...(signal ? { signal } : {}) });
  await measurePages(base, token);

  const [before, auditedBefore, began] = [memory(), await audited(), performance.now()];
  let [rows, bytes, most, at] = [-1, 0, before, 0];
  const quarters: string[] = [];
  const response = await get();
  if (response.status !== 200 || !response.body) throw new Error(`the server answers ${response.status}`);
  const stop = new AbortController();
  const reader = response.body.getReader();
  const timer = setInterval(() => {
    most = Math.max(most, memory());
  }, 50);
  while (rows < 1_000_000) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    for (const byte of value) if (byte === 10) rows++;
    if (rows >= (at + 1) * 250_000) {
      at++;
      quarters.push(`${memory().toFixed(0)} MB`);
    }
  }
  clearInterval(timer);
  await reader.cancel();
  const seconds = (performance.now() - began) / 1_000;
  console.log(
    `download over HTTP: ${rows} rows, ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s; the server's memory ${before.toFixed(0)} MB before, ${most.toFixed(0)} MB at most, after each quarter ${quarters.join(', ')}; audited ${(await audited()) - auditedBefore} time(s)`,
  );

  // a reader who goes away
  const left = await get(stop.signal);
  const gone = left.body?.getReader();
  for (let n = 0; n < 40; n++) await gone?.read();
  stop.abort();
  const leftAt = performance.now();
  let quietSince = performance.now();
  while (performance.now() - quietSince < 1_500 && performance.now() - leftAt < 20_000) {
    if ((await running()) > 0) quietSince = performance.now();
    await new Promise((done) => setTimeout(done, 20));
  }
  const again = await fetch(`${base}/healthz`);
  console.log(
    `somebody goes away: the last read ended ${(quietSince - leftAt).toFixed(0)} ms later, healthz ${again.status}, memory ${memory().toFixed(0)} MB`,
  );
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  await tenancy.close();
  await database.close();
}
