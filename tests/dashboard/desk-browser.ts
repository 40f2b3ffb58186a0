import type { Browser, BrowserContext, Page, Response } from 'playwright-core';
import type { Handle, TestSession, TestTenant } from '../support/people.ts';
import { PIXEL } from '../support/pixel.ts';
import type { RunningApp } from '../support/running-app.ts';

/** Somebody in front of a browser. */
export interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Complaints of the page: errors of scripts, of the content policy, of requests nobody expected. */
  readonly complaints: string[];
}

/** How the browser is. */
export interface VisitorOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly script?: boolean;
  readonly language?: 'en' | 'bn';
}

/** Opens a browser window of its own for somebody who is signed in. */
export async function visit(
  browser: Browser,
  app: RunningApp,
  tenant: TestTenant,
  handle: Handle,
  { width = 1280, height = 800, dark = false, script = true, language = 'en' }: VisitorOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: app.base,
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    javaScriptEnabled: script,
    locale: language === 'en' ? 'en-GB' : 'bn-BD',
    reducedMotion: 'reduce',
  });
  const { token } = await tenant.signIn(handle, 'browser');
  await context.addCookies([
    { name: 'safego', value: token, url: app.base },
    { name: 'lang', value: language, url: app.base },
  ]);
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return { page, context, complaints };
}

/** What a page asked for by script, and what it got: a fragment has no `<html>`. */
export function watchFragments(page: Page): { asked: string; target: string; status: number; isPage: boolean }[] {
  const seen: { asked: string; target: string; status: number; isPage: boolean }[] = [];
  page.on('response', (response: Response) => {
    const request = response.request();
    if (request.resourceType() !== 'fetch') return;
    const { pathname, search } = new URL(request.url());
    const entry = {
      asked: `${request.method()} ${pathname}${search}`,
      target: request.headers()['hx-target'] ?? '',
      status: response.status(),
      isPage: false,
    };
    seen.push(entry);
    void response
      .text()
      .then((text) => {
        entry.isPage = /<html|<body/i.test(text);
      })
      .catch(() => {});
  });
  return seen;
}

/** Writes as one of the host's users, through the REST door, and says in which conversation. */
export async function userWrites(app: RunningApp, tenant: TestTenant, handle: Handle, body: string): Promise<string> {
  const { bearer } = await tenant.signIn(handle);
  const response = await fetch(`${app.base}/api/support/conversations`, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ message: { body, clientId: crypto.randomUUID() } }),
  });
  if (!response.ok) throw new Error(`the user could not write: ${response.status} ${await response.text()}`);
  const { conversation } = (await response.json()) as { conversation: { id: string } }; // The contract's shape.
  return conversation.id;
}

/** Uploads a photo of one pixel as a program does, sends it with a message, and says which file it is. */
export async function sendPhoto(
  app: RunningApp,
  { bearer }: Pick<TestSession, 'bearer'>,
  conversationId: string,
  { name = 'photo.png', body }: { name?: string; body: string },
): Promise<string> {
  const conversation = `${app.base}/api/support/conversations/${conversationId}`;
  const form = new FormData();
  form.set('clientId', crypto.randomUUID());
  form.set('file', new File([PIXEL], name, { type: 'image/png' }));
  const made = await fetch(`${conversation}/attachments`, { method: 'POST', headers: bearer, body: form });
  if (made.status !== 201) throw new Error(`no file: ${made.status} ${await made.text()}`);
  const { attachment } = (await made.json()) as { attachment: { id: string } }; // The contract's shape.
  const sent = await fetch(`${conversation}/messages`, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ body, clientId: crypto.randomUUID(), attachmentIds: [attachment.id] }),
  });
  if (sent.status !== 201) throw new Error(`the photo was not sent: ${sent.status} ${await sent.text()}`);
  return attachment.id;
}

/** Posts a plain form with somebody's cookie, as their browser would; redirects are not followed. */
export async function postForm(
  app: RunningApp,
  tenant: TestTenant,
  handle: Handle,
  path: string,
  fields: Record<string, string>,
): Promise<globalThis.Response> {
  const { cookie } = await tenant.signIn(handle, 'browser');
  return fetch(`${app.base}${path}`, {
    method: 'POST',
    headers: { ...cookie, origin: app.base, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
    redirect: 'manual',
  });
}

/** Opens a conversation for each of so many drivers, `guest-0` first; their ids in that order, the oldest first. */
export async function manyConversations(app: RunningApp, tenant: TestTenant, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const headers = await guest(app, tenant, `guest-${index}`);
    const response = await fetch(`${app.base}/api/support/conversations`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ message: { body: `Question ${index}`, clientId: crypto.randomUUID() } }),
    });
    const { conversation } = (await response.json()) as { conversation: { id: string } }; // The contract's shape.
    ids.push(conversation.id);
  }
  return ids;
}

/** Writes into a conversation as one of those drivers. */
export async function say(app: RunningApp, tenant: TestTenant, id: string, sub: string, body: string): Promise<void> {
  const response = await fetch(`${app.base}/api/support/conversations/${id}/messages`, {
    method: 'POST',
    headers: await guest(app, tenant, sub),
    body: JSON.stringify({ body, clientId: crypto.randomUUID() }),
  });
  if (!response.ok) throw new Error(`${sub} could not write: ${response.status}`);
}

async function guest(app: RunningApp, tenant: TestTenant, sub: string): Promise<Record<string, string>> {
  const token = await tenant.hostToken({ sub, userType: 'driver', name: `Driver ${sub}` });
  const response = await fetch(`${app.base}/api/support/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  const { accessToken } = (await response.json()) as { accessToken: string }; // The contract's shape.
  return { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
}
