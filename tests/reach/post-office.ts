import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, test } from 'vitest';
import { COMPILED } from '../support/compiled.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import type { Handle, TestSession, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { type MailServer, startMailServer, type TakenMail } from './mail-server.ts';
import { type PushService, startPushService } from './push-service.ts';

/** A node, a mail server, and workers that may die; on a database of their own, because workers look at every tenant. */
export interface PostOffice {
  readonly app: RunningApp;
  readonly smtp: MailServer;
  readonly service: PushService;
  readonly admin: pg.Pool;
  readonly database: FreshDatabase;
  home: TestTenant;
  /** A user who asked and was answered, and who has not been there for a while, unless they are. */
  answered(handle: Handle, answers: readonly string[], isStillThere?: boolean): Promise<Answered>;
  /** The mails to an address, once there are so many. */
  mailsTo(address: string, count?: number): Promise<TakenMail[]>;
  /** The same with two answers. */
  somebody(handle?: Handle): Promise<Answered>;
  /** The mail that is owed about a conversation, of which there is one at most. */
  mailOf(about: Answered): Promise<OwedMail | undefined>;
  /** The same once it was sent, or need not be. */
  settled(about: Answered): Promise<OwedMail>;
  /** Waits until nothing is left that could tell anybody of this tenant anything: no job, and none after more looks. */
  emptied(looksMs: number): Promise<void>;
  /** Waits until every try of a job of this tenant that has begun by now is over. */
  triesEnded(): Promise<void>;
  /** Lets time pass for a conversation. */
  goQuiet(conversationId: string, minutes?: number): Promise<void>;
  startWorker(sendMs?: number): Promise<Worker>;
  /** The node leaves, so that workers are alone; `come` starts it again. */
  leave(): Promise<void>;
  come(): Promise<void>;
  /** The same house for a new tenant of its own: several cases side by side. */
  guest(): Promise<PostOffice>;
  close(): Promise<void>;
}

export interface Answered {
  readonly user: TestSession;
  readonly address: string;
  readonly conversationId: string;
  answer(text: string): Promise<void>;
  read(): Promise<void>;
}

interface OwedMail {
  readonly id: string;
  readonly state: string;
}

