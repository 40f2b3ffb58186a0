import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import sharp from 'sharp';
import { adminUrl, type FreshDatabase } from '../support/database.ts';
import type { Handle, TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

/** An answer as a person gets it; `body` is parsed when it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** The app with one tenant, looked into from behind. */
export interface AttachmentApp extends RunningApp {
  readonly home: TestTenant;
  readonly admin: pg.Pool;
  /** API sessions of `home`. */
  readonly who: Readonly<Record<Handle, TestSession>>;
  /** Rahim's open conversation. */
  readonly conversation: string;
  get(path: string, as?: Pick<TestSession, 'bearer'>, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body: unknown, as: Pick<TestSession, 'bearer'>): Promise<Answer>;
  upload(as: TestSession, file: Upload, conversation?: string): Promise<Answer>;
  setSettings(changed: object): Promise<void>;
  /** Names of what lies in the staging, and of what is stored. */
  staged(): string[];
  stored(): string[];
}

/** What is sent as a file. */
export interface Upload {
  readonly bytes: Buffer;
  readonly name?: string;
  readonly type?: string;
  readonly clientId?: string;
}

const HANDLES: readonly Handle[] = ['rahim', 'driver-2', 'agent', 'agent-2', 'lead', 'viewer', 'owner'];

/** Starts the whole app; everybody is signed in and Rahim has an open conversation. */
export async function startAttachmentApp(
  env: Record<string, string> = {},
  on?: FreshDatabase,
  more: Parameters<typeof startApp>[1] = {},
): Promise<AttachmentApp> {
  const app = await startApp({ ...env, ...(on ? { DATABASE_URL: on.url } : {}) }, more);
  const admin = new pg.Pool({ connectionString: on?.adminUrl ?? adminUrl(), max: 2 });
  const home = await app.newTenant();
  const sessions = await Promise.all(HANDLES.map(async (handle) => [handle, await home.signIn(handle)] as const));
  const who = Object.fromEntries(sessions) as AttachmentApp['who']; // those that the tests use

  async function answer(response: Response): Promise<Answer> {
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    const body = isJson ? await response.json() : Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body };
  }

  const get: AttachmentApp['get'] = async (path, as, headers) =>
    answer(await fetch(new URL(path, app.base), { headers: { ...as?.bearer, ...headers }, redirect: 'manual' }));
  const post: AttachmentApp['post'] = async (path, body, as) =>
    answer(
      await fetch(new URL(path, app.base), {
        method: 'POST',
        headers: { ...as.bearer, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    );
  const started = await post(
    '/api/support/conversations',
    { message: { body: 'Look at this', clientId: randomUUID() } },
    who.rahim,
  );
  const conversation: string = started.body.conversation.id;
  const files = join(app.config.dataDir, 'files');
  const stopApp = app.stop;

  return Object.assign(app, {
    home,
    admin,
    who,
    conversation,
    get,
    post,
    async upload(as: TestSession, file: Upload, to: string = conversation) {
      const form = new FormData();
      form.set('clientId', file.clientId ?? randomUUID());
      form.set(
        'file',
        new File([new Uint8Array(file.bytes)], file.name ?? 'photo.jpg', { type: file.type ?? 'image/jpeg' }),
      );
      return answer(await fetch(new URL(uploadPath(to), app.base), { method: 'POST', headers: as.bearer, body: form }));
    },
    async setSettings(changed: object) {
      const { version } = (await get('/api/admin/support/settings', who.owner)).body;
      const saved = await fetch(new URL('/api/admin/support/settings', app.base), {
        method: 'PUT',
        headers: { ...who.owner.bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ version, settings: changed }),
      });
      if (!saved.ok) throw new Error(await saved.text());
    },
    staged: () => readdirSync(join(files, 'staging')),
    stored: () =>
      existsSync(join(files, 'stored'))
        ? readdirSync(join(files, 'stored'), { recursive: true, withFileTypes: true })
            .filter((one) => one.isFile())
            .map((one) => one.name)
        : [],
    async stop() {
      await admin.end();
      await stopApp();
    },
  });
}

/** Path of a conversation's door for files. */
export function uploadPath(conversation: string): string {
  return `/api/support/conversations/${conversation}/attachments`;
}

/** Path of a conversation's messages. */
export function messagesPath(conversation: string): string {
  return `/api/support/conversations/${conversation}/messages`;
}

/** A picture of noise, so that it does not compress away. */
export async function photo(
  format: 'jpeg' | 'png' | 'gif' | 'webp' = 'jpeg',
  { width = 320, height = 200 }: { width?: number; height?: number } = {},
): Promise<Buffer> {
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 40 };
  return sharp({ create: { width, height, channels: 3, background: '#3366aa', noise } })
    .toFormat(format)
    .toBuffer();
}

/** A PDF that any reader opens. */
export function pdf(padding = 0): Buffer {
  return Buffer.from(`%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj
${'%'.padEnd(padding, 'x')}
trailer<</Root 1 0 R>>
%%EOF`);
}
