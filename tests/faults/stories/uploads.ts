import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareAttachments } from '../../../src/messaging/attachments/check-attachments.task.ts';
import { openFiles } from '../../../src/messaging/attachments/files.ts';
import { removeOrphans, sweepRows } from '../../../src/messaging/attachments/sweep-attachments.ts';
import type { S3Options } from '../../../src/platform/storage/index.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import type { Lab, LabConversation } from '../lab/lab.ts';
import { LAB_SECRET } from '../lab/node.ts';
import { openFaultProxy } from '../lab/proxy.ts';
import { inLab, percentile, type Story, until } from './story.ts';

/** Files under faults: nothing half, nothing acknowledged lost, nothing left over after the sweep. */

const PIECE = 128 * 1024;
const UPLOADERS = 8;
const quiet = { info() {}, debug() {}, warn() {}, error() {} };

interface Answer {
  readonly status: number;
  readonly offset: number;
  readonly body: Buffer;
}

/** What a sender was told is there. */
interface Acked {
  readonly id: string;
  readonly sha256: string;
  readonly token: string;
  /** Set once the message with it was acknowledged. */
  message: string | null;
}

/** One request with bytes; rejects when the line or the node goes. */
function call(
  port: number,
  token: string,
  { method, path, offset, bytes }: { method: string; path: string; offset?: number; bytes?: Buffer },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent: false,
        signal: AbortSignal.timeout(15_000),
        headers: {
          authorization: `Bearer ${token}`,
          'hx-request': 'true',
          ...(bytes
            ? {
                'content-type': 'application/offset+octet-stream',
                'content-length': bytes.length,
                'upload-offset': offset,
              }
            : {}),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            offset: Number(response.headers['upload-offset'] ?? 0),
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(bytes);
  });
}

/** A PDF of its own that is kept as it is. */
function newFile(size: number): { bytes: Buffer; sha256: string } {
  const bytes = Buffer.concat([Buffer.from('%PDF-1.4\n'), randomBytes(size)]);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Uploads one file after the other and sends each with a message, until told to stop; goes on after every fault. */
async function uploadAndSend(
  lab: Lab,
  { id: conversation, user: { token } }: LabConversation,
  acked: Acked[],
  isOver: () => boolean,
): Promise<void> {
  const port = () => lab.seats[0]?.front.port ?? 0;
  const again = async <T>(work: () => Promise<T | null>): Promise<T> => {
    for (;;) {
      const done = await work().catch(() => null);
      if (done !== null) return done;
      await sleep(20 + lab.random.between(0, 60));
    }
  };
  while (!isOver()) {
    const { bytes, sha256 } = newFile(lab.random.between(60_000, 700_000));
    const clientId = randomUUID();
    const path = `/uploads/${clientId}?conversation=${conversation}`;
    const whole = `${path}&name=a.pdf&size=${bytes.length}`;
    const file = await again(async () => {
      for (let answer = await call(port(), token, { method: 'GET', path }); ; ) {
        if (answer.status === 200) return /value="([^"]+)"/.exec(answer.body.toString())?.[1] ?? null;
        if (answer.status !== 204) return null;
        const { offset } = answer;
        const piece = bytes.subarray(offset, offset + PIECE);
        answer = await call(port(), token, { method: 'PATCH', path: whole, offset, bytes: piece });
      }
    });
    const told: Acked = { id: file, sha256, token, message: null };
    acked.push(told);
    const body = { clientId: randomUUID(), attachmentIds: [file] };
    told.message = await again(async () => {
      const messages = `/api/support/conversations/${conversation}/messages`;
      const answer = await http({ port: port(), method: 'POST', path: messages, token, body });
      return answer.status < 300 ? (answer.body as { message: { id: string } }).message.id : null;
    });
  }
}

