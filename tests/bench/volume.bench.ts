import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.ts';
import { migrate } from '../../src/platform/database/index.ts';
import { percentile } from './figures.ts';
import { type Http, openHttp, sendJson } from './http.ts';
import { hostTokens, ROOT, type RunningServer, startProduct } from './servers.ts';
import { quiet } from './workload.ts';

/** What issue 4 promises for every list, search and answer. */
const PROMISED_MS = 50;
const WARM_UP = 4;

interface Look {
  readonly what: string;
  ask(round: number): Promise<void>;
}

interface Timed {
  readonly what: string;
  readonly median: number;
  readonly slowest: number;
  readonly times: readonly number[];
}

/**
 * `npm run bench -- volume [--data-dir DIR] [--conversations N] [--messages N] [--rounds N]`: the desk on a volume that
 * the product's own task loads. With a folder the volume is kept and found again. Prints what each look takes, from the
 * request to its last byte, one after the other; fails when one takes longer than was promised by its median, or all of
 * them together by their 99th percentile.
 */
export async function measureVolume(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'data-dir': { type: 'string' },
      conversations: { type: 'string', default: '100000' },
      messages: { type: 'string', default: '2000000' },
      rounds: { type: 'string', default: '20' },
      only: { type: 'string' },
    },
  });
  const dataDir = values['data-dir'] ?? mkdtempSync(join(tmpdir(), 'safego-volume-'));
  const postgres = await openEmbeddedPostgres({ dataDir, log: { ...quiet, warn: console.warn } });
  try {
    await migrate({ url: postgres.url, entities: [], log: quiet });
    const product = await startProduct(postgres.url, dataDir);
    try {
      await load(postgres, dataDir, values);
      const looks = await prepare(postgres, product, dataDir);
      const wanted = looks.filter((look) => !values.only || look.what.includes(values.only));
      const timed = await measure(wanted, Number(values.rounds));
      console.log(text(timed));
      return isKept(timed);
    } finally {
      await product.stop();
    }
  } finally {
    await postgres.release();
    if (!values['data-dir']) rmSync(dataDir, { recursive: true, force: true });
  }
}

type Postgres = Awaited<ReturnType<typeof openEmbeddedPostgres>>;

async function load(
  { url, adminUrl }: Postgres,
  dataDir: string,
  { conversations, messages }: { conversations: string; messages: string },
): Promise<void> {
  const [row] = await query<{ count: number }>(adminUrl, 'select count(*)::integer as count from conversations');
  if ((row?.count ?? 0) >= Number(conversations)) return;
  const command = [`${ROOT}src/cli.ts`, 'seed-volume', '--conversations', conversations, '--messages', messages];
  const env = { ...process.env, DATABASE_URL: url, DATA_DIR: dataDir, DEMO: '1', LOG_LEVEL: 'warn' };
  const began = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, cwd: ROOT, maxBuffer: 1e8 });
  console.log(`${stdout.trim()} in ${Math.round((performance.now() - began) / 1_000)} s`);
}

/** Candidates; how often each is said is counted, and those are taken that come nearest to what is to be measured. */
const WORDS =
  `the refund trip account moment bonus licence Dhanmondi Gulshan Banani Uttara Mirpur Mohakhali Farmgate Shahbag
  Paltan Wari Badda Rampura Kuril Turag Vatara umbrella passport telescope didgeridoo biryani tiramisu baklava falafel hummus
  kacchi tehari burger pizza laptop wallet helmet notebook verify finance sealed commission toll expired voucher corrected
  navigation photo`.split(/\s+/);

/** Whoever may not see contacts finds nobody by them. */
const BY_CONTACTS = new Set(['an email', 'a phone number', "a phone number's beginning"]);

