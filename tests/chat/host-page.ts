import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadSupportSettings, saveSupportSettings } from '../../src/tenancy/index.ts';
import type { TestTenant } from '../support/people.ts';
import type { RunningApp } from '../support/running-app.ts';

/** A site of its own: `localhost` is to a browser another site than the app's `127.0.0.1`. */
export interface HostSite {
  readonly origin: string;
  /** How often a token was asked for. */
  readonly tokens: { asked: number; readonly given: string[] };
  stop(): void;
}

/** What the site's pages hold. */
export interface HostPages {
  /** HTML of the body, by path. */
  page(path: string): string;
  /** Answers `POST /support-token`. */
  token?(): Promise<string>;
  /** The chat's origin, which the site's policy lets in. */
  readonly chat: string;
}

/** Opens a site whose every page comes under the strictest policy that the entry allows. */
export async function openHostSite({ page, token, chat }: HostPages): Promise<HostSite> {
  const tokens = { asked: 0, given: [] as string[] };
  const policy = [
    "default-src 'none'",
    `script-src 'self' ${chat}`,
    `frame-src ${chat} http://localhost:*`,
    `form-action ${chat}`,
    "connect-src 'self'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    if (path === '/support-token' && request.method === 'POST' && token) {
      tokens.asked += 1;
      const value = await token();
      tokens.given.push(value);
      response.end(value);
      return;
    }
    response.setHeader('Content-Security-Policy', policy);
    response.setHeader('Content-Type', path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8');
    const body = page(path);
    response.end(
      path.endsWith('.js') ? body : `<!doctype html><html lang="en"><title>Host</title><body>${body}</body>`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    origin: `http://localhost:${port}`,
    tokens,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The one tag that the README asks for. */
export function entryTag(chat: string, tenant: string, user: string, more = ''): string {
  return `<script src="${chat}/embed.js" data-tenant="${tenant}" data-user="${user}" data-token="/support-token" ${more} async></script>`;
}

/** Names the sites that may frame this tenant's chat, and waits until the server holds to it. */
export async function allowFrames(app: RunningApp, tenant: TestTenant, frameOrigins: readonly string[]): Promise<void> {
  await tenant.asPerson('owner', async (scope) => {
    const { settings, version } = await loadSupportSettings(scope);
    await saveSupportSettings(scope, { ...settings, frameOrigins: [...frameOrigins] }, version);
  });
  const door = `${app.base}/embed/${tenant.tenant.slug}`;
  for (let n = 0; n < 100; n++) {
    const policy = (await fetch(door)).headers.get('content-security-policy') ?? '';
    if (frameOrigins.length === 0 ? !policy.includes('http') : frameOrigins.every((one) => policy.includes(one)))
      return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error('the setting does not hold');
}
