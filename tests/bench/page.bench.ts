import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import { type Figure, percentile } from './figures.ts';
import { type Http, openHttp } from './http.ts';
import type { RunningServer } from './servers.ts';
import { BODY } from './workload.ts';

const MESSAGES = 50;
const ROUNDS = 300;

/** A browser's conversation page, ready to be asked for again. */
export interface BenchPage {
  readonly path: string;
  readonly cookie: string;
  readonly html: Buffer;
}

/** Signs a demo driver's browser in, fills a conversation with 50 messages and loads its page once. */
export async function preparePage(product: RunningServer, token: string, file: string): Promise<BenchPage> {
  const http = openHttp(product.base, 4);
  try {
    const form = new URLSearchParams({ token, to: '/driver/support' }).toString();
    const answer = await http.send('POST', '/sso', { 'content-type': 'application/x-www-form-urlencoded' }, form);
    const cookie = (answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ');
    if (!cookie) throw new Error(`POST /sso: ${answer.status}, no cookie`);
    const path = `/driver/support/conversations/${await fill(http, cookie, product.base)}`;
    const page = await http.send('GET', path, { cookie, accept: 'text/html', 'accept-encoding': 'identity' });
    if (page.status !== 200) throw new Error(`GET ${path}: ${page.status}`);
    writeFileSync(file, page.body);
    return { path, cookie, html: page.body };
  } finally {
    http.close();
  }
}

async function fill(http: Http, cookie: string, origin: string): Promise<string> {
  const headers = { cookie, origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await http.send('POST', path, headers, JSON.stringify(body));
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.body.toString().slice(0, 200)}`);
    return JSON.parse(answer.body.toString());
  };
  const message = { body: BODY, clientId: randomUUID() };
  const started = (await post('/api/support/conversations', { message })) as { conversation: { id: string } }; // contract.md
  for (let count = 1; count < MESSAGES; count += 1) {
    await post(`/api/support/conversations/${started.conversation.id}/messages`, {
      body: BODY,
      clientId: randomUUID(),
    });
  }
  return started.conversation.id;
}

/** How long the page of 50 messages takes, one after the other, against a bare server that sends the same bytes. */
export async function measurePage(product: RunningServer, bare: RunningServer, page: BenchPage): Promise<Figure[]> {
  const headers = { cookie: page.cookie, accept: 'text/html', 'accept-encoding': 'identity' };
  const raw = await milliseconds(bare.base, '/', {});
  const ours = await milliseconds(product.base, page.path, headers);
  return [
    {
      what: `page of ${MESSAGES} messages`,
      unit: 'ms',
      ours: percentile(ours, 0.5),
      raw: percentile(raw, 0.5),
      rawIs: 'the same bytes from bare http, no database',
      note: `p99 ${percentile(ours, 0.99).toFixed(1)} ms`,
    },
    ...(await measureBytes(product, page)),
  ];
}

async function milliseconds(base: string, path: string, headers: Record<string, string>): Promise<number[]> {
  const http = openHttp(base, 1);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    const answer = await http.send('GET', path, headers);
    if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status}`);
    if (round >= ROUNDS / 10) times.push(performance.now() - began);
  }
  http.close();
  return times;
}

/** What a first visit transfers: the page and what it links, compressed as a browser asks for it. */
async function measureBytes(product: RunningServer, { path, cookie, html }: BenchPage): Promise<Figure[]> {
  const http = openHttp(product.base, 4);
  const asBrowser = { cookie, accept: '*/*', 'accept-encoding': 'br' };
  const links = [...html.toString().matchAll(/<(?:link[^>]+rel="(?:stylesheet|modulepreload)"|script)[^>]*>/g)]
    .map(([tag]) => /(?:href|src)="([^"]+)"/.exec(tag)?.[1])
    .filter((link) => link !== undefined);
  const size = async (address: string): Promise<number> => (await http.send('GET', address, asBrowser)).body.length;
  const page = await size(path);
  const assets = await Promise.all([...new Set(links)].map(size));
  http.close();
  const bytes = (what: string, ours: number, note: string, raw: number | null = null): Figure => ({
    what,
    unit: 'bytes',
    ours,
    raw,
    rawIs: raw === null ? '' : 'its text alone, brotli',
    note,
  });
  const text = html
    .toString()
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');
  return [
    bytes('page, as transferred', page, `${html.length} bytes of HTML`, brotliCompressSync(text).length),
    bytes(
      'first visit, as transferred',
      page + assets.reduce((sum, one) => sum + one, 0),
      `${1 + assets.length} requests`,
    ),
  ];
}
