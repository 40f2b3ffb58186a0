import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareAttachments } from '../../../src/messaging/attachments/check-attachments.task.ts';
import { openFiles } from '../../../src/messaging/attachments/files.ts';
import { removeOrphans, sweepRows } from '../../../src/messaging/attachments/sweep-attachments.ts';
import type { Anomaly } from '../lab/checker.ts';
import { http } from '../lab/client.ts';
import type { Lab, LabConversation } from '../lab/lab.ts';
import { LAB_SECRET } from '../lab/node.ts';
import { inLab, type Story, until } from './story.ts';

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
  const config = { dataDir, secretKey: Buffer.from(LAB_SECRET) };
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
