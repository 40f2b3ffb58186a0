import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type MemberSpec, openCrowd } from '../crowd/crowd.ts';
import { type Inhabitant, settle } from '../crowd/inhabitants.ts';
import type { Figure } from './figures.ts';
import { openHttp, sendJson } from './http.ts';
import { type RunningServer, startProduct } from './servers.ts';

/** Sockets, and the megabytes of the server with them that are promised. */
const STEPS = [
  { sockets: 2_000, promisedMb: 300 },
  { sockets: 10_000, promisedMb: 600 },
] as const;
/** So many of the rooms get a message, a few at a time, so that what sending keeps is counted too. */
const SPOKEN_TO = 1_000;
/** What connecting took is given back by then, as far as it is. */
const SETTLED_MS = 5_000;

/**
 * What thousands of open sockets cost the server in memory: each is somebody's own session in a room of its own; JSON
 * sockets and page sockets apart, each on a server that has done nothing else. What it holds once they are in and have
 * been spoken to; beside it the highest on the way there, when 800 a second came in.
 */
export async function measureMemory(
  { url, adminUrl }: { readonly url: string; readonly adminUrl: string },
  dataDir: string,
): Promise<Figure[]> {
  const admin = new pg.Pool({ connectionString: adminUrl, max: 2 });
  try {
    // the demo's tenants, on a database that is fresh
    await (await startProduct(url, dataDir)).stop();
    const { rows } = await admin.query<{ id: string }>("select id from tenants where slug = 'safego'");
    const most = Math.max(...STEPS.map((step) => step.sockets));
    const people = await settle(admin, rows[0]?.id ?? '', most);
    return [
      ...(await measureFormat('json', people, url, dataDir)),
      ...(await measureFormat('page', people, url, dataDir)),
    ];
  } finally {
    await admin.end();
  }
}

async function measureFormat(
  format: MemberSpec['format'],
  people: readonly Inhabitant[],
  url: string,
  dataDir: string,
): Promise<Figure[]> {
  const product = await startProduct(url, dataDir);
  const port = Number(new URL(product.base).port);
  const crowds: ReturnType<typeof openCrowd>[] = [];
  const figures: Figure[] = [];
  try {
    const atRest = megabytes(product.pid, 'VmRSS');
    for (const [at, { sockets, promisedMb }] of STEPS.entries()) {
      // 5: the highest so far is forgotten (proc(5)); starting took some, too
      writeFileSync(`/proc/${product.pid}/clear_refs`, '5');
      const newcomers = people.slice(STEPS[at - 1]?.sockets ?? 0, sockets);
      const crowd = openCrowd({
        members: newcomers.map(({ token, conversation }, number) => ({
          token,
          room: `conversation_${conversation}`,
          format,
          from: `127.0.0.${2 + (number % 8)}`,
        })),
        ports: [port],
        perSecond: 800,
      });
      crowds.push(crowd);
      const { missing } = await crowd.reach(() => 0, 120_000);
      if (missing > 0) throw new Error(`${missing} of ${newcomers.length} sockets never came in`);
      await speak(product, newcomers.slice(0, SPOKEN_TO));
      await sleep(SETTLED_MS);
      figures.push({
        what: `memory, ${sockets.toLocaleString('en')} ${format === 'json' ? 'JSON' : 'page'} sockets`,
        unit: 'MB',
        ours: megabytes(product.pid, 'VmRSS'),
        raw: promisedMb,
        rawIs: 'what is promised',
        note: `its own share ${Math.round(ownShare(product.pid))} MB; highest ${Math.round(megabytes(product.pid, 'VmHWM'))} MB; without sockets ${Math.round(atRest)} MB`,
      });
    }
    return figures;
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.close()));
    await product.stop();
  }
}

async function speak(product: RunningServer, people: readonly Inhabitant[]): Promise<void> {
  const http = openHttp(product.base, 8);
  const waiting = [...people];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let one = waiting.pop(); one; one = waiting.pop()) {
        const path = `/api/support/conversations/${one.conversation}/messages`;
        await sendJson(http, path, one.token, { body: 'a message to be heard', clientId: crypto.randomUUID() });
      }
    }),
  );
  http.close();
}

/** Resident memory now, or at its highest. */
function megabytes(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
}

/** What is shared with other processes counts in parts (PSS): the clients of this bench are Node, too. */
function ownShare(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1_024;
}