/** What is wrong with the files of a data folder, when nobody uploads any more. */
async function judgeFiles(
  lab: Lab,
  dataDir: string,
  acked: readonly Acked[],
  s3?: S3Options,
): Promise<{ anomalies: Anomaly[]; orphans: number }> {
  const anomalies: Anomaly[] = [];
  const found = (what: string) => void anomalies.push({ kind: 'lost', what });
  const port = lab.seats[0]?.front.port ?? 0;
  for (const { id, sha256, token, message } of acked) {
    const shown = await http({ port, method: 'GET', path: `/api/support/attachments/${id}`, token });
    const { attachment } = shown.body as { attachment?: { state: string; url: string } };
    if (attachment?.state !== 'ready') {
      found(`file ${id} is ${shown.status} ${attachment?.state}`);
      continue;
    }
    const { body } = await call(port, token, { method: 'GET', path: attachment.url });
    if (createHash('sha256').update(body).digest('hex') !== sha256) found(`file ${id} holds other bytes`);
    if (!message) found(`file ${id} was sent with no message`);
  }
  const { rows } = await lab.admin.query<{ message: string; file: string }>(
    `select m.id as message, f ->> 'id' as file from messages m, jsonb_array_elements(m.data -> 'attachments') f
     where not exists (select from attachments a where a.id = (f ->> 'id')::uuid and a.state = 'ready' and a.message_id = m.id)`,
  );
  for (const { message, file } of rows) found(`message ${message} points to a missing file ${file}`);

  // the start of the node has removed what the killed ones left
  for (const name of readdirSync(join(dataDir, 'files', 'staging'))) found(`left in the staging: ${name}`);
  const config = { dataDir, secretKey: Buffer.from(LAB_SECRET), ...(s3 ? { s3 } : {}) };
  const files = await openFiles({ config, log: quiet, clock: Date.now });
  const deps = { database: lab.database, files, log: quiet };
  const now = new Date(Date.now() + 1_000);
  await sweepRows(deps, now);
  const orphans = await removeOrphans(deps, now, 0);
  const { filesWithoutRow, rowsWithoutFile } = await compareAttachments(deps, now);
  const ours = new Set(acked.map(({ id }) => id));
  for (const path of filesWithoutRow) found(`nobody names ${path}`);
  for (const id of rowsWithoutFile) if (ours.has(id)) found(`the bytes of ${id} are gone`);
  const { rows: sums } = await lab.admin.query<{ owner: string; counted: number; there: number }>(
    `select u.owner_id as owner, u.bytes::float8 as counted,
       (select coalesce(sum(size + coalesce(thumbnail_size, 0)), 0) from attachments a where a.uploaded_by = u.owner_id)::float8
         + (select coalesce(sum(size), 0) from attachment_uploads p where p.uploaded_by = u.owner_id)::float8 as there
     from attachment_usage u where u.owner_id <> u.tenant_id`,
  );
  for (const { owner, counted, there } of sums) {
    if (counted !== there) found(`${owner} is said to use ${counted} bytes and uses ${there}`);
  }
  return { anomalies, orphans };
}

/** F25: kill -9 in the middle of uploads; the senders go on where the server says they are. */
export const killUploads: Story = async (options) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-faults-files-'));
  try {
    return await inLab(options, { env: { DATA_DIR: dataDir } }, async (lab) => {
      const [seat] = lab.seats;
      if (!seat) throw new Error('no node');
      const conversations = await lab.converse(await lab.newTenant(), UPLOADERS);
      const acked: Acked[] = [];
      let isOver = false;
      const uploaders = conversations.map((one) => uploadAndSend(lab, one, acked, () => isOver));
      const rounds = options.rounds ?? 3;
      let inMiddle = 0;
      for (let round = 1; round <= rounds; round++) {
        await sleep(lab.random.between(100, 900));
        await seat.kill();
        const { rows } = await lab.admin.query<{ n: number }>('select count(*)::int as n from attachment_uploads');
        inMiddle += rows[0]?.n ?? 0;
        await seat.start();
        if (round % 20 === 0) options.onRound?.(round, []);
      }
      const before = acked.length;
      await until('uploads go on', () => acked.length > before, 20_000);
      isOver = true;
      await Promise.all(uploaders);
      const { anomalies, orphans } = await judgeFiles(lab, dataDir, acked);
      const facts = { files: acked.length, uploadsInTheMiddle: inMiddle, orphansSwept: orphans };
      return { anomalies, rounds, facts };
    });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
};

