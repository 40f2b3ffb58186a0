import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { sessionRoutes } from '../../src/api/session.routes.ts';
import { createApp, openAppViews } from '../../src/app.ts';
import { signInRoutes } from '../../src/dashboard/sign-in.routes.ts';
import { entities } from '../../src/entities.ts';
import { admins, type Identity, openIdentity, type Person, signedIn, users } from '../../src/identity/index.ts';
import { type Database, type Log, openDatabase } from '../../src/platform/database/index.ts';
import { createHttpServer, json, page, type Route, route } from '../../src/platform/http/index.ts';
import { openTenancy, type Tenancy } from '../../src/tenancy/index.ts';
import { collectedLog } from '../support/collected-log.ts';
import { databaseUrl } from '../support/database.ts';
import { TEST_SECRET_KEY } from '../support/people.ts';

/** A node of the installation: own pools, own caches, own server; the doors of signing in and one door per policy. */
export interface Node {
  readonly database: Database;
  readonly tenancy: Tenancy;
  readonly identity: Identity;
  readonly url: string;
  /** `fault`s of refused tokens, oldest first. */
  readonly faults: string[];
  close(): Promise<void>;
}

export interface NodeOptions {
  readonly database?: string;
  readonly limits?: boolean;
  readonly demo?: boolean;
  readonly publicUrl?: URL;
}

export const quiet: Log = collectedLog();

export async function openNode({
  limits = false,
  demo = false,
  publicUrl,
  ...options
}: NodeOptions = {}): Promise<Node> {
  const faults: string[] = [];
  const log: Log = {
    ...quiet,
    info(fields) {
      if ('fault' in fields) faults.push(String(fields.fault));
    },
    error: (fields) => console.error(fields),
  };
  const database = await openDatabase({ url: options.database ?? databaseUrl(), entities, log });
  const tenancy = await openTenancy({ database, log });
  const config = { secretKey: TEST_SECRET_KEY, limits, demo, ...(publicUrl && { publicUrl }) };
  const identity = await openIdentity({ database, tenancy, log, config });
  const views = await openAppViews({ compress: false });
  const app = createApp({
    config: { proxyHops: 0, ...(publicUrl && { publicUrl }) },
    log,
    database,
    views,
    routes: [
      ...sessionRoutes({ identity }),
      ...signInRoutes({ identity, tenancy, views, config, keepDevices: async () => {} }),
      ...probeRoutes(),
    ],
    authenticate: identity.authenticate,
    sessionCookie: identity.cookie.name,
  });
  const server = createHttpServer(app.listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has no other
  return {
    database,
    tenancy,
    identity,
    faults,
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await identity.close();
      await tenancy.close();
      await database.close();
    },
  };
}

/** Doors that say who came in: a page, JSON, and one for each policy. */
function probeRoutes(): Route[] {
  const probe = (name: string, policy: Route['policy'], face: Route['face']) =>
    route<Person>({
      name: `test.probe.${name}`,
      method: 'GET',
      path: `/probe/${name}`,
      policy,
      face,
      needsEm: false,
      handle: ({ actor }) => (face === 'json' ? json({ id: actor.id }) : page(`<p>${actor.id}</p>`)),
    });
  return [
    probe('page', signedIn(), 'page'),
    probe('json', signedIn(), 'json'),
    probe('user', users(), 'json'),
    probe('desk', admins(), 'json'),
    probe('reply', admins('REPLY_SUPPORT_CHAT'), 'json'),
    probe('roles', admins('MANAGE_ROLES'), 'json'),
  ] as Route[]; // each acts for a Person, whom the policy has let in
}

/** Signs in over REST with a host token or a password. */
export async function postSession(node: Node, body: unknown): Promise<{ status: number; body: SessionAnswer }> {
  const response = await fetch(`${node.url}/api/support/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as SessionAnswer };
}

export interface SessionAnswer {
  accessToken: string;
  expiresAt: string;
  user: { id: string; userType: string; name: string };
  error?: { code: string; message: string; fields?: Record<string, string> };
}

/** Posts a form without following the answer. */
export function postForm(
  node: Node,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(node.url + path, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' });
}

/** Gets a path without following the answer. */
export function get(node: Node, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(node.url + path, { headers, redirect: 'manual' });
}

/** The cookies an answer sets: name to value (empty: forgotten). */
export function cookiesOf(response: Response): Record<string, string> {
  return Object.fromEntries(
    response.headers.getSetCookie().map((line) => {
      const [pair = ''] = line.split(';', 1);
      return [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    }),
  );
}