export interface Worker {
  readonly child: ChildProcess;
  readonly said: () => string;
  kill(): Promise<void>;
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

/** A test with a post office of its own: where services change their mood and workers are killed, side by side. */
export const inOwnOffice = test.extend('office', async ({ task: _task }, { onCleanup }) => {
  const office = await openPostOffice();
  onCleanup(async () => {
    await office.close();
    expect(office.service.complaints).toEqual([]);
  });
  return office;
});

export async function openPostOffice(): Promise<PostOffice> {
  const database = await freshDatabase();
  const service = await startPushService();
  const start = () => startApp({ DATABASE_URL: database.url, PUSH_TEST_ORIGIN: service.origin });
  let app = await start();
  let isHere = true;
  const smtp = await startMailServer();
  const admin = new pg.Pool({ connectionString: database.adminUrl, max: 2 });
  const workers = new Set<ChildProcess>();
  const guest = async () => open(await app.newTenant());
  const open = (home: TestTenant): PostOffice => {
    const office: PostOffice = {
      get app() {
        return app;
      },
      guest,
      smtp,
      service,
      admin,
      database,
      home,
      async answered(handle: Handle, answers: readonly string[], isStillThere = false): Promise<Answered> {
        const user = await office.home.signIn(handle);
        const agent = await office.home.signIn('agent');
        const started = await post(office.app, user, '/api/support/conversations', {
          message: says('Where is my order?'),
        });
        const conversationId = started.conversation.id;
        const path = `/api/support/conversations/${conversationId}`;
        async function answer(text: string): Promise<void> {
          await post(office.app, agent, `${path}/messages`, says(text));
        }
        for (const text of answers) await answer(text);
        if (!isStillThere) await office.goQuiet(conversationId);
        return {
          user,
          address: user.person.email,
          conversationId,
          answer,
          read: () => post(office.app, user, `${path}/read`, { seq: 1_000 }),
        };
      },
      mailsTo(address: string, count = 1): Promise<TakenMail[]> {
        return eventually(() => {
          const mails = smtp.to(address);
          return mails.length >= count ? mails : null;
        });
      },
      somebody: (handle: Handle = 'rahim') => office.answered(handle, ['An answer.', 'And another one.']),
      async mailOf(about: Answered): Promise<OwedMail | undefined> {
        const { rows } = await admin.query('select id, state from answer_mails where conversation_id = $1', [
          about.conversationId,
        ]);
        if (rows.length > 1) throw new Error('one mail is owed, not more');
        return rows[0];
      },
      settled(about: Answered): Promise<OwedMail> {
        return eventually(async () => {
          const mail = await office.mailOf(about);
          return mail && mail.state !== 'owed' ? mail : null;
        }, 25_000);
      },
      async emptied(looksMs: number): Promise<void> {
        const isEmpty = async () => {
          const { rows } = await admin.query(
            `select 1 from jobs.job where data -> 'tenant' ->> 'id' = $1 and state in ('created', 'retry', 'active')`,
            [office.home.tenant.id],
          );
          return rows.length === 0;
        };
        await eventually(isEmpty);
        await new Promise((done) => setTimeout(done, looksMs));
        await eventually(isEmpty);
      },
      async triesEnded(): Promise<void> {
        const { rows: clock } = await admin.query('select clock_timestamp()::text as now');
        await eventually(async () => {
          const { rows } = await admin.query(
            `select 1 from jobs.job
           where data -> 'tenant' ->> 'id' = $1 and state = 'active' and started_on <= $2::timestamptz`,
            [office.home.tenant.id, clock[0].now],
          );
          return rows.length === 0;
        });
      },
      async goQuiet(conversationId: string, minutes = 15): Promise<void> {
        await admin.query(
          // half a second before it counts as quiet: workers may have looked beyond that place already
          `update conversations set last_message_at = clock_timestamp() - make_interval(mins => $2) + interval '500 ms'
         where id = $1`,
          [conversationId, minutes],
        );
      },
      async startWorker(sendMs = 3_000): Promise<Worker> {
        const file = fileURLToPath(new URL('./worker.ts', import.meta.url));
        const child = spawn(process.execPath, [file, database.url, smtp.url, String(sendMs), service.origin], {
          env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        workers.add(child);
        let said = '';
        child.stderr.on('data', (text: Buffer) => {
          said += text.toString();
        });
        const ended = once(child, 'close').then(([code]) => {
          workers.delete(child);
          return code as number | null; // null: killed
        });
        const first = await Promise.race([once(child.stdout, 'data'), ended]);
        if (!Array.isArray(first)) throw new Error(`the worker ended: ${said}`);
        return {
          child,
          said: () => said,
          async kill() {
            child.kill('SIGKILL');
            await ended;
          },
          stop() {
            child.kill('SIGTERM');
            return ended;
          },
        };
      },
      async leave() {
        isHere = false;
        await app.stop();
      },
      async come() {
        if (isHere) return;
        app = await start();
        isHere = true;
      },
      async close() {
        for (const child of workers) child.kill('SIGKILL');
        await smtp.down();
        await service.close();
        if (isHere) await app.stop();
        await admin.end();
        await database.drop();
      },
    };
    return office;
  };
  return guest();
}

function says(body: string): { readonly body: string; readonly clientId: string } {
  return { body, clientId: randomUUID() };
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
async function post(app: RunningApp, session: TestSession, path: string, body: unknown): Promise<any> {
  const answer = await fetch(app.base + path, {
    method: 'POST',
    headers: { ...session.bearer, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** Asks again until it holds; for what happens in other processes. */
export async function eventually<T>(look: () => Promise<T> | T, ms = 20_000): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + ms; ; ) {
    const found = await look();
    if (found) return found as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
