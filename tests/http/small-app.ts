import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type AppDeps, createApp } from '../../src/app.ts';
import { BadRequest, Conflict, NotFound } from '../../src/platform/errors/index.ts';
import {
  createHttpServer,
  eventStream,
  everybody,
  fragment,
  json,
  type Metrics,
  noContent,
  type Policy,
  page,
  type Readiness,
  type Route,
  route,
  type SignedIn,
  seeOther,
} from '../../src/platform/http/index.ts';
import { escapeHtml } from '../../src/platform/text/index.ts';
import { openAssets, openLanguages, openViews, stream } from '../../src/platform/views/index.ts';

/** The token of the one person who is signed in, and the cookie that carries it. */
export const TOKEN = 'rahims-token';
const COOKIE = `session=${TOKEN}`;
export const SOME_ID = '01a1fd19-ed55-7256-8a7e-d392a71636c8';

const RAHIM: SignedIn = {
  id: '01a1fd19-0000-7000-8000-000000000001',
  tenantId: '01a1fd19-0000-7000-8000-000000000002',
  tenantSlug: 'safego',
  locale: null,
  can: () => false,
};

const signedIn: Policy = { name: 'signed-in', needsSession: true, check: () => 'ok' };
const agents: Policy = {
  name: 'admin:REPLY_SUPPORT_CHAT',
  needsSession: true,
  capability: 'REPLY_SUPPORT_CHAT',
  check: (actor) => (actor.can('REPLY_SUPPORT_CHAT') ? 'ok' : 'forbidden'),
};
const hidden: Policy = { name: 'hidden', needsSession: true, check: () => 'not_here' };

const Note = z.strictObject({
  body: z.string().min(1, 'empty_message').max(4_000),
  kind: z.enum(['a', 'b']).optional(),
  tags: z.array(z.string()).optional(),
});
const List = z.strictObject({
  order: z.enum(['asc', 'desc']).optional(),
  status: z.enum(['open', 'closed']).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
  room: z.array(z.string()).optional(),
});
const ById = z.strictObject({ id: z.uuid() });

/** Routes of every kind; each that changes something notes it in `effects`. */
function smallRoutes(effects: unknown[]): Route[] {
  const did = (what: unknown) => void effects.push(what);
  return [
    route({
      name: 'notes.form',
      method: 'POST',
      path: '/notes',
      policy: signedIn,
      face: 'page',
      body: Note,
      handle(_scope, { body, isFragment }) {
        did(body);
        return isFragment
          ? fragment(stream.append('#notes', `<li>${escapeHtml(body.body)}</li>`))
          : seeOther('/notes/done');
      },
    }),
    route({
      name: 'notes.create',
      method: 'POST',
      path: '/api/notes',
      policy: signedIn,
      face: 'json',
      needsEm: false,
      body: Note,
      handle(_scope, { body }) {
        did(body);
        return json({ note: body }, 201);
      },
    }),
    route({
      name: 'notes.list',
      method: 'GET',
      path: '/api/notes',
      policy: signedIn,
      face: 'json',
      query: List,
      handle: (_scope, { query }) => json(query),
    }),
    route({
      name: 'notes.show',
      method: 'GET',
      path: '/api/notes/:id',
      policy: signedIn,
      face: 'json',
      params: ById,
      handle(_scope, { params }) {
        if (params.id !== SOME_ID) throw new NotFound();
        return json(params);
      },
    }),
    route({
      name: 'notes.remove',
      method: 'DELETE',
      path: '/api/notes/:id',
      policy: signedIn,
      face: 'json',
      params: ById,
      handle(_scope, { params }) {
        did(params);
        return noContent();
      },
    }),
    route({
      name: 'notes.close',
      method: 'POST',
      path: '/api/notes/:id/close',
      policy: signedIn,
      face: 'json',
      params: ById,
      handle(_scope, { params }) {
        did(params);
        return json({ closed: true });
      },
    }),
    route({
      name: 'notes.page',
      method: 'GET',
      path: '/notes/:word',
      policy: signedIn,
      face: 'page',
      params: z.strictObject({ word: z.string().max(100) }),
      query: z.strictObject({ q: z.string().max(500).optional() }),
      handle: (_scope, { query, reader }) =>
        page(
          `<!doctype html><html lang="${reader.language}"><p>${escapeHtml(query.q ?? '')}</p>${'<b>x</b>'.repeat(300)}`,
        ),
    }),
    route({
      name: 'notes.away',
      method: 'POST',
      path: '/api/notes/away',
      policy: signedIn,
      face: 'json',
      handle() {
        throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432 user=app'), { code: 'ECONNREFUSED' });
      },
    }),
    route({
      name: 'broken.page',
      method: 'GET',
      path: '/broken',
      policy: everybody,
      face: 'page',
      handle() {
        throw new Error('select secret from inside where password = 1');
      },
    }),
    route({
      name: 'broken.json',
      method: 'GET',
      path: '/api/broken',
      policy: everybody,
      face: 'json',
      handle() {
        throw new Error('select secret from inside where password = 1');
      },
    }),
    route({
      name: 'conflict',
      method: 'POST',
      path: '/api/conflict',
      policy: everybody,
      face: 'json',
      handle() {
        throw new Conflict('another_open', 'Another one is open.', { conversationId: SOME_ID });
      },
    }),
    route({
      name: 'refuse',
      method: 'POST',
      path: '/refuse',
      policy: everybody,
      face: 'page',
      body: z.strictObject({ status: z.string() }),
      handle() {
        throw new BadRequest('client_id_reused');
      },
    }),
    route({ name: 'agents', method: 'GET', path: '/api/agents', policy: agents, face: 'json', handle: () => json({}) }),
    route({ name: 'hidden', method: 'GET', path: '/api/hidden', policy: hidden, face: 'json', handle: () => json({}) }),
    route({
      name: 'desk',
      method: 'GET',
      path: '/admin/desk',
      policy: signedIn,
      face: 'page',
      handle: () => page('<p>'),
    }),
    route({
      name: 'sso',
      method: 'POST',
      path: '/sso',
      policy: everybody,
      face: 'page',
      crossSite: true,
      body: z.strictObject({ token: z.string(), to: z.string().optional() }),
      handle: (_scope, { body }) => seeOther(body.to ?? '/'),
    }),
    route({
      name: 'who',
      method: 'GET',
      path: '/api/who',
      policy: everybody,
      face: 'json',
      handle: ({ actor }, { clientAddress, reader }) =>
        json({ id: actor.id, clientAddress, language: reader.language }),
    }),
    route({
      name: 'events',
      method: 'GET',
      path: '/events',
      policy: everybody,
      face: 'page',
      needsEm: false,
      handle: () =>
        eventStream((opened) => {
          opened.send({ id: '1:7', data: '<li>one\nline</li>' });
          opened.send({ event: 'beat\nid: forged', data: '' });
          opened.onClose(() => did('closed'));
        }),
    }),
  ];
}