/** F24: the disk of the files is full: uploads are told so in a sentence, messages go on, and so do files when there is room. */
export const fullDisk: Story = async (options) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-faults-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dataDir], { stdio: 'ignore' });
  } catch {
    rmSync(dataDir, { recursive: true, force: true });
    process.stdout.write('F24 was skipped: a disk of 64 MB can only be mounted by root\n');
    return { anomalies: [], rounds: 1, facts: { skipped: 'no right to mount' } };
  }
  try {
    return await inLab(options, { env: { DATA_DIR: dataDir } }, async (lab) => {
      const [conversation] = await lab.converse(await lab.newTenant(), 1);
      const port = lab.seats[0]?.front.port ?? 0;
      if (!conversation) throw new Error('no conversation');
      const { id, user } = conversation;
      const anomalies: Anomaly[] = [];
      const rounds = options.rounds ?? 2;
      const filler = join(dataDir, 'filler');
      let refused = 0;
      for (let round = 0; round < rounds; round++) {
        const upload = async (size: number) => {
          const path = `/uploads/${randomUUID()}?conversation=${id}&name=a.pdf&size=${size}`;
          return call(port, user.token, { method: 'PATCH', path, offset: 0, bytes: newFile(size - 9).bytes });
        };
        const expectStatus = (what: string, status: number, expected: number) => {
          if (status !== expected) anomalies.push({ kind: 'lost', what: `${what}: ${status}` });
        };
        expectStatus('there is room', (await upload(300_000)).status, 200);
        // to the last byte, and to just above the line below which only messages are written
        const { bavail, bsize } = statfsSync(dataDir);
        writeFileSync(filler, Buffer.alloc(bavail * bsize - (round % 2 === 0 ? 0 : 34 * 1024 * 1024)));
        const answers = await Promise.all(Array.from({ length: 6 }, () => upload(9_000_000)));
        for (const { status, body } of answers) {
          if (status === 200) continue;
          refused += 1;
          expectStatus('a full disk', status, 507);
          if (!body.toString().includes('no room for files')) {
            anomalies.push({ kind: 'lost', what: `not said in words: ${body.toString().slice(0, 200)}` });
          }
        }
        const path = `/api/support/conversations/${id}/messages`;
        const message = { clientId: randomUUID(), body: `still here ${round}` };
        const said = await http({ port, method: 'POST', path, token: user.token, body: message });
        expectStatus('a message while the disk is full', said.status, 201);
        rmSync(filler);
        rmSync(join(dataDir, 'files', 'stored'), { recursive: true });
        mkdirSync(join(dataDir, 'files', 'stored'));
        await lab.admin.query('delete from attachments where conversation_id = $1', [id]);
        expectStatus('there is room again', (await upload(300_000)).status, 200);
      }
      if (refused < rounds) anomalies.push({ kind: 'lost', what: 'the disk was never full' });
      for (const name of readdirSync(join(dataDir, 'files', 'staging'))) {
        anomalies.push({ kind: 'lost', what: `left in the staging: ${name}` });
      }
      return { anomalies, rounds, facts: { refused } };
    });
  } finally {
    execFileSync('umount', ['-l', dataDir], { stdio: 'ignore' });
    rmSync(dataDir, { recursive: true, force: true });
  }
};

/** F26: the store goes away under the server, and answers late: uploads are told so within the time, texts are not held up. */
export const storeAway: Story = async (options) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-faults-away-'));
  try {
    return await inLab(options, { env: { DATA_DIR: dataDir } }, async (lab) => {
      const [conversation] = await lab.converse(await lab.newTenant(), 1);
      const port = lab.seats[0]?.front.port ?? 0;
      if (!conversation) throw new Error('no conversation');
      const { id, user } = conversation;
      const anomalies: Anomaly[] = [];
      const rounds = options.rounds ?? 2;
      const stored = join(dataDir, 'files', 'stored');
      let longestTextMs = 0;
      for (let round = 0; round < rounds; round++) {
        const size = 400_000;
        const path = `/uploads/${randomUUID()}?conversation=${id}&name=a.pdf&size=${size}`;
        const { bytes } = newFile(size - 9);
        const half = bytes.subarray(0, size / 2);
        const expectStatus = (what: string, status: number, expected: number) => {
          if (status !== expected) anomalies.push({ kind: 'lost', what: `${what}: ${status}` });
        };
        const patch = (offset: number, piece: Buffer) =>
          call(port, user.token, { method: 'PATCH', path, offset, bytes: piece });
        expectStatus('the first half', (await patch(0, half)).status, 204);
        // root may write anywhere, so the folder is taken away and a file is in its place
        renameSync(stored, `${stored}-away`);
        writeFileSync(stored, '');
        expectStatus('while the store is away', (await patch(size / 2, bytes.subarray(size / 2))).status, 503);
        const startedAt = performance.now();
        const message = { clientId: randomUUID(), body: `not held up ${round}` };
        const messages = `/api/support/conversations/${id}/messages`;
        const said = await http({ port, method: 'POST', path: messages, token: user.token, body: message });
        longestTextMs = Math.max(longestTextMs, performance.now() - startedAt);
        expectStatus('a message while the store is away', said.status, 201);
        rmSync(stored);
        renameSync(`${stored}-away`, stored);
        const done = await patch(size / 2, bytes.subarray(size / 2));
        expectStatus('the second half, once it is back', done.status, 200);
        const file = /value="([^"]+)"/.exec(done.body.toString())?.[1] ?? '';
        const shown = await http({ port, method: 'GET', path: `/api/support/attachments/${file}`, token: user.token });
        const { url } = (shown.body as { attachment: { url: string } }).attachment;
        const read = () => call(port, user.token, { method: 'GET', path: url });
        expectStatus('reading', (await read()).status, 200);
        renameSync(stored, `${stored}-away`);
        expectStatus('reading while the store is away', (await read()).status, 503);
        renameSync(`${stored}-away`, stored);
        expectStatus('reading once it is back', (await read()).status, 200);
      }
      return { anomalies, rounds, facts: { longestTextMs: Math.round(longestTextMs) } };
    });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
};