async function prepare({ url, adminUrl }: Postgres, product: RunningServer, dataDir: string): Promise<Look[]> {
  const http = openHttp(product.base, 2);
  const [token = ''] = await hostTokens(url, dataDir, ['--as', 'agent']);
  const session = (await sendJson(http, '/api/support/session', null, { token })) as { accessToken: string }; // contract.md
  const enter = async (handle: string): Promise<string> => {
    const [browserToken = ''] = await hostTokens(url, dataDir, ['--as', handle]);
    const form = new URLSearchParams({ token: browserToken, to: '/admin/support-chat' }).toString();
    const entered = await http.send('POST', '/sso', { 'content-type': 'application/x-www-form-urlencoded' }, form);
    return (entered.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ');
  };
  const [cookie, leadsCookie] = [await enter('agent'), await enter('lead')];
  const said = await countWords(adminUrl);
  console.log(`words: ${said.map((one) => `${one.word} ${one.hits}`).join(', ')}`);
  const near = (hits: number) =>
    said.reduce((a, b) => (Math.abs(b.hits - hits) < Math.abs(a.hits - hits) ? b : a)).word;
  const [person] = await query<{ name: string; email: string; phone: string; sub: string; id: string }>(
    adminUrl,
    `select u.name, u.email, u.phone, u.sub, u.id from users u where u.issuer = 'volume' and email is not null
       and phone is not null and u.user_type = 'customer' and name ~ ' ' limit 1 offset 777`,
  );
  const queries: Record<string, string> = {
    none: '',
    'in every tenth message': near(200_000),
    'said 30,000 times': near(30_000),
    'said 8,000 times': near(8_000),
    'said 4,000 times': near(4_000),
    'just few enough to be named': near(2_400),
    'said 1,000 times': near(1_000),
    'said once in a while': near(100),
    'two common words': 'refund account',
    'three common words that never meet': 'licence umbrella biryani',
    'half a word': 'navig',
    'short word': 'ok',
    'one letter': 'a',
    'a Bengali word': 'ধন্যবাদ',
    'a seldom Bengali word': 'গাবতলী',
    'Bengali words': 'টাকা ফেরত',
    'a number': '48213',
    'nothing found': 'zzyzx',
    signs: '%%_!',
    'a first name': 'Rahim',
    'a whole name': person?.name ?? '',
    'an email': person?.email ?? '',
    'a phone number': person?.phone ?? '',
    "a phone number's beginning": '+88017',
    'a user id': person?.sub ?? '',
    'a uuid': person?.id ?? '',
  };
  const filters: Record<string, string> = {
    '': '',
    'status open': 'status=open',
    'status closed': 'status=closed',
    'user type': 'userType=restaurant',
    unassigned: 'assignedAdminId=none',
    mine: 'assignedAdminId=me',
    'mine, open, driver': 'assignedAdminId=me&status=open&userType=driver',
    'closed, unassigned': 'assignedAdminId=none&status=closed',
    'two days long ago': dates(200, 198),
    'a month long ago, closed, restaurant': `${dates(150, 120)}&status=closed&userType=restaurant`,
    'mentions me': 'mentions=me',
    'what is due first': 'sort=due',
    'late ones, mine': 'late=1&assignedAdminId=me',
  };
  const list = async (search: string, cookie: string) => {
    const headers = { cookie, 'hx-request': 'true', 'hx-target': 'section#list', accept: 'text/html' };
    return okay(http, `/admin/support-chat?${search}`, headers);
  };
  const looks: Look[] = [];
  for (const [query, q] of Object.entries(queries)) {
    for (const [filter, set] of Object.entries(filters)) {
      const search = [q && `q=${encodeURIComponent(q)}`, set].filter(Boolean).join('&');
      looks.push({
        what: [query === 'none' ? 'list' : `search ${query}`, filter].filter(Boolean).join(', '),
        ask: async () => void (await list(search, BY_CONTACTS.has(query) ? leadsCookie : cookie)),
      });
    }
  }
  looks.push(...(await pages((search) => list(search, cookie))));
  looks.push(...(await work(http, adminUrl, cookie, session.accessToken)));
  return looks;
}

/** The next page of a list and of searches, by the link that the page before gives. */
async function pages(list: (search: string) => Promise<string>): Promise<Look[]> {
  const looks: Look[] = [];
  for (const search of ['', 'status=closed', 'q=refund', 'q=Rahim', 'q=umbrella&userType=driver']) {
    let next = search;
    for (let page = 2; page <= 3; page += 1) {
      const html = await list(next);
      const link = /href="\/admin\/support-chat\?([^"]*cursor=[^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
      if (!link) break;
      next = link;
      looks.push({ what: `page ${page} of ${search || 'the list'}`, ask: async () => void (await list(link)) });
    }
  }
  return looks;
}

/** Opening and answering: the agent's own open conversations, one after the other. */
async function work(http: Http, adminUrl: string, cookie: string, token: string): Promise<Look[]> {
  const mine = await query<{ id: string }>(
    adminUrl,
    `select c.id from conversations c join users u on u.id = c.assigned_admin_id
     where u.sub = 'agent' and u.issuer = 'demo' and c.status = 'open' order by c.last_message_at desc limit 60`,
  );
  const any = await query<{ id: string }>(adminUrl, 'select id from conversations order by md5(id::text) limit 200');
  const [long] = await query<{ id: string }>(adminUrl, 'select id from conversations order by last_seq desc limit 1');
  const at = <T>(list: readonly T[], round: number): T => {
    const one = list[round % list.length];
    if (one === undefined) throw new Error('the volume holds too little');
    return one;
  };
  const json = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const fragment = { cookie, 'hx-request': 'true', 'hx-target': 'section#thread', accept: 'text/html' };
  const open = (id: string, headers: Record<string, string>) => okay(http, `/admin/support-chat/${id}`, headers);
  return [
    { what: 'opening a conversation (swap)', ask: async (round) => void (await open(at(any, round).id, fragment)) },
    { what: 'opening a conversation (page)', ask: async (round) => void (await open(at(any, round).id, { cookie })) },
    { what: 'the longest conversation (swap)', ask: async () => void (await open(long?.id ?? '', fragment)) },
    {
      what: 'answering',
      async ask(round) {
        const path = `/api/support/conversations/${at(mine, round).id}/messages`;
        const body = JSON.stringify({ body: `Answer ${round}`, clientId: randomUUID() });
        const answer = await http.send('POST', path, json, body);
        if (answer.status !== 201)
          throw new Error(`answering: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
      },
    },
    {
      what: "a user's JSON list of messages",
      ask: async (round) => void (await okay(http, `/api/support/conversations/${at(any, round).id}/messages`, json)),
    },
    {
      what: "staff's JSON list",
      ask: async () => void (await okay(http, '/api/admin/support/conversations?limit=50', json)),
    },
  ];
}

async function okay(http: Http, path: string, headers: Record<string, string>): Promise<string> {
  const answer = await http.send('GET', path, headers);
  if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
  return answer.body.toString();
}

async function measure(looks: readonly Look[], rounds: number): Promise<Timed[]> {
  const timed: Timed[] = [];
  for (const { what, ask } of looks) {
    const times: number[] = [];
    for (let round = 0; round < WARM_UP + rounds; round += 1) {
      const began = performance.now();
      await ask(round);
      if (round >= WARM_UP) times.push(performance.now() - began);
    }
    timed.push({ what, median: percentile(times, 0.5), slowest: Math.max(...times), times });
  }
  return timed;
}

function isKept(timed: readonly Timed[]): boolean {
  return timed.every((one) => one.median <= PROMISED_MS) && overall(timed, 0.99) <= PROMISED_MS;
}

/** A percentile over every single request of every look. */
function overall(timed: readonly Timed[], share: number): number {
  return percentile(
    timed.flatMap((one) => one.times),
    share,
  );
}

/** The slowest first; what is quick is counted. */
function text(timed: readonly Timed[]): string {
  const sorted = [...timed].sort((a, b) => b.median - a.median);
  const lines = sorted.slice(0, 40).map((one) => `${one.what.padEnd(60)} ${ms(one.median)} ${ms(one.slowest)}`);
  const late = timed.filter((one) => one.median > PROMISED_MS).length;
  const all = [0.5, 0.95, 0.99, 1].map((share) => ms(overall(timed, share)));
  return [
    `${''.padEnd(60)}   median  slowest`,
    ...lines,
    `${timed.length} looks, all requests of them: median ${all[0]}, p95 ${all[1]}, p99 ${all[2]}, slowest ${all[3]}`,
    late === 0
      ? `no look took longer than ${PROMISED_MS} ms by its median`
      : `${late} TOOK LONGER THAN ${PROMISED_MS} ms`,
  ].join('\n');
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`.padStart(8);
}

/** Days before today, as the filter writes them. */
function dates(from: number, to: number): string {
  const day = (back: number) => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
  return `dateFrom=${day(from)}&dateTo=${day(to)}`;
}

async function countWords(adminUrl: string): Promise<{ word: string; hits: number }[]> {
  return query(
    adminUrl,
    `select word, (select count(*)::integer from conversation_words w
       where w.words @@ plainto_tsquery('simple', word)) as hits
     from unnest($1::text[]) as word order by 2 desc`,
    [WORDS],
  );
}

async function query<T extends object>(adminUrl: string, statement: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    return (await client.query<T>(statement, values)).rows;
  } finally {
    await client.end();
  }
}