export interface SmallApp {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  /** What the routes changed. */
  readonly effects: unknown[];
  /** What was logged as error or at debug. */
  readonly lines: { level: string; fields: Record<string, unknown>; message: string }[];
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  /** Signs in as Rahim. */
  readonly bearer: { readonly authorization: string };
  readonly cookie: { readonly cookie: string };
  close(): Promise<void>;
}

/** An app of the platform alone: its own routes, one signed-in person, a database that is only asked whether it lives. */
export async function startSmallApp(
  config: Partial<AppDeps['config']> = {},
  isAlive: () => boolean = () => true,
): Promise<SmallApp> {
  const effects: unknown[] = [];
  const lines: SmallApp['lines'] = [];
  const noted = (level: string) => (fields: object, message?: string) =>
    void lines.push({ level, fields: { ...fields }, message: message ?? '' });
  const app = createApp({
    config: { proxyHops: 0, ...config },
    log: { info: noted('info'), warn: noted('warn'), error: noted('error'), debug: noted('debug') },
    database: fakeDatabase(isAlive),
    views: await bareViews(),
    routes: smallRoutes(effects),
    authenticate: (token) => (token === TOKEN ? RAHIM : null),
    sessionCookie: 'session',
  });
  app.readiness.set(null);
  const server = createHttpServer(app.listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // a listening TCP server has an address with a port
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    effects,
    lines,
    readiness: app.readiness,
    metrics: app.metrics,
    bearer: { authorization: `Bearer ${TOKEN}` },
    cookie: { cookie: COOKIE },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The JSON of an answer, read by tests that say themselves what must be in it. */
export async function jsonOf(reply: Response): Promise<Record<string, unknown>> {
  // every JSON answer of the app is an object
  return (await reply.json()) as Record<string, unknown>;
}

function fakeDatabase(isAlive: () => boolean): AppDeps['database'] {
  const database = {
    withScope: (tenant: unknown, actor: unknown, work: (scope: unknown) => unknown) =>
      work({ tenant, actor, now: new Date(), em: null, emit() {} }),
    systemPool: {
      query: async () => {
        if (!isAlive()) throw new Error('connect ECONNREFUSED');
      },
    },
  };
  // these tests reach no table: nothing else of a database is touched
  return database as unknown as AppDeps['database'];
}

/** Views without templates: what the platform shows by itself. With two files in public/. */
async function bareViews() {
  const folder = mkdtempSync(join(tmpdir(), 'small-app-'));
  writeFileSync(join(folder, 'icon.svg'), `<svg xmlns="http://www.w3.org/2000/svg">${'<g/>'.repeat(500)}</svg>`);
  const assets = await openAssets({ folder, quality: 1 });
  return openViews({ folder, languages: await openLanguages(folder), assets });
}
