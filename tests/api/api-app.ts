import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import request from 'supertest';
import { apiRoutes } from '../../src/api/index.ts';
import { createApp, openAppViews } from '../../src/app.ts';
import { openDesk } from '../../src/desk/index.ts';
import { entities } from '../../src/entities.ts';
import { openIdentity } from '../../src/identity/index.ts';
import { createAppender, type Messaging, openFiles } from '../../src/messaging/index.ts';
import { type Database, openDatabase } from '../../src/platform/database/index.ts';
import { createHttpServer, type Route } from '../../src/platform/http/index.ts';
import { openTenancy } from '../../src/tenancy/index.ts';
import { collectedLog } from '../support/collected-log.ts';
import { adminUrl, databaseUrl } from '../support/database.ts';
import { type Handle, newTenant, TEST_SECRET_KEY, type TestPerson, type TestTenant } from '../support/people.ts';

/** An answer of the JSON API, parsed. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** Somebody who is signed in and speaks JSON. */
export interface Caller {
  readonly person: TestPerson;
  get(path: string): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  put(path: string, body?: unknown): Promise<Answer>;
  patch(path: string, body?: unknown): Promise<Answer>;
  del(path: string): Promise<Answer>;
}

/** The JSON API on a port of its own, with one tenant, looked into as superuser. */
export interface ApiApp {
  readonly base: string;
  readonly routes: readonly Route[];
  readonly database: Database;
  readonly messaging: Messaging;
  readonly admin: pg.Pool;
  readonly home: TestTenant;
  newTenant(): Promise<TestTenant>;
  /** A caller of `home`, or of another tenant. */
  as(handle: Handle, tenant?: TestTenant): Promise<Caller>;
  readonly nobody: Caller;
  /** Whoever holds this session token. */
  withToken(token: string): Caller;
  /** Reads what an own SQL statement changed in tenants, settings and sessions. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

const NOBODY: TestPerson = { id: '', handle: 'rahim', userType: '', name: '', email: '' };

const quiet = collectedLog({ error: (...told: unknown[]) => console.error(...told) });

/** Starts the app with the API's routes alone, on the run's database or on another one. */
export async function startApiApp(on = { url: databaseUrl(), adminUrl: adminUrl() }): Promise<ApiApp> {
  const admin = new pg.Pool({ connectionString: on.adminUrl, max: 4 });
  const database = await openDatabase({ url: on.url, entities, log: quiet });
  const tenancy = await openTenancy({ database, log: quiet });
  const dataDir = mkdtempSync(join(tmpdir(), 'api-'));
  const config = { secretKey: TEST_SECRET_KEY, limits: false, demo: false };
  const identity = await openIdentity({ database, tenancy, log: quiet, config });
  const messaging: Messaging = {
    database,
    appender: createAppender({ database, log: quiet }),
    files: await openFiles({ config: { ...config, dataDir }, log: quiet, clock: Date.now }),
    settings: (tenantId) => tenancy.supportSettings(tenantId),
    limits: false,
    timeZone: (tenantId) => tenancy.tenant(tenantId).timeZone,
    reloadPerson: (person) => identity.reload(person),
  };
  const desk = openDesk({ database, tenancy, people: () => [], log: quiet });
  const routes = apiRoutes({ messaging, tenancy, identity, desk, live: { checking() {} } });
  const app = createApp({
    config: { proxyHops: 0 },
    log: quiet,
    database,
    views: await openAppViews({ compress: false }),
    routes,
    authenticate: (token) => identity.authenticate(token),
    sessionCookie: identity.cookie.name,
  } as Parameters<typeof createApp>[0]); // optional members of the config stay away
  const server = createHttpServer(app.listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const home = await newTenant(database);
  return {
    base,
    routes,
    database,
    messaging,
    admin,
    home,
    newTenant: () => newTenant(database),
    async as(handle, tenant = home) {
      const session = await tenant.signIn(handle);
      return caller(base, session.person, session.bearer);
    },
    nobody: caller(base, NOBODY, {}),
    withToken: (token) => caller(base, NOBODY, { authorization: `Bearer ${token}` }),
    async refresh() {
      await tenancy.refresh();
      await identity.refresh();
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await desk.close();
      await identity.close();
      await tenancy.close();
      await database.close();
      await admin.end();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** The body as it came: tests look at what is no JSON, too. */
function asText(answer: request.Response, done: (error: Error | null, text: string) => void): void {
  // supertest hands the parser the stream itself
  const stream = answer as unknown as NodeJS.ReadableStream;
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk) => (text += chunk));
  stream.on('end', () => done(null, text));
}

function caller(base: string, person: TestPerson, headers: Record<string, string>): Caller {
  async function ask(method: Method, path: string, body?: unknown): Promise<Answer> {
    const asked = request(base)[method](path).set(headers).buffer(true).parse(asText);
    if (body !== undefined) asked.set('content-type', 'application/json');
    const answer = await asked.send(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
    const text: string = answer.body;
    return {
      status: answer.status,
      headers: new Headers(answer.headers),
      body: text.startsWith('{') ? JSON.parse(text) : text,
    };
  }
  return {
    person,
    get: (path) => ask('get', path),
    post: (path, body) => ask('post', path, body),
    put: (path, body) => ask('put', path, body),
    patch: (path, body) => ask('patch', path, body),
    del: (path) => ask('delete', path),
  };
}

/** A first message with a client id of its own. */
export function says(body: string, clientId: string = randomUUID()) {
  return { body, clientId };
}

/** Path of a conversation's messages. */
export function messagesOf(conversationId: string): string {
  return `/api/support/conversations/${conversationId}/messages`;
}

/** Path of the staff's door to a conversation. */
export function deskOf(conversationId: string, verb: 'assign' | 'close' | 'reopen'): string {
  return `/api/admin/support/conversations/${conversationId}/${verb}`;
}