/** Longest time until somebody hears that the store does not answer, and of a text beside it. */
const TOLD_WITHIN_MS = 14_000;
const TEXT_WITHIN_MS = 1_000;

/**
 * F26, a store that is slow: an S3 server behind a line that is late, silent, or dead. Files take their time or are refused in a
 * sentence, within a time; texts know nothing of it, and what was begun is finished when the line is well.
 */
export const slowStore: Story = async (options) => {
  const folder = mkdtempSync(join(tmpdir(), 'safego-faults-s3-'));
  const bucket = 'support';
  const script = join(import.meta.dirname, '../lab/s3.child.ts');
  const s3 = spawn(process.execPath, [script, join(folder, 'bucket'), bucket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(s3.stdout, 'data')) as [Buffer];
  const line = await openFaultProxy(Number(port.toString()));
  const env = {
    DATA_DIR: join(folder, 'data'),
    S3_ENDPOINT: `http://127.0.0.1:${line.port}`,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: 'S3RVER',
    S3_SECRET_ACCESS_KEY: 'S3RVER',
  };
  try {
    return await inLab(options, { env }, async (lab) => {
      const [conversation] = await lab.converse(await lab.newTenant(), 1);
      const port = lab.seats[0]?.front.port ?? 0;
      if (!conversation) throw new Error('no conversation');
      const { id, user } = conversation;
      const anomalies: Anomaly[] = [];
      const expectThat = (isSo: boolean, what: string) => void (isSo || anomalies.push({ kind: 'lost', what }));
      const rounds = options.rounds ?? 1;
      const told: number[] = [];
      const texts: number[] = [];
      let isOver = false;
      const chat = (async () => {
        const path = `/api/support/conversations/${id}/messages`;
        for (let n = 0; !isOver; n += 1) {
          const startedAt = performance.now();
          const body = { clientId: randomUUID(), body: `not held up ${n}` };
          const said = await http({ port, method: 'POST', path, token: user.token, body }).catch(
            (error: Error) => error,
          );
          texts.push(performance.now() - startedAt);
          const came = said instanceof Error ? said.message : said.status;
          expectThat(came === 201, `a message while the store is slow: ${came}`);
          await sleep(100);
        }
      })();
      const timed = async (method: 'GET' | 'PATCH', path: string, offset?: number, bytes?: Buffer) => {
        const startedAt = performance.now();
        const piece = bytes === undefined || offset === undefined ? {} : { offset, bytes };
        const answer = await call(port, user.token, { method, path, ...piece });
        return { ...answer, ms: performance.now() - startedAt };
      };
      const acked: Acked[] = [];
      /** Sends the file of an answer with a message; gives where it can be read. */
      const keep = async ({ status, body }: Answer, sha256: string) => {
        const file = /value="([^"]+)"/.exec(body.toString())?.[1];
        if (status !== 200 || !file) throw new Error(`not kept: ${status} ${body.toString().slice(0, 200)}`);
        const { token } = user;
        const path = `/api/support/conversations/${id}/messages`;
        const message = { clientId: randomUUID(), attachmentIds: [file] };
        const said = await http({ port, method: 'POST', path, token, body: message });
        acked.push({ id: file, sha256, token, message: said.status === 201 ? message.clientId : null });
        const shown = await http({ port, method: 'GET', path: `/api/support/attachments/${file}`, token });
        return (shown.body as { attachment: { url: string } }).attachment.url;
      };
      const upload = () => `/uploads/${randomUUID()}?conversation=${id}`;
      const whole = (path: string, bytes: Buffer) => `${path}&name=a.pdf&size=${bytes.length}`;
      try {
        for (let round = 1; round <= rounds; round += 1) {
          const early = newFile(100_000);
          const there = await keep(await timed('PATCH', whole(upload(), early.bytes), 0, early.bytes), early.sha256);
          const { bytes, sha256 } = newFile(400_000);
          const half = Math.ceil(bytes.length / 2);
          const asks = upload();
          const path = whole(asks, bytes);
          // half a second late each way: slow, and done all the same
          line.poison('up', { latencyMs: 500 });
          line.poison('down', { latencyMs: 500 });
          const late = await timed('PATCH', path, 0, bytes.subarray(0, half));
          expectThat(
            late.status === 204 && late.ms > 900,
            `half a second late each way: ${late.status} in ${Math.round(late.ms)} ms`,
          );
          // it takes the bytes and says nothing, takes no more of them, cannot be reached, or takes none of the connections
          for (const fault of ['deaf', 'stuck', 'refuse', 'ignore'] as const) {
            line.heal();
            if (fault === 'deaf') line.blackHole();
            else if (fault === 'stuck') line.poison('up', { isPaused: true });
            else {
              line.door = fault;
              line.reset();
            }
            const [sent, read] = await Promise.all([
              timed('PATCH', path, half, bytes.subarray(half)),
              timed('GET', there),
            ]);
            for (const [what, { status, body, ms }] of [
              ['sending', sent],
              ['reading', read],
            ] as const) {
              told.push(ms);
              const answer = `${fault}, ${what}: ${status} in ${Math.round(ms)} ms`;
              expectThat(status === 503 && ms < TOLD_WITHIN_MS, answer);
              expectThat(body.toString().includes('Messages still work'), `${answer}, not said in words: ${body}`);
            }
          }
          line.heal();
          line.reset();
          const asked = await timed('GET', asks);
          expectThat(asked.status === 204 && asked.offset === half, `begun is ${asked.offset} of ${half}`);
          const done = await timed('PATCH', path, half, bytes.subarray(half));
          for (const [url, expected] of [
            [there, early.bytes],
            [await keep(done, sha256), bytes],
          ] as const) {
            expectThat((await timed('GET', url)).body.equals(expected), 'what is read is not what was sent');
          }
          options.onRound?.(round, anomalies);
        }
      } finally {
        isOver = true;
        await chat;
      }
      const judged = await judgeFiles(lab, env.DATA_DIR, acked, {
        endpoint: new URL(`http://127.0.0.1:${line.upstream}`),
        bucket,
        region: 'us-east-1',
        accessKeyId: env.S3_ACCESS_KEY_ID,
        secretAccessKey: env.S3_SECRET_ACCESS_KEY,
      });
      anomalies.push(...judged.anomalies);
      const longestTextMs = Math.round(Math.max(...texts));
      expectThat(percentile(texts, 0.99) < TEXT_WITHIN_MS, `texts took up to ${longestTextMs} ms`);
      const facts = {
        texts: texts.length,
        textP50Ms: Math.round(percentile(texts, 0.5)),
        textP99Ms: Math.round(percentile(texts, 0.99)),
        files: acked.length,
        orphansSwept: judged.orphans,
        longestUntilToldMs: Math.round(Math.max(...told)),
      };
      return { anomalies, rounds, facts };
    });
  } finally {
    await line.close();
    s3.kill('SIGKILL');
    await once(s3, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
};

/** So many bodies that stand still, from so many people. */
const SLOW_BODIES = 200;
const SLOW_PEOPLE = 20;

/**
 * T-AT8, with the server's own times: two hundred forms with a file that drip a byte in ten seconds hold up nobody, are cut within
 * a minute and a half, and leave nothing; one that goes on at 2 KB a second for longer than that is taken.
 */
export const slowBodies: Story = async (options) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'safego-faults-slow-'));
  try {
    return await inLab(options, { env: { DATA_DIR: dataDir } }, async (lab) => {
      const people = await lab.converse(await lab.newTenant(), SLOW_PEOPLE + 1);
      const [writer, ...slow] = people;
      const port = lab.seats[0]?.front.port ?? 0;
      if (!writer) throw new Error('nobody writes');
      const anomalies: Anomaly[] = [];
      const expectThat = (isSo: boolean, what: string) => void (isSo || anomalies.push({ kind: 'lost', what }));
      const staged = () => readdirSync(join(dataDir, 'files', 'staging')).length;
      const messages = `/api/support/conversations/${writer.id}/messages`;
      const say = async (): Promise<number> => {
        const startedAt = performance.now();
        const body = { clientId: randomUUID(), body: 'not held up' };
        const said = await http({ port, method: 'POST', path: messages, token: writer.user.token, body });
        expectThat(said.status === 201, `a message beside slow bodies: ${said.status}`);
        return performance.now() - startedAt;
      };
      const saySome = async (count: number): Promise<number[]> => {
        const taken: number[] = [];
        for (let n = 0; n < count; n += 1) {
          taken.push(await say());
          await sleep(50);
        }
        return taken;
      };
      await saySome(20);
      const idle = await saySome(100);
      const startedAt = performance.now();
      const cutAfter: number[] = [];
      const drips = Array.from({ length: SLOW_BODIES }, (_, n) => {
        const from = slow[n % SLOW_PEOPLE];
        if (!from) throw new Error('nobody is slow');
        const sent = formOf(port, from, 1_000_000);
        sent.write(Buffer.alloc(8_000, 'x'));
        const drip = setInterval(() => sent.write('x'), 10_000);
        return new Promise<void>((resolve) => {
          sent.on('error', () => {});
          sent.on('close', () => {
            clearInterval(drip);
            cutAfter.push(performance.now() - startedAt);
            resolve();
          });
        });
      });
      const steady = steadyForm(port, writer);
      await until('they are all there', () => staged() === SLOW_BODIES + 1, 20_000);
      const busy = await saySome(100);
      await Promise.all(drips);
      const steadyStatus = await steady;
      const steadySeconds = Math.round((performance.now() - startedAt) / 1_000);
      expectThat(Math.max(...cutAfter) < 110_000, `the last was cut after ${Math.round(Math.max(...cutAfter))} ms`);
      expectThat(steadyStatus === 201, `one that goes on: ${steadyStatus}`);
      await until('nothing is left of them', () => staged() === 0, 5_000);
      const ratio = percentile(busy, 0.5) / percentile(idle, 0.5);
      expectThat(ratio < 2, `a message takes ${ratio.toFixed(1)} times as long`);
      const { rows } = await lab.admin.query<{ n: number }>('select count(*)::int as n from attachments');
      const facts = {
        bodies: SLOW_BODIES,
        cutAfterSeconds: Math.round(Math.max(...cutAfter) / 1_000),
        steadySeconds,
        idleP50Ms: Number(percentile(idle, 0.5).toFixed(1)),
        busyP50Ms: Number(percentile(busy, 0.5).toFixed(1)),
        rows: rows[0]?.n ?? -1,
      };
      return { anomalies, rounds: 1, facts };
    });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
};

/** A form with a file whose bytes are still to come. */
function formOf(port: number, { id, user }: LabConversation, size: number) {
  const part = (head: string) => `--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const start = `${part('name="clientId"')}${randomUUID()}\r\n${part('name="file"; filename="a.pdf"')}%PDF-1.4\n`;
  const sent = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: `/api/support/conversations/${id}/attachments`,
    agent: false,
    headers: {
      authorization: `Bearer ${user.token}`,
      'content-type': 'multipart/form-data; boundary=x',
      'content-length': start.length + size + FORM_END.length,
    },
  });
  sent.write(start);
  return sent;
}

const FORM_END = '\r\n--x--\r\n';

/** 2 KB a second for 100 seconds; gives the status. */
async function steadyForm(port: number, place: LabConversation): Promise<number> {
  const pieces = 100;
  const sent = formOf(port, place, pieces * 2_000);
  const answered = new Promise<number>((resolve) => {
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', () => resolve(0));
  });
  for (let n = 0; n < pieces; n += 1) {
    sent.write(Buffer.alloc(2_000, 'y'));
    await sleep(1_000);
  }
  sent.end(FORM_END);
  return answered;
}
