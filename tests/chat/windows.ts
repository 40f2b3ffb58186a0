import pg from 'pg';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { launchBrowser } from '../support/browser.ts';
import { adminUrl } from '../support/database.ts';
import type { Handle, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

/** A phone in the hand, and a desk. */
export const PHONE = { width: 360, height: 640 };
export const DESK = { width: 1280, height: 800 };

/** Somebody's browser window, and everything that a browser should not have had to say. */
export interface Window {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Policy violations, script errors, failed assets. Empty is good. */
  readonly complaints: string[];
  /** Answers that htmx got: method, path, status and text. */
  readonly fragments: { method: string; path: string; status: number; text: string }[];
}

/** The app, a browser and one tenant; `stop` lets go of all of them. */
export interface Stage {
  readonly app: RunningApp;
  readonly browser: Browser;
  readonly tenant: TestTenant;
  /** A new window of its own browser profile, signed in unless `who` is null. */
  open(who: Handle | null, options?: BrowserContextOptions): Promise<Window>;
  /** The same app and browser for a new tenant of its own: several cases side by side. */
  guest(): Promise<Stage>;
  stop(): Promise<void>;
}

export async function setStage(env: Record<string, string> = {}, more: { compress?: boolean } = {}): Promise<Stage> {
  const [app, browser] = await Promise.all([startApp({ DEMO: '1', ...env }, more), launchBrowser()]);
  const guest = async () => on(await app.newTenant());
  const on = (tenant: TestTenant): Stage => ({
    app,
    browser,
    tenant,
    guest,
    async open(who, options) {
      // what passes a service worker cannot be stopped by `route`; those who test it let it in
      const common = { viewport: PHONE, locale: 'en-US', serviceWorkers: 'block' } as const;
      const context = await browser.newContext({ ...common, ...options });
      if (who) {
        const { token } = await tenant.signIn(who, 'browser');
        await context.addCookies([{ name: 'safego', value: token, url: app.base, httpOnly: true, sameSite: 'Lax' }]);
      }
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      return { page, context, ...listen(page, app.base) };
    },
    async stop() {
      await browser.close();
      await app.stop();
    },
  });
  return guest();
}

function listen(page: Page, base: string): Pick<Window, 'complaints' | 'fragments'> {
  const complaints: string[] = [];
  const fragments: Window['fragments'] = [];
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('response', async (response) => {
    const request = response.request();
    if (request.headers()['hx-request'] !== 'true') return;
    const text = await response.text().catch(() => '');
    fragments.push({
      method: request.method(),
      path: request.url().slice(base.length),
      status: response.status(),
      text,
    });
  });
  return { complaints, fragments };
}

/** Opens a conversation with a first text by the plain form, or goes on with the open one; gives back its path. */
export async function startConversation(page: Page, base: string, text: string, userType = 'driver'): Promise<string> {
  await page.goto(`${base}/${userType}/support`);
  const goesOn = await page.locator('main a.primary').count();
  if (goesOn) {
    await page.click('main a.primary');
    await page.waitForURL(/\/conversations\//);
    await say(page, text);
    return new URL(page.url()).pathname;
  }
  await page.fill('#body', text);
  await page.click('#new button');
  await page.waitForURL(/\/conversations\//);
  return new URL(page.url()).pathname;
}

/** Writes and sends as a person at a keyboard does. */
export async function say(page: Page, text: string): Promise<void> {
  await page.fill('#composer textarea', text);
  await page.click('#composer button:not([type="button"])');
}

/** What the log shows, in its order: texts of messages, and in brackets the lines between them. */
export async function shown(page: Page): Promise<string[]> {
  return page
    .locator('#messages > li')
    .evaluateAll((items) =>
      items.map((item) => item.querySelector('.body')?.textContent ?? `[${item.textContent?.trim()}]`),
    );
}

/** Writes into a conversation as an agent would. */
export async function answer({ app, tenant }: Stage, path: string, body: string): Promise<void> {
  const agent = await tenant.signIn('agent');
  const answered = await fetch(`${app.base}/api/support/conversations/${path.split('/').at(-1)}/messages`, {
    method: 'POST',
    headers: { ...agent.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ body, clientId: crypto.randomUUID() }),
  });
  if (answered.status !== 201) throw new Error(`answering: ${answered.status} ${await answered.text()}`);
}

/** Closes a conversation as a lead would. */
export async function closeConversation({ app, tenant }: Stage, path: string): Promise<void> {
  const lead = await tenant.signIn('lead');
  const closed = await fetch(`${app.base}/api/admin/support/conversations/${path.split('/').at(-1)}/close`, {
    method: 'POST',
    headers: { ...lead.bearer, 'content-type': 'application/json' },
    body: '{}',
  });
  if (closed.status !== 200) throw new Error(`closing: ${closed.status} ${await closed.text()}`);
}

/** Changes the tenant's settings; call what it gives back to have them as they were. */
export async function changeSettings({ app, tenant }: Stage, change: object): Promise<() => Promise<void>> {
  const owner = await tenant.signIn('owner');
  const url = `${app.base}/api/admin/support/settings`;
  const read = async () =>
    (await (await fetch(url, { headers: owner.bearer })).json()) as { version: number; settings: object }; // its answer
  const save = async (settings: object) => {
    const { version } = await read();
    const headers = { ...owner.bearer, 'content-type': 'application/json' };
    const saved = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ version, settings }) });
    if (saved.status !== 200) throw new Error(`settings: ${saved.status} ${await saved.text()}`);
  };
  const before = (await read()).settings;
  await save({ ...before, ...change });
  return () => save(before);
}

/** From the next page on no socket opens, as behind a proxy that refuses the upgrade. */
export async function refuseSockets(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    globalThis.WebSocket = class extends EventTarget {
      readyState = 3;
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new CloseEvent('close', { code: 1006 })), 5);
      }
      close() {}
      send() {}
    } as never;
  });
}

/** Once the script is there in its smallest form, which is made beside the first seconds of serving. */
export async function smallestScript(base: string): Promise<void> {
  const html = await (await fetch(base)).text();
  const script = /src="(\/assets\/app[^"]+)"/.exec(html)?.[1] ?? '';
  const size = async () => {
    const answer = await fetch(base + script, { method: 'HEAD', headers: { 'accept-encoding': 'br' } });
    return Number(answer.headers.get('content-length'));
  };
  const first = await size();
  for (let n = 0; n < 40 && (await size()) === first; n++) await new Promise((done) => setTimeout(done, 100));
}

/**
 * From now on PostgreSQL says of this tenant's messages what it says when it cannot extend a file. Call what it gives back
 * to make room again.
 */
export async function fillDisk({ tenant }: Stage): Promise<() => Promise<void>> {
  const admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  const { id } = tenant.tenant;
  const name = `test_no_room_${id.replaceAll('-', '')}`;
  await admin.query(`create function ${name}() returns trigger language plpgsql as $$ begin
    raise exception 'could not extend file "base/1/2": No space left on device' using errcode = '53100'; end $$`);
  await admin.query(
    `create trigger ${name} before insert on messages for each row when (new.tenant_id = '${id}') execute function ${name}()`,
  );
  return async () => {
    await admin.query(`drop trigger ${name} on messages`);
    await admin.query(`drop function ${name}()`);
    await admin.end();
  };
}
